"""Points by name, number or range, as a user writes them."""

from pipeline.errors import DataError
from pipeline.scheme import POINTS, REGIONS

DEFAULT = "8,19,30,36,48,jaw"
_MOST = 12


def point_groups(text: str) -> dict[str, list[int]]:
    """Label -> points: "30,36-41,mouth" are three groups. Raises DataError."""
    groups = {part.strip(): _points(part.strip()) for part in text.split(",")}
    if len(groups) > _MOST:
        raise DataError(f"{len(groups)} groups of points are chosen but a page shows {_MOST}; join some, like 36-41")
    return groups


def _points(part: str) -> list[int]:
    if part in REGIONS:
        return list(REGIONS[part])
    first, _, last = part.partition("-")
    if first.isdecimal() and (last or first).isdecimal() and int(first) <= int(last or first) < POINTS:
        return list(range(int(first), int(last or first) + 1))
    regions = ", ".join(REGIONS)
    raise DataError(f"{part!r} names no points; give numbers 0..{POINTS - 1}, ranges like 36-41, or {regions}")

"""Groups of points by name, number or range, as a user writes them."""

import re

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68, Scheme
from facial_keypoints.core.text import shortened

_CHOSEN_OF_68 = "8,19,30,36,48,jaw"
"""Chin, brow, tip of the nose, corners of eye and mouth, jaw."""
_MOST = 12
"""Panels of a figure."""


def point_groups(text: str | None, scheme: Scheme) -> dict[str, list[int]]:
    """Label -> numbers of points: "30,36-41,mouth" are three groups; without a text some that tell much.

    Raises DataError for a part that names no points, and for more groups than a page shows.
    """
    if text is None and scheme != IBUG_68:
        return {name: list(points) for name, points in list(scheme.regions.items())[:_MOST]}
    text = _CHOSEN_OF_68 if text is None else text
    groups = {part.strip(): _points(part.strip(), scheme) for part in text.split(",")}
    if len(groups) > _MOST:
        raise DataError(f"{len(groups)} groups of points are chosen but a page shows {_MOST}; join some, like 36-41")
    return groups


def _points(part: str, scheme: Scheme) -> list[int]:
    if part in scheme.regions:
        return list(scheme.regions[part])
    if written := re.fullmatch(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", part):
        first, last = int(written[1]), int(written[2] or written[1])
        if first <= last < scheme.count:
            return list(range(first, last + 1))
    regions = ", ".join(scheme.regions)
    shown = repr(shortened(part, 40))
    raise DataError(f"{shown} names no points; give numbers 0..{scheme.count - 1}, ranges like 36-41, or {regions}")

"""Groups of points by name, number or range, as a user writes them."""

import re

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.text import shortened

DEFAULT = "8,19,30,36,48,jaw"
_MOST = 12
"""Panels of a figure."""


def point_groups(text: str) -> dict[str, list[int]]:
    """Label -> numbers of points: "30,36-41,mouth" are three groups.

    Raises DataError for a part that names no points, and for more groups than a page shows.
    """
    groups = {part.strip(): _points(part.strip()) for part in text.split(",")}
    if len(groups) > _MOST:
        raise DataError(f"{len(groups)} groups of points are chosen but a page shows {_MOST}; join some, like 36-41")
    return groups


def _points(part: str) -> list[int]:
    if part in IBUG_68.regions:
        return list(IBUG_68.regions[part])
    if written := re.fullmatch(r"([0-9]{1,2})(?:-([0-9]{1,2}))?", part):
        first, last = int(written[1]), int(written[2] or written[1])
        if first <= last < IBUG_68.count:
            return list(range(first, last + 1))
    regions = ", ".join(IBUG_68.regions)
    shown = repr(shortened(part, 40))
    raise DataError(f"{shown} names no points; give numbers 0..{IBUG_68.count - 1}, ranges like 36-41, or {regions}")

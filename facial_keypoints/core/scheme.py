"""The 68 points of the iBUG 300-W scheme as data. Indices count from 0; left and right are the subject's.

Source: C. Sagonas et al., "300 Faces in-the-Wild Challenge: The first facial landmark localization challenge",
ICCVW 2013, whose figure counts the points from 1.
"""

import numpy as np

POINTS = 68

REGIONS: dict[str, range] = {
    "jaw": range(17),
    "right_brow": range(17, 22),
    "left_brow": range(22, 27),
    "nose": range(27, 36),
    "right_eye": range(36, 42),
    "left_eye": range(42, 48),
    "mouth": range(48, 68),
}
"""The seven regions; they partition 0..67."""

OUTER_EYE_CORNERS = (36, 45)
"""Their distance is `interocular`, the unit of NME."""

CONTOURS: list[tuple[list[int], bool]] = [
    (list(range(17)), False),
    (list(range(17, 22)), False),
    (list(range(22, 27)), False),
    (list(range(27, 31)), False),
    (list(range(31, 36)), False),
    (list(range(36, 42)), True),
    (list(range(42, 48)), True),
    (list(range(48, 60)), True),
    (list(range(60, 68)), True),
]
"""Lines that draw a face: (indices in order, whether the line closes)."""

_MIRROR_PAIRS = (
    [(i, 16 - i) for i in range(8)]
    + [(17 + i, 26 - i) for i in range(5)]
    + [(31, 35), (32, 34)]
    + [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    + [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56)]
    + [(60, 64), (61, 63), (67, 65)]
)


def _flip_index() -> np.ndarray:
    index = np.arange(POINTS)
    for right, left in _MIRROR_PAIRS:
        index[right], index[left] = left, right
    return index


FLIP_INDEX = _flip_index()
"""(68,) permutation to apply after mirroring x, so that point 36 is again the subject's right outer eye corner."""

"""Draw faces on a picture: thin lines along the features, the 68 points, the box."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.detector import Face
from pipeline.scheme import CONTOURS

_LINE, _POINT, _EDGE = (86, 180, 233), (240, 228, 66), (0, 0, 0)
"""RGB: sky blue and yellow over a black rim, apart on light and dark ground and for every colour vision."""
_SHIFT = 4
_UNIT_FRAC = 1 / 110
"""Thickness of a line over the size of the face."""


def draw_faces(picture: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with the faces drawn on it."""
    drawn = np.ascontiguousarray(picture).copy()
    for face in faces:
        unit = _unit(face, drawn.shape)
        for colour, rim in ((_EDGE, 1.0), (None, 0.0)):
            _outline(drawn, face, unit, rim, colour)
    return drawn


def _unit(face: Face, shape: tuple[int, ...]) -> float:
    """Thickness of a line in pixels: a share of the face, never finer than the picture shows on a screen."""
    return max(math.sqrt(face.box[2] * face.box[3]) * _UNIT_FRAC, max(shape) / 2500, 0.6)


def _outline(drawn: np.ndarray, face: Face, unit: float, rim: float, colour: tuple[int, int, int] | None) -> None:
    """One pass over the face: all in `colour`, wider by `rim` units at each side, or in its own colours for None."""
    width = max(1, round(unit * (1 + 2 * rim)))
    x, y, across, down = face.box
    margin = 0.06 * math.sqrt(across * down)
    low, high = _fixed((x - margin, y - margin)), _fixed((x + across + margin, y + down + margin))
    cv2.rectangle(drawn, low, high, colour or (255, 255, 255), width, cv2.LINE_AA, _SHIFT)
    for indices, closed in CONTOURS:
        line = np.rint(face.keypoints[indices].astype(np.float64) * 2**_SHIFT).astype(np.int32)
        cv2.polylines(drawn, [line], closed, colour or _LINE, width, cv2.LINE_AA, _SHIFT)
    radius = round(unit * (1.3 + 0.6 * rim) * 2**_SHIFT)
    for point in face.keypoints:
        cv2.circle(drawn, _fixed(point), radius, colour or _POINT, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _fixed(point: Sequence[float] | np.ndarray) -> tuple[int, int]:
    x, y = np.rint(np.asarray(point, np.float64) * 2**_SHIFT).astype(int)
    return int(x), int(y)

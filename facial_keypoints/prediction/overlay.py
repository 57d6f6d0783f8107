"""Draw faces on a picture: thin lines along the features, the 68 points, the box."""

import math
from collections.abc import Sequence
from itertools import compress

import cv2
import numpy as np

from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import Face

Colour = tuple[int, int, int]

_BOX, _LINE, _POINT, _RIM = (255, 255, 255), (86, 180, 233), (240, 228, 66), (0, 0, 0)
"""RGB: white, sky blue and yellow over a dark rim, apart on light and dark ground and for every colour vision."""
_LINE_FRAC = 1 / 130
"""Thickness of a line over the size of the face."""
_MOST_LINE_PX = 500
"""Enough for a face that fills the largest picture; OpenCV draws no line of more than 32,767."""
_RIM_COVER = 0.55
_SHIFT = 4
"""Binary digits of a pixel in which OpenCV takes coordinates."""


def draw_faces(picture: np.ndarray, faces: Sequence[Face], numbers: Sequence[int] = ()) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with the faces drawn on it, and their numbers if there are any.

    A face with a point that is no number is not drawn.
    """
    drawn = np.array(picture, order="C")
    finite = [np.isfinite(face.keypoints).all() and np.isfinite(face.box).all() for face in faces]
    faces, numbers = list(compress(faces, finite)), list(compress(numbers, finite))
    lines = [_line_px(face, drawn.shape) for face in faces]
    rims = drawn.copy()
    for face, line in zip(faces, lines, strict=True):
        _pass(rims, face, line + max(1.0, line), 1.2 * line + max(0.6, line / 2), (_RIM, _RIM, _RIM))
    drawn = np.asarray(cv2.addWeighted(rims, _RIM_COVER, drawn, 1 - _RIM_COVER, 0), np.uint8)
    for face, line in zip(faces, lines, strict=True):
        _pass(drawn, face, line, 1.2 * line, (_BOX, _LINE, _POINT))
    for face, number, line in zip(faces, numbers, lines, strict=False):
        _number(drawn, face, number, line)
    return drawn


def _line_px(face: Face, shape: tuple[int, ...]) -> float:
    """Thickness of a line: it grows with the face, and with the picture, which is shrunk to be shown on a screen."""
    size = math.sqrt(face.box[2] * face.box[3])
    return max(1.0, min(max(size * _LINE_FRAC, max(shape) / 1800), size / 40, _MOST_LINE_PX))


def _pass(drawn: np.ndarray, face: Face, line: float, radius: float, colours: tuple[Colour, Colour, Colour]) -> None:
    """Box, lines and points in the three colours, `line` pixels wide and `radius` pixels round."""
    box, along, point = colours
    width = max(1, round(line))
    cv2.rectangle(drawn, *_corners(face), box, width, cv2.LINE_AA, _SHIFT)
    for contour in IBUG_68.contours:
        points = face.keypoints[list(contour.points)]
        cv2.polylines(drawn, [_fixed(points)], contour.closed, along, width, cv2.LINE_AA, _SHIFT)
    for centre in _fixed(face.keypoints).tolist():
        cv2.circle(drawn, centre, round(radius * 2**_SHIFT), point, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _corners(face: Face) -> tuple[tuple[int, int], tuple[int, int]]:
    """The box with a little room round the points."""
    x, y, width, height = face.box
    room = 0.06 * math.sqrt(width * height)
    (left, top), (right, bottom) = _fixed(
        np.array([[x - room, y - room], [x + width + room, y + height + room]])
    ).tolist()
    return (left, top), (right, bottom)


def _number(drawn: np.ndarray, face: Face, number: int, line: float) -> None:
    """At the upper left corner of the box."""
    scale = min(max(0.4, math.sqrt(face.box[2] * face.box[3]) / 400), _MOST_LINE_PX / 3)
    place = [int(value) >> _SHIFT for value in _corners(face)[0]]
    place[1] -= round(6 * scale)
    for thickness, colour in ((round(line + 2 * scale + 2), _RIM), (round(line + scale / 2), _BOX)):
        cv2.putText(drawn, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, max(1, thickness), cv2.LINE_AA)


def _fixed(points: np.ndarray) -> np.ndarray:
    """(K, 2) int32 in the parts of a pixel that OpenCV takes."""
    limit = 2.0**26  # points far outside the picture must not wrap round
    return np.asarray(np.clip(np.rint(points.astype(np.float64) * 2**_SHIFT), -limit, limit), np.int32)

"""Draw faces on a picture: lines along the features, the points, the box, all in proportion to the face."""

import math
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import NamedTuple

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import resize_matrix
from facial_keypoints.core.scheme import Contour
from facial_keypoints.core.text import amount, shown
from facial_keypoints.detector import Face, checked_faces, rgb_copy
from facial_keypoints.prediction.face_numbers import draw_numbers

Colour = tuple[int, int, int]

_BOX, _LINE, _POINT, _RIM = (255, 255, 255), (86, 180, 233), (240, 228, 66), (0, 0, 0)
"""RGB: white, sky blue and yellow over a dark rim, apart on light and dark ground and for every colour vision."""
_UNCERTAIN = (213, 94, 0)
"""Vermillion, which points become the less certain they are."""
_CERTAIN_FRAC, _UNCERTAIN_FRAC = 0.02, 0.06
"""Radius over the size of the face (see `Face.radii`) up to which a point counts as certain, and from which as not."""
_LINE_FRAC = 1 / 130
"""Thickness of a line over the size of the face, in a picture that is shown as large as it is."""
_RADIUS, _RIM_WIDTH = 1.2, 0.5
"""Radius of a point and width of the dark rim round lines and points, over the thickness of a line."""
_SHOWN_PX = 1800
"""Longer pictures are shown reduced, so that their lines have to be thicker by as much."""
_THICKEST_FRAC = 1 / 40
"""Of the size of the face, however large the picture: thicker lines hide the features."""
_LINE_PX = (0.35, 500.0)
"""Thinnest and thickest line. A thinner one is not seen; OpenCV draws none of more than 32,767 pixels."""
_SAMPLED_PX = 3
"""Thinner lines are drawn on an enlarged copy, since OpenCV draws whole widths only."""
_BOX_ROOM_FRAC = 0.06
"""Room between the points and the box that is drawn, over the size of the face."""
_RIM_COVER = 0.55
_SHIFT = 4
"""Binary digits of a pixel in which OpenCV takes coordinates."""
_FARTHEST = 2.0**26
"""Coordinates beyond, counted in those parts of a pixel, are brought to here: they must not wrap round."""
_LEGIBLE_FACE_PX = 240
_ENLARGED_MOST_PX = 1600


def picture_overlay(picture: np.ndarray, faces: Sequence[Face], numbers: Sequence[int] = ()) -> np.ndarray:
    """The picture with its faces drawn on it as `draw_faces` does, enlarged where they are small.

    It is enlarged by the smallest whole factor at which every face measures 240 pixels (root of the area of its box),
    but never to more than 1,600 pixels on its longer side; a larger picture, or one without faces, keeps its size.

    Args:
        picture: (H, W, 3) uint8 RGB.
        faces: in pixels of the picture.
        numbers: of the faces, in their order, or none.

    Returns:
        (k H, k W, 3) uint8 RGB for an enlargement by k.
    """
    faces, numbers = _finite(faces, numbers)
    factor = _enlargement(picture.shape, faces)
    if factor == 1:
        return draw_faces(picture, faces, numbers)
    height, width = (factor * side for side in picture.shape[:2])
    enlarged_from_picture = resize_matrix(picture.shape[:2], (height, width))
    enlarged = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC))
    return draw_faces(enlarged, [face.moved(enlarged_from_picture) for face in faces], numbers)


def _enlargement(shape: tuple[int, ...], faces: Sequence[Face]) -> int:
    wanted = max((math.ceil(_LEGIBLE_FACE_PX / max(_size(face), 1.0)) for face in faces), default=1)
    return max(1, min(wanted, _ENLARGED_MOST_PX // max(shape)))


def draw_faces(picture: np.ndarray, faces: Iterable[Face], numbers: Iterable[int] = ()) -> np.ndarray:
    """A copy of a picture with the faces drawn on it.

    Args:
        picture: (H, W, 3) RGB or (H, W) gray, uint8.
        faces: in pixels of the picture; one with a point that is no number is not drawn.
        numbers: that are drawn beside the faces, in their order, or none.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: the picture has another shape or type, the faces are none, or their number is not that of `numbers`.
    """
    faces = checked_faces(faces)
    if not isinstance(numbers, Iterable):
        raise DataError(f"numbers is {shown(numbers)} but should be a whole number for each face; or leave it out")
    numbers = list(numbers)
    if len(numbers) not in (0, len(faces)):
        raise DataError(f"there are {amount(len(numbers), 'number')} of {amount(len(faces), 'face')}; give one of each")
    drawn = rgb_copy(picture)
    faces, numbers = _finite(faces, numbers)
    for face in faces:
        _draw_face(drawn, face)
    if faces and numbers:
        boxes, points = np.array([_outer_box(face) for face in faces]), np.stack([face.keypoints for face in faces])
        draw_numbers(drawn, numbers, boxes, points)
    return drawn


def _finite(faces: Sequence[Face], numbers: Sequence[int]) -> tuple[list[Face], list[int]]:
    """The faces that can be drawn, and their numbers if there are any."""
    kept = [bool(np.isfinite(face.keypoints).all() and np.isfinite(face.box).all()) for face in faces]
    return list(compress(faces, kept)), list(compress(numbers, kept))


def _size(face: Face) -> float:
    """Root of the area of the box, px."""
    return math.sqrt(face.box[2] * face.box[3])


def _outer_box(face: Face) -> np.ndarray:
    """(4,) float64 x, y, width, height of the box that is drawn, px: a little larger than that round the points."""
    room = _BOX_ROOM_FRAC * _size(face)
    return np.array(face.box) + np.array([-1, -1, 2, 2]) * room


def _line_px(face: Face, shape: tuple[int, ...]) -> float:
    """Thickness of a line of a face in a picture of (H, W, ...)."""
    size = _size(face)
    wanted = min(max(size * _LINE_FRAC, max(shape) / _SHOWN_PX), size * _THICKEST_FRAC)
    return min(max(wanted, _LINE_PX[0]), _LINE_PX[1])


def _draw_face(picture: np.ndarray, face: Face) -> None:
    """Draw a face into the (H, W, 3) picture; what of it lies outside is left out."""
    line, box = _line_px(face, picture.shape), _outer_box(face)
    points = np.concatenate([face.keypoints.astype(np.float64), [box[:2], box[:2] + box[2:]]])
    margin = 2 * (_RADIUS + _RIM_WIDTH) * line + 2
    ends = (points.min(0) - margin, points.max(0) + margin)
    low, high = (np.clip(end, 0, picture.shape[1::-1]).astype(int) for end in ends)
    part = picture[low[1] : high[1], low[0] : high[0]]
    if part.size:
        samples = max(1, math.ceil(_SAMPLED_PX / line))
        points = (points - low + 0.5) * samples - 0.5
        shape = _Shape(points[:-2], points[-2:], face.scheme.contours, _point_colours(face))
        part[:] = _drawn(part, shape, line * samples, samples)


class _Shape(NamedTuple):
    """What is drawn of a face."""

    points: np.ndarray
    """(K, 2)."""
    box: np.ndarray
    """(2, 2) corners."""
    contours: tuple[Contour, ...]
    colours: list[Colour]
    """Of the points."""


def _point_colours(face: Face) -> list[Colour]:
    """Yellow where a point is certain or nothing is known, vermillion where it is not, between them by degrees."""
    if face.radii is None:
        return [_POINT] * len(face.keypoints)
    share = (face.radii / max(_size(face), 1e-6) - _CERTAIN_FRAC) / (_UNCERTAIN_FRAC - _CERTAIN_FRAC)
    mixed = np.array(_POINT) + np.clip(share, 0, 1)[:, None] * (np.array(_UNCERTAIN) - _POINT)
    return [(red, green, blue) for red, green, blue in np.rint(mixed).astype(int).tolist()]


def _drawn(part: np.ndarray, shape: _Shape, line: float, samples: int) -> np.ndarray:
    """The part of a picture with a face on it; shape and thickness of a line in samples, so many to a pixel's side."""
    large = part.repeat(samples, 0).repeat(samples, 1)
    rims = large.copy()
    dark = shape._replace(colours=[_RIM] * len(shape.points))
    _draw_features(rims, dark, (1 + 2 * _RIM_WIDTH) * line, (_RADIUS + _RIM_WIDTH) * line, (_RIM, _RIM))
    cv2.addWeighted(rims, _RIM_COVER, large, 1 - _RIM_COVER, 0, dst=large)
    _draw_features(large, shape, line, _RADIUS * line, (_BOX, _LINE))
    return np.asarray(cv2.resize(large, part.shape[1::-1], interpolation=cv2.INTER_AREA))


def _draw_features(drawn: np.ndarray, shape: _Shape, line: float, radius: float, colours: tuple[Colour, ...]) -> None:
    """Box and lines in two colours, and points in their own; `line` is the thickness, `radius` that of points, px."""
    of_box, of_line = colours
    width, fixed = max(1, round(line)), _fixed(shape.points)
    low, high = _fixed(shape.box).tolist()
    cv2.rectangle(drawn, low, high, of_box, width, cv2.LINE_AA, _SHIFT)
    for contour in shape.contours:
        cv2.polylines(drawn, [fixed[list(contour.points)]], contour.closed, of_line, width, cv2.LINE_AA, _SHIFT)
    for centre, colour in zip(fixed.tolist(), shape.colours, strict=True):
        cv2.circle(drawn, centre, round(radius * 2**_SHIFT), colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _fixed(points: np.ndarray) -> np.ndarray:
    """(K, 2) int32 in the parts of a pixel that OpenCV takes, of (K, 2) px."""
    return np.asarray(np.clip(np.rint(points * 2**_SHIFT), -_FARTHEST, _FARTHEST), np.int32)

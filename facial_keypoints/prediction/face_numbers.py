"""Write the numbers of faces beside them: large enough to be read, and where they hide no face."""

from collections.abc import Sequence

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 21.0
"""Height of a digit of the font at scale 1."""
_DIGIT_FRAC = 0.07
"""Height of a digit over the size of the face, where that is legible."""
_LEGIBLE_PX, _LEGIBLE_FRAC = 9.0, 1 / 120
"""Least height of a digit, and the same over the longer side of the picture, since a large one is shown reduced."""
_MOST_FRAC = 1 / 3
"""Greatest height of a digit over the size of the face, but never less than the legible 9 pixels."""
_ROOM_FRAC = 0.35
"""Room round the digits on their dark plate, over their height."""
_PLATE_COVER = 0.7
_FOREHEAD_FRAC = 0.4
"""Height of a forehead over that of the box round the points, which ends at the brows."""


def draw_numbers(picture: np.ndarray, numbers: Sequence[int], boxes: np.ndarray, points: np.ndarray) -> None:
    """Write the number of each face into a picture, on a plate that touches the box of the face.

    Of the places at the corners of the box, that one is taken which covers the fewest points of any face; among these
    the least of boxes and of the numbers written before; among these the least of foreheads. In a picture without room
    beside a box the plate lies in the box, at the border of the picture.

    Args:
        picture: (H, W, 3) uint8 RGB, changed in place.
        numbers: of K faces.
        boxes: (K, 4) x, y, width, height of the boxes drawn round them, px.
        points: (K, 68, 2) keypoints, px.
    """
    foreheads = np.column_stack([boxes[:, :2] - boxes[:, 2:] * (0, _FOREHEAD_FRAC), boxes[:, 2:] * (1, _FOREHEAD_FRAC)])
    covered = boxes

    def cost(plate: np.ndarray) -> tuple[float, ...]:
        return _points_inside(plate, points), _area_shared(plate, covered), _area_shared(plate, foreheads)

    for number, box in zip(numbers, boxes, strict=True):
        digit_px = _digit_px(box, picture.shape)
        plate = min(_plates(box, _plate_size(number, digit_px), picture.shape), key=cost)
        covered = np.vstack([covered, plate])
        _draw_number(picture, number, plate, digit_px)


def _digit_px(box: np.ndarray, shape: tuple[int, ...]) -> float:
    """Height of the digits of a face in a picture of (H, W, ...)."""
    size = float(np.sqrt(box[2] * box[3]))
    wanted = max(_DIGIT_FRAC * size, _LEGIBLE_FRAC * max(shape))
    # A face may be far larger than the picture, or its box all but empty.
    return min(max(min(wanted, _MOST_FRAC * size), _LEGIBLE_PX), max(_LEGIBLE_PX, min(shape[:2]) / 8))


def _plate_size(number: int, digit_px: float) -> tuple[int, int]:
    """Width and height of the plate behind a number, px."""
    (width, _), _ = cv2.getTextSize(str(number), _FONT, digit_px / _FONT_PX, _thickness(digit_px))
    room = 2 * _ROOM_FRAC * digit_px
    return round(width + room), round(digit_px + room)


def _thickness(digit_px: float) -> int:
    return max(1, round(digit_px / 9))


def _plates(box: np.ndarray, size: tuple[int, int], shape: tuple[int, ...]) -> list[np.ndarray]:
    """(4,) x, y, width, height of the places for a plate, the best first, brought inside the picture."""
    (left, top), (right, bottom) = np.floor(box[:2]), np.ceil(box[:2] + box[2:])
    width, height = size
    beside = [(left, bottom), (right - width, bottom)]
    beside += [(left - width, bottom - height), (right, bottom - height), (left - width, top), (right, top)]
    beside += [(left, top - height), (right - width, top - height)]
    farthest = np.maximum(np.array(shape[1::-1]) - size, 0)
    return [np.array([*np.clip(place, 0, farthest), *size]) for place in beside]


def _points_inside(plate: np.ndarray, points: np.ndarray) -> int:
    return int(((points >= plate[:2]) & (points <= plate[:2] + plate[2:])).all(-1).sum())


def _area_shared(plate: np.ndarray, boxes: np.ndarray) -> float:
    """Pixels that a plate has in common with boxes x, y, width, height, summed over them."""
    low = np.maximum(plate[:2], boxes[:, :2])
    high = np.minimum(plate[:2] + plate[2:], boxes[:, :2] + boxes[:, 2:])
    return float(np.clip(high - low, 0, None).prod(-1).sum())


def _draw_number(picture: np.ndarray, number: int, plate: np.ndarray, digit_px: float) -> None:
    """White digits on a dark plate (4,) x, y, width, height."""
    left, top, width, height = plate.astype(int).tolist()
    part = picture[top : top + height, left : left + width]
    part[:] = np.rint((1 - _PLATE_COVER) * part)
    room = _ROOM_FRAC * digit_px
    foot = (round(left + room), round(top + room + digit_px))
    thickness = _thickness(digit_px)
    cv2.putText(picture, str(number), foot, _FONT, digit_px / _FONT_PX, (255, 255, 255), thickness, cv2.LINE_AA)

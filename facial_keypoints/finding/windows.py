"""Cut faces out of a picture as the network was trained on them: gray, square, upright, at one place and size.

A window is (centre x, centre y, side, rotation): pixels of the picture, and degrees by which it is rotated clockwise
there.
"""

import cv2
import numpy as np

from facial_keypoints.core.boxes import boxes_of_points
from facial_keypoints.core.geometry import resize_matrix, transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.mean_face.shape import mean_points

FACE_FRAC = 0.37
"""Size of the face (root of the area of the box round its 68 points) over the side of a training frame, on average."""
FACE_CENTRE = (0.5, 0.542)
"""Where the middle of that box lies in a training frame, on average, as shares of its side."""
_TILTED_DEG = 25
"""Heads tilted by less are left so: the network was trained on them, and rotating a picture blurs it a little."""

# libpng's whole-number weights; the shift makes OpenCV round down as libpng does, which reads the training frames.
_LUMA = np.array([[9797 / 2**15, 19234 / 2**15, 3737 / 2**15, 2**-16 - 0.5]], np.float32)


def to_gray(image: np.ndarray) -> np.ndarray:
    """(H, W) uint8 luma, bit for bit that of the training frames, of (H, W, 3) RGB or (H, W) gray uint8."""
    return image if image.ndim == 2 else np.asarray(cv2.transform(image, _LUMA), np.uint8)


def windows_of_points(points: np.ndarray) -> np.ndarray:
    """(K, 4) windows that show the faces of (K, 68, 2) keypoints as an average training frame would.

    They are upright, unless a head is tilted by 25 degrees or more.
    """
    rotations = _tilts(points)
    rotations[np.abs(rotations) < _TILTED_DEG] = 0
    matrices = rotation_matrix(rotations)
    windows = windows_of_boxes(boxes_of_points(transform_points(np.linalg.inv(matrices), points)))
    windows[:, :2] = transform_points(matrices, windows[:, None, :2])[:, 0]
    windows[:, 3] = rotations
    return windows


def windows_of_boxes(boxes: np.ndarray) -> np.ndarray:
    """(K, 4) windows, upright, for (K, 4) boxes x, y, width, height round the 68 points."""
    side = np.sqrt(np.maximum(boxes[:, 2] * boxes[:, 3], 1))[:, None] / FACE_FRAC
    centre = boxes[:, :2] + boxes[:, 2:] / 2 - (np.array(FACE_CENTRE) - 0.5) * side
    return np.concatenate([centre, side, np.zeros_like(side)], 1)


def mean_face_in(window: np.ndarray) -> np.ndarray:
    """(68, 2) points in pixels of the picture: the mean face where a window (4,) shows one."""
    face = mean_points()[:, :2]
    low, high = face.min(0), face.max(0)
    scale = FACE_FRAC * window[2] / np.sqrt((high - low).prod())
    upright = (face - (low + high) / 2) * scale + (np.array(FACE_CENTRE) - 0.5) * window[2]
    return np.asarray(transform_points(rotation_matrix(window[3]), upright) + window[:2])


def rotated_windows(window: np.ndarray, rotations_deg: np.ndarray) -> np.ndarray:
    """(R, 4) windows round the same face as a window (4,), rotated by (R,) degrees more, clockwise in the picture."""
    down = np.array([0, (FACE_CENTRE[1] - 0.5) * window[2]])
    face = window[:2] + rotation_matrix(window[3])[:2, :2] @ down
    rotations = window[3] + rotations_deg
    centres = face - rotation_matrix(rotations)[:, :2, :2] @ down
    return np.column_stack([centres, np.full(len(centres), window[2]), rotations])


def rotation_matrix(rotation_deg: np.ndarray | float) -> np.ndarray:
    """(..., 3, 3) float64 that rotate points about (0, 0), clockwise as seen in a picture, by (...) degrees."""
    cos, sin = np.cos(np.radians(rotation_deg)), np.sin(np.radians(rotation_deg))
    zero, one = np.zeros_like(cos), np.ones_like(cos)
    rows = [[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def _tilts(points: np.ndarray) -> np.ndarray:
    """(K,) degrees clockwise by which the heads of (K, 68, 2) keypoints are tilted.

    The mean of the directions from eye to eye and from the eyes to the mouth, as complex numbers.
    """
    right, left, mouth = (
        points[:, list(IBUG_68.regions[name])].mean(1) @ (1, 1j) for name in ("right_eye", "left_eye", "mouth")
    )
    return np.asarray(np.degrees(np.angle((left - right) - 1j * (mouth - (left + right) / 2))))


def cut(gray: np.ndarray, window: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a window (4,) out of an (H, W) uint8 gray picture.

    Only the part inside the picture is resized, straight from its pixels; beyond its border the border repeats.

    Returns:
        The (side, side) uint8 crop and (3, 3) float64 `crop_from_picture`.
    """
    if window[3]:
        return _cut_rotated(gray, window, side)
    (left, right), (top, bottom) = (
        _inside(middle, window[2], length) for middle, length in zip(window[:2], gray.shape[::-1], strict=True)
    )
    scale = side / window[2]
    placed = [
        _placed(start, end, middle, scale, side)
        for start, end, middle in ((left, right, window[0]), (top, bottom, window[1]))
    ]
    (at_x, width), (at_y, height) = placed
    part = gray[top:bottom, left:right]
    shrinks = width * height < part.size
    resized = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    square = cv2.copyMakeBorder(resized, at_y, side - height - at_y, at_x, side - width - at_x, cv2.BORDER_REPLICATE)
    shift, back = np.eye(3), np.eye(3)
    shift[:2, 2], back[:2, 2] = (at_x, at_y), (-left, -top)
    return np.asarray(square, np.uint8), shift @ resize_matrix(part.shape, (height, width)) @ back


def _cut_rotated(gray: np.ndarray, window: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """As `cut` for a rotated window: an upright window with room for it is cut out, then rotated back."""
    room_side = int(np.ceil(side * np.sqrt(2)))
    room, room_from_picture = cut(gray, np.array([*window[:2], window[2] * room_side / side, 0]), room_side)
    crop_from_room = rotation_matrix(-window[3])
    crop_from_room[:2, 2] = (side - 1) / 2 - crop_from_room[:2, :2] @ np.full(2, (room_side - 1) / 2)
    crop = cv2.warpAffine(room, crop_from_room[:2], (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8), crop_from_room @ room_from_picture


def _inside(middle: float, side: float, length: int) -> tuple[int, int]:
    """First pixel, and that after the last, of the part of a window inside a picture of `length`; never empty."""
    start = int(np.clip(round(middle + 0.5 - side / 2), 0, length - 1))
    return start, int(np.clip(round(middle + 0.5 + side / 2), start + 1, length))


def _placed(start: int, end: int, middle: float, scale: float, side: int) -> tuple[int, int]:
    """Where pixels start..end of the picture begin in the crop, and how many pixels they become there."""
    count = int(np.clip(round((end - start) * scale), 1, side))
    return int(np.clip(round((start - 0.5 - middle) * scale + side / 2), 0, side - count)), count

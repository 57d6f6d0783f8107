"""Faces cut out as input for other models: upright, the eyes level and always in the same place, of one size."""

import cv2
import numpy as np

from facial_keypoints.core.boxes import FARTHEST_PX
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import resize_matrix, transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.text import shown
from facial_keypoints.detector import checked_picture
from facial_keypoints.filters.outline import part_round

EYES_Y = 0.42
"""Height of the eyes from the top, over the side; the middle between them is half-way across."""
EYES_FRAC = 0.31
"""Distance of the eyes over the side; less for a head in profile, which brings the eyes closer."""
_MOUTH_FRAC = 0.35
"""Distance from the eyes to the mouth over the side: it decides for a head in profile."""
_MOST_PX = 32_766
"""OpenCV's warps refuse larger ones."""
_RIGHT_EYE, _LEFT_EYE, _MOUTH = slice(36, 42), slice(42, 48), slice(48, 60)


def aligned_crop(image: np.ndarray, keypoints: np.ndarray, size_px: int) -> np.ndarray:
    """An upright face, cut out of a picture.

    Args:
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        keypoints: (68, 2) of the face, px of the picture.
        size_px: side of what is cut out, 1 to 32766.

    Returns:
        (size_px, size_px, 3) uint8, or (size_px, size_px) of a gray picture; black beyond the picture.

    Raises:
        DataError: the picture or the keypoints have another shape or type, or the side is none.
    """
    checked_picture(image)
    _check(keypoints, size_px)
    matrix = crop_from_picture(keypoints, size_px)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    corners = np.array([[-1, -1], [size_px, -1], [size_px, size_px], [-1, size_px]], np.float64)
    there = transform_points(np.linalg.inv(matrix), corners)
    part, left, top = part_round(image, there, 4 + 4 / scale)
    if not part.size:
        return np.zeros((size_px, size_px, *image.shape[2:]), np.uint8)
    matrix[:2, 2] += matrix[:2, :2] @ (left, top)
    steps = max(0, round(np.log2(1 / scale) - 0.5))
    if steps:  # a warp averages four pixels only, so that the picture is reduced first
        height, width = (max(1, side >> steps) for side in part.shape[:2])
        matrix = matrix @ np.linalg.inv(resize_matrix(part.shape[:2], (height, width)))
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.warpAffine(part, matrix[:2], (size_px, size_px), flags=cv2.INTER_LINEAR))


def _check(keypoints: np.ndarray, size_px: int) -> None:
    """Raise DataError unless an upright face can be cut out by these."""
    try:
        points = np.asarray(keypoints)
    except ValueError:  # rows of different lengths
        points = np.zeros(0)
    numbers = points.shape == (IBUG_68.count, 2) and points.dtype.kind in "fiu"
    if not numbers or not (np.abs(points.astype(np.float64)) <= FARTHEST_PX).all():
        raise DataError(f"the keypoints are {shown(keypoints)} but should be (68, 2) numbers, those of {IBUG_68.title}")
    if isinstance(size_px, bool) or not (isinstance(size_px, int | np.integer) and 1 <= size_px <= _MOST_PX):
        raise DataError(f"size_px is {shown(size_px)} but should be a side of 1 to {_MOST_PX} pixels")


def crop_from_picture(keypoints: np.ndarray, size_px: int) -> np.ndarray:
    """(3, 3) float64 similarity that levels the eyes of (68, 2) keypoints and puts them in their place."""
    points = np.asarray(keypoints, np.float64)
    right, left, mouth = (points[part].mean(0) for part in (_RIGHT_EYE, _LEFT_EYE, _MOUTH))
    across, middle = left - right, (left + right) / 2
    apart = float(np.linalg.norm(across))
    level = across / apart if apart else np.array([1.0, 0.0])
    side = max(apart / EYES_FRAC, float(np.linalg.norm(mouth - middle)) / _MOUTH_FRAC, 1.0)
    cos, sin = size_px / side * level
    linear = np.array([[cos, sin], [-sin, cos]])
    shift = np.array([0.5, EYES_Y]) * size_px - 0.5 - linear @ middle
    return np.vstack([np.column_stack([linear, shift]), [0, 0, 1]])

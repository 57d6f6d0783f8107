"""Faces cut out as input for other models: upright, the eyes level and always in the same place, of one size."""

import cv2
import numpy as np

from facial_keypoints.core.geometry import resize_matrix, transform_points
from facial_keypoints.filters.outline import part_round

EYES_Y = 0.42
"""Height of the eyes from the top, over the side; the middle between them is half-way across."""
EYES_FRAC = 0.31
"""Distance of the eyes over the side; less for a head in profile, which brings the eyes closer."""
_MOUTH_FRAC = 0.35
"""Distance from the eyes to the mouth over the side: it decides for a head in profile."""
_RIGHT_EYE, _LEFT_EYE, _MOUTH = slice(36, 42), slice(42, 48), slice(48, 60)


def aligned_crop(image: np.ndarray, keypoints: np.ndarray, size_px: int) -> np.ndarray:
    """(size_px, size_px, 3) uint8 upright face of (68, 2) keypoints in an (H, W, 3) picture; black beyond that."""
    matrix = crop_from_picture(keypoints, size_px)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    corners = np.array([[-1, -1], [size_px, -1], [size_px, size_px], [-1, size_px]], np.float64)
    there = transform_points(np.linalg.inv(matrix), corners)
    part, left, top = part_round(image, there, 4 + 4 / scale)
    if not part.size:
        return np.zeros((size_px, size_px, 3), np.uint8)
    matrix[:2, 2] += matrix[:2, :2] @ (left, top)
    steps = max(0, round(np.log2(1 / scale) - 0.5))
    if steps:  # a warp averages four pixels only, so that the picture is reduced first
        height, width = (max(1, side >> steps) for side in part.shape[:2])
        matrix = matrix @ np.linalg.inv(resize_matrix(part.shape[:2], (height, width)))
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.warpAffine(part, matrix[:2], (size_px, size_px), flags=cv2.INTER_LINEAR))


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

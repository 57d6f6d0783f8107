"""Frames of coordinates and the 3x3 matrices between them.

Only this module, and `pipeline.models.tensor_geometry` for tensors, change frames.

Pixel convention, held by resize, mirror, crop, warp and heatmap alike: the centre of the top left pixel is (0, 0), so
an image of width W spans x from -0.5 to W - 0.5. Hence a resize by s maps x to (x + 0.5) s - 0.5 and a mirror maps x to
W - 1 - x. This is the convention of OpenCV's resize and of `grid_sample(align_corners=False)`.

A matrix named `a_from_b` takes column vectors (x, y, 1) of frame b to frame a; products read right to left.
"""

import cv2
import numpy as np


def resize_matrix(source_hw: tuple[int, int], target_hw: tuple[int, int]) -> np.ndarray:
    """(3, 3) float64 `target_from_source` of a resize between two sizes given as (height, width)."""
    scale_y, scale_x = (target / source for target, source in zip(target_hw, source_hw, strict=True))
    return np.array([[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1]])


def fit_square(image: np.ndarray, side: int, fit: str) -> tuple[np.ndarray, np.ndarray]:
    """Bring an (H, W) uint8 image to (side, side).

    fit "pad" keeps the aspect ratio, centres the image and repeats its border; "stretch" fills the square. Shrinking
    averages over the area, growing interpolates linearly. Returns the square and (3, 3) float64 `crop_from_source`.
    """
    height, width = image.shape
    longest = max(height, width) if fit == "pad" else 0
    new_h, new_w = (max(1, round(side * length / longest)) if longest else side for length in (height, width))
    shrinks = new_h * new_w < height * width
    resized = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    top, left = (side - new_h) // 2, (side - new_w) // 2
    square = cv2.copyMakeBorder(resized, top, side - new_h - top, left, side - new_w - left, cv2.BORDER_REPLICATE)
    crop_from_resized = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)
    return np.asarray(square, np.uint8), crop_from_resized @ resize_matrix((height, width), (new_h, new_w))


def transform_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply (..., 3, 3) affine matrices to (..., K, 2) points."""
    return np.asarray(points @ np.swapaxes(matrix[..., :2, :2], -1, -2) + matrix[..., None, :2, 2])


def face_size(keypoints: np.ndarray) -> np.ndarray:
    """(...) float64 size of (..., K, 2) faces: the square root of the area of the box round the points.

    In the unit of the points.
    """
    return np.asarray(np.sqrt(np.ptp(keypoints.astype(np.float64), axis=-2).prod(-1)))


def mirror_matrix(side: int) -> np.ndarray:
    """(3, 3) float32 matrix that mirrors x in an image `side` pixels wide."""
    return np.array([[-1, 0, side - 1], [0, 1, 0], [0, 0, 1]], np.float32)

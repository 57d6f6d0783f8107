"""Nets of triangles in a picture: which triangle covers which pixel, and values interpolated inside them."""

from functools import cache

import cv2
import numpy as np

_SHIFT = 4
"""Binary digits of a pixel in which OpenCV takes corners."""
_FAR_PX = 1 << 14
"""Corners beyond are brought to here: OpenCV counts in 32 bits."""
_OUTSIDE = 0.5
"""Barycentric share by which a pixel may lie outside its triangle; not reached where heights are above two pixels."""


def covering_triangle(corners: np.ndarray, size: tuple[int, int], order: np.ndarray | None = None) -> np.ndarray:
    """The triangle that is seen in each pixel.

    Args:
        corners: (T, 3, 2) px.
        size: height and width of the picture.
        order: (T,) in which triangles are drawn, the last on top; as they come if there is none.

    Returns:
        (H, W) int32 number of the triangle, -1 where there is none.
    """
    numbers = np.full(size, -1, np.int32)
    fixed = np.rint(np.clip(corners, -_FAR_PX, _FAR_PX) * (1 << _SHIFT)).astype(np.int32)
    for number in range(len(corners)) if order is None else order.tolist():
        cv2.fillConvexPoly(numbers, fixed[number], number, cv2.LINE_8, _SHIFT)
    return numbers


def carried(values: np.ndarray, corners: np.ndarray, pixels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Interpolate values linearly inside triangles.

    Args:
        values: (T, 3, C) at the corners.
        corners: (T, 3, 2) px.
        pixels: (N, 2) px.
        numbers: (N,) triangle in which each pixel lies.

    Returns:
        (N, C) values at the pixels.
    """
    homogeneous = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], 2)
    flat = np.abs(np.linalg.det(homogeneous)) < 1e-6
    homogeneous[flat] = np.eye(3)
    share_from_pixel = np.linalg.inv(homogeneous)
    x, y = pixels.T
    shares = np.stack(
        [s[numbers, 0] * x + s[numbers, 1] * y + s[numbers, 2] for s in np.moveaxis(share_from_pixel, 2, 0)]
    )
    # OpenCV also draws pixels just outside a triangle, where thin ones would extrapolate far beyond their corners.
    shares = np.clip(shares, -_OUTSIDE, 1 + _OUTSIDE)
    shares /= shares.sum(0)
    return np.asarray(sum(share[:, None] * values[numbers, corner] for corner, share in enumerate(shares)))


@cache
def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """(T, 3) indices of the corners of two triangles for each cell of a grid, its points counted row by row."""
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])

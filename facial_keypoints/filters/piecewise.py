"""Nets of triangles in a picture: which triangle covers which pixel, and what it carries there."""

from functools import cache

import cv2
import numpy as np

_SHIFT = 4
"""Bits after the point of corners, in OpenCV's drawing."""
_FAR_PX = 1 << 14
"""Corners beyond are brought to here, since OpenCV counts in 32 bits."""
_OUTSIDE = 0.5
"""Share of a triangle by which a pixel may lie outside it: never reached where all heights are above two pixels."""


def covering_triangle(corners: np.ndarray, size: tuple[int, int], order: np.ndarray | None = None) -> np.ndarray:
    """(H, W) int32 number of the triangle seen in each pixel, -1 where there is none.

    corners (T, 3, 2) px; drawn in `order` (T,), the last on top, or as they come.
    """
    numbers = np.full(size, -1, np.int32)
    fixed = np.rint(np.clip(corners, -_FAR_PX, _FAR_PX) * (1 << _SHIFT)).astype(np.int32)
    for number in range(len(corners)) if order is None else order.tolist():
        cv2.fillConvexPoly(numbers, fixed[number], number, cv2.LINE_8, _SHIFT)
    return numbers


def carried(values: np.ndarray, corners: np.ndarray, pixels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """(N, C) values at (N, 2) pixels, each in the triangle of its number (N,), from (T, 3, C) at its corners."""
    homogeneous = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], 2)
    flat = np.abs(np.linalg.det(homogeneous)) < 1e-6
    homogeneous[flat] = np.eye(3)
    share_from_pixel = np.linalg.inv(homogeneous)
    x, y = pixels.T
    shares = np.stack(
        [s[numbers, 0] * x + s[numbers, 1] * y + s[numbers, 2] for s in np.moveaxis(share_from_pixel, 2, 0)]
    )
    # OpenCV also draws pixels just outside a triangle, where slivers would carry values far from their corners'.
    shares = np.clip(shares, -_OUTSIDE, 1 + _OUTSIDE)
    shares /= shares.sum(0)
    return np.asarray(sum(share[:, None] * values[numbers, corner] for corner, share in enumerate(shares)))


@cache
def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """(T, 3) corner numbers of the triangles of a grid of points counted row by row."""
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])

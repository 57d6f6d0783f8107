"""Visibility: which point of which surface is seen in each pixel, by a depth buffer over densely sampled surfaces."""

import cv2
import numpy as np

EMPTY = -1
_DEPTH_STEPS, _DEPTH_RANGE_MM = 1 << 20, 4096.0
_GAP_MM = 5.0


def visible(pixels: np.ndarray, depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the (H, W) int64 index of the nearest of N points in each pixel of `size` = (H, W), EMPTY where none is.

    pixels is (N, 2), x then y; depth is (N,) millimetres and grows towards the camera. Gaps of a pixel or two between
    the samples of a surface are closed from its neighbours, also where something farther off shines through them.
    """
    height, width = size
    column, row = np.rint(pixels).astype(np.int32).T
    inside = np.flatnonzero((column >= 0) & (column < width) & (row >= 0) & (row < height))
    level = ((depth[inside] / _DEPTH_RANGE_MM + 0.5) * _DEPTH_STEPS).astype(np.int64)
    buffer = np.full(height * width, EMPTY, np.int64)
    np.maximum.at(buffer, row[inside] * width + column[inside], (level << 32) | inside)
    return _close_gaps(buffer.reshape(size))


def _close_gaps(buffer: np.ndarray) -> np.ndarray:
    """Replace empty pixels, and pixels far behind most of their neighbours, by the nearest surface beside them."""
    depth = np.where(buffer >= 0, (buffer >> 32) * (_DEPTH_RANGE_MM / _DEPTH_STEPS), -1e4).astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    closed = cv2.morphologyEx(depth, cv2.MORPH_CLOSE, kernel, iterations=2)
    gap = closed - depth > _GAP_MM
    for _ in range(2):
        beside = buffer.copy()
        beside[1:] = np.maximum(beside[1:], buffer[:-1])
        beside[:-1] = np.maximum(beside[:-1], buffer[1:])
        beside[:, 1:] = np.maximum(beside[:, 1:], buffer[:, :-1])
        beside[:, :-1] = np.maximum(beside[:, :-1], buffer[:, 1:])
        buffer = np.where(gap, beside, buffer)
    return np.where(buffer >= 0, buffer & 0xFFFFFFFF, EMPTY)

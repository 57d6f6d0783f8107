"""Boxes x, y, width, height: how much they overlap, and which of several faces are one."""

import numpy as np

SAME_FACE = 0.4
"""Overlap from which two faces are one."""
FARTHEST_PX = 1e15
"""No point of a picture, and no side of a box in it, is as large: beyond, products of sides overflow."""


def boxes_of_points(points: np.ndarray) -> np.ndarray:
    """(K, 4) boxes round (K, P, 2) points."""
    low = points.min(1)
    return np.concatenate([low, points.max(1) - low], 1)


def overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(K, L) area in common over area together of (K, 4) and (L, 4) boxes, 0..1."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum((one[:, :2] + one[:, 2:])[:, None], (other[:, :2] + other[:, 2:])[None])
    common = np.clip(high - low, 0, None).prod(-1)
    together = one[:, 2:].prod(-1)[:, None] + other[:, 2:].prod(-1)[None] - common
    return np.asarray(common / np.maximum(together, 1e-9))


def distinct(boxes: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    """Rows of (K, 4) boxes, best of (K,) scores first, of which no two overlap by more than `most`."""
    shared = overlaps(boxes, boxes)
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if not kept or shared[row, kept].max() <= most:
            kept.append(int(row))
    return np.array(kept, int)

"""Tell faces from what only looks like one: the network does not agree with itself where there is no face."""

import numpy as np

_DOUBT = 0.042
"""Doubt (see `doubts_of`) at the score 0.5.

Of the faces in training frames and synthetic scenes 98 in 100 stay below 0.038; boxes without a face lie above 0.043
(python -m benchmarks.detection measures it anew).
"""


def doubts_of(estimates: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """(K,) how little the network agrees with itself, in face sizes, of (K, E, 68, 2) and (K, 68, 2) keypoints.

    A face looks the same to it in the mirror, and its first estimate is near its last; where there is none, both drift.
    The geometric mean of the two distances, or the former alone of a network with one estimate.
    """
    points = estimates[:, -1]
    size = np.maximum(np.sqrt(np.ptp(points, axis=1).prod(-1)), 1e-6)
    apart = points - mirrored
    # All labels may lie a little to one side of what they name, to the other one in the mirror.
    apart[..., 0] -= apart[..., 0].mean(1, keepdims=True)
    in_mirror = np.linalg.norm(apart, axis=-1).mean(-1) / size
    if estimates.shape[1] == 1:
        return np.asarray(in_mirror)
    drift = np.linalg.norm(points - estimates[:, 0], axis=-1).mean(-1) / size
    return np.asarray(np.sqrt(in_mirror * drift))


def scores_of(doubts: np.ndarray) -> np.ndarray:
    """(K,) scores 0..1 of (K,) doubts."""
    return np.asarray(1 / (1 + (doubts / _DOUBT) ** 4))

"""Tell faces from what only looks like one: where there is no face, the network does not agree with itself."""

import numpy as np

from facial_keypoints.core.geometry import face_size

_DISAGREEMENT_AT_HALF = 0.042
"""Disagreement (see `disagreement`) at the score 0.5.

Of the faces in training frames and synthetic scenes 98 in 100 stay below 0.038; boxes without a face lie above 0.043
(python -m benchmarks.detection measures it anew).
"""


def disagreement(estimates: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """How far the predictions of a network for the same face are apart, in face sizes.

    The network predicts about the same points for the mirror image of a face, and its first estimate is near its last;
    where there is no face, both drift. The measure is the geometric mean of the two distances, or the former alone for
    a network with one estimate.

    Args:
        estimates: (K, E, 68, 2) successive estimates, px.
        mirrored: (K, 68, 2) last estimates for the mirrored pictures, mirrored back, px.

    Returns:
        (K,) means over the points, over the size of the face (see `core.geometry.face_size`).
    """
    points = estimates[:, -1]
    size = np.maximum(face_size(points), 1e-6)
    apart = points - mirrored
    # All labels may lie a little to one side of what they name, and in the mirror to the other side.
    apart[..., 0] -= apart[..., 0].mean(1, keepdims=True)
    in_mirror = np.linalg.norm(apart, axis=-1).mean(-1) / size
    if estimates.shape[1] == 1:
        return np.asarray(in_mirror)
    drift = np.linalg.norm(points - estimates[:, 0], axis=-1).mean(-1) / size
    return np.asarray(np.sqrt(in_mirror * drift))


def scores_of(disagreements: np.ndarray) -> np.ndarray:
    """(K,) confidences 0..1 that there are faces, of (K,) disagreements: 1 for none, falling with the fourth power."""
    return np.asarray(1 / (1 + (disagreements / _DISAGREEMENT_AT_HALF) ** 4))

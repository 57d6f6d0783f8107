"""Tell faces from what only looks like one: where there is no face, the network does not agree with itself."""

import numpy as np

from facial_keypoints.core.geometry import face_size

_DISAGREEMENT_AT_HALF, _STEEPNESS = 0.047, 3.5
"""Disagreement (see `disagreement`) at the score 0.5 for boxes of the cascade, which says no more than that there may
be a face, and the power of it with which odds fall."""
_YUNET_AT_HALF, _YUNET_WEIGHT = 0.8, 2.2
"""Log-odds that YuNet's score 0.5 adds, and how much a log-odd of that score counts."""
# Fitted by `python -m benchmarks.score_fit` to what both searches propose in 160 training frames, as many pictures of
# synthetic people and 320 without a face; most faces are small, blurred, dark, tilted, half covered or cut off. At the
# score 0.5, 15 of 316 faces that YuNet proposes are missed, and 4 of 362 other places are taken for one; of those that
# the cascade proposes, 19 of 173 and 6 of 240.


def disagreement(views: np.ndarray) -> np.ndarray:
    """How far the predictions of a network for the same face are apart, in face sizes.

    The network predicts about the same points for the mirror image of a face; where there is no face, they drift. The
    measure is the geometric mean over the successive estimates of how far those of both sides are apart.

    Args:
        views: (N, 2, E, K, 2) successive estimates for pictures, and for the mirrored pictures, mirrored back, px.

    Returns:
        (N,) means over the points, over the size of the face (see `core.geometry.face_size`).
    """
    size = np.maximum(face_size(views[:, :, -1].mean(1)), 1e-6)
    apart = views[:, 0] - views[:, 1]
    # All labels may lie a little to one side of what they name, and in the mirror to the other side.
    apart[..., 0] -= apart[..., 0].mean(-1, keepdims=True)
    distances = np.linalg.norm(apart, axis=-1).mean(-1) / size[:, None]
    return np.asarray(np.exp(np.log(np.maximum(distances, 1e-9)).mean(1)))


def scores_of(disagreements: np.ndarray, evidence: np.ndarray | float = 0.0) -> np.ndarray:
    """(K,) confidences 0..1 that there are faces.

    Args:
        disagreements: (K,) see `disagreement`.
        evidence: (K,) log-odds that the search adds: those of `yunet_evidence`; 0 for boxes of a user or the cascade.
    """
    odds = np.log(_DISAGREEMENT_AT_HALF / np.maximum(disagreements, 1e-9)) * _STEEPNESS + evidence
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


def yunet_evidence(scores: np.ndarray) -> np.ndarray:
    """(K,) log-odds that YuNet's (K,) scores 0..1 add."""
    odds = np.log(np.clip(scores, 0.01, 0.99) / (1 - np.clip(scores, 0.01, 0.99)))
    return np.asarray(_YUNET_AT_HALF + _YUNET_WEIGHT * odds)

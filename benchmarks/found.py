"""Whether a face of known points is among those that were found."""

from collections.abc import Sequence

import numpy as np

from facial_keypoints.core.boxes import boxes_of_points, overlaps
from facial_keypoints.detector import Face

FOUND = 0.5
"""Intersection over union of the boxes from which an answer is the face."""


def overlaps_with(faces: Sequence[Face], truth: np.ndarray) -> np.ndarray:
    """(F, K) intersection over union of the boxes of F answers and those of (K, 68, 2) points."""
    return overlaps(np.array([face.box for face in faces]).reshape(-1, 4), boxes_of_points(truth))

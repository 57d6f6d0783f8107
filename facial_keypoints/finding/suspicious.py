"""Whatever either of two searches suspects, for whoever would rather hide too much than show a face."""

import numpy as np

from facial_keypoints.finding.candidates import Candidates, joined
from facial_keypoints.finding.haar import HaarDetector
from facial_keypoints.finding.yunet import YuNetDetector

SUSPECTED = 0.2
"""Score of YuNet from which a place is looked at."""


class SuspiciousDetector:
    """YuNet at a low score and the cascade together; thread-safe."""

    upright_only = False

    def __init__(self, yunet: YuNetDetector) -> None:
        self._parts = (yunet, HaarDetector())

    def __call__(self, image: np.ndarray, gray: np.ndarray) -> Candidates:
        """Candidates of both, a face mostly twice; arguments as for each."""
        return joined(part(image, gray) for part in self._parts)

"""Boxes that may hold a face, found by the Haar cascade that comes with OpenCV."""

import threading
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.finding.candidates import Candidates, candidates_of_boxes
from facial_keypoints.finding.search_size import LONGEST_PX, reduced

_CASCADE = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
_SMALLEST_PX = 24
"""Side of the window with which the cascade was trained; it finds no smaller face."""
_AGREEING = 1
"""Overlapping detections that a face needs besides the first. A stricter rule loses faces; most false alarms of so mild
a one are recognized by the keypoint network."""
_POINTS_FROM_BOX = (0.085, 0.205, 0.83)
"""Left, top and side of the box round the 68 points over the side of the cascade's box, which reaches from the forehead
to the mouth: means over training frames."""


class HaarDetector:
    """The frontal cascade of OpenCV (Viola and Jones, "Rapid Object Detection using a Boosted Cascade of Simple
    Features", CVPR 2001); thread-safe."""

    upright_only = True
    """Whether heads tilted by more than 25 degrees are missed."""

    def __init__(self) -> None:
        self._own = threading.local()  # a cascade keeps scratch memory, so that each thread needs one

    def __reduce__(self) -> tuple[type["HaarDetector"], tuple[()]]:
        return HaarDetector, ()

    def __call__(self, image: np.ndarray, gray: np.ndarray) -> Candidates:
        """Find places that may hold a face.

        Args:
            image: not looked at.
            gray: (H, W) uint8.

        Returns:
            Upright candidates, without more evidence than that the cascade found them.
        """
        small, scale = reduced(gray, LONGEST_PX)
        smallest = (_SMALLEST_PX, _SMALLEST_PX)
        found = self._cascade().detectMultiScale(small, scaleFactor=1.1, minNeighbors=_AGREEING, minSize=smallest)
        boxes = np.asarray(found, np.float64).reshape(-1, 4) / scale
        left, top, size = _POINTS_FROM_BOX
        side = boxes[:, 2:]
        return candidates_of_boxes(np.concatenate([boxes[:, :2] + side * (left, top), size * side], 1))

    def _cascade(self) -> cv2.CascadeClassifier:
        if not hasattr(self._own, "cascade"):
            self._own.cascade = cv2.CascadeClassifier(str(_CASCADE))
        cascade: cv2.CascadeClassifier = self._own.cascade
        return cascade

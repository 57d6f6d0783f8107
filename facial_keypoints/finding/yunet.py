"""Boxes that may hold a face, found by YuNet."""

from pathlib import Path

import numpy as np

from facial_keypoints.core.boxes import SAME_FACE, distinct
from facial_keypoints.finding.candidates import Candidates
from facial_keypoints.finding.scores import yunet_evidence
from facial_keypoints.finding.search_size import LONGEST_PX, resized
from facial_keypoints.finding.windows import windows_of_boxes, windows_of_points
from facial_keypoints.finding.yunet_network import YuNetNetwork
from facial_keypoints.mean_face.shape import mean_points

_SMALL_PX, _LARGE_PX = 320, 640
"""YuNet scores faces of 450 pixels 0.65 and more and loses larger ones: a picture longer than 640 pixels, and one in
which it finds none, is searched at 320 too."""
_SMALL_FACE_PX = 40
"""Where a face is smaller, or none is found, the picture is searched enlarged twice: there may be smaller ones."""
_CONTRADICTING = 0.25
"""Shift or growth, over the side of the window, from which the points are not believed."""
MIN_SCORE = 0.3
"""Far milder than OpenCV's own 0.9: the keypoint network and this score together tell faces from false alarms."""


class YuNetDetector:
    """Searches pictures with YuNet's network at the sizes that they need; thread-safe."""

    upright_only = False
    """Heads of any tilt are found."""

    def __init__(self, file: Path, min_score: float = MIN_SCORE) -> None:
        """Open a model file.

        Args:
            file: of YuNet.
            min_score: score 0..1 from which a place is a candidate.

        Raises:
            ModelError: the file is missing or is no YuNet model, or ONNX Runtime is not installed.
        """
        self._network, self._min_score = YuNetNetwork(file), min_score

    def __call__(self, image: np.ndarray, gray: np.ndarray) -> Candidates:
        """Find places that may hold a face.

        Args:
            image: (H, W, 3) RGB or (H, W) gray uint8.
            gray: not looked at.

        Returns:
            Candidates in the order of YuNet's scores, tilted as its five points are.
        """
        found = self.faces(image)
        return Candidates(windows_of_faces(found), yunet_evidence(found[:, 14]), np.ones(len(found), bool))

    def faces(self, image: np.ndarray) -> np.ndarray:
        """(K, 15) box, five points x and y, and score of each face that YuNet finds, best first; image as above."""
        longest = min(LONGEST_PX, max(image.shape[:2]))
        found = self._search(image, longest)
        if longest > _LARGE_PX or (longest > _SMALL_PX and not len(found)):
            found = np.concatenate([found, self._search(image, _SMALL_PX)])
        if 2 * longest <= LONGEST_PX and (not len(found) or found[:, 2:4].min() < _SMALL_FACE_PX):
            found = np.concatenate([found, self._search(image, 2 * longest)])
        return np.asarray(found[distinct(found[:, :4], found[:, 14], SAME_FACE)])

    def _search(self, image: np.ndarray, longest_px: int) -> np.ndarray:
        """(K, 15) boxes, five points and scores of a picture, in its pixels; it is searched at the given length."""
        small, scale = resized(image, longest_px)
        found = self._network(small, self._min_score)
        found[:, :14] /= scale
        return found


def windows_of_faces(found: np.ndarray) -> np.ndarray:
    """(K, 4) windows of (K, 15) boxes and points: as the points say, unless they contradict the box."""
    boxes, points = windows_of_boxes(found[:, :4]), windows_of_points(_faces(found[:, 4:14].reshape(-1, 5, 2)))
    apart = np.abs(points - boxes)[:, :3].max(1)
    return np.where((apart < _CONTRADICTING * boxes[:, 2])[:, None], points, boxes)


def _faces(five: np.ndarray) -> np.ndarray:
    """(K, 68, 2) points of the mean face, moved, scaled and rotated to lie with least squares on (K, 5, 2) points.

    They are the right eye, the left one, the tip of the nose, the right corner of the mouth and the left one.
    """
    face = mean_points()[:, :2] @ (1, 1j)
    own = np.array([face[36:42].mean(), face[42:48].mean(), face[30], face[48], face[54]])
    seen = five @ (1, 1j)
    centred, middle = own - own.mean(), seen.mean(1, keepdims=True)
    scaled = ((seen - middle) @ centred.conj() / (np.abs(centred) ** 2).sum())[:, None] * (face - own.mean()) + middle
    return np.stack([scaled.real, scaled.imag], -1)

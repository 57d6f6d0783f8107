"""Boxes that may hold a face, found by OpenCV's YuNet."""

import threading
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.boxes import distinct
from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief, printable
from facial_keypoints.finding.candidates import Candidates
from facial_keypoints.finding.scores import yunet_evidence
from facial_keypoints.finding.search_size import LONGEST_PX, resized
from facial_keypoints.finding.windows import windows_of_boxes, windows_of_points
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
_FARTHEST = 4.0
"""Farthest point of a face that is believed, over the longer side of the picture."""
_SAME_FACE = 0.4
"""Overlap from which boxes found at both lengths are one face."""
_FILE_MOST = 10_000_000
"""Bytes of a model file: forty times those of YuNet."""
_OUTPUTS = [f"{kind}_{stride}".encode() for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
"""Names that a file of YuNet holds; some other networks end the process in OpenCV."""
_REMEDY = "give YuNet's ONNX file, face_detection_yunet_2023mar.onnx"


class YuNetDetector:
    """OpenCV's FaceDetectorYN with a model file of the user; thread-safe.

    Source: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research, 2023.
    """

    upright_only = False
    """Heads of any tilt are found."""

    def __init__(self, file: Path, min_score: float = MIN_SCORE) -> None:
        """`min_score`: score 0..1 from which a place is a candidate.

        Raises ModelError where the file is missing or is no YuNet model.
        """
        self._own, self._file, self._min_score = threading.local(), printable(str(file)), min_score
        try:
            content = read_plain(file, _FILE_MOST)
        except FileNotFoundError:
            raise ModelError(f"{self._file} is missing; {_REMEDY}") from None
        except (OSError, ValueError) as error:
            raise ModelError(f"{self._file} cannot be read ({getattr(error, 'strerror', error)}); {_REMEDY}") from None
        if not all(name in content for name in _OUTPUTS):
            raise ModelError(f"{self._file} is no YuNet model (its outputs are others); {_REMEDY}")
        self._model = np.frombuffer(content, np.uint8)
        self._search(np.zeros((32, 32), np.uint8), 32)

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
        return np.asarray(found[distinct(found[:, :4], found[:, 14], _SAME_FACE)])

    def _search(self, image: np.ndarray, longest_px: int) -> np.ndarray:
        """(K, 15) boxes, five points and scores of a picture, in its pixels; it is searched at the given length."""
        small, scale = resized(image, longest_px)
        bgr = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR if small.ndim == 2 else cv2.COLOR_RGB2BGR)
        try:
            network = self._network()
            network.setInputSize((bgr.shape[1], bgr.shape[0]))
            _, found = network.detect(bgr)
        except cv2.error as error:
            raise ModelError(f"{self._file} is no YuNet model ({brief(error.err)}); {_REMEDY}") from None
        rows = np.zeros((0, 15)) if found is None else found.astype(np.float64)
        rows[:, :14] /= scale
        return np.asarray(rows[_are_places(rows, image.shape)])

    def _network(self) -> cv2.FaceDetectorYN:
        """The network of this thread: it holds state between calls."""
        if not hasattr(self._own, "network"):
            self._own.network = cv2.FaceDetectorYN.create(
                "onnx", self._model, np.zeros(0, np.uint8), (320, 320), score_threshold=self._min_score
            )
        network: cv2.FaceDetectorYN = self._own.network
        return network


def _are_places(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(K,) bool: which rows are numbers and lie about the (H, W, ...) picture; now and then YuNet's sizes overflow."""
    return np.asarray((np.abs(rows[:, :14]) < _FARTHEST * max(shape[:2])).all(1) & (rows[:, 2:4] > 0).all(1))


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

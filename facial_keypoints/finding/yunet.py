"""Boxes that may hold a face, found by OpenCV's YuNet."""

import threading
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.boxes import distinct
from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief, printable
from facial_keypoints.finding.search_size import LONGEST_PX, reduced

_SEARCHED_PX = (320, LONGEST_PX)
"""YuNet finds faces of about 10 to 300 pixels: a picture is searched at both lengths, so that no face is too large."""
_MIN_SCORE = 0.6
"""Milder than OpenCV's own 0.9: as with the cascade, false alarms are recognized by the keypoint network."""
_SAME_FACE = 0.4
"""Overlap from which boxes found at both lengths are one face."""
_FILE_MOST = 10_000_000
"""Bytes of a model file: forty times those of YuNet."""
_REMEDY = "give YuNet's ONNX file, face_detection_yunet_2023mar.onnx"


class YuNetDetector:
    """OpenCV's FaceDetectorYN with a model file of the user; thread-safe.

    Source: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research, 2023.
    """

    def __init__(self, file: Path) -> None:
        """Raises ModelError where the file is missing or is no YuNet model."""
        self._own, self._file = threading.local(), printable(str(file))
        try:
            self._model = np.frombuffer(read_plain(file, _FILE_MOST), np.uint8)
        except FileNotFoundError:
            raise ModelError(f"{self._file} is missing; {_REMEDY}") from None
        except (OSError, ValueError) as error:
            raise ModelError(f"{self._file} cannot be read ({getattr(error, 'strerror', error)}); {_REMEDY}") from None
        self._search(np.zeros((32, 32), np.uint8), 32)

    def __call__(self, image: np.ndarray, gray: np.ndarray) -> np.ndarray:
        """Find boxes that may hold a face.

        Args:
            image: (H, W, 3) RGB or (H, W) gray uint8.
            gray: not looked at.

        Returns:
            (K, 4) float64 x, y, width, height in pixels of the picture. They reach up to the forehead, further than the
            68 points; the keypoint network frames the face again by its points.
        """
        lengths = sorted({min(longest, max(image.shape[:2])) for longest in _SEARCHED_PX})
        found = np.concatenate([self._search(image, longest) for longest in lengths])
        return found[distinct(found[:, :4], found[:, 4], _SAME_FACE), :4]

    def _search(self, image: np.ndarray, longest_px: int) -> np.ndarray:
        """(K, 5) boxes in pixels of the picture, which is searched at the given length, and their scores."""
        small, scale = reduced(image, longest_px)
        bgr = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR if small.ndim == 2 else cv2.COLOR_RGB2BGR)
        try:
            network = self._network()
            network.setInputSize((bgr.shape[1], bgr.shape[0]))
            _, found = network.detect(bgr)
        except cv2.error as error:
            raise ModelError(f"{self._file} is no YuNet model ({brief(error.err)}); {_REMEDY}") from None
        rows = np.zeros((0, 15)) if found is None else found.astype(np.float64)
        return np.concatenate([rows[:, :4] / scale, rows[:, 14:]], 1)

    def _network(self) -> cv2.FaceDetectorYN:
        """The network of this thread: it holds state between calls."""
        if not hasattr(self._own, "network"):
            self._own.network = cv2.FaceDetectorYN.create(
                "onnx", self._model, np.zeros(0, np.uint8), (320, 320), score_threshold=_MIN_SCORE
            )
        network: cv2.FaceDetectorYN = self._own.network
        return network

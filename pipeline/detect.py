"""Boxes that may hold a face, found by OpenCV; the keypoint network decides afterwards which of them do."""

import threading
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from pipeline.errors import ModelError

_CASCADES = Path(cv2.__file__).parent / "data"
DetectorName = Literal["haar", "yunet"]


class HaarDetector:
    """The frontal Haar cascade that comes with OpenCV (Viola and Jones, CVPR 2001); thread-safe."""

    def __init__(self) -> None:
        self._own = threading.local()  # a cascade keeps scratch memory, so that each thread needs one

    def __call__(self, rgb: np.ndarray, gray: np.ndarray) -> np.ndarray:
        """(K, 4) float64 boxes x, y, width, height of an (H, W) gray picture."""
        found = self._cascade().detectMultiScale(gray, scaleFactor=1.1, minNeighbors=3, minSize=(24, 24))
        return np.asarray(found, np.float64).reshape(-1, 4)

    def _cascade(self) -> cv2.CascadeClassifier:
        if not hasattr(self._own, "cascade"):
            self._own.cascade = cv2.CascadeClassifier(str(_CASCADES / "haarcascade_frontalface_default.xml"))
        cascade: cv2.CascadeClassifier = self._own.cascade
        return cascade


class YuNetDetector:
    """OpenCV's FaceDetectorYN with the user's model file; thread-safe."""

    def __init__(self, file: Path) -> None:
        self._own, self._file = threading.local(), file
        if not file.is_file():
            raise ModelError(f"{file} is missing; give YuNet's ONNX file, e.g. face_detection_yunet_2023mar.onnx")
        self._network()

    def __call__(self, rgb: np.ndarray, gray: np.ndarray) -> np.ndarray:
        """(K, 4) float64 boxes x, y, width, height of an (H, W, 3) RGB picture."""
        network = self._network()
        network.setInputSize((rgb.shape[1], rgb.shape[0]))
        _, found = network.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        return np.zeros((0, 4)) if found is None else found[:, :4].astype(np.float64)

    def _network(self) -> cv2.FaceDetectorYN:
        if not hasattr(self._own, "network"):
            try:
                self._own.network = cv2.FaceDetectorYN.create(str(self._file), "", (320, 320))
            except cv2.error as error:
                raise ModelError(f"{self._file} is no YuNet model ({error.err}); download it anew") from None
        network: cv2.FaceDetectorYN = self._own.network
        return network

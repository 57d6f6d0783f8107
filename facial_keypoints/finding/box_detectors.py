"""Boxes that may hold a face, found by OpenCV; the keypoint network decides afterwards which of them do."""

import threading
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from facial_keypoints.core.boxes import distinct
from facial_keypoints.core.errors import DataError, ModelError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.finding.windows import to_gray, turn_matrix, windows_of_boxes

DetectorName = Literal["haar", "yunet"]

_LONGEST_PX = 1920
"""Larger pictures are searched at this length, in which a face of 24 pixels is still found."""
_TILTED_LONGEST_PX = 960
_TILTS_DEG = (-45, 45)
"""The cascade finds faces up to 25 degrees to either side of these."""
_YUNET_LONGEST_PX = (320, _LONGEST_PX)
"""YuNet finds faces of about 10 to 300 pixels: a picture is searched at both lengths, so that no face is too large."""
_YUNET_MIN_SCORE = 0.6
"""Milder than OpenCV's own 0.9: as with the cascade, the network finds the false alarms out."""
_SAME_BOX = 0.4
"""Overlap from which what was found at both lengths is one face."""
_FARTHEST_PX = 1e15
"""Beyond, whole pixels are lost in rounding, and products of sides overflow."""
_CASCADE = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"


class HaarDetector:
    """The frontal Haar cascade that comes with OpenCV (Viola and Jones, CVPR 2001); thread-safe."""

    def __init__(self) -> None:
        self._own = threading.local()  # a cascade keeps scratch memory, so that each thread needs one

    def __call__(self, image: np.ndarray, gray: np.ndarray) -> np.ndarray:
        """(K, 4) float64 boxes x, y, width, height, about those round the 68 points, of an (H, W) gray picture.

        Two overlapping answers are enough: most false alarms of so mild a rule are found out by the network, while
        the strict one loses faces.
        """
        small, scale = _shrunk(gray, _LONGEST_PX)
        found = self._cascade().detectMultiScale(small, scaleFactor=1.1, minNeighbors=1, minSize=(24, 24))
        boxes = np.asarray(found, np.float64).reshape(-1, 4) / scale
        # Its boxes reach from the forehead to the mouth; the measures are means over training frames.
        side = boxes[:, 2:]
        return np.concatenate([boxes[:, :2] + side * (0.085, 0.205), 0.83 * side], 1)

    def _cascade(self) -> cv2.CascadeClassifier:
        if not hasattr(self._own, "cascade"):
            self._own.cascade = cv2.CascadeClassifier(str(_CASCADE))
        cascade: cv2.CascadeClassifier = self._own.cascade
        return cascade


class YuNetDetector:
    """OpenCV's FaceDetectorYN (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023) with the user's file.

    Thread-safe.
    """

    def __init__(self, file: Path) -> None:
        self._own, self._file = threading.local(), file
        if not file.is_file():
            raise ModelError(f"{file} is missing; give YuNet's ONNX file, e.g. face_detection_yunet_2023mar.onnx")
        self._network()

    def __call__(self, image: np.ndarray, gray: np.ndarray) -> np.ndarray:
        """(K, 4) float64 boxes x, y, width, height of an (H, W, 3) RGB or (H, W) gray picture.

        They reach up to the forehead, further than the 68 points; the network frames the face again by its points.
        """
        lengths = sorted({min(longest, max(image.shape[:2])) for longest in _YUNET_LONGEST_PX})
        found = np.concatenate([self._search(image, longest) for longest in lengths])
        return found[distinct(found[:, :4], found[:, 4], _SAME_BOX), :4]

    def _search(self, image: np.ndarray, longest: int) -> np.ndarray:
        """(K, 5) boxes and scores."""
        small, scale = _shrunk(image, longest)
        bgr = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR if small.ndim == 2 else cv2.COLOR_RGB2BGR)
        network = self._network()
        try:
            network.setInputSize((bgr.shape[1], bgr.shape[0]))
            _, found = network.detect(bgr)
        except cv2.error as error:
            raise ModelError(f"{self._file} does not answer as YuNet does ({error.err}); download it anew") from None
        rows = np.zeros((0, 15)) if found is None else found.astype(np.float64)
        return np.concatenate([rows[:, :4] / scale, rows[:, 14:]], 1)

    def _network(self) -> cv2.FaceDetectorYN:
        if not hasattr(self._own, "network"):
            try:
                self._own.network = cv2.FaceDetectorYN.create(
                    str(self._file), "", (320, 320), score_threshold=_YUNET_MIN_SCORE
                )
            except cv2.error as error:
                raise ModelError(f"{self._file} is no YuNet model ({error.err}); download it anew") from None
        network: cv2.FaceDetectorYN = self._own.network
        return network


BoxDetector = HaarDetector | YuNetDetector


def box_detector(name: str, file: Path | str | None) -> BoxDetector:
    """The detector of a name; `file` is the model that "yunet" needs."""
    if name == "haar" and file is None:
        return HaarDetector()
    if name == "haar":
        raise ModelError(f"detector haar takes no model file; leave {file} out or choose yunet")
    if name != "yunet":
        raise ModelError(f"no detector is called {name!r}; there are haar and yunet")
    if file is None:
        raise ModelError("detector yunet needs its ONNX file; name it with --detector-model (detector_model)")
    return YuNetDetector(Path(file))


def tilted_windows(find_boxes: BoxDetector, image: np.ndarray) -> np.ndarray:
    """(K, 4) windows that may hold a tilted face, found in an (H, W, 3) RGB or (H, W) gray picture that is turned."""
    small, scale = _shrunk(image, _TILTED_LONGEST_PX)
    found = [np.zeros((0, 4))]
    for turn in _TILTS_DEG:
        turned_from_small, size = _turned_whole(small.shape, -turn)
        turned = np.asarray(cv2.warpAffine(small, turned_from_small[:2], size), np.uint8)
        windows = windows_of_boxes(find_boxes(turned, to_gray(turned)))
        windows[:, :2] = transform_points(np.linalg.inv(turned_from_small), windows[:, :2])
        found.append(np.column_stack([windows[:, :3] / scale, np.full(len(windows), turn)]))
    return np.concatenate(found)


def _turned_whole(shape: tuple[int, ...], turn_deg: float) -> tuple[np.ndarray, tuple[int, int]]:
    """(3, 3) `turned_from_picture` about the middle and the (width, height) that then holds the whole picture."""
    matrix = turn_matrix(turn_deg)
    size = np.ceil(np.abs(matrix[:2, :2]) @ shape[1::-1])
    matrix[:2, 2] = (size - 1) / 2 - matrix[:2, :2] @ ((np.array(shape[1::-1]) - 1) / 2)
    return matrix, (int(size[0]), int(size[1]))


def check_boxes(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(K, 4) float64 of boxes that a user gave for an (H, W, ...) picture. Raises DataError for one outside it."""
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    for x, y, width, height in given:
        meets = x < shape[1] and y < shape[0] and x + width > 0 and y + height > 0
        near = np.abs([x, y, width, height]).max() <= _FARTHEST_PX  # also of numbers that are none
        if not (near and min(width, height) >= 1 and meets):
            raise DataError(
                f"the box {x:g},{y:g},{width:g},{height:g} does not lie in the picture of {shape[1]} x {shape[0]} "
                "pixels; give x,y,width,height in its pixels"
            )
    return given


def _shrunk(image: np.ndarray, longest: int) -> tuple[np.ndarray, float]:
    """The picture, not longer than `longest`, and by what it was scaled."""
    scale = min(1.0, longest / max(image.shape[:2]))
    if scale == 1:
        return image, scale
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale

"""What proposes boxes that may hold a face; the keypoint network decides afterwards which of them do."""

from pathlib import Path
from typing import Literal

import numpy as np

from facial_keypoints.core.errors import DataError, ModelError
from facial_keypoints.finding.haar import HaarDetector
from facial_keypoints.finding.yunet import YuNetDetector

DetectorName = Literal["haar", "yunet"]
BoxDetector = HaarDetector | YuNetDetector

_FARTHEST_PX = 1e15
"""Beyond, whole pixels are lost in rounding, and products of sides overflow."""


def box_detector(name: str, file: Path | str | None) -> BoxDetector:
    """The detector of a name; `file` is the model that "yunet" needs. Raises ModelError."""
    if name == "haar" and file is None:
        return HaarDetector()
    if name == "haar":
        raise ModelError(f"detector haar takes no model file; leave {file} out or choose yunet")
    if name != "yunet":
        raise ModelError(f"no detector is called {name!r}; there are haar and yunet")
    if file is None:
        raise ModelError("detector yunet needs its ONNX file; name it with --detector-model (detector_model)")
    return YuNetDetector(Path(file))


def check_boxes(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(K, 4) float64 of the boxes x, y, width, height that a user gave in place of a detector's.

    Raises DataError for a box that does not meet the (H, W, ...) picture or has a side below one pixel.
    """
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    for x, y, width, height in given:
        meets = x < shape[1] and y < shape[0] and x + width > 0 and y + height > 0
        near = np.abs([x, y, width, height]).max() <= _FARTHEST_PX  # False for numbers that are none, too
        if not (near and min(width, height) >= 1 and meets):
            raise DataError(
                f"the box {x:g},{y:g},{width:g},{height:g} does not lie in the picture of {shape[1]} x {shape[0]} "
                "pixels; give x,y,width,height in its pixels"
            )
    return given

"""What proposes boxes that may hold a face; the keypoint network decides afterwards which of them do."""

import warnings
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from facial_keypoints.core.boxes import FARTHEST_PX
from facial_keypoints.core.errors import DataError, KeypointsWarning, ModelError
from facial_keypoints.core.onnx_runtime import MissingRuntimeError
from facial_keypoints.finding import yunet_file
from facial_keypoints.finding.haar import HaarDetector
from facial_keypoints.finding.suspicious import SUSPECTED, SuspiciousDetector
from facial_keypoints.finding.yunet import MIN_SCORE, YuNetDetector

DetectorName = Literal["auto", "yunet", "haar"]
BoxDetector = HaarDetector | YuNetDetector | SuspiciousDetector

_BOXES = "give (K, 4) numbers, x, y, width and height of each, in pixels"


def box_detector(name: str, file: Path | str | None, *, suspicious: bool = False) -> BoxDetector:
    """The detector of a name.

    Args:
        name: "yunet", "haar", or "auto" for YuNet where its file and ONNX Runtime are or can be had, else Haar, of
            which a KeypointsWarning tells.
        file: YuNet's file; None for that of KEYPOINTS_YUNET, else for the one in the cache folder, fetched once.
        suspicious: propose what may less likely be a face, too: "auto" is then YuNet and Haar together.

    Raises:
        ModelError: a file that was asked for is missing or is no YuNet model, or no detector has the name.
    """
    given = Path(file) if file is not None else None
    if name not in get_args(DetectorName):
        raise ModelError(f"no detector is called {name!r}; there are {', '.join(get_args(DetectorName))}")
    if name == "haar" and given:
        raise ModelError(f"detector haar takes no model file; leave {given} out or choose yunet")
    path = None if name == "haar" else _yunet_path(given, insist=name == "yunet")
    if path is None:
        return HaarDetector()
    try:
        yunet = YuNetDetector(path, SUSPECTED if suspicious else MIN_SCORE)
    except MissingRuntimeError as error:
        if name == "yunet" or given:
            raise
        _tell_of_haar(error, stacklevel=4)
        return HaarDetector()
    return SuspiciousDetector(yunet) if suspicious and name == "auto" else yunet


def _yunet_path(given: Path | None, *, insist: bool) -> Path | None:
    """YuNet's file; None where it cannot be had and nobody insists on it, which a line tells."""
    if named := yunet_file.named_file(given):
        return named
    if yunet_file.fetching_is_declined():
        if insist:
            raise ModelError(
                f"detector yunet needs its file, and {yunet_file.VARIABLE}={yunet_file.NO_FILE} declines to fetch it; "
                "name it there or with --detector-model (detector_model)"
            )
        return None
    try:
        return yunet_file.fetched_file(yunet_file.cache_folder(), insist=insist)
    except yunet_file.NotFetchedError as error:
        if insist:
            raise
        _tell_of_haar(error, stacklevel=5)
        return None


def _tell_of_haar(error: ModelError, stacklevel: int) -> None:
    """Warn; `stacklevel` leads to who loads a detector."""
    warnings.warn(f"OpenCV's Haar cascade finds the faces, less well: {error}", KeypointsWarning, stacklevel)


def check_boxes(boxes: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """(K, 4) float64 of the boxes x, y, width, height that a user gave in place of a detector's.

    Raises DataError for what are no such boxes, or where one does not meet the (H, W, ...) picture or has a side below
    one pixel.
    """
    given = _four_numbers_each(boxes)
    for x, y, width, height in given:
        meets = x < shape[1] and y < shape[0] and x + width > 0 and y + height > 0
        near = np.abs([x, y, width, height]).max() <= FARTHEST_PX  # False for numbers that are none, too
        if not (near and min(width, height) >= 1 and meets):
            raise DataError(
                f"the box {x:g},{y:g},{width:g},{height:g} does not lie in the picture of {shape[1]} x {shape[0]} "
                "pixels; give x,y,width,height in its pixels"
            )
    return given


def _four_numbers_each(boxes: ArrayLike) -> np.ndarray:
    """(K, 4) float64 of (K, 4) numbers, of those of one box, or of none. Raises DataError for anything else."""
    if np.ma.is_masked(boxes):
        raise DataError(f"some numbers of the boxes are masked; {_BOXES}")
    try:
        given = np.asarray(boxes)
        numbers = given.astype(np.float64) if given.dtype.kind in "iufO" and given.size else given
    except (
        TypeError,
        ValueError,
        RuntimeError,
        OverflowError,
    ):  # rows of several lengths, a tensor that keeps its gradient, None
        raise DataError(f"the boxes are {type(boxes).__name__} of other than numbers; {_BOXES}") from None
    if not given.size:
        return np.zeros((0, 4))
    if numbers.dtype != np.float64 or not (given.shape == (4,) or (given.ndim == 2 and given.shape[1] == 4)):
        raise DataError(f"the boxes are {given.dtype} {given.shape}; {_BOXES}")
    return numbers.reshape(-1, 4)

"""The frame that the network sees of a face in a picture."""

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import fit_square
from facial_keypoints.detector import KeypointDetector
from facial_keypoints.finding.box_detector import check_boxes
from facial_keypoints.finding.windows import cut, to_gray, windows_of_boxes, windows_of_points


def frame_of_whole(detector: KeypointDetector, picture: np.ndarray) -> np.ndarray:
    """(S, S) uint8 frame of an (H, W, 3) uint8 RGB picture of one face that is framed as in the dataset."""
    return fit_square(to_gray(picture), detector.network.size_px, detector.network.fit)[0]


def frame_in_box(detector: KeypointDetector, picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(S, S) uint8 frame of what lies in the first of (K, 4) boxes in an (H, W, 3) uint8 RGB picture.

    Raises DataError where that box lies outside of the picture.
    """
    gray = to_gray(picture)
    return cut(gray, windows_of_boxes(check_boxes(boxes[:1], gray.shape))[0], detector.network.size_px)[0]


def frame_of_largest_face(detector: KeypointDetector, picture: np.ndarray, name: str) -> np.ndarray:
    """(S, S) uint8 frame of the largest face in an (H, W, 3) uint8 RGB picture.

    Raises DataError, which calls the picture by `name`, where no face is found.
    """
    faces = detector(picture)
    if not faces:
        raise DataError(f"no face is found in {name}; give another picture, or --whole if it is one face close up")
    largest = max(faces, key=lambda face: face.box[2] * face.box[3])
    window = windows_of_points(largest.keypoints[None].astype(np.float64))[0]
    return cut(to_gray(picture), window, detector.network.size_px)[0]

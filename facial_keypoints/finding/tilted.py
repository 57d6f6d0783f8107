"""Search for tilted heads: box detectors find upright faces only, so that the picture is rotated for them."""

import cv2
import numpy as np

from facial_keypoints.core.geometry import transform_points
from facial_keypoints.finding.box_detector import BoxDetector
from facial_keypoints.finding.candidates import Candidates, joined
from facial_keypoints.finding.search_size import reduced
from facial_keypoints.finding.windows import rotation_matrix, to_gray

_LONGEST_PX = 960
_TILTS_DEG = (-45, 45)
"""The cascade finds faces up to 25 degrees to either side of these."""


def tilted_candidates(find: BoxDetector, image: np.ndarray) -> Candidates:
    """Candidates for tilted faces of an (H, W, 3) RGB or (H, W) gray uint8 picture."""
    small, scale = reduced(image, _LONGEST_PX)
    parts = []
    for tilt in _TILTS_DEG:
        rotated_from_small, size = _rotated_whole(small.shape, -tilt)
        rotated = np.asarray(cv2.warpAffine(small, rotated_from_small[:2], size), np.uint8)
        found = find(rotated, to_gray(rotated))
        centres = transform_points(np.linalg.inv(rotated_from_small), found.windows[:, :2])
        windows = np.column_stack([centres / scale, found.windows[:, 2] / scale, found.windows[:, 3] + tilt])
        parts.append(found._replace(windows=windows))
    return joined(parts)


def _rotated_whole(shape: tuple[int, ...], rotation_deg: float) -> tuple[np.ndarray, tuple[int, int]]:
    """(3, 3) `rotated_from_picture` about the middle and the (width, height) that then holds the whole picture."""
    matrix = rotation_matrix(rotation_deg)
    size = np.ceil(np.abs(matrix[:2, :2]) @ shape[1::-1])
    matrix[:2, 2] = (size - 1) / 2 - matrix[:2, :2] @ ((np.array(shape[1::-1]) - 1) / 2)
    return matrix, (int(size[0]), int(size[1]))

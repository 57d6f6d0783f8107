"""Frames on which an exported file is compared with the network, calibrated and measured."""

from collections.abc import Callable

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.scheme import Scheme
from pipeline.core import metrics, paths
from pipeline.core.arrays import load_arrays
from pipeline.core.stored_arrays import StoredArray
from pipeline.datasets.synthetic import draw_face, random_identity

COMPARED = 128
"""Frames on which an exported file is compared with the network, at most."""
CALIBRATING = 128
"""Training frames that the ranges of 8-bit values are read off, at most."""
_SYNTHETIC = 4


def frames_to_compare(side: int) -> tuple[np.ndarray, str]:
    """(N, side, side) uint8 frames to compare on, and in words what they are.

    They are prepared validation or test frames where there are some of this side, else synthetic faces.
    """
    for split in ("val", "test"):
        folder = paths.PROCESSED / split
        if folder.is_dir() and len(images := load_arrays(folder).images) and images.shape[-1] == side:
            return _spread(images, COMPARED), f"frames of {folder}"
    return synthetic_frames(side), "synthetic faces"


def training_frames(side: int) -> np.ndarray:
    """(N, side, side) uint8 frames spread over the training split. Raises DataError where none has this side."""
    folder = paths.PROCESSED / "train"
    images = load_arrays(folder).images
    if not len(images) or images.shape[-1] != side:
        raise DataError(f"{folder} holds no frames of the {side} px the model takes; make them: dvc repro preprocess")
    return _spread(images, CALIBRATING)


def labelled_error(split: str, scheme: Scheme, predict: Callable[[np.ndarray], np.ndarray]) -> tuple[float, int] | None:
    """Mean NME over the measurable frames of a split, a fraction measured in source pixels, and the number of these.

    `predict` takes (N, S, S) uint8 frames and returns (N, K, 2) keypoints in their pixels. None where the split was not
    prepared or no error can be measured on it.
    """
    if not (folder := paths.PROCESSED / split).is_dir():
        return None
    split_arrays = load_arrays(folder, scheme.count)
    arrays = split_arrays.chosen(metrics.measurable(split_arrays.keypoints_crop, scheme))
    if not len(arrays.images):
        return None
    source_from_crop = np.linalg.inv(arrays.crop_from_source.astype(np.float64))
    predicted = transform_points(source_from_crop, predict(arrays.images))
    errors = metrics.nme(predicted, transform_points(source_from_crop, arrays.keypoints_crop), scheme)
    return float(errors.mean()), len(arrays.images)


def _spread(images: StoredArray, count: int) -> np.ndarray:
    """At most `count` of the images, evenly spread."""
    return images[np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)]


def synthetic_frames(side: int) -> np.ndarray:
    """(4, side, side) uint8 synthetic faces, always the same."""
    rng = np.random.default_rng(0)
    pictures = [draw_face(random_identity(rng), rng)[0] for _ in range(_SYNTHETIC)]
    return np.stack([fit_square(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), side, "pad")[0] for picture in pictures])

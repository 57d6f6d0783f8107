"""Frames on which an exported file is compared, calibrated and measured."""

from collections.abc import Callable

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import metrics, paths
from pipeline.core.arrays import load_arrays
from pipeline.datasets.synthetic import draw_face, random_identity

COMPARED = 128
CALIBRATING = 64
_DRAWN = 4


def frames_to_compare(side: int) -> tuple[np.ndarray, str]:
    """(N, S, S) uint8 frames and what they are: prepared validation or test frames of this side, else drawn faces."""
    for split in ("val", "test"):
        folder = paths.PROCESSED / split
        if folder.is_dir() and len(images := load_arrays(folder).images) and images.shape[-1] == side:
            return _spread(images, COMPARED), f"frames of {folder}"
    return _drawn(side), "drawn faces"


def training_frames(side: int) -> np.ndarray:
    """(N, S, S) uint8 training frames of all people. Raises DataError where there are none of this side."""
    folder = paths.PROCESSED / "train"
    images = load_arrays(folder).images
    if not len(images) or images.shape[-1] != side:
        raise DataError(f"{folder} holds no frames of the {side} px the model takes; make them: dvc repro preprocess")
    return _spread(images, CALIBRATING)


def labelled_error(split: str, predict: Callable[[np.ndarray], np.ndarray]) -> tuple[float, int] | None:
    """Mean NME in source pixels, a fraction, over a split's labelled frames, and their number; None if it is not here.

    `predict` takes (N, S, S) uint8 frames and answers (N, 68, 2) keypoints in their pixels.
    """
    if not (folder := paths.PROCESSED / split).is_dir():
        return None
    arrays = load_arrays(folder)
    rows = np.flatnonzero(arrays.samples["labelled"])
    if not len(rows):
        return None
    source_from_crop = np.linalg.inv(arrays.crop_from_source[rows].astype(np.float64))
    predicted = transform_points(source_from_crop, predict(arrays.images[rows]))
    errors = metrics.nme(predicted, transform_points(source_from_crop, arrays.keypoints_crop[rows]), IBUG_68)
    return float(errors.mean()), len(rows)


def _spread(images: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the images, evenly spread."""
    return np.asarray(images[np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)])


def _drawn(side: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    pictures = [draw_face(random_identity(rng), rng)[0] for _ in range(_DRAWN)]
    return np.stack([fit_square(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), side, "pad")[0] for picture in pictures])

"""Prepared frames as arrays on disk, checked when they are opened."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import check_plain
from facial_keypoints.core.text import brief, shown
from pipeline.core.samples import read_samples


@dataclass(frozen=True)
class Arrays:
    """Prepared frames of one split, row by row."""

    images: np.ndarray
    """(N, S, S) uint8 gray, memory-mapped."""
    keypoints_crop: np.ndarray
    """(N, K, 2) float32, x then y, crop pixels; NaN where a point, or the whole frame, is not labelled."""
    crop_from_source: np.ndarray
    """(N, 3, 3) float32."""
    samples: pd.DataFrame
    """Rows of samples.csv."""

    def labelled(self) -> "Arrays":
        """The rows that have a labelled point at least, copied into memory."""
        return self.chosen(self.samples["labelled"].to_numpy())

    def chosen(self, rows: np.ndarray) -> "Arrays":
        """The rows that (N,) bool `rows` names, copied into memory."""
        return Arrays(
            self.images[rows], self.keypoints_crop[rows], self.crop_from_source[rows], self.samples.iloc[rows]
        )


def load_arrays(folder: Path, points: int = -1) -> Arrays:
    """Open what preprocess wrote to `folder`; images stay on disk until used.

    `points` is the K that is expected, -1 for any. Raises DataError.
    """
    try:
        arrays = Arrays(
            images=load_array(folder / "images.npy", np.uint8, (-1, -1, -1)),
            keypoints_crop=np.array(load_array(folder / "keypoints.npy", np.float32, (-1, points, 2))),
            crop_from_source=np.array(load_array(folder / "crop_from_source.npy", np.float32, (-1, 3, 3))),
            samples=read_samples(folder / "samples.csv"),
        )
        _check_arrays(arrays)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: {error}; make it again with: dvc repro preprocess") from None
    return arrays


def load_array(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a .npy file, memory-mapped; -1 in `shape` is any length. Raises OSError, and ValueError for others.

    NumPy maps no more than the file has, but makes room for whatever a header claims.
    """
    check_plain(path)
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # a header is a Python literal, and fails as Python does
        raise ValueError(f"{path.name} is no array of NumPy ({brief(str(error), 120)})") from None
    fits = len(array.shape) == len(shape) and all(w in (-1, n) for w, n in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits:
        found = f"{brief(str(array.dtype))} {shown(array.shape)}"
        raise ValueError(f"{path.name} holds {found} where {np.dtype(dtype)} {shape} is expected")
    return array


def _check_arrays(arrays: Arrays) -> None:
    """Raise ValueError for what no preprocess writes, and what would spoil every number made of it."""
    if len({len(arrays.images), len(arrays.keypoints_crop), len(arrays.crop_from_source), len(arrays.samples)}) > 1:
        raise ValueError("its files differ in their number of frames")
    height, width = arrays.images.shape[1:]
    if height != width:
        raise ValueError(f"images.npy holds frames of {height} x {width} pixels where squares are expected")
    known = np.isfinite(arrays.keypoints_crop)
    halves = (known.any(-1) != known.all(-1)).any() or np.isinf(arrays.keypoints_crop).any()
    if halves or not (known.any((1, 2)) == arrays.samples["labelled"]).all():
        raise ValueError("keypoints.npy holds no numbers where samples.csv says labelled, or the other way round")
    if not (np.isfinite(arrays.crop_from_source).all() and np.linalg.det(arrays.crop_from_source).all()):
        raise ValueError("crop_from_source.npy holds a matrix without an inverse")

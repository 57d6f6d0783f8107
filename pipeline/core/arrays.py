"""Prepared frames as arrays on disk, checked when they are read.

The images of a split of more than `shard_rows` frames are cut into shards, images-00000.npy and so on; all else is a
hundredth of them and lies in one file each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import reason_of
from pipeline.core.samples import count_samples, read_samples, read_samples_in_parts
from pipeline.core.stored_arrays import StoredArray

SHARD_FRAMES, SHARD_BYTES = 4096, 2**28
"""The most of a shard: what a killed run loses, and what a changed frame makes DVC transfer anew."""
PART_ROWS = 512
"""Frames that are in memory at once where a split is gone through: 26 MB of 224 x 224 pixels."""


Images = TypeVar("Images", np.ndarray, StoredArray)


@dataclass(frozen=True)
class Arrays(Generic[Images]):
    """Prepared frames of one split, or of a part of it, row by row."""

    images: Images
    """(N, S, S) uint8 gray; on disk until rows of it are used, or in memory."""
    keypoints_crop: np.ndarray
    """(N, K, 2) float32, x then y, crop pixels; NaN where a point, or the whole frame, is not labelled."""
    crop_from_source: np.ndarray
    """(N, 3, 3) float32."""
    samples: pd.DataFrame
    """Rows of samples.csv."""

    def labelled(self) -> "Arrays[np.ndarray]":
        """The rows that have a labelled point at least, copied into memory."""
        return self.chosen(self.samples["labelled"].to_numpy())

    def chosen(self, rows: np.ndarray) -> "Arrays[np.ndarray]":
        """The rows that (N,) bool `rows` names, copied into memory."""
        return Arrays(
            self.images[rows], self.keypoints_crop[rows], self.crop_from_source[rows], self.samples.iloc[rows]
        )


class StoredArrays:
    """Prepared frames of one split on disk, of which a part at a time is in memory."""

    def __init__(self, folder: Path, points: int = -1) -> None:
        """Open what preprocess wrote to `folder`. `points` is the K that is expected, -1 for any. Raises DataError."""
        self.folder = folder
        try:
            self.images = StoredArray(image_files(folder), np.uint8, (-1, -1, -1))
            self.keypoints_crop = StoredArray([folder / "keypoints.npy"], np.float32, (-1, points, 2))
            self.crop_from_source = StoredArray([folder / "crop_from_source.npy"], np.float32, (-1, 3, 3))
            counts = {len(array) for array in (self.images, self.keypoints_crop, self.crop_from_source)}
            if counts != {count_samples(folder / "samples.csv")}:
                raise ValueError("its files differ in their number of frames")
            if len(set(self.images.shape[1:])) > 1:
                found = " x ".join(map(str, self.images.shape[1:]))
                raise ValueError(f"images.npy holds frames of {found} pixels where squares are expected")
        except (OSError, ValueError) as error:
            raise self._fault(error) from None

    def __len__(self) -> int:
        return len(self.images)

    def parts(self, size: int = PART_ROWS, *, images: bool = True) -> Iterator[Arrays[np.ndarray]]:
        """All rows in their order, `size` at once; where `images` is false, without their pixels. Raises DataError."""
        start = 0
        for samples in read_samples_in_parts(self.folder / "samples.csv", size):
            rows = slice(start, start + len(samples))
            yield self._checked(self.images[rows if images else slice(0)], rows, samples)
            start += len(samples)

    def whole(self) -> Arrays[StoredArray]:
        """All rows at once; images stay on disk until used. Raises DataError."""
        return self._checked(self.images, slice(None), read_samples(self.folder / "samples.csv"))

    def labelled_rows(self) -> np.ndarray:
        """(M,) rows that have a labelled point at least, in their order. Raises DataError."""
        flags = [part.samples["labelled"].to_numpy() for part in self.parts(images=False)]
        return np.flatnonzero(np.concatenate([np.zeros(0, bool), *flags]))

    def _checked(self, images: Images, rows: slice, samples: pd.DataFrame) -> Arrays[Images]:
        try:
            arrays = Arrays(images, self.keypoints_crop[rows], self.crop_from_source[rows], samples)
            _check_arrays(arrays)
        except (OSError, ValueError) as error:
            raise self._fault(error) from None
        return arrays

    def _fault(self, error: Exception) -> DataError:
        return DataError(f"{self.folder}: {reason_of(error, self.folder)}; make it again with: dvc repro preprocess")


def load_arrays(folder: Path, points: int = -1) -> Arrays[StoredArray]:
    """All of what preprocess wrote to `folder`, as `StoredArrays` opens it; images stay on disk until used.

    Raises DataError.
    """
    return StoredArrays(folder, points).whole()


def shard_rows(size_px: int) -> int:
    """Frames of a shard of images of this side."""
    return min(SHARD_FRAMES, SHARD_BYTES // size_px**2)


def image_files(folder: Path) -> list[Path]:
    """The files in `folder` that hold the images of a split, in the order of its rows."""
    return sorted(folder.glob("images-*.npy")) or [folder / "images.npy"]


def _check_arrays(arrays: Arrays[Images]) -> None:
    """Raise ValueError for what no preprocess writes, and what would spoil every number made of it."""
    known = np.isfinite(arrays.keypoints_crop)
    halves = (known.any(-1) != known.all(-1)).any() or np.isinf(arrays.keypoints_crop).any()
    if halves or not (known.any((1, 2)) == arrays.samples["labelled"]).all():
        raise ValueError("keypoints.npy holds no numbers where samples.csv says labelled, or the other way round")
    if not (np.isfinite(arrays.crop_from_source).all() and np.linalg.det(arrays.crop_from_source).all()):
        raise ValueError("crop_from_source.npy holds a matrix without an inverse")

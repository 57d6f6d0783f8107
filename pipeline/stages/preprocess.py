"""Turn frames into square grayscale arrays, one folder a split.

The images are made in shards below .checkpoints, so that what a killed process made is taken over by the next one and
other processes may help. Nothing is written to data/processed before everything is read, so that a broken frame leaves
no half of a dataset.
"""

import hashlib
import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from facial_keypoints.core.atomic_files import file_sha256, remove_abandoned, remove_folder, whole_folder
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import face_size, fit_square, transform_points
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import Scheme
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import brief
from pipeline.core import metrics, paths
from pipeline.core.arrays import PART_ROWS, shard_rows
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.frames import read_gray
from pipeline.core.label_file import RawLabels
from pipeline.core.labels import LABELS
from pipeline.core.near_duplicates import HashedFrames, perceptual_hash, warn_of_near_duplicates
from pipeline.core.samples import read_samples_in_parts
from pipeline.core.settings import Preprocess
from pipeline.core.shards import Shard, Squares, make_shards, shard_place, shards_of
from pipeline.core.stored_arrays import StoredArray, write_array
from pipeline.core.tables import write_tables

SPLITS = ("train", "val", "test")
_BLOCK = 32
"""Frames that a thread prepares at a time."""
_ROWS = 4096
"""Rows of samples.csv that are read at a time."""


def run(*, preprocess: Preprocess) -> None:
    folder = paths.workspace_root() / ".checkpoints" / "preprocess" / _key(preprocess)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lead = FileLock(folder.with_name(f"{folder.name}.lock"))
    counts, helped = _count_frames(), False
    try:
        lead.acquire(timeout=0)
    except Timeout:
        tell("another process prepares exactly these frames; this one takes a share of the work")
        for _ in _made_frames(folder, counts, preprocess, helping=True):
            pass
        lead.acquire()
        helped = True
    try:
        # Where the other one has finished, its folder is gone and the splits are written.
        if not helped or folder.exists() or not all((paths.PROCESSED / split).is_dir() for split in SPLITS):
            _prepare(folder, counts, preprocess)
    finally:
        lead.release()


def _key(preprocess: Preprocess) -> str:
    """What tells this preparation from others below .checkpoints."""
    made_of = [file_sha256(paths.SAMPLES), preprocess.fit, str(preprocess.size_px)]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]


def _count_frames() -> dict[str, int]:
    """Split -> number of its frames."""
    counts = dict.fromkeys(SPLITS, 0)
    for part in read_samples_in_parts(paths.SAMPLES, _ROWS):
        for split in SPLITS:
            counts[split] += int((part["split"] == split).sum())
    return counts


def _prepare(folder: Path, counts: dict[str, int], preprocess: Preprocess) -> None:
    """Make the shards below `folder`, which others may help to do, and what they are of the splits; then remove it."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder)
    remove_abandoned(folder.parent)
    scheme = read_scheme()
    with ThreadPoolExecutor(1) as beside:
        labels = beside.submit(_write_labels, folder, counts, scheme)
        for _ in _made_frames(folder, counts, preprocess):
            if labels.done():
                labels.result()  # raises where a label is wrong, before all frames are made
        labels.result()
    rows = shard_rows(preprocess.size_px)
    prepared = {split: _Prepared(folder, split, rows, scheme, counts[split]) for split in SPLITS}
    warn_of_near_duplicates({split: one.hashed() for split, one in prepared.items()})
    _tell_unlabelled(prepared["train"].labels, scheme)
    for split, one in prepared.items():
        with whole_folder(paths.PROCESSED / split) as target:
            one.write(target)
    remove_folder(folder)
    for lock in folder.parent.glob(f"{folder.name}*.lock"):  # one more process would do no harm, only work
        lock.unlink()


def _made_frames(
    folder: Path, counts: dict[str, int], preprocess: Preprocess, *, helping: bool = False
) -> Iterator[None]:
    """Make the shards; yields once for each frame."""

    def make(samples: pd.DataFrame) -> Generator[None, None, Squares]:
        return (yield from _squares(samples, preprocess))

    shards = chain.from_iterable(shards_of(paths.SAMPLES, split, shard_rows(preprocess.size_px)) for split in SPLITS)
    done = make_shards(shards, folder, paths.RAW, make, helping=helping)
    return progress(done, label="preprocess", total=sum(counts.values()), unit="frames")


def _squares(samples: pd.DataFrame, preprocess: Preprocess) -> Generator[None, None, Squares]:
    """Read the frames of a shard on all cores; yields as each is done."""
    squares = Squares.empty(len(samples), preprocess.size_px)
    files = [paths.RAW / folder / file for folder, file in zip(samples["folder"], samples["file"], strict=True)]

    def read(rows: range) -> range:
        for row in rows:
            gray = read_gray(files[row])
            squares.images[row], squares.crop_from_source[row] = fit_square(gray, preprocess.size_px, preprocess.fit)
            squares.hashes[row] = perceptual_hash(squares.images[row])
        return rows

    cv2.setNumThreads(1)  # frames are the unit of parallel work
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(read, _blocks(len(files), _BLOCK)):
            yield from [None] * len(rows)
    return squares


def _blocks(count: int, size: int) -> list[range]:
    """Numbers below `count`, `size` at once."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _write_labels(folder: Path, counts: dict[str, int], scheme: Scheme) -> None:
    """Write the labels of each split, in source pixels, beside the shards. Raises DataError."""
    tables = RawLabels(paths.RAW, scheme.count)
    for split, count in counts.items():
        parts = (_labels(shard.samples, tables, scheme) for shard in shards_of(paths.SAMPLES, split, _ROWS))
        write_array(folder / f"{split}.npy", np.float32, (count, scheme.count, 2), parts)


def _labels(samples: pd.DataFrame, tables: RawLabels, scheme: Scheme) -> np.ndarray:
    """(N, K, 2) float32 keypoints in source pixels, NaN where there is no label.

    Raises DataError for a label of all points in whose units no error can be measured. One of some points passes: where
    it has no unit, its frame is not measured.
    """
    _, keypoints, _ = tables.of(samples)
    whole = np.isfinite(keypoints).all((1, 2))
    flat = whole & ((metrics.normalizing_length(keypoints, scheme) == 0) | (face_size(keypoints) == 0))
    if flat.any():
        folder, file = samples.loc[flat, ["folder", "file"]].iloc[0]
        raise DataError(
            f"{paths.RAW / LABELS[folder]}: the points of {file} that its error is divided by, or "
            "all its points, lie on one point or line, so its error has no unit; mend its label or remove it"
        )
    return keypoints


def _tell_unlabelled(train: StoredArray, scheme: Scheme) -> None:
    """Name the points that no training frame labels, if any does."""
    labelled = np.zeros(scheme.count, bool)
    for rows in _slices(len(train)):
        labelled |= np.isfinite(train[rows]).all(-1).any(0)
    if labelled.any() and not labelled.all():
        names = ", ".join(scheme.name_of(point) for point in np.flatnonzero(~labelled).tolist())
        tell(f"note: no training frame labels {brief(names, 300)}: at most mirrored pictures teach these points")


def _slices(count: int) -> list[slice]:
    return [slice(rows.start, rows.stop) for rows in _blocks(count, PART_ROWS)]


class _Prepared:
    """A split whose shards and labels are made."""

    def __init__(self, folder: Path, split: str, rows: int, scheme: Scheme, count: int) -> None:
        self._split, self._rows, self._points = split, rows, scheme.count
        self._shards = [shard_place(folder, split, number) for number in range(max(1, -(-count // rows)))]
        self.labels = StoredArray([folder / f"{split}.npy"], np.float32, (-1, scheme.count, 2))

    def hashed(self) -> HashedFrames:
        """What near-duplicates are found by."""
        hashes = StoredArray([place / "hashes.npy" for place in self._shards], np.uint8, (-1, -1))
        people = [pd.util.hash_array(shard.samples["person"].to_numpy(object)) for shard in self._samples()]
        return HashedFrames(hashes[:], np.concatenate(people), self._names)

    def write(self, target: Path) -> None:
        """Write the arrays of the split; the images are those of the shards, not copied where links can be."""
        for number, place in enumerate(self._shards):
            name = "images.npy" if len(self._shards) == 1 else f"images-{number:05d}.npy"
            _link(place / "images.npy", target / name)
        matrices = StoredArray([place / "crop_from_source.npy" for place in self._shards], np.float32, (-1, 3, 3))
        slices = _slices(len(matrices))
        keypoints = (transform_points(matrices[rows], self.labels[rows]) for rows in slices)
        write_array(target / "keypoints.npy", np.float32, self.labels.shape, keypoints)
        write_array(target / "crop_from_source.npy", np.float32, matrices.shape, (matrices[rows] for rows in slices))
        write_tables(target / "samples.csv", (shard.samples for shard in self._samples()))

    def _samples(self) -> Iterator[Shard]:
        return shards_of(paths.SAMPLES, self._split, self._rows)

    def _names(self, rows: Sequence[int]) -> list[str]:
        found = {}
        for shard in self._samples():
            for row in rows:
                if shard.number == row // self._rows:
                    folder, file = shard.samples[["folder", "file"]].iloc[row % self._rows]
                    found[row] = f"{folder}/{file}"
        return [found[row] for row in rows]


def _link(made: Path, target: Path) -> None:
    try:
        os.link(made, target)
    except OSError:  # on another disk, or one without links
        with made.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)

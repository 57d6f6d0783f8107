"""labels.csv of an imported dataset: a row for each object, with where it is cut out of its picture and all its points.

Pixels are those of the picture as it is shown, turned by its EXIF orientation; the centre of the top left one is
(0, 0).
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief
from pipeline.core.labels import HIDDEN, LABELS, LARGEST_PX, SEEN, UNLABELLED

LABEL_TABLE = "labels.csv"
_FIRST = ["picture", "group", "split", "left", "top", "side"]
SPLITS = tuple(LABELS)
_DECIMALS = 4
MOST_SIDE_PX = 10_000
"""Of a frame, which is held in memory."""


@dataclass(frozen=True)
class Sample:
    """One object."""

    picture: str
    """Path of its picture below the folder of pictures."""
    group: str
    """Person, clip or picture: what is not split between training and validation."""
    split: str
    """training or test."""
    frame: tuple[int, int, int]
    """left, top, side of the square that is cut out; parts of it may lie outside of the picture."""
    points: np.ndarray
    """(K, 2) float64 in pixels of the picture; NaN where a point is not labelled."""
    visibility: np.ndarray
    """(K,) uint8 of SEEN, HIDDEN and UNLABELLED."""


def write_label_table(path: Path, count: int, samples: Iterable[Sample]) -> None:
    """Write samples of `count` points each, one after the other."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_header(count))
        for sample in samples:
            fields = [sample.picture, sample.group, sample.split, *sample.frame]
            writer.writerow(fields + [field for point in _fields(sample) for field in point])


def _header(count: int) -> list[str]:
    return _FIRST + [f"{axis}{point}" for point in range(count) for axis in "xyv"]


def _fields(sample: Sample) -> Iterator[tuple[object, object, int]]:
    for (x, y), flag in zip(np.round(sample.points, _DECIMALS).tolist(), sample.visibility.tolist(), strict=True):
        yield (x, y, flag) if flag else ("", "", flag)


def read_label_table(path: Path, count: int) -> Iterator[Sample]:
    """The samples of a table of `count` points, one after the other. Raises DataError naming the line that is wrong."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = _header(count)
        if next(rows, None) != header:
            raise DataError(f"{path} line 1: the columns should be {', '.join(_FIRST)}, then x, y, v of {count} points")
        for row in rows:
            try:
                yield _sample(row, len(header))
            except (ValueError, UnicodeDecodeError) as error:
                raise DataError(f"{path} line {rows.line_num}: {brief(str(error), 150)}; mend the line") from None


def _sample(row: list[str], fields: int) -> Sample:
    if len(row) != fields:
        raise ValueError(f"{len(row)} fields where {fields} are expected")
    picture, group, split, left, top, side = row[: len(_FIRST)]
    if split not in SPLITS or not group:
        raise ValueError("a row has a group, and the split training or test")
    values = np.array([float(field or "nan") for field in row[len(_FIRST) :]]).reshape(-1, 3)
    visibility = values[:, 2]
    if (
        not np.isin(visibility, (SEEN, HIDDEN, UNLABELLED)).all()
        or (np.isnan(values[:, :2]).any(1) != (visibility == UNLABELLED)).any()
    ):
        raise ValueError("a point has x, y and the flag 1 or 2, or neither and the flag 0")
    if np.isinf(values).any() or not visibility.any():
        raise ValueError("a row has a labelled point, and coordinates are numbers of pixels")
    if not 1 <= int(side) <= MOST_SIDE_PX or max(abs(int(left)), abs(int(top))) > LARGEST_PX:
        raise ValueError(f"a frame has a side of 1 to {MOST_SIDE_PX:,} pixels, and lies near its picture")
    return Sample(picture, group, split, (int(left), int(top), int(side)), values[:, :2], visibility.astype(np.uint8))

"""Files at the edge of the core: label tables, frames, prepared arrays and small JSON reports."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from pipeline.errors import DataError
from pipeline.files import whole
from pipeline.scheme import POINTS

LABELS = {"training": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"}
"""Frame folder -> its label table, both in the root of the raw data."""

SAMPLE_COLUMNS = ["sample_id", "file", "folder", "person", "clip", "frame", "labelled", "split", "known"]
"""Columns of samples.csv; `known` says of a test frame whether its person is in train."""

_HEADER = ["", *(str(column) for column in range(2 * POINTS))]


def read_keypoints_csv(path: Path) -> tuple[list[str], np.ndarray]:
    """File names and keypoints_source (N, 68, 2) float32 of a label table in the dataset's own layout.

    Raises DataError naming the line of a missing column, a bad coordinate or a name that comes twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; fetch the frames again with: dvc repro -fs fetch") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV text ({error}); fetch it again with: dvc repro -fs fetch") from None
    if not rows or rows[0] != _HEADER:
        lacking = sorted(set(_HEADER) - set(rows[0] if rows else []), key=lambda column: int(column or -1))
        raise DataError(
            f"{path} line 1: the header should be an empty name and the columns 0 to {2 * POINTS - 1}"
            + (
                f"; missing: {', '.join(lacking) or 'the empty one'}"
                if lacking
                else "; columns are extra or out of order"
            )
            + "; restore the table"
        )
    names = [_file_name(path, line, row) for line, row in enumerate(rows[1:], start=2)]
    _refuse_duplicates(path, names)
    coordinates = [_coordinates(path, line, row) for line, row in enumerate(rows[1:], start=2)]
    return names, np.array(coordinates, np.float32).reshape(-1, POINTS, 2)


def _file_name(path: Path, line: int, row: list[str]) -> str:
    if len(row) != len(_HEADER):
        raise DataError(f"{path} line {line}: {len(row)} fields where {len(_HEADER)} are expected; mend the line")
    name = row[0]
    if not name or name in {".", ".."} or any(mark in name for mark in "/\\\0"):
        raise DataError(f"{path} line {line}: {name!r} is not a bare file name; mend the line")
    return name


def _coordinates(path: Path, line: int, row: list[str]) -> list[float]:
    values = []
    for column, text in zip(_HEADER[1:], row[1:], strict=True):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(
                f"{path} line {line}, {row[0]}: column {column} holds {text!r} where a finite number is expected; mend "
                "the line"
            )
        values.append(value)
    return values


def _refuse_duplicates(path: Path, names: list[str]) -> None:
    first_line: dict[str, int] = {}
    for line, name in enumerate(names, start=2):
        if name in first_line:
            raise DataError(
                f"{path} line {line}: {name} stands on line {first_line[name]} already; remove one of the two"
            )
        first_line[name] = line


def write_keypoints_csv(path: Path, names: list[str], keypoints_source: np.ndarray) -> None:
    """Write (N, 68, 2) keypoints in source pixels in the dataset's own layout, to 3 decimals."""
    flat = np.round(keypoints_source.reshape(len(names), 2 * POINTS).astype(np.float64), 3)
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows([name, *row] for name, row in zip(names, flat.tolist(), strict=True))


def read_gray(path: Path) -> np.ndarray:
    """(H, W) uint8 luma of a picture of any depth, palette or channel count; alpha is ignored, EXIF turns are not."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); fetch it again with: dvc repro -fs fetch") from None
    image = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if content.size else None
    if image is None:
        raise DataError(f"{path} is empty, truncated or no image; fetch it again with: dvc repro -fs fetch")
    return np.asarray(image, np.uint8)


@dataclass(frozen=True)
class Arrays:
    """Prepared frames of one split, row by row."""

    images: np.ndarray
    """(N, S, S) uint8 gray, memory-mapped."""
    keypoints_crop: np.ndarray
    """(N, 68, 2) float32, x then y, crop pixels; NaN where unlabelled."""
    crop_from_source: np.ndarray
    """(N, 3, 3) float32."""
    samples: pd.DataFrame
    """Rows of samples.csv."""


def load_arrays(folder: Path) -> Arrays:
    """Open what preprocess wrote to `folder`; images stay on disk until used."""
    try:
        arrays = Arrays(
            images=np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False),
            keypoints_crop=np.load(folder / "keypoints.npy", allow_pickle=False),
            crop_from_source=np.load(folder / "crop_from_source.npy", allow_pickle=False),
            samples=read_samples(folder / "samples.csv"),
        )
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder}: {error}; make it again with: dvc repro preprocess") from None
    count = len(arrays.samples)
    if not len(arrays.images) == len(arrays.keypoints_crop) == len(arrays.crop_from_source) == count:
        raise DataError(
            f"{folder}: its files differ in their number of frames; make them again with: dvc repro -fs preprocess"
        )
    return arrays


def read_samples(path: Path) -> pd.DataFrame:
    """samples.csv with text as text and yes/no as booleans; `known` is missing outside test."""
    kinds: dict[str, str] = dict.fromkeys(SAMPLE_COLUMNS, "str") | {"labelled": "bool", "known": "boolean"}
    try:
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values={"known": [""]})
        if lacking := [column for column in SAMPLE_COLUMNS if column not in table]:
            raise ValueError(f"it lacks the columns {', '.join(lacking)}")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; make it again with: dvc repro -fs split") from None
    return table


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; make it again with: dvc repro") from None


def write_json(path: Path, value: Any) -> None:
    """Indented JSON; refuses NaN and infinity."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """CSV without an index."""
    with whole(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")

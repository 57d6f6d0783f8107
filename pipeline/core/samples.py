"""Files at the edge of the core: label tables, frames, prepared arrays and small JSON reports."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import check_plain, read_plain
from facial_keypoints.core.scheme import POINTS
from facial_keypoints.core.text import brief, shown

LABELS = {"training": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"}
"""Frame folder -> its label table, both in the root of the raw data."""

SAMPLE_COLUMNS = ["sample_id", "file", "folder", "person", "clip", "frame", "labelled", "split", "known"]
"""Columns of samples.csv; `known` says of a test frame whether its person is in train."""

_TABLE_BYTES = 100_000_000
"""Of a hundred thousand labelled frames."""
_JSON_BYTES = 1_000_000
_JSON_LEVELS = 10
_LARGEST_PX = 1_000_000
"""Larger coordinates than any picture has; beyond 10**38 float32 holds none."""
_HEADER = ["", *(str(column) for column in range(2 * POINTS))]


def read_keypoints_csv(path: Path) -> tuple[list[str], np.ndarray]:
    """File names and keypoints_source (N, 68, 2) float32 of a label table in the dataset's own layout.

    Raises DataError naming the line of a missing column, a bad coordinate or a name that comes twice.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_plain(path, _TABLE_BYTES).decode(), newline="")))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; fetch the frames again with: dvc repro -fs fetch") from None
    except (OSError, ValueError, csv.Error) as error:
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
        raise DataError(f"{path} line {line}: {shown(name)} is not a bare file name; mend the line")
    return name


def _coordinates(path: Path, line: int, row: list[str]) -> list[float]:
    values = []
    for column, text in zip(_HEADER[1:], row[1:], strict=True):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= _LARGEST_PX:
            raise DataError(
                f"{path} line {line}, {brief(row[0])}: column {column} holds {shown(text)} where a number of pixels is "
                "expected; mend the line"
            )
        values.append(value)
    return values


def _refuse_duplicates(path: Path, names: list[str]) -> None:
    first_line: dict[str, int] = {}
    for line, name in enumerate(names, start=2):
        if name in first_line:
            raise DataError(
                f"{path} line {line}: {brief(name)} stands on line {first_line[name]} already; remove one of the two"
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
    """Open what preprocess wrote to `folder`; images stay on disk until used. Raises DataError."""
    try:
        arrays = Arrays(
            images=load_array(folder / "images.npy", np.uint8, (-1, -1, -1)),
            keypoints_crop=np.array(load_array(folder / "keypoints.npy", np.float32, (-1, POINTS, 2))),
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
    if not (np.isfinite(arrays.keypoints_crop).all((1, 2)) == arrays.samples["labelled"]).all():
        raise ValueError("keypoints.npy holds no numbers where samples.csv says labelled, or the other way round")
    if not (np.isfinite(arrays.crop_from_source).all() and np.linalg.det(arrays.crop_from_source).all()):
        raise ValueError("crop_from_source.npy holds a matrix without an inverse")


def read_samples(path: Path) -> pd.DataFrame:
    """samples.csv with text as text and yes/no as booleans; `known` is missing outside test."""
    kinds: dict[str, str] = dict.fromkeys(SAMPLE_COLUMNS, "str") | {"labelled": "bool", "known": "boolean"}
    try:
        content = io.BytesIO(read_plain(path, _TABLE_BYTES))
        table = pd.read_csv(content, dtype=kinds, keep_default_na=False, na_values={"known": [""]})
        if lacking := [column for column in SAMPLE_COLUMNS if column not in table]:
            raise ValueError(f"it lacks the columns {', '.join(lacking)}")
        if not isinstance(table.index, pd.RangeIndex) or table[SAMPLE_COLUMNS[:-1]].isna().any(axis=None):
            raise ValueError("a row has more or fewer fields than the first line")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {brief(str(error), 200)}; make it again with: dvc repro -fs split") from None
    return table


def read_numbers(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table of numbers with these columns, NaN where a field is empty. Raises DataError."""
    try:
        table = pd.read_csv(io.BytesIO(read_plain(path, _TABLE_BYTES)))[list(columns)].astype("float64")
        if table.empty or np.isinf(table).any(axis=None):
            raise ValueError("it has no rows, or values without end")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: {brief(str(error), 200)}; make it again with: dvc repro") from None
    return table


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises DataError."""
    try:
        return load_json(read_plain(path, _JSON_BYTES))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; make it again with: dvc repro") from None


def load_json(content: bytes) -> dict[str, Any]:
    """The object in the content of a JSON file. Raises ValueError for anything else, NaN and infinity included."""
    if len(content) > _JSON_BYTES:
        raise ValueError(f"it has {len(content):,} bytes where {_JSON_BYTES:,} are the most")
    try:
        value = json.loads(content.decode(), parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        value = None
    if not isinstance(value, dict) or _is_deeper(value, _JSON_LEVELS):
        raise ValueError(f"it holds no object of at most {_JSON_LEVELS} levels")
    return value


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"it holds {shown(text)} where a finite number is expected")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not levels or any(_is_deeper(part, levels - 1) for part in parts)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON; refuses NaN and infinity."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """CSV without an index."""
    with whole(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")

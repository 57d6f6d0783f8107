"""Tables of keypoints in the layout of the dataset: a file name, then x and y of each point, a row a frame."""

import csv
import io
import math
from pathlib import Path

import numpy as np

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.scheme import MOST_POINTS
from facial_keypoints.core.text import brief, shown
from pipeline.core.tables import TABLE_BYTES

LABELS = {"training": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"}
"""Frame folder -> its label table, both in the root of the raw data."""

_LARGEST_PX = 1_000_000
"""Larger coordinates than any picture has; beyond 10**38 float32 holds none."""


def read_keypoints_csv(path: Path, points: int | None = None) -> tuple[list[str], np.ndarray]:
    """File names and keypoints_source (N, K, 2) float32 of a label table in the dataset's own layout.

    `points` is the K that is expected; without it the header tells. Raises DataError naming the line of a missing
    column, a bad coordinate or a name that comes twice.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_plain(path, TABLE_BYTES).decode(), newline="")))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; fetch the frames again with: dvc repro -fs fetch") from None
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} is not CSV text ({error}); fetch it again with: dvc repro -fs fetch") from None
    header = _header(path, rows[0] if rows else [], points)
    names = [_file_name(path, line, row, len(header)) for line, row in enumerate(rows[1:], start=2)]
    _refuse_duplicates(path, names)
    coordinates = [_coordinates(path, line, row) for line, row in enumerate(rows[1:], start=2)]
    return names, np.array(coordinates, np.float32).reshape(-1, len(header) // 2, 2)


def _header(path: Path, found: list[str], points: int | None) -> list[str]:
    """The first line, as it should be. Raises DataError."""
    expected = header_of(points or max(1, min(len(found), 2 * MOST_POINTS) // 2))
    if found != expected:
        lacking = sorted(set(expected) - set(found), key=lambda column: int(column or -1))
        raise DataError(
            f"{path} line 1: the header should be an empty name and the columns 0 to {len(expected) - 2}"
            + (
                f"; missing: {', '.join(lacking) or 'the empty one'}"
                if lacking
                else "; columns are extra or out of order"
            )
            + "; restore the table"
        )
    return expected


def header_of(points: int) -> list[str]:
    """The first line of a table of `points` keypoints: an empty name, then a column for each x and y."""
    return ["", *(str(column) for column in range(2 * points))]


def _file_name(path: Path, line: int, row: list[str], fields: int) -> str:
    if len(row) != fields:
        raise DataError(f"{path} line {line}: {len(row)} fields where {fields} are expected; mend the line")
    name = row[0]
    if not name or name in {".", ".."} or any(mark in name for mark in "/\\\0"):
        raise DataError(f"{path} line {line}: {shown(name)} is not a bare file name; mend the line")
    return name


def _coordinates(path: Path, line: int, row: list[str]) -> list[float]:
    values = []
    for column, text in enumerate(row[1:]):
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
    """Write (N, K, 2) keypoints in source pixels in the dataset's own layout, to 3 decimals."""
    points = keypoints_source.shape[1]
    flat = np.round(keypoints_source.reshape(len(names), 2 * points).astype(np.float64), 3)
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header_of(points))
        writer.writerows([name, *row] for name, row in zip(names, flat.tolist(), strict=True))

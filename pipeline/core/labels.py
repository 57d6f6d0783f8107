"""Tables of keypoints in the layout of the dataset: a file name, then x and y of each point, a row a frame.

Both fields of a point that is not labelled are empty. A flag of each point may follow, in columns v0, v1 and so on: 2
for one that is seen, 1 for one that something hides, 0 for one that is not labelled.
"""

import csv
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import check_plain
from facial_keypoints.core.scheme import MOST_POINTS
from facial_keypoints.core.text import brief, reason_of, shown
from pipeline.core.tables import TABLE_BYTES

LABELS = {"training": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"}
"""Frame folder -> its label table, both in the root of the raw data."""

_LINE_BYTES = 1_000_000
"""Of a row of many more points than a scheme may have."""
LARGEST_PX = 1_000_000
"""Larger coordinates than any picture has; beyond 10**38 float32 holds none."""


SEEN, HIDDEN, UNLABELLED = 2, 1, 0
"""Flags of a point, as COCO has them: seen, labelled where something hides it, not labelled."""


@dataclass(frozen=True)
class LabelTable:
    """The N rows of a table."""

    names: list[str]
    """File names."""
    keypoints_source: np.ndarray
    """(N, K, 2) float32, x then y, pixels of the frame; NaN where a point is not labelled."""
    hidden: np.ndarray
    """(N, K) bool: labelled though something hides it; nowhere true where the table has no flags."""

    @property
    def flags(self) -> np.ndarray | None:
        """(N, K) uint8 of SEEN, HIDDEN and UNLABELLED; None where nothing is hidden, which needs no flags."""
        unlabelled = np.isnan(self.keypoints_source).any(-1)
        flags = np.where(unlabelled, UNLABELLED, np.where(self.hidden, HIDDEN, SEEN)).astype(np.uint8)
        return flags if self.hidden.any() else None


def read_keypoints_csv(path: Path, points: int | None = None) -> tuple[list[str], np.ndarray]:
    """File names and keypoints_source (N, K, 2) float32 of `read_label_table`."""
    table = read_label_table(path, points)
    return table.names, table.keypoints_source


def read_label_table(path: Path, points: int | None = None) -> LabelTable:
    """A label table in the dataset's own layout.

    `points` is the K that is expected; without it the header tells. Raises DataError naming the line of a missing
    column, a bad coordinate, a row without any labelled point or a name that comes twice.
    """
    with open_label_rows(path, points) as table:
        rows = list(table)
    names = [row.name for row in rows]
    refuse_duplicates(path, names)
    keypoints = np.array([row.keypoints for row in rows], np.float32).reshape(-1, table.points, 2)
    return LabelTable(names, keypoints, np.array([row.hidden for row in rows], bool).reshape(-1, table.points))


def read_label_names(path: Path) -> list[str]:
    """File names of a table of which every row is checked as `read_label_table` does it. Raises DataError."""
    with open_label_rows(path) as table:
        names = [row.name for row in table]
    refuse_duplicates(path, names)
    return names


@dataclass(frozen=True)
class LabelRow:
    """A row of a table."""

    place: int
    """Byte of the file at which it begins."""
    name: str
    keypoints: np.ndarray
    """(K, 2) float32, as LabelTable has them."""
    hidden: np.ndarray
    """(K,) bool."""


@contextmanager
def open_label_rows(path: Path, points: int | None = None) -> Iterator["LabelRows"]:
    """The rows of a table of any size, read as they are asked for. Raises DataError as `read_label_table` does."""
    try:
        check_plain(path, TABLE_BYTES)
        with path.open("rb") as file:
            yield LabelRows(path, file, points)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; fetch the frames again with: dvc repro -fs fetch") from None
    except (OSError, ValueError, csv.Error) as error:
        told = reason_of(error, path)
        raise DataError(f"{path} is not CSV text ({told}); fetch it again with: dvc repro -fs fetch") from None


class LabelRows:
    """Rows of a table in an open file, each checked; a name may come twice."""

    def __init__(self, path: Path, file: BinaryIO, points: int | None) -> None:
        self._path, self._file = path, file
        lines = _Lines(file, 0)
        self._fields = _header(path, next(csv.reader(lines), []), points)
        self._end = sum(not column.startswith("v") for column in self._fields)
        self.points = self._end // 2
        self._first = lines.place

    def __iter__(self) -> Iterator[LabelRow]:
        """All rows, from the first."""
        lines = _Lines(self._file, self._first)
        rows, line, place = csv.reader(lines), 2, lines.place
        for row in rows:
            yield self._row(row, line, place)
            line, place = line + 1, lines.place

    def at(self, place: int, line: int) -> LabelRow:
        """The row that begins at a byte of the file; `line` is for errors."""
        return self._row(next(csv.reader(_Lines(self._file, place)), []), line, place)

    def _row(self, row: list[str], line: int, place: int) -> LabelRow:
        name = _file_name(self._path, line, row, len(self._fields))
        keypoints = np.array(_coordinates(self._path, line, row[: self._end]), np.float32).reshape(-1, 2)
        if self._end == len(self._fields):
            return LabelRow(place, name, keypoints, np.zeros(self.points, bool))
        return LabelRow(place, name, keypoints, np.array(_hidden(self._path, line, row, self._end)))


class _Lines:
    """Lines of a file from a place on; `place` is where the next one begins."""

    def __init__(self, file: BinaryIO, place: int) -> None:
        self._file, self.place = file, file.seek(place)

    def __iter__(self) -> Iterator[str]:
        while content := self._file.readline(_LINE_BYTES + 1):
            if len(content) > _LINE_BYTES:
                raise ValueError(f"a line has more than {_LINE_BYTES:,} bytes")
            for line in content.splitlines(keepends=True):  # of bytes: at ends of lines alone
                self.place += len(line)
                yield line.decode()


def _header(path: Path, found: list[str], points: int | None) -> list[str]:
    """The first line, as it should be. Raises DataError."""
    flagged = "v0" in found
    coordinates = sum(not column.startswith("v") for column in found)
    count = points or max(1, min(coordinates, 2 * MOST_POINTS) // 2)
    expected = header_of(count) + ([f"v{point}" for point in range(count)] if flagged else [])
    if not any(found):
        raise DataError(f"{path} line 1: the header is missing; restore the table")
    if found != expected:
        lacking = sorted(set(expected) - set(found), key=expected.index)
        raise DataError(
            f"{path} line 1: the header should be an empty name and the columns 0 to {2 * count - 1}"
            + (f", then v0 to v{count - 1}" if flagged else "")
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
    """x and y of each point, NaN where both fields are empty."""
    values = []
    for column, text in enumerate(row[1:]):
        if not text and not row[1 + (column ^ 1)]:  # the other coordinate of the point
            values.append(math.nan)
            continue
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST_PX:
            raise DataError(
                f"{path} line {line}, {brief(row[0])}: column {column} holds {shown(text)} where a number of pixels is "
                "expected; mend the line"
            )
        values.append(value)
    if all(map(math.isnan, values)):
        raise DataError(f"{path} line {line}, {brief(row[0])}: none of its points is labelled; remove the line")
    return values


def _hidden(path: Path, line: int, row: list[str], end: int) -> list[bool]:
    """Whether each point is hidden, of a row whose flags begin at the field `end`."""
    for point, flag in enumerate(row[end:]):
        allowed = ("1", "2") if row[1 + 2 * point] else ("0",)
        if flag not in allowed:
            raise DataError(
                f"{path} line {line}, {brief(row[0])}: column v{point} holds {shown(flag)} where 2 (seen) or 1 "
                "(hidden) is expected for a point that has x and y, 0 for one that has none; mend the line"
            )
    return [flag == "1" for flag in row[end:]]


def refuse_duplicates(path: Path, names: list[str]) -> None:
    """Raise DataError for a name of the rows of a table that comes twice."""
    first_line: dict[str, int] = {}
    for line, name in enumerate(names, start=2):
        if name in first_line:
            raise DataError(
                f"{path} line {line}: {brief(name)} stands on line {first_line[name]} already; remove one of the two"
            )
        first_line[name] = line


def write_keypoints_csv(
    path: Path, names: list[str], keypoints_source: np.ndarray, flags: np.ndarray | None = None
) -> None:
    """Write (N, K, 2) keypoints in source pixels in the dataset's own layout, to 3 decimals; a NaN is an empty field.

    flags: (N, K) of SEEN, HIDDEN and UNLABELLED, for a table that tells them.
    """
    with keypoints_csv(path, keypoints_source.shape[1], flagged=flags is not None) as write:
        write(names, keypoints_source, flags)


@contextmanager
def keypoints_csv(path: Path, points: int, *, flagged: bool = False) -> Iterator[Callable[..., None]]:
    """Give a function that adds rows to a new table, taken as `write_keypoints_csv` takes them."""
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header_of(points) + ([f"v{point}" for point in range(points)] if flagged else []))

        def write(names: list[str], keypoints_source: np.ndarray, flags: np.ndarray | None = None) -> None:
            flat = np.round(keypoints_source.reshape(len(names), 2 * points).astype(np.float64), 3)
            told: list[list[int]] = [[]] * len(names) if flags is None else flags.tolist()
            for name, row, flag in zip(names, flat.tolist(), told, strict=True):
                writer.writerow([name, *("" if math.isnan(value) else value for value in row), *flag])

        yield write

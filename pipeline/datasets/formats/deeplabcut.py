"""DeepLabCut's CollectedData_*.csv: rows of a header (scorer, individuals, bodyparts, coords), then a row a frame.

Pixels count from 0: labels are set on matplotlib's and napari's axes, whose whole numbers are the centres of pixels. A
frame is named in one column or in three (labeled-data, video, file). An empty field is a point that is not labelled.
The group is the video. Several individuals in one frame are several objects.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import shown
from pipeline.datasets.formats.names import Told, in_order
from pipeline.datasets.formats.record import Entries, Record, attempt, below, check_text, is_empty, record

_HEADER = ("scorer", "individuals", "bodyparts", "coords")


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The individuals of all frames; one of which no point is labelled is not there."""
    facts(path)
    with _table(path) as rows:
        columns, first = _columns(path, rows)
        for row in filter(None, rows):
            where = f"{below(path, root)} line {rows.line_num}"
            for individual in dict.fromkeys(name for name, _, _ in columns):
                if len(row) != first + len(columns) or any(_of(individual, row[first:], columns)):
                    yield attempt(f"{where} {individual}".rstrip(), _read, row, individual, columns, first, names)


def facts(path: Path) -> Told:
    """The names of the body parts. Raises DataError where individuals that are there have different ones.

    DeepLabCut calls an individual "single" whose parts are not those of the animals.
    """
    with _table(path) as rows:
        columns, first = _columns(path, rows)
        parts: dict[str, dict[str, None]] = {}
        for individual, part, _ in columns:
            parts.setdefault(individual, {})[part] = None
        there = _individuals(rows, columns, first) or parts
    one, *others = (individual for individual in parts if individual in there)
    for other in others:
        if set(parts[other]) != set(parts[one]):
            raise DataError(
                f"{path}: its individuals {shown(one)} and {shown(other)} have different body parts; keep those of one "
                "kind in a file"
            )
    return Told([*parts[one]])


def _individuals(rows: Iterator[list[str]], columns: Sequence[tuple[str, str, str]], first: int) -> set[str]:
    """Those of which any frame has a value."""
    places = {place for row in rows for place, value in enumerate(row[first:]) if not is_empty(value)}
    return {individual for place, (individual, _, _) in enumerate(columns) if place in places}


@contextmanager
def _table(path: Path) -> Iterator[Any]:
    """The reader of a table."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        yield csv.reader(file)


def _columns(path: Path, rows: Iterator[list[str]]) -> tuple[list[tuple[str, str, str]], int]:
    """(individual, body part, x or y) of each column of coordinates, and the number of columns before them."""
    header: dict[str, list[str]] = {}
    while (row := next(rows, None)) and row[0] in _HEADER:
        header[row[0]] = row
        if row[0] == "coords":
            break
    first = next((place for place, name in enumerate(header.get("coords", [])) if name in ("x", "y")), None)
    if first is None or "bodyparts" not in header:
        raise DataError(f"{path}: its first lines should be scorer, bodyparts and coords, as DeepLabCut writes them")
    individuals = header.get("individuals", [""] * len(header["coords"]))
    return list(zip(individuals[first:], header["bodyparts"][first:], header["coords"][first:], strict=True)), first


def _of(individual: str, values: Sequence[str], columns: Sequence[tuple[str, str, str]]) -> Iterator[bool]:
    """Of each column of an individual whether it holds a value."""
    return (not is_empty(value) for value, (name, _, _) in zip(values, columns, strict=True) if name == individual)


def _read(
    where: str,
    row: list[str],
    individual: str,
    columns: Sequence[tuple[str, str, str]],
    first: int,
    names: Sequence[str],
) -> Record:
    if len(row) != first + len(columns):
        raise ValueError(f"it has {len(row)} fields where {first + len(columns)} are expected")
    check_text(row)
    points: dict[str, dict[str, str]] = {}
    for value, (name, part, axis) in zip(row[first:], columns, strict=True):
        if name == individual:
            points.setdefault(part, {})[axis] = value
    found: dict[str, Sequence[object]] = {part: (xy["x"], xy["y"]) for part, xy in points.items()}
    picture = "/".join(filter(None, row[:first])).replace("\\", "/")
    parent = Path(picture).parent.name
    return record(where, picture, in_order(found, names), group=parent or None)

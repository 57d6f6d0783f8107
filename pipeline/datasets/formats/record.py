"""What a file of labels says of one object in one picture, and of what in it cannot be read."""

import csv
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facial_keypoints.core.text import brief, shown
from pipeline.core.labels import HIDDEN, LARGEST_PX, SEEN, UNLABELLED

UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError, csv.Error)
"""What reading a file meets that is not of its format."""


@dataclass(frozen=True)
class Record:
    """One object in one picture. Coordinates are as the file counts pixels; see `Format.first_pixel`."""

    where: str
    """File and line or entry, for messages."""
    picture: str
    """As the file names it."""
    points: np.ndarray
    """(K, 2) float64, x then y; NaN where a point is not labelled."""
    visibility: np.ndarray
    """(K,) uint8 of SEEN, HIDDEN and UNLABELLED."""
    box: tuple[float, float, float, float] | None = None
    """x, y, width, height, where the file has a box."""
    group: str | None = None
    """Person, clip or what else must not be split, where the file tells."""
    columns: Mapping[str, object] = field(default_factory=dict)
    """What else the file has of the object or its picture, by name, of which one may be the group."""
    split: str | None = None
    """"training" or "test", where the set has official lists."""
    content: bytes | None = None
    """The picture itself, encoded, where the file holds it."""


@dataclass(frozen=True)
class Fault:
    """An entry that cannot be read."""

    where: str
    what: str


Entries = Iterator[Record | Fault]


def record(where: str, picture: str, points: Iterable[Sequence[object]], **more: object) -> Record:
    """A record of points x, y and perhaps a flag, numbers or texts of such. Raises ValueError for anything else."""
    if not isinstance(picture, str) or not picture.strip():
        raise ValueError("it names no picture")
    rows = [_point_or_fault(place, row) for place, row in enumerate(points)]
    if not rows:
        raise ValueError("it has no points")
    array = np.array(rows, np.float64)
    return Record(where, picture.strip(), array[:, :2].copy(), array[:, 2].astype(np.uint8), **more)  # type: ignore[arg-type]


def _point_or_fault(place: int, row: Sequence[object]) -> tuple[float, float, float]:
    try:
        return _point(*row)
    except ValueError as error:
        raise ValueError(f"point {place} (from 0): {error}") from None


def _point(x: object, y: object, flag: object = SEEN) -> tuple[float, float, float]:
    if is_empty(x) and is_empty(y):
        return math.nan, math.nan, UNLABELLED
    seen = number(flag, "a flag")
    if seen not in (UNLABELLED, HIDDEN, SEEN):
        raise ValueError(f"its flag is {shown(flag)} where 0 (not labelled), 1 (hidden) or 2 (seen) is expected")
    return (number(x), number(y), seen) if seen else (math.nan, math.nan, UNLABELLED)


def is_empty(value: object) -> bool:
    """Whether a field says that there is no value, as tables of pandas do."""
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "nan"))


def number(value: object, what: str = "a coordinate") -> float:
    """A number, also as text. Raises ValueError naming what it should be."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = math.nan
    if not abs(found) <= LARGEST_PX:
        raise ValueError(f"{what} is {shown(value)} where a number of pixels is expected")
    return found


def box_of(values: Sequence[object]) -> tuple[float, float, float, float]:
    """x, y, width, height. Raises ValueError for other than four numbers, or a box of no size."""
    x, y, width, height = (number(value, "a side of the box") for value in values)
    if min(width, height) <= 0:
        raise ValueError(f"its box is {width:g} wide and {height:g} high; a box has a size")
    return x, y, width, height


def attempt(where: str, make: Callable[..., Record], *of: object) -> Record | Fault:
    """The record that `make` makes of `where` and what follows, or the fault that it meets."""
    try:
        return make(where, *of)
    except UNREADABLE as error:
        told = f"{error.args[0]} is missing" if isinstance(error, KeyError) else brief(str(error), 200)
        return Fault(where, told)


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Number, from 1, and content of each line that is not empty."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                yield line, text.strip()


def stem(name: str) -> str:
    """A name without what a picture's name ends in."""
    return os.path.splitext(name)[0]

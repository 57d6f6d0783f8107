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

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, csv.Error)
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
    other_name: str | None = None
    """What the picture may be called where there is none of the first name."""
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
    """An entry that cannot be read, or where a file ends to be read."""

    where: str
    what: str
    ends_file: bool = False
    """Whether nothing behind it in its file can be read either."""


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
    if len(values) != 4:
        raise ValueError(f"its box has {len(values)} numbers where x, y, width and height are expected")
    x, y, width, height = (number(value, "a side of the box") for value in values)
    if min(width, height) <= 0:
        raise ValueError(f"its box is {width:g} wide and {height:g} high; a box has a size")
    return x, y, width, height


def tells_hidden(flags: Iterable[object]) -> bool:
    """Whether the flags of a file tell hidden points from seen ones: they do where one of them is 2.

    In a file without any 2, as mmpose writes sets that do not tell what is hidden, 1 means labelled.
    """
    return any(_is(flag, SEEN) for flag in flags)


def flag_in(flag: object, hidden: bool) -> object:
    """A flag as it is, or seen for hidden where the flags of its file do not tell `hidden` points."""
    return SEEN if not hidden and _is(flag, HIDDEN) else flag


def _is(flag: object, value: int) -> bool:
    try:
        return number(flag) == value
    except ValueError:
        return False


def below(path: Path, root: Path) -> str:
    """How messages name a file of labels that lies below a folder."""
    return path.relative_to(root).as_posix()


def attempt(where: str, make: Callable[..., Record], *of: object) -> Record | Fault:
    """The record that `make` makes of `where` and what follows, or the fault that it meets."""
    try:
        return make(where, *of)
    except UNREADABLE as error:
        return Fault(where, what_is_wrong(error))


def what_is_wrong(error: Exception) -> str:
    """What an error of UNREADABLE says of an entry."""
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else brief(str(error), 200)


def check_text(fields: Iterable[str], at: str = "it") -> None:
    """Raise ValueError where a field of a row, opened with errors="replace", has lost what is no UTF-8."""
    if odd := [field for field in fields if "\N{REPLACEMENT CHARACTER}" in field]:
        raise ValueError(f"{at} has a field {shown(odd[0])} that is no UTF-8; save the table as UTF-8")


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Number, from 1, and content of each line that is not empty."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                yield line, text.strip()


def stem(name: str) -> str:
    """A name without what a picture's name ends in."""
    return os.path.splitext(name)[0]

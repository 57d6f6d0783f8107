"""CSV with a header, wide (a row an object) or long (a row a point).

Pixels count from 0, the centre of the top left one is (0, 0); say `--first-pixel` where yours count otherwise. Columns,
whatever their order and case:
- picture (or image, file, filename, file_name, path), in both;
- wide: x and y, perhaps v, of each point: x0,y0,x1,y1 or nose_x,nose_y,nose_v;
- long: point, x, y, perhaps v, and object where a picture has several; the rows of an object follow each other;
- perhaps group; split (training or test); box_x, box_y, box_w, box_h; other columns, one of which may be the group.
v is 0 for not labelled, 1 for hidden, 2 for seen; so are empty fields.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief, shown
from pipeline.core.labels import LABELS, SEEN
from pipeline.datasets.formats.names import Told, are_numbers, in_order, ordered, rearranged
from pipeline.datasets.formats.record import Entries, Fault, Record, attempt, box_of, is_empty, record

_PICTURE = ("picture", "image", "file", "filename", "file_name", "path")
_BOX = ("box_x", "box_y", "box_w", "box_h")

Row = dict[str, str]


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The objects of a table, in its order."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, restkey="", restval=None)
        columns = _header(path, rows)
        numbered = _numbered(rows)
        points = _points_of(columns)
        if "point" in columns:
            yield from _objects(path.name, numbered, columns, names)
            return
        for line, row in numbered:
            yield attempt(f"{path.name} line {line}", _wide, row, columns["picture"], points, names)


def _objects(file: str, rows: Iterator[tuple[int, Row]], columns: dict[str, str], names: Sequence[str]) -> Entries:
    """The objects of a long table."""
    seen: set[int] = set()  # hashes, as there may be a million
    for key, group in groupby(rows, lambda item: (item[1].get(columns["picture"]), item[1].get("object"))):
        whole = list(group)
        where = f"{file} line {whole[0][0]}"
        if hash(key) in seen:
            yield Fault(
                where, f"rows of {brief(' object '.join(filter(None, key)))} stand above too; put them together"
            )
            continue
        seen.add(hash(key))
        yield attempt(where, _long, whole, columns, names)


def facts(path: Path) -> Told:
    """The names of the points, in the order of the columns, or of a long table in which they come first."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, restkey="", restval=None)
        columns = _header(path, rows)
        if "point" in columns:
            return Told(ordered(str(row.get("point")) for _, row in _numbered(rows)))
        names = list(_points_of(columns))
        return Told([] if are_numbers(names) else names)


def _header(path: Path, rows: "csv.DictReader[str]") -> dict[str, str]:
    """Names of the columns in lower case, as the rows have them; "picture" whatever the file calls it."""
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or []]
    picture = next((name for name in _PICTURE if name in rows.fieldnames), None)
    columns = dict.fromkeys(rows.fieldnames, "") | {"picture": picture or ""}
    if picture is None or not ({"point", "x", "y"} <= set(columns) or _points_of(columns)):
        raise DataError(
            f"{path} line 1: a table has a column picture, and x0,y0,x1,y1 or nose_x,nose_y or point,x,y; found "
            f"{shown(rows.fieldnames)}"
        )
    return columns


def _points_of(columns: dict[str, str]) -> dict[str, dict[str, str]]:
    """Name of each point -> x, y and perhaps v -> the column that holds it."""
    points: dict[str, dict[str, str]] = {}
    for column in columns:
        match = _axis(column)
        if match and column not in _BOX:
            points.setdefault(match[0], {})[match[1]] = column
    return {name: axes for name, axes in points.items() if {"x", "y"} <= set(axes)}


def _axis(column: str) -> tuple[str, str] | None:
    """Name of the point and x, y or v of a column x0, 0_x or nose_x."""
    if match := re.fullmatch(r"([xyv])[_. ]?(\d+)", column):
        return match[2], match[1]
    if match := re.fullmatch(r"(.+?)[_. ]([xyv])", column):
        return match[1], match[2]
    return None


def _numbered(rows: "csv.DictReader[str]") -> Iterator[tuple[int, Row]]:
    for row in rows:
        yield rows.line_num, row


def _wide(where: str, row: Row, picture: str, columns: dict[str, dict[str, str]], names: Sequence[str]) -> Record:
    if "" in row or None in row.values():
        raise ValueError("it has more or fewer fields than the first line")
    points = [(row[axes["x"]], row[axes["y"]], *_flag(row, axes.get("v"))) for axes in columns.values()]
    return record(where, row[picture], rearranged(points, list(columns), names), **_more(row))


def _long(where: str, rows: list[tuple[int, Row]], columns: dict[str, str], names: Sequence[str]) -> Record:
    points: dict[str, Sequence[object]] = {}
    for line, row in rows:
        if row["point"] in points:
            raise ValueError(f"line {line}: the point {shown(row['point'])} comes twice")
        points[row["point"]] = (row["x"], row["y"], *_flag(row, "v" if "v" in columns else None))
    return record(where, rows[0][1][columns["picture"]], in_order(points, names), **_more(rows[0][1]))


def _flag(row: Row, column: str | None) -> tuple[object, ...]:
    return () if column is None else (SEEN if is_empty(row[column]) else row[column],)


def _more(row: Row) -> dict[str, object]:
    """Box, group and split of a row that has them, and all its columns."""
    split, group = row.get("split"), row.get("group")
    if split not in (None, *LABELS):
        raise ValueError(f"split is {shown(split)}, but should be training or test in each row, or no column")
    if group is not None and is_empty(group):
        raise ValueError("group is empty, but should tell in each row what is kept together, or be no column")
    box = None if any(is_empty(row.get(side)) for side in _BOX) else box_of([row[side] for side in _BOX])
    return {"box": box, "group": group, "split": split, "columns": row}

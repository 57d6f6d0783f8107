"""CSV with a header, wide (a row an object) or long (a row a point).

Pixels count from 0, the centre of the top left one is (0, 0); say `--first-pixel` where yours count otherwise. Columns,
in any order, keywords in any case:
- picture (or image, file, filename, file_name, path), in both;
- wide: x and y, perhaps v, of each point: x0,y0,x1,y1 or nose_x,nose_y,nose_v; numbered points are in the order of
  their numbers, others in that of their columns;
- long: point, x, y, perhaps v, and object where a picture has several; the rows of an object follow each other;
- perhaps group; split (training or test); box_x, box_y, box_w, box_h (or bbox_, width, height); other columns, one of
  which may be the group.
v is 0 for not labelled, 1 for hidden, 2 for seen; an empty one of a point that has a place is 2. In a file without any
2, 1 means seen.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from facial_keypoints.core.text import brief, shown
from pipeline.core.labels import LABELS, SEEN
from pipeline.datasets.formats.csv_columns import Columns, columns_of
from pipeline.datasets.formats.names import Told, in_order, ordered, rearranged
from pipeline.datasets.formats.record import (
    Entries,
    Fault,
    Record,
    attempt,
    below,
    box_of,
    check_text,
    flag_in,
    is_empty,
    record,
    tells_hidden,
)

Row = dict[str, str]


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The objects of a table, in its order."""
    with _table(path) as (columns, rows):
        hidden = tells_hidden(_flags(columns, (row for _, row in rows)))
    with _table(path) as (columns, rows):
        if columns.are_long:
            yield from _objects(below(path, root), rows, columns, hidden, names)
            return
        for line, row in rows:
            yield attempt(f"{below(path, root)} line {line}", _wide, row, columns, hidden, names)


def facts(path: Path) -> Told:
    """The names of the points, in the order of the columns, or of a long table in which they come first."""
    with _table(path) as (columns, rows):
        if not columns.are_long:
            return Told([*columns.points], unused=columns.unused)
        points = (_point(row, columns) for _, row in rows if _is_whole(row))
        return Told(ordered(filter(None, points)), unused=columns.unused)


@contextmanager
def _table(path: Path) -> Iterator[tuple[Columns, Iterator[tuple[int, Row]]]]:
    """What the columns of a table hold, and each of its rows with the number of its last line."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.DictReader(file)
        rows.fieldnames = [name.strip() for name in rows.fieldnames or []]
        yield columns_of(path, rows.fieldnames), ((rows.line_num, row) for row in rows)


def _objects(
    file: str, rows: Iterator[tuple[int, Row]], columns: Columns, hidden: bool, names: Sequence[str]
) -> Entries:
    """The objects of a long table."""
    seen: set[int] = set()  # hashes, as there may be a million
    of_object = columns.keys.get("object", "")
    for key, group in groupby(rows, lambda item: (item[1].get(columns.picture), item[1].get(of_object))):
        whole = list(group)
        where = f"{file} line {whole[0][0]}"
        if hash(key) in seen:
            told = brief(" object ".join(filter(None, key)))
            yield Fault(where, f"rows of {told} stand above too; put them together")
            continue
        seen.add(hash(key))
        yield attempt(where, _long, whole, columns, hidden, names)


def _flags(columns: Columns, rows: Iterable[Row]) -> Iterator[object]:
    """The flags of a table, an empty one of a point that has a place as that of a seen one."""
    places = [columns.keys] if columns.are_long else columns.points.values()
    flagged = [axes for axes in places if "v" in axes]
    for row in rows if flagged else ():
        for axes in flagged:
            yield row.get(axes["v"]) if is_empty(row.get(axes["x"])) else _flag_or_seen(row.get(axes["v"]))


def _flag_or_seen(flag: object) -> object:
    return SEEN if is_empty(flag) else flag


def _is_whole(row: Row) -> bool:
    """Whether a row has as many fields as the first line."""
    return None not in row and None not in row.values()


def _check(row: Row, line: int | None = None) -> None:
    """Raise ValueError for a row that is cut, too long or no text, naming its line where an object has several."""
    at = "it" if line is None else f"line {line}"
    if not _is_whole(row):
        raise ValueError(f"{at} has more or fewer fields than the first line")
    check_text(row.values(), at)


def _wide(where: str, row: Row, columns: Columns, hidden: bool, names: Sequence[str]) -> Record:
    _check(row)
    points = [_place(row, axes, hidden) for axes in columns.points.values()]
    points_in_order = rearranged(points, [*columns.points], names)
    return record(where, row[columns.picture], points_in_order, **_more(row, columns))


def _long(where: str, rows: list[tuple[int, Row]], columns: Columns, hidden: bool, names: Sequence[str]) -> Record:
    points: dict[str, Sequence[object]] = {}
    for line, row in rows:
        _check(row, line)
        if not (point := _point(row, columns)):
            raise ValueError(f"line {line}: it names no point")
        if point in points:
            raise ValueError(f"line {line}: the point {shown(point)} comes twice")
        points[point] = _place(row, columns.keys, hidden)
    first = rows[0][1]
    return record(where, first[columns.picture], in_order(points, names), **_more(first, columns))


def _point(row: Row, columns: Columns) -> str:
    return row[columns.keys["point"]].strip()


def _place(row: Row, axes: dict[str, str], hidden: bool) -> Sequence[object]:
    """x, y and the flag, if there is one, of the point whose columns these are."""
    flag = (flag_in(_flag_or_seen(row[axes["v"]]), hidden),) if "v" in axes else ()
    return row[axes["x"]], row[axes["y"]], *flag


def _more(row: Row, columns: Columns) -> dict[str, object]:
    """Box, group and split of a row that has them, and all its columns."""
    split, group = (row[columns.keys[key]] if key in columns.keys else None for key in ("split", "group"))
    if split not in (None, *LABELS):
        raise ValueError(f"split is {shown(split)}, but should be training or test in each row, or no column")
    if group is not None and is_empty(group):
        raise ValueError("group is empty, but should tell in each row what is kept together, or be no column")
    sides = [row[side] for side in columns.box]
    box = None if all(is_empty(side) for side in sides) else box_of(sides)
    return {"box": box, "group": group, "split": split, "columns": row}

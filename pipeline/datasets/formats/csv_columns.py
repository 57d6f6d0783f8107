"""What the columns of a table of labels hold, told by their names: keywords in any case, names of points as written."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief, shown
from pipeline.datasets.formats.names import are_numbers, natural

_PICTURE = ("picture", "image", "file", "filename", "file_name", "path")
_OF_AN_OBJECT, _OF_A_POINT = ("group", "split"), ("object", "point", "x", "y", "v")
_SIDES = {"x": "x", "y": "y", "w": "width", "width": "width", "h": "height", "height": "height"}
_BOX = re.compile(r"b?box_(\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """Names of the columns, as the file writes them."""

    picture: str
    keys: dict[str, str]
    """Column by its keyword: group, split, and of a long table object, point, x, y and v."""
    points: dict[str, dict[str, str]]
    """Of a wide table: name of each point, those that are numbers by their value -> x, y and perhaps v -> column."""
    box: tuple[str, ...]
    """Columns of x, y, width and height; none where there is no box."""
    unused: tuple[str, ...]
    """Those that hold nothing of these, but for such as have no name."""

    @property
    def are_long(self) -> bool:
        """Whether a row is a point, not an object."""
        return "point" in self.keys


def columns_of(path: Path, header: Sequence[str]) -> Columns:
    """What the first line of a table says. Raises DataError naming the column that is wrong."""
    names = [name for name in header if name]
    if odd := [name for name in names if "\N{REPLACEMENT CHARACTER}" in name]:
        raise DataError(f"{path} line 1: the column {shown(odd[0])} is no UTF-8; save the table as UTF-8")
    _refuse_twice(path, names, names)
    boxes = {name: _SIDES[side] for name in names if (side := _side(name))}
    keys = _keys(path, names)
    picture = next((keys[key] for key in _PICTURE if key in keys), None)
    long = {"point", "x", "y"} <= set(keys)
    points = {} if long else _points(path, [name for name in names if name not in boxes])
    if picture is None or not (long or points):
        raise DataError(
            f"{path} line 1: a table has a column picture, and x0,y0,x1,y1 or nose_x,nose_y or point,x,y; found "
            f"{shown(list(header))}"
        )
    keys = {key: keys[key] for key in (*_OF_AN_OBJECT, *(_OF_A_POINT if long else ())) if key in keys}
    used = {picture, *boxes, *keys.values(), *(column for axes in points.values() for column in axes.values())}
    unused = tuple(name for name in names if name not in used)
    return Columns(picture, keys, points, _box(path, boxes), unused)


def _keys(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Column by its keyword."""
    found = [name for name in names if name.lower() in (*_PICTURE, *_OF_AN_OBJECT, *_OF_A_POINT)]
    _refuse_twice(path, found, [name.lower() for name in found])
    return {name.lower(): name for name in found}


def _side(column: str) -> str | None:
    match = _BOX.fullmatch(column)
    return match[1].lower() if match and match[1].lower() in _SIDES else None


def _box(path: Path, boxes: dict[str, str]) -> tuple[str, ...]:
    """The four columns of a box, of which `boxes` gives the sides."""
    _refuse_twice(path, [*boxes], [*boxes.values()])
    columns = {side: column for column, side in boxes.items()}
    missing = [side for side in dict.fromkeys(_SIDES.values()) if side not in columns]
    if boxes and missing:
        raise DataError(
            f"{path} line 1: the box of {brief(', '.join(boxes))} lacks its {' and '.join(missing)}; a box is box_x, "
            "box_y, box_w, box_h, or no column"
        )
    return tuple(columns[side] for side in dict.fromkeys(_SIDES.values())) if boxes else ()


def _points(path: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Name of each point -> x, y and perhaps v -> the column that holds it."""
    found = {name: axis for name in names if (axis := _axis(name))}
    _refuse_twice(path, [*found], [*found.values()])
    points: dict[str, dict[str, str]] = {}
    for column, (point, of) in found.items():
        points.setdefault(point, {})[of] = column
    for point, axes in points.items():
        if len(place := {"x", "y"} & set(axes)) == 1:
            (has,) = place
            lacks = "y" if has == "x" else "x"
            raise DataError(
                f"{path} line 1: the column {shown(axes[has])} has no {lacks} of the point {shown(point)} beside it; "
                "name that so, or this otherwise"
            )
    whole = {point: axes for point, axes in points.items() if "x" in axes}
    return {point: whole[point] for point in sorted(whole, key=natural)} if are_numbers(whole) else whole


def _axis(column: str) -> tuple[str, str] | None:
    """Name of the point and x, y or v of a column x0, 0_x or nose_x."""
    if match := re.fullmatch(r"([xyv])[_. ]?(\d+)", column, re.IGNORECASE):
        return match[2], match[1].lower()
    if match := re.fullmatch(r"(.+?)[_. ]([xyv])", column, re.IGNORECASE):
        return match[1], match[2].lower()
    return None


def _refuse_twice(path: Path, columns: Sequence[str], held: Sequence[object]) -> None:
    """Raise DataError where two columns hold the same."""
    first: dict[object, str] = {}
    for column, what in zip(columns, held, strict=True):
        if what in first:
            both = " and ".join(dict.fromkeys((shown(first[what]), shown(column))))
            raise DataError(f"{path} line 1: a column comes twice: {both}; rename or remove one")
        first[what] = column

"""Label Studio's own JSON: keypoint labels, and rectangles round the objects, in percent of the picture's size.

Percent count from the edges of the picture, so that the centre of the top left pixel is half a pixel from both
(labelstud.io, "Units of image annotations": pixel = percent / 100 * original size). A point that names a rectangle as
its parent is of that object; without rectangles, all points of a picture are one. A rectangle may be turned, clockwise
round its first corner: its box is the upright one round it. What else is marked, as choices, is left aside. Pictures
are found by the last part of their address, without the eight digits that Label Studio puts before the name of what was
uploaded.
"""

import math
import mimetypes
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pipeline.datasets.formats.json_files import elements
from pipeline.datasets.formats.names import Told, in_order, ordered
from pipeline.datasets.formats.record import Entries, Record, attempt, box_of, number, record

_UPLOADED = re.compile(r"(?:^|(?<=/))[0-9a-f]{8}-(?=[^/]+$)")


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The objects of all tasks, each of its newest annotation."""
    for task in elements(path):
        for parent, results in _objects(task).items():
            where = f"{path.name} task {task.get('id')}" + (f" region {parent}" if parent else "")
            yield attempt(where, _read, task, results, names)


def facts(path: Path) -> Told:
    """The names of the points: in order of number where they are numbers, else as they come first."""
    return Told(ordered(_name(result) for task in elements(path) for result in _results(task) if _is_point(result)))


def _results(task: dict[str, Any]) -> list[dict[str, Any]]:
    annotations = [one for one in task.get("annotations", []) if not one.get("was_cancelled")]
    return list(annotations[-1]["result"]) if annotations else []


def _objects(task: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Points by the rectangle that they are of, the rectangle among them; "" for those of none."""
    objects: dict[str, list[dict[str, Any]]] = {}
    for result in (one for one in _results(task) if _is_point(one) or _is_box(one)):
        key = str(result.get("id")) if _is_box(result) else str(result.get("parentID") or "")
        objects.setdefault(key, []).append(result)
    return objects


def _read(where: str, task: dict[str, Any], results: list[dict[str, Any]], names: Sequence[str]) -> Record:
    points: dict[str, Sequence[object]] = {}
    for result in filter(_is_point, results):
        if _name(result) in points:
            raise ValueError(f"the point {_name(result)} comes twice; give each object a rectangle as its parent")
        points[_name(result)] = tuple(_pixels(result, ("x", "width"), ("y", "height")))
    if not points:
        raise ValueError("it has no points")
    box = next((_upright(result) for result in results if _is_box(result)), None)
    return record(where, _picture(task), in_order(points, names), box=box, columns=task["data"])


_SIDES = (("x", "width"), ("y", "height"), ("width", "width"), ("height", "height"))


def _upright(result: dict[str, Any]) -> tuple[float, float, float, float]:
    """x, y, width and height in pixels of the box round a rectangle."""
    x, y, width, height = box_of(list(_pixels(result, *_SIDES)))
    turn = math.radians(number(result["value"].get("rotation", 0), "a rotation"))
    cos, sin = math.cos(turn), math.sin(turn)
    corners = [(along * cos - down * sin, along * sin + down * cos) for along in (0, width) for down in (0, height)]
    left, top = (min(values) for values in zip(*corners, strict=True))
    return x + left, y + top, width * abs(cos) + height * abs(sin), width * abs(sin) + height * abs(cos)


def _pixels(result: dict[str, Any], *of: tuple[str, str]) -> Iterator[float]:
    """Values, each a percentage of the picture's original width or height, in pixels."""
    for value, side in of:
        yield number(result["value"][value]) / 100 * number(result[f"original_{side}"])


def _is_point(result: dict[str, Any]) -> bool:
    return result.get("type") in ("keypointlabels", "keypoint")


def _is_box(result: dict[str, Any]) -> bool:
    return result.get("type") in ("rectanglelabels", "rectangle")


def _name(result: dict[str, Any]) -> str:
    return str((result["value"].get("keypointlabels") or ["?"])[0])


def _picture(task: dict[str, Any]) -> str:
    """The picture's path: of the data of a task the first that ends as one of a picture, else the first with a dot."""
    paths = [_path(value) for value in task["data"].values() if isinstance(value, str) and "." in value]
    return next((path for path in paths if _is_of_picture(path)), paths[0] if paths else "")


def _path(address: str) -> str:
    parts = urlsplit(address)
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]  # of files that a server shows from its disk
    return _UPLOADED.sub("", path).lstrip("/")


def _is_of_picture(path: str) -> bool:
    kind, _ = mimetypes.guess_type(path, strict=False)
    return (kind or "").startswith("image/")

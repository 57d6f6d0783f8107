"""Label Studio's own JSON: keypoint labels, and rectangles round the objects, in percent of the picture's size.

Percent count from the edges of the picture, so that the centre of the top left pixel is half a pixel from both
(labelstud.io, "Units of image annotations": pixel = percent / 100 * original size). A point that names a rectangle as
its parent is of that object; without rectangles, all points of a picture are one. A rectangle may be turned, clockwise
round its first corner: its box is the upright one round it. What else is marked, as choices, is left aside. Pictures
are found by their address, or without the eight digits that Label Studio puts before the name of what was uploaded.
"""

import math
import mimetypes
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from facial_keypoints.core.text import brief
from pipeline.datasets.formats.json_files import elements
from pipeline.datasets.formats.names import Told, in_order, of_one_kind
from pipeline.datasets.formats.record import (
    UNREADABLE,
    Entries,
    Fault,
    Record,
    attempt,
    below,
    box_of,
    number,
    record,
    what_is_wrong,
)

_UPLOADED = re.compile(r"(?:^|(?<=/))[0-9a-f]{8}-(?=[^/]+$)")


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The objects of all tasks, each of its newest annotation."""
    facts(path)
    for place, task in enumerate(elements(path)):
        identity = task.get("id", place) if isinstance(task, dict) else place
        where = f"{below(path, root)} task {brief(str(identity))}"
        try:
            objects = _objects(task)
        except UNREADABLE as error:
            yield Fault(where, what_is_wrong(error))
            continue
        for parent, results in objects.items():
            yield attempt(f"{where} region {brief(parent)}" if parent else where, _read, task, results, names)


def facts(path: Path) -> Told:
    """The names of the points: in order of number where they are numbers, else as they come first.

    Raises DataError where rectangles of several labels have different points.
    """
    found: dict[str, dict[str, None]] = {}
    for task in elements(path):
        for label, name in _names(task):
            found.setdefault(label, {})[name] = None
    return Told(of_one_kind(found, path, "rectangles labelled", ", or give all rectangles one label"))


def _names(task: Any) -> list[tuple[str, str]]:
    """Label of the rectangle, "" for none, and name of each point of a task.

    None of a task that cannot be read, which is no reason to refuse the others.
    """
    try:
        return [
            (next((_label(one) for one in results if _is_box(one)), ""), _name(result))
            for results in _objects(task).values()
            for result in results
            if _is_point(result)
        ]
    except UNREADABLE:
        return []


def _results(task: dict[str, Any]) -> list[dict[str, Any]]:
    annotations = [one for one in task.get("annotations", []) if not one.get("was_cancelled")]
    return list(annotations[-1]["result"]) if annotations else []


def _objects(task: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Points by the rectangle that they are of, the rectangle among them; "" for those of none.

    Raises ValueError where they are of several pictures.
    """
    objects: dict[str, list[dict[str, Any]]] = {}
    for result in (one for one in _results(task) if _is_point(one) or _is_box(one)):
        key = str(result.get("id")) if _is_box(result) else str(result.get("parentID") or "")
        objects.setdefault(key, []).append(result)
    pictures = dict.fromkeys(str(result.get("to_name")) for results in objects.values() for result in results)
    if len(pictures) > 1:
        raise ValueError(f"it has labels on several pictures ({brief(', '.join(pictures))}); make each a task")
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
    picture = _picture(task["data"], str(results[0].get("to_name")))
    without_digits = _UPLOADED.sub("", picture)
    other_name = without_digits if without_digits != picture else None
    return record(where, picture, in_order(points, names), other_name=other_name, box=box, columns=task["data"])


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


def _label(result: dict[str, Any]) -> str:
    return str((result["value"].get("rectanglelabels") or [""])[0])


def _picture(data: dict[str, Any], to_name: str) -> str:
    """The picture's path: of the data of a task the first that ends as one of a picture, else the first with a dot.

    Where several do, it is that of the labels' `to_name`, which most settings give the picture and its data alike.
    """
    paths = {key: _path(value) for key, value in data.items() if isinstance(value, str) and "." in value}
    pictures = {key: path for key, path in paths.items() if _is_of_picture(path)} or paths
    return pictures.get(to_name, next(iter(pictures.values()), ""))


def _path(address: str) -> str:
    parts = urlsplit(address)
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]  # of files that a server shows from its disk
    return path.lstrip("/")


def _is_of_picture(path: str) -> bool:
    kind, _ = mimetypes.guess_type(path, strict=False)
    return (kind or "").startswith("image/")

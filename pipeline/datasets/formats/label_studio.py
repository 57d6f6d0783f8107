"""Label Studio's own JSON: keypoint labels, and rectangles round the objects, in percent of the picture's size.

Percent count from the edges of the picture, so that the centre of the top left pixel is half a pixel from both
(labelstud.io, "Units of image annotations": pixel = percent / 100 * original size). A point that names a rectangle as
its parent is of that object; without rectangles, all points of a picture are one. Pictures are found by the last part
of their address, without the eight digits that Label Studio puts before the name of what was uploaded.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pipeline.datasets.formats.json_files import elements
from pipeline.datasets.formats.record import Entries, Record, attempt, box_of, in_order, natural, number, record

_UPLOADED = re.compile(r"(?:^|(?<=/))[0-9a-f]{8}-(?=[^/]+$)")


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The objects of all tasks, each of its newest annotation."""
    for task in elements(path):
        for parent, results in _objects(task).items():
            where = f"{path.name} task {task.get('id')}" + (f" region {parent}" if parent else "")
            yield attempt(where, _read, task, results, names)


def point_names(path: Path) -> list[str]:
    """Names of the points: in order of number where they are numbers, else as they come first."""
    found: dict[str, None] = {}
    for task in elements(path):
        found.update(dict.fromkeys(_name(result) for result in _results(task) if _is_point(result)))
    return sorted(found, key=natural) if all(name.isdecimal() for name in found) else list(found)


def _results(task: dict[str, Any]) -> list[dict[str, Any]]:
    annotations = [one for one in task.get("annotations", []) if not one.get("was_cancelled")]
    return list(annotations[-1]["result"]) if annotations else []


def _objects(task: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Results by the rectangle that they are of, the rectangle among them; "" for those of none."""
    objects: dict[str, list[dict[str, Any]]] = {}
    for result in _results(task):
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
    boxes = [_pixels(result, *_SIDES) for result in results if _is_box(result)]
    box = box_of(list(boxes[0])) if boxes else None
    return record(where, _picture(task), in_order(points, names), box=box, columns=task["data"])


_SIDES = (("x", "width"), ("y", "height"), ("width", "width"), ("height", "height"))


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
    """The picture's path: the first address or path among the data of a task."""
    address = next((value for value in task["data"].values() if isinstance(value, str) and "." in value), "")
    parts = urlsplit(address)
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]  # of files that a server shows from its disk
    return _UPLOADED.sub("", path).lstrip("/")

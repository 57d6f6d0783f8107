"""COCO keypoints JSON, also as mmpose, CVAT and Label Studio write it: x, y and a flag of each point, and boxes.

Pixels count from 0: the centre of the top left one is (0, 0) (cocodataset.org, format of data: coordinates are
0-indexed; detectron2 adds 0.5 to them to get to corners). Flag 0 is not labelled, 1 labelled but hidden, 2 seen; see
`tells_hidden` for files without any 2.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief, shown
from pipeline.datasets.formats.json_files import elements
from pipeline.datasets.formats.names import Told, rearranged
from pipeline.datasets.formats.record import (
    Entries,
    Fault,
    Record,
    attempt,
    below,
    box_of,
    flag_in,
    record,
    tells_hidden,
)

_LONGEST_NAME = 40
"""Characters of a category's name that is taken for what the points are of."""


@dataclass(frozen=True)
class _File:
    """What the annotations of a file need of it."""

    names: Sequence[str]
    """Its names of the points."""
    hidden: bool
    """Whether its flags tell hidden points."""
    pictures: dict[object, dict[str, Any]] = field(default_factory=dict)
    """By their ids."""
    seen: set[object] = field(default_factory=set)
    """Ids of the annotations before."""


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The objects of a file, in its order."""
    file = _File(facts(path).names, tells_hidden(_flags(path)))
    for place, picture in enumerate(elements(path, "images")):
        if fault := _keep_picture(file, picture):
            yield Fault(f"{below(path, root)} image {_identity(picture, place)}", fault)
    for place, annotation in enumerate(elements(path, "annotations")):
        identity = _identity(annotation, place)
        yield attempt(
            f"{below(path, root)} annotation {brief(str(identity))}", _read, annotation, identity, file, names
        )


def _flags(path: Path) -> Iterator[object]:
    for annotation in elements(path, "annotations"):
        flat = annotation.get("keypoints") if isinstance(annotation, dict) else None
        yield from flat[2::3] if isinstance(flat, list) else ()


def _identity(entry: Any, place: int) -> object:
    """The id of an image or annotation, or its place in the file where it has none."""
    return entry.get("id", place) if isinstance(entry, dict) else place


def _keep_picture(file: _File, picture: Any) -> str | None:
    """Keep a picture by its id, or say why that cannot be."""
    if not isinstance(picture, dict) or not isinstance(picture.get("id"), int | float | str):
        return f"it is {shown(picture)} where an object with an id and a file_name is expected"
    first = file.pictures.setdefault(picture["id"], picture)
    return None if first.get("file_name") == picture.get("file_name") else "another image has this id already"


def _read(where: str, annotation: Any, identity: object, file: _File, names: Sequence[str]) -> Record:
    if not isinstance(annotation, dict):
        raise ValueError(f"it is {shown(annotation)} where an object with keypoints is expected")
    if identity in file.seen:
        raise ValueError("another annotation has this id already")
    file.seen.add(identity)
    flat = annotation["keypoints"]
    if not isinstance(flat, list) or len(flat) % 3:
        raise ValueError(f"keypoints is {shown(flat)} where a list of x, y and flag of each point is expected")
    if annotation["image_id"] not in file.pictures:
        raise ValueError(f"there is no image of the id {shown(annotation['image_id'])}")
    picture = file.pictures[annotation["image_id"]]
    box = annotation.get("bbox")
    flags = [flag_in(flag, file.hidden) for flag in flat[2::3]]
    points = rearranged(list(zip(flat[::3], flat[1::3], flags, strict=True)), file.names, names)
    columns = picture | annotation | picture  # the picture's fields before the annotation's of the same name
    return record(where, picture["file_name"], points, box=box_of(box) if box else None, columns=columns)


def facts(path: Path) -> Told:
    """What the categories that have points tell; nothing where there is none. Raises DataError where they differ."""
    categories = [category for category in elements(path, "categories") if category.get("keypoints")]
    if not categories:
        return Told()
    category = categories[0]
    if any(other["keypoints"] != category["keypoints"] for other in categories):
        raise DataError(f"{path}: its categories have different points; split it into a file for each")
    names = [str(name) for name in _list(category, "keypoints")]
    return Told(names, _edges(category, names), _mirror_pairs(category, names), _thing(categories))


def _edges(category: dict[str, Any], names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of points that are joined by a line, from 0; -1 is a point that is not there.

    COCO counts them from 1; where a file has a point 0 and none of the last number, it counts from 0. Some name them.
    """
    pairs = _pairs(category, "skeleton")
    if any(isinstance(end, str) for pair in pairs for end in pair):
        places = {name: place for place, name in enumerate(names)}
        return [(places.get(str(one), -1), places.get(str(other), -1)) for one, other in pairs]
    met = {point for pair in pairs for point in pair}
    first = 0 if 0 in met and len(names) not in met else 1
    return [(int(one) - first, int(other) - first) for one, other in pairs]


def _mirror_pairs(category: dict[str, Any], names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of points that change places in a mirrored picture, from 0, where the file tells them by name.

    They stand in `keypoint_flip_map` of the category, which COCO has not; Detectron2 calls its pairs of names so.
    """
    places = {name: place for place, name in enumerate(names)}
    pairs = [(str(one), str(other)) for one, other in _pairs(category, "keypoint_flip_map")]
    if odd := [name for pair in pairs for name in pair if name not in places]:
        raise ValueError(f"keypoint_flip_map names the point {shown(odd[0])}, which keypoints does not")
    return [(places[one], places[other]) for one, other in pairs]


def _pairs(category: dict[str, Any], key: str) -> list[tuple[int | str, int | str]]:
    """The pairs of points that a key of a category holds, by number or name. Raises ValueError for anything else."""
    pairs = _list(category, key)
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(end, int | str) for end in pair):
            raise ValueError(f"{key} holds {shown(pair)} where two points, by number or name, are expected")
    return [(one, other) for one, other in pairs]


def _list(category: dict[str, Any], key: str) -> list[Any]:
    """The list that a key of a category holds, which may be missing. Raises ValueError for anything else."""
    value = category.get(key)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{key} is {shown(value)} where a list is expected")
    return value or []


def _thing(categories: Sequence[dict[str, Any]]) -> str:
    """What the points are of: the name of the category, or nothing where there are several, or no short name."""
    names = [category.get("name") for category in categories]
    if any(name != names[0] for name in names):
        return ""
    short = isinstance(names[0], str) and len(names[0]) <= _LONGEST_NAME and names[0].isprintable()
    return str(names[0]).strip() if short else ""

"""COCO keypoints JSON, also as mmpose, CVAT and Label Studio write it: x, y and a flag of each point, and boxes.

Pixels count from 0: the centre of the top left one is (0, 0) (cocodataset.org, format of data: coordinates are
0-indexed; detectron2 adds 0.5 to them to get to corners). Flag 0 is not labelled, 1 labelled but hidden, 2 seen; in a
file without any 2, as mmpose writes sets that do not tell what is hidden, 1 means labelled.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facial_keypoints.core.errors import DataError
from pipeline.core.labels import HIDDEN, SEEN
from pipeline.datasets.formats.json_files import elements
from pipeline.datasets.formats.names import Told, rearranged
from pipeline.datasets.formats.record import Entries, Fault, Record, attempt, box_of, record

_LONGEST_NAME = 40
"""Characters of a category's name that is taken for what the points are of."""


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The objects of a file, in its order."""
    pictures: dict[object, dict[str, Any]] = {}
    for picture in elements(path, "images"):
        if pictures.setdefault(picture.get("id"), picture).get("file_name") != picture.get("file_name"):
            yield Fault(f"{path.name} image {picture.get('id')}", "another image has this id already")
    tells_hidden = any(2 in annotation.get("keypoints", [])[2::3] for annotation in elements(path, "annotations"))
    own = facts(path).names
    seen: set[object] = set()
    for place, annotation in enumerate(elements(path, "annotations")):
        identity = annotation.get("id", place)
        where = f"{path.name} annotation {identity}"
        if identity in seen:
            yield Fault(where, "another annotation has this id already")
            continue
        seen.add(identity)
        yield attempt(where, _read, annotation, pictures, tells_hidden, own, names)


def _read(
    where: str,
    annotation: dict[str, Any],
    pictures: dict[Any, dict[str, Any]],
    tells_hidden: bool,
    own: Sequence[str],
    names: Sequence[str],
) -> Record:
    flat = annotation["keypoints"]
    if len(flat) % 3:
        raise ValueError(f"keypoints holds {len(flat)} numbers, no multiple of three")
    if annotation["image_id"] not in pictures:
        raise ValueError(f"there is no image of the id {annotation['image_id']}")
    picture = pictures[annotation["image_id"]]
    box = annotation.get("bbox")
    flags = [SEEN if flag == HIDDEN and not tells_hidden else flag for flag in flat[2::3]]
    points = rearranged(list(zip(flat[::3], flat[1::3], flags, strict=True)), own, names)
    return record(where, picture["file_name"], points, box=box_of(box) if box else None, columns=picture | annotation)


def facts(path: Path) -> Told:
    """What the categories that have points tell; nothing where there is none. Raises DataError where they differ."""
    categories = [category for category in elements(path, "categories") if category.get("keypoints")]
    if not categories:
        return Told()
    category = categories[0]
    if any(other["keypoints"] != category["keypoints"] for other in categories):
        raise DataError(f"{path}: its categories have different points; split it into a file for each")
    names = [str(name) for name in category["keypoints"]]
    return Told(names, _edges(category, names), _mirror_pairs(category, names), _thing(categories))


def _edges(category: dict[str, Any], names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of points that are joined by a line, from 0.

    COCO counts them from 1; where a file has a point 0 and none of the last number, it counts from 0.
    """
    pairs = [(int(one), int(other)) for one, other in category.get("skeleton", [])]
    met = {point for pair in pairs for point in pair}
    first = 0 if 0 in met and len(names) not in met else 1
    return [(one - first, other - first) for one, other in pairs]


def _mirror_pairs(category: dict[str, Any], names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of points that change places in a mirrored picture, from 0, where the file tells them by name.

    They stand in `keypoint_flip_map` of the category, which COCO has not; Detectron2 calls its pairs of names so.
    """
    places = {name: place for place, name in enumerate(names)}
    return [(places[str(one)], places[str(other)]) for one, other in category.get("keypoint_flip_map", [])]


def _thing(categories: Sequence[dict[str, Any]]) -> str:
    """What the points are of: the name of the category, or nothing where there are several, or no short name."""
    names = [category.get("name") for category in categories]
    if any(name != names[0] for name in names):
        return ""
    short = isinstance(names[0], str) and len(names[0]) <= _LONGEST_NAME and names[0].isprintable()
    return str(names[0]).strip() if short else ""

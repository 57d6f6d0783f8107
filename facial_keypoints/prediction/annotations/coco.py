"""COCO's keypoint annotations, https://cocodataset.org/#format-data, written line by line."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from facial_keypoints.core.scheme import Scheme
from facial_keypoints.prediction.annotations.images import EDGE_PX, Image

_CATEGORY = 1
_VISIBLE = 2
"""The flag of a labelled point that is seen; a network says nothing of what hides a point."""


def coco_text(images: Callable[[], Iterable[Image]], scheme: Scheme, info: dict[str, str]) -> Iterator[str]:
    """The parts of one JSON document.

    COCO's keypoints are indices of pixels, which count from the centre of the first pixel, as ours do; its boxes count
    from the edge of that pixel. Detectron2 reads both so: it adds 0.5 to keypoints and nothing to boxes
    (`detectron2/data/datasets/coco.py`).

    Args:
        images: what was found, asked for twice: COCO lists images and annotations apart.
        scheme: what the points are.
        info: what stands at its head.
    """
    yield f'{{"info": {json.dumps(info)},\n"categories": [{json.dumps(_category(scheme))}],\n"images": ['
    yield from _lines(_image(number, image) for number, image in enumerate(images(), start=1))
    yield '],\n"annotations": ['
    faces = ((number, face) for number, image in enumerate(images(), start=1) for face in image.faces)
    yield from _lines(_annotation(count, number, face) for count, (number, face) in enumerate(faces, start=1))
    yield "]}\n"


def _lines(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    before = "\n"
    for record in records:
        yield before + json.dumps(record)
        before = ",\n"
    yield "\n"


def _category(scheme: Scheme) -> dict[str, Any]:
    """Points by name; lines between them, counted from 1; and which change names in a mirrored picture."""
    names = _point_names(scheme)
    paths = [contour.path for contour in scheme.contours]
    return {
        "id": _CATEGORY,
        "name": scheme.thing,
        **({"supercategory": "person"} if scheme.thing == "face" else {}),
        "keypoints": names,
        "skeleton": [[one + 1, other + 1] for path in paths for one, other in pairwise(path)],
        "keypoint_flip_map": [[names[one], names[other]] for one, other in scheme.mirror_pairs],
    }


def _point_names(scheme: Scheme) -> list[str]:
    """Names of the points: those of the scheme, else region and number, counted from 0."""
    region_of = {point: name for name, points in scheme.regions.items() for point in points}
    return list(scheme.point_names) or [f"{region_of[point]}_{point}" for point in range(scheme.count)]


def _image(number: int, image: Image) -> dict[str, Any]:
    return {"id": number, "file_name": image.name, "width": image.width, "height": image.height} | image.moment


def _annotation(count: int, image: int, face: dict[str, Any]) -> dict[str, Any]:
    x, y, width, height = face["box"]
    return {
        "id": count,
        "image_id": image,
        "category_id": _CATEGORY,
        "bbox": [round(x + EDGE_PX, 2), round(y + EDGE_PX, 2), width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "num_keypoints": len(face["keypoints"]),
        "keypoints": [value for x, y in face["keypoints"] for value in (x, y, _VISIBLE)],
        "score": face["score"],
        "face": face["face"],
    } | ({"radius_px": face["radius_px"]} if "radius_px" in face else {})

"""A picture, or a frame of a video, as the annotations of a whole run list it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EDGE_PX = 0.5
"""From the centre of the first pixel, where points count from here, to its edge, where some tools count from."""


@dataclass(frozen=True)
class Image:
    """An image and the faces found in it."""

    name: str
    width: int
    """Pixels, upright."""
    height: int
    faces: list[dict[str, Any]]
    """As JSON of one picture has them (`formats.json_line`)."""
    moment: dict[str, Any]
    """`frame`, counted from 0, and `time_s` of a frame of a video; nothing of a picture."""


def image_of(name: str, record: Mapping[str, Any]) -> Image:
    """An image called `name` of a line of JSON."""
    moment = {field: record[field] for field in ("frame", "time_s") if field in record}
    return Image(name, record["width"], record["height"], record["faces"], moment)

"""CVAT XML 1.1 for images: shapes of several points, and skeletons.

Coordinates count from the corner of the picture: the centre of the top left pixel is (0.5, 0.5), as everything that is
drawn on CVAT's canvas, an SVG over the picture (docs.cvat.ai, XML annotation format). A `points` shape is one object,
its points in the order in which they were set. Of a skeleton the order is that of its labels in `meta`, or of their
numbers; `outside` means not labelled, `occluded` hidden.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from pipeline.core.labels import HIDDEN, SEEN
from pipeline.datasets.formats.names import Told, in_order, of_one_kind
from pipeline.datasets.formats.record import Entries, Record, attempt, below, record
from pipeline.datasets.formats.xml_files import elements


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The skeletons and shapes of points of all images."""
    facts(path)
    for image in elements(path, "image"):
        for place, shape in enumerate(_shapes(image), start=1):
            where = f"{below(path, root)} image {image.get('name')} {shape.tag} {place}"
            yield attempt(where, _read, image, shape, names)


def facts(path: Path) -> Told:
    """The names of the points of skeletons; none where the file has only shapes of points.

    Raises DataError where skeletons of several labels are there that have different points.
    """
    told: dict[str, dict[str, None]] = {}
    found: dict[str, dict[str, None]] = {}
    for element in elements(path, "label", "image"):
        if element.tag == "label" and (skeleton_label := element.findtext("parent")):
            told.setdefault(skeleton_label, {})[element.findtext("name", "")] = None
        for skeleton in element.iter("skeleton"):
            there = (name for point in skeleton.iter("points") if (name := point.get("label")))
            found.setdefault(skeleton.get("label", ""), {}).update(dict.fromkeys(there))
    points = {label: told.get(label, names) for label, names in found.items()}
    return Told(of_one_kind(points, path, "skeletons"))


def _shapes(image: Element) -> Iterator[Element]:
    return (shape for shape in image if shape.tag in ("points", "skeleton"))


def _read(where: str, image: Element, shape: Element, names: Sequence[str]) -> Record:
    if shape.tag == "points":
        flag = _flag(shape)
        rows = [(*point.split(","), flag) for point in shape.attrib["points"].split(";")]
        return record(where, image.attrib["name"], rows, columns=image.attrib)
    points: dict[str, Sequence[object]] = {}
    for point in shape.iter("points"):
        if (name := point.attrib["label"]) in points:
            raise ValueError(f"the point {name} comes twice")
        outside = point.get("outside") == "1"
        points[name] = (None, None) if outside else (*point.attrib["points"].split(","), _flag(point))
    return record(where, image.attrib["name"], in_order(points, names), columns=image.attrib)


def _flag(shape: Element) -> int:
    return HIDDEN if shape.get("occluded") == "1" else SEEN

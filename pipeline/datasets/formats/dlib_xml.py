"""dlib's XML, as imglab writes it: images with boxes, each with parts.

Pixels count from 0: the centre of the top left one is (0, 0) (dlib's image_dataset_metadata: a part is a pixel's
column and row; tools/imglab numbers parts by their names' order). Parts are in the order of their names, numbers by
their value; one that lacks is not labelled. A box is marked `ignore` where it should not be learned: it is left out.
Boxes may have a label; those of different labels must have the same parts.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from pipeline.datasets.formats.names import Told, in_order, natural, of_one_kind
from pipeline.datasets.formats.record import Entries, Record, attempt, below, box_of, record
from pipeline.datasets.formats.xml_files import elements


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The boxes of all images."""
    facts(path)
    for image in elements(path, "image"):
        for place, box in _boxes(image):
            where = f"{below(path, root)} image {image.get('file')} box {place}"
            yield attempt(where, _read, image, box, names)


def facts(path: Path) -> Told:
    """The names of all parts in the file. Raises DataError where boxes of several labels have different ones."""
    found: dict[str, dict[str, None]] = {}
    for image in elements(path, "image"):
        for _, box in _boxes(image):
            parts = (name for part in box.iter("part") if (name := part.get("name")))
            found.setdefault(box.findtext("label", ""), {}).update(dict.fromkeys(parts))
    names = of_one_kind(found, path, "boxes labelled", ", or give all boxes one label")
    return Told(sorted(names, key=natural))


def _boxes(image: Element) -> Iterator[tuple[int, Element]]:
    """The boxes that should be learned, with their places among all, from 1."""
    places = enumerate(image.iter("box"), start=1)
    return ((place, box) for place, box in places if box.get("ignore") not in ("1", "true"))


def _read(where: str, image: Element, box: Element, names: Sequence[str]) -> Record:
    parts: dict[str, Sequence[object]] = {}
    for part in box.iter("part"):
        if (name := part.attrib["name"]) in parts:
            raise ValueError(f"the part {name} comes twice")
        parts[name] = (part.attrib["x"], part.attrib["y"])
    if not parts:
        raise ValueError("it has no parts")
    sides = box_of([box.attrib[side] for side in ("left", "top", "width", "height")])
    return record(where, image.attrib["file"], in_order(parts, names), box=sides)

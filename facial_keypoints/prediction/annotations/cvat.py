"""CVAT's XML 1.1 for images, https://docs.cvat.ai/docs/manual/advanced/xml_format, written image by image."""

from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

from facial_keypoints.prediction.annotations.images import EDGE_PX, Image

_LABEL = "face"
_ATTRIBUTES = ("score", "face")
_RADII = "radius_px"
"""The attribute that has the radii of all points, in their order: CVAT has no attributes of the points of a shape."""


def cvat_text(images: Iterable[Image], info: dict[str, str], radii: bool = False) -> Iterator[str]:
    """The parts of one XML document: an image for each picture or frame, with the points of each face as one shape.

    Points count from the edge of the first pixel, as on CVAT's canvas: its last corner is (width, height).
    CVAT finds an image by its name, else by its number, which counts from 0: the number of the frame where all images
    are those of one video. With `radii` the label has an attribute for those of faces.
    """
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield _text(_meta(info, (*_ATTRIBUTES, _RADII) if radii else _ATTRIBUTES))
    for number, image in enumerate(images):
        yield _text(_image(number, image))
    yield "</annotations>\n"


def _text(element: ET.Element) -> str:
    ET.indent(element, level=1)
    return f"  {ET.tostring(element, encoding='unicode')}\n"


def _meta(info: dict[str, str], names: tuple[str, ...]) -> ET.Element:
    """What a task needs to take the annotations: its label, with the attributes of these names that faces have."""
    meta = ET.Element("meta")
    for name, value in info.items():
        ET.SubElement(meta, name).text = value
    label = ET.SubElement(ET.SubElement(ET.SubElement(meta, "task"), "labels"), "label")
    ET.SubElement(label, "name").text = _LABEL
    ET.SubElement(label, "type").text = "points"
    attributes = ET.SubElement(label, "attributes")
    for name in names:
        attribute = ET.SubElement(attributes, "attribute")
        for field, value in (("name", name), ("mutable", "True"), ("input_type", "text"), ("default_value", "")):
            ET.SubElement(attribute, field).text = value
    return meta


def _image(number: int, image: Image) -> ET.Element:
    size = {"width": str(image.width), "height": str(image.height)}
    element = ET.Element("image", {"id": str(number), "name": image.name} | size)
    for face in image.faces:
        _add_face(element, face)
    return element


def _add_face(image: ET.Element, face: dict[str, Any]) -> None:
    places = ";".join(f"{x + EDGE_PX:.3f},{y + EDGE_PX:.3f}" for x, y in face["keypoints"])
    points = ET.SubElement(
        image, "points", {"label": _LABEL, "source": "auto", "occluded": "0", "points": places, "z_order": "0"}
    )
    told = {name: str(face[name]) for name in _ATTRIBUTES}
    if _RADII in face:
        told[_RADII] = ";".join(f"{radius:.3f}" for radius in face[_RADII])
    for name, text in told.items():
        ET.SubElement(points, "attribute", {"name": name}).text = text

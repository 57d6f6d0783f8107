"""Elements of an XML file one after the other, in memory that does not grow with the file."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse

from facial_keypoints.core.errors import DataError


def elements(path: Path, *tags: str) -> Iterator[Element]:
    """Each element of these tags as its end is read; what is left of it goes then. Raises DataError for no XML."""
    try:
        depth: list[Element] = []
        for event, element in iterparse(path, ("start", "end")):
            if event == "start":
                depth.append(element)
                continue
            depth.pop()
            if element.tag in tags:
                yield element
                element.clear()
                if depth:
                    depth[-1].remove(element)
    except ParseError as error:
        raise DataError(f"{path} is no whole XML ({error}); write it again") from None

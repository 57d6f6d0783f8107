"""How labels were read, in words for the card of the dataset."""

from pathlib import Path

from facial_keypoints.core.text import printable
from pipeline.datasets.formats import FORMATS
from pipeline.importing.reading import Reading
from pipeline.importing.request import Request
from pipeline.importing.samples import BY_FOLDER, BY_PICTURE


def grouping(request: Request, reading: Reading) -> str:
    """What is kept together, in words."""
    if request.group_by is None and reading.tells_groups:
        return "as the labels tell"
    by = request.group_by or BY_PICTURE
    words = {BY_PICTURE: "each is a picture with its objects", BY_FOLDER: "each is a folder of pictures"}
    return words.get(by, f"by {by}")


def how_read(request: Request, reading: Reading) -> dict[str, str]:
    kind = FORMATS[request.format]
    first_pixel = kind.first_pixel if request.first_pixel is None else request.first_pixel
    way = "stored" if request.stored else "shown"
    return {
        "labels": f"format {request.format}; they gave the centre of the top left pixel the coordinate {first_pixel:g}",
        "turned by EXIF": f"{len(reading.turned):,} pictures; labels are of pictures as they are {way}",
        "licence": request.licence,
        "source": printable(f"labels {_name(request.labels)}, pictures {_name(request.images)}{_test_source(request)}"),
    }


def _test_source(request: Request) -> str:
    names = ", ".join(_name(test) for test in request.test_labels)
    pictures = f", pictures {_name(request.test_images)}" if request.test_images else ""
    return f"; of the test: labels {names}{pictures}" if names else ""


def _name(path: Path) -> str:
    """The last part of a path, which "." and ".." do not show."""
    return path.resolve().name if path.name in ("", "..") else path.name

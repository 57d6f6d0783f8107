"""Readers of files of labels, one format a module. To add one: a module like the others and a line in FORMATS."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facial_keypoints.core.errors import DataError
from pipeline.datasets.formats import (
    coco,
    cofw,
    course,
    cvat,
    deeplabcut,
    dlib_xml,
    helen,
    label_studio,
    plain_csv,
    pts,
    wflw,
)
from pipeline.datasets.formats.record import UNREADABLE, Entries

__all__ = ["FORMATS", "UNREADABLE", "Format"]


@dataclass(frozen=True)
class Format:
    """How labels of a format are found and read."""

    pattern: str
    """Of the names of its files, in a folder and those below."""
    first_pixel: float
    """Coordinate of the centre of the top left pixel; each module names the source."""
    read: Callable[[Path, Path, Sequence[str]], Entries]
    """Entries of a file, which lies below a folder; its points in the order of the names, where it has any."""
    point_names: Callable[[Path], list[str]] | None = None
    """Names of the points of a file, in the order in which they come without a scheme."""
    edges: Callable[[Path], list[tuple[int, int]]] | None = None
    """Lines between points that a file tells of."""
    mirror_pairs: Callable[[Path], list[tuple[int, int]]] | None = None
    """Points that change places in a mirrored picture, where a file tells them."""
    thing: Callable[[Path], str] | None = None
    """What the points are of, where a file tells it."""
    scheme: str | None = None
    """The scheme of all files of this format."""

    def files(self, labels: Path) -> Iterator[Path]:
        """The files of labels: the one named, or those in a folder. Raises DataError where there are none."""
        if not labels.is_dir():
            if not labels.is_file():
                raise DataError(f"there is no {labels}; name a file of labels or a folder of such")
            yield labels
            return
        found = sorted(path for path in labels.rglob(self.pattern) if path.is_file())
        if not found:
            raise DataError(f"{labels} holds no {self.pattern}; name another --labels or --format")
        yield from found


FORMATS: dict[str, Format] = {
    "pts": Format("*.pts", 1, pts.read),
    "dlib": Format("*.xml", 0, dlib_xml.read, dlib_xml.point_names),
    "coco": Format("*.json", 0, coco.read, coco.point_names, coco.edges, coco.mirror_pairs, coco.thing),
    "cvat": Format("*.xml", 0.5, cvat.read, cvat.point_names),
    "label-studio": Format("*.json", 0.5, label_studio.read, label_studio.point_names),
    "wflw": Format("*.txt", 0, wflw.read, scheme="wflw-98"),
    "cofw": Format("*.mat", 1, cofw.read, scheme="cofw-29"),
    "helen": Format("*.txt", 0, helen.read),
    "deeplabcut": Format("CollectedData*.csv", 0, deeplabcut.read, deeplabcut.point_names),
    "csv": Format("*.csv", 0, plain_csv.read, plain_csv.point_names),
    "course": Format("*_frames_keypoints.csv", 0, course.read),
}
"""Format by the name that `keypoints import --format` takes."""

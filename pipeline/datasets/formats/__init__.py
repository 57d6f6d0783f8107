"""Readers of files of labels, one format a module.

To add one: a module like the others and a line in FORMATS; its name in LabelFormat of `pipeline/commands/import_.py`; a
writer in `tests/label_files.py`; a row of the table in `docs/own-data.md`.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
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
from pipeline.datasets.formats.names import Told
from pipeline.datasets.formats.record import UNREADABLE, Entries

__all__ = ["FORMATS", "UNREADABLE", "Format"]


@dataclass(frozen=True)
class Format:
    """How labels of a format are found and read."""

    pattern: str
    """Of the names of its files, in any case, in a folder and those below."""
    first_pixel: float
    """Coordinate of the centre of the top left pixel; each module names the source."""
    read: Callable[[Path, Path, Sequence[str]], Entries]
    """Entries of a file, which lies below a folder; its points in the order of the names, where it has any."""
    facts: Callable[[Path], Told] | None = None
    """What a file tells of its points; None where no file of the format does."""
    scheme: str | None = None
    """The scheme of all files of this format."""

    def files(self, labels: Path) -> Iterator[Path]:
        """The files of labels: the one named, or those in a folder. Raises DataError where there are none."""
        if not labels.is_dir():
            if not labels.is_file():
                raise DataError(f"there is no {labels}; name a file of labels or a folder of such")
            yield labels
            return
        found = sorted(path for path in _files_below(labels) if fnmatchcase(path.name.lower(), self.pattern.lower()))
        if not found:
            raise DataError(f"{labels} holds no {self.pattern}; name another --labels or --format")
        yield from found


def _files_below(folder: Path) -> Iterator[Path]:
    """The files in a folder and those below but for hidden ones; each folder once, linked ones after all others."""
    waiting, seen = deque([folder]), set()
    while waiting:
        here = waiting.popleft()
        if (real := os.path.realpath(here)) in seen:
            continue
        seen.add(real)
        for path in here.iterdir():
            if path.name.startswith("."):
                continue
            if path.is_dir():
                waiting.append(path) if path.is_symlink() else waiting.appendleft(path)
            elif path.is_file():
                yield path


FORMATS: dict[str, Format] = {
    "pts": Format("*.pts", 1, pts.read),
    "dlib": Format("*.xml", 0, dlib_xml.read, dlib_xml.facts),
    "coco": Format("*.json", 0, coco.read, coco.facts),
    "cvat": Format("*.xml", 0.5, cvat.read, cvat.facts),
    "label-studio": Format("*.json", 0.5, label_studio.read, label_studio.facts),
    "wflw": Format("*.txt", 0, wflw.read, scheme="wflw-98"),
    "cofw": Format("*.mat", 1, cofw.read, scheme="cofw-29"),
    "helen": Format("*.txt", 0, helen.read),
    "deeplabcut": Format("CollectedData*.csv", 0, deeplabcut.read, deeplabcut.facts),
    "csv": Format("*.csv", 0, plain_csv.read, plain_csv.facts),
    "course": Format("*_frames_keypoints.csv", 0, course.read),
}
"""Format by the name that `keypoints import --format` takes."""

"""From the paths on a command line to pictures and videos, each with a name of its own for what is written."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import counted, printable, shortened
from facial_keypoints.inputs.kinds import Kind, kind_of
from facial_keypoints.inputs.search import Finder
from facial_keypoints.outputs.output_folder import OutputFolder

_FARTHEST_PX = 1e9


@dataclass(frozen=True)
class Source:
    """A picture or video to look at."""

    path: Path | None
    """None for standard input."""
    name: str
    """What its outputs are called, without a suffix; no other source has it."""
    page: int | None = None
    """Number of one picture of a file that holds several, counted from 0."""

    @property
    def shown(self) -> str:
        shown = "standard input" if self.path is None else printable(str(self.path))
        return shown if self.page is None else f"{shown} page {self.page + 1}"

    @property
    def is_video(self) -> bool:
        """Whether its content is frames one after another, those of an animation too."""
        return self.path is not None and self.page is None and kind_of(self.path) in (Kind.VIDEO, Kind.ANIMATION)


@dataclass
class Inputs:
    """What the paths on a command line come to."""

    sources: list[Source]
    problems: list[DataError]
    """What is wrong with paths that were given, and with files of folders that promise to be looked at."""
    left_out: dict[str, list[Path]] = field(default_factory=dict)
    """Why other files of folders are not looked at -> those files."""
    missed: int = 0
    """How many of the files left out are pictures."""

    @property
    def undone(self) -> int:
        return len(self.problems) + self.missed

    def lines_left_out(self) -> list[str]:
        """A line for each reason: how many files, and the names of some."""
        return [
            f"left out, {reason}: {counted([path.name for path in paths])}" for reason, paths in self.left_out.items()
        ]


def find_sources(given: Iterable[str], output: OutputFolder, ending: str = "") -> Inputs:
    """Sources of files, folders (with their subfolders), patterns and "-", and what is wrong with the rest.

    Whatever `output` holds is not taken for an input, unless it is named itself. No output replaces an input, and none
    that is called by the name of a source and `ending` anything that is not its own.
    """
    finder = Finder(output.path)
    for text in given:
        finder.look(text)
    found = list(finder.found.values())
    output.protect(each.path for each in found if each.path)
    names = output.names([(each.stem, each.path) for each in found], ending)
    sources = [Source(each.path, name, each.page) for each, name in zip(found, names, strict=True)]
    return Inputs(sources, finder.problems, finder.left_out, finder.missed)


def parse_boxes(texts: Sequence[str], whole: bool) -> np.ndarray:
    """(K, 4) x, y, width, height of texts such as "10,20,80,90". Raises DataError, also where --whole is wanted too."""
    if texts and whole:
        raise DataError("--box and --whole exclude each other; leave one of the two out")
    return np.array([_box(text) for text in texts], np.float64).reshape(-1, 4)


def _box(text: str) -> list[float]:
    if re.fullmatch(r"[0-9.eE+\-, ]*", text):  # float() also takes 1_0, nan and the digits of every script
        with suppress(ValueError):
            x, y, width, height = (float(part) for part in text.split(","))
            if min(width, height) >= 1 and max(abs(x), abs(y), width, height) <= _FARTHEST_PX:
                return [x, y, width, height]
    raise DataError(
        f"--box {shortened(text, 60)} should read x,y,width,height in pixels, both sides 1 or more, e.g. 10,20,80,90"
    )

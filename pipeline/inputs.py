"""From the paths on a command line to pictures and videos, each with a name of its own for what is written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from pipeline.finding import Finder, Found
from pipeline.kinds import Kind, kind_of
from pipeline.text import printable

_EXAMPLES = 3
"""How many of the files that are left out are named."""


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
        return [_left_out(reason, paths) for reason, paths in self.left_out.items()]


def _left_out(reason: str, paths: list[Path]) -> str:
    names = [printable(path.name) for path in paths[:_EXAMPLES]] + ["..."] * (len(paths) > _EXAMPLES)
    return f"left out, {reason}: {len(paths)} ({', '.join(names)})"


def find_sources(given: Iterable[str], output: Path, ending: str = "") -> Inputs:
    """Sources of files, folders (with their subfolders), patterns and "-", and what is wrong with the rest.

    Whatever `output` holds is not taken for an input, unless it is named itself; then no file that is called by the
    name of a source and `ending` overwrites it.
    """
    finder = Finder(output)
    for text in given:
        finder.look(text)
    sources = list(_named(list(finder.found.values()), output, ending))
    return Inputs(sources, finder.problems, finder.left_out, finder.missed)


def _named(found: list[Found], output: Path, ending: str) -> Iterator[Source]:
    """Give every input the stem of its name, with a number where it is taken or an input would be overwritten."""
    taken = {each.stem.lower() for each in found if each.path and each.path.resolve().parent == output.resolve()}
    bases = set(map(_without_count, taken))
    for each in found:
        for name in _numbered(each.stem):
            written = f"{name}{ending}".lower()
            # The faces of `a` may go to a.face1, a.face2 and so on, or to a_crop_1, a_crop_2.
            if written not in taken | bases and _without_count(written) not in taken:
                break
        taken.add(written)
        bases.add(_without_count(written))
        yield Source(each.path, name, each.page)


def _without_count(name: str) -> str:
    return re.sub(r"(\.face\d+|(?<=_crop)_\d+)$", "", name)


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def parse_boxes(texts: Sequence[str], whole: bool) -> np.ndarray:
    """(K, 4) x, y, width, height of texts such as "10,20,80,90". Raises DataError, also where --whole is wanted too."""
    if texts and whole:
        raise DataError("--box and --whole exclude each other; leave one of the two out")
    try:
        return np.array([_four_numbers(text) for text in texts], np.float64).reshape(-1, 4)
    except ValueError:
        raise DataError(f"--box {' '.join(texts)} should read x,y,width,height in pixels, e.g. 10,20,80,90") from None


def _four_numbers(text: str) -> list[float]:
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) != 4:
        raise ValueError(text)
    return numbers

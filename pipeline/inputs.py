"""From the paths on a command line to pictures and videos, each with a name of its own for what is written."""

import glob
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from pipeline.output_folder import OutputFolder
from pipeline.reading import SUFFIXES
from pipeline.text import shortened

STDIN = "-"
_FARTHEST_PX = 1e9
VIDEO_SUFFIXES = frozenset((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ogv", ".3gp"))


@dataclass(frozen=True)
class Source:
    """A picture or video to look at."""

    path: Path | None
    """None for standard input."""
    name: str
    """What its outputs are called, without a suffix; no other source has it."""

    @property
    def shown(self) -> str:
        return "standard input" if self.path is None else str(self.path)

    @property
    def is_video(self) -> bool:
        return self.path is not None and self.path.suffix.lower() in VIDEO_SUFFIXES

    def picture_source(self) -> Path | bytes:
        return sys.stdin.buffer.read() if self.path is None else self.path


def find_sources(given: Iterable[str], output: OutputFolder, ending: str = "") -> tuple[list[Source], list[DataError]]:
    """Sources of files, folders (with their subfolders), patterns and "-", and what is wrong with the rest.

    Whatever `output` holds is not taken for an input, unless it is named itself. No output replaces an input, and none
    that is called by the name of a source and `ending` anything that is not its own.
    """
    paths: list[Path | None] = []
    problems: list[DataError] = []
    for text in given:
        try:
            paths += [None] if text == STDIN else list(_expanded(text, output.path.resolve()))
        except DataError as error:
            problems.append(error)
    paths = list(dict.fromkeys(paths))
    output.protect(path for path in paths if path)
    names = output.names([(path.stem if path else "stdin", path) for path in paths], ending)
    return [Source(*pair) for pair in zip(paths, names, strict=True)], problems


def _expanded(text: str, output: Path) -> Iterator[Path]:
    path = Path(text)
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if _is_known(file) and output not in file.resolve().parents]
        if not found:
            raise DataError(
                f"{path} holds no picture or video ({', '.join(sorted(SUFFIXES))}, ...); give another folder"
            )
        yield from found
    elif path.exists():
        yield path
    elif found := [Path(file) for file in sorted(glob.glob(text, recursive=True)) if Path(file).is_file()]:
        yield from found
    else:
        raise DataError(f"{text} is not here; correct the path")


def _is_known(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES | VIDEO_SUFFIXES and file.is_file()


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

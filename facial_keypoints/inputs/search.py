"""From the arguments of a command line to pictures and videos, each with a name of its own for what is written."""

import hashlib
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import counted
from facial_keypoints.inputs.download import Downloads
from facial_keypoints.inputs.finder import Finder
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.ledger import LEDGER
from facial_keypoints.outputs.output_folder import OutputFolder


@dataclass
class Inputs(AbstractContextManager["Inputs"]):
    """What the arguments of a command line come to; leaving the context removes what was fetched from addresses."""

    sources: list[Source]
    problems: list[DataError]
    """What is wrong with arguments, and with files of folders whose names promise a picture or video."""
    left_out: dict[str, list[Path]] = field(default_factory=dict)
    """Why other files of folders are not looked at -> those files."""
    missed: int = 0
    """How many of the files left out are pictures."""
    renamed: list[str] = field(default_factory=list)
    """Sources whose names were taken in the output folder, each with the name that it has instead."""
    fetched: ExitStack = field(default_factory=ExitStack)
    """Holds the files from addresses."""

    def __exit__(self, *_: object) -> None:
        self.fetched.close()

    @property
    def undone(self) -> int:
        """How many pictures and videos are asked for and not looked at."""
        return len(self.problems) + self.missed

    def lines_left_out(self) -> list[str]:
        """A line for each reason why files are left out: how many, and the names of some."""
        return [
            f"left out, {reason}: {counted([path.name for path in paths])}" for reason, paths in self.left_out.items()
        ]

    def lines_renamed(self) -> list[str]:
        """A line that tells how many names were taken and some of them, if any was."""
        told = f"names that were taken have a number: {counted(self.renamed)}; all are listed in {LEDGER}"
        return [told] if self.renamed else []


def inputs_key(given: Iterable[str], output: str) -> str:
    """Tells arguments from others, by their places relative to the output folder, as both may move together.

    It is a digest: an address may hold a password.
    """
    places = [os.path.relpath(os.path.abspath(text), output) for text in given]
    return f"inputs {hashlib.sha256(os.fsencode(chr(0).join(places))).hexdigest()[:16]}"


def find_sources(given: Iterable[str], output: OutputFolder | None, ending: str = "") -> Inputs:
    """Sources of files, folders (with their subfolders), patterns, web addresses and "-", and the faults of the rest.

    Args:
        given: the arguments, in the order in which their sources come.
        output: where results go, None for standard output. What it holds is no input unless it is named itself; no
            output replaces an input, and none called by the name of a source and `ending` anything not its own.
        ending: what follows the name of a source in the names of its outputs, such as "_hat".
    """
    with ExitStack() as fetched:
        finder = Finder(output.path if output else None, fetched.enter_context(Downloads()))
        for text in given:
            finder.look(text)
        sources = list(finder.found.values())
        renamed: list[str] = []
        if output:
            output.protect(source.path for source in sources if source.path)
            wanted = sources
            names = output.names([(source.name, source.origin) for source in wanted], ending)
            sources = [replace(source, name=name) for source, name in zip(wanted, names, strict=True)]
            renamed = [f"{of.shown} is {name}" for of, name in zip(wanted, names, strict=True) if name != of.name]
        return Inputs(sources, finder.problems, finder.left_out, finder.missed, renamed, fetched.pop_all())

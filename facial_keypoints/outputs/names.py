"""Names of outputs: which of them belong together, and which are free for a source."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from facial_keypoints.core.atomic_files import is_partial

_COUNT = re.compile(r"(\.face\d+|(?<=_crop)_\d+)$")
"""Ends of names by which the faces of one source are told apart."""


def stem_of(name: str) -> str:
    """The name of a file without its suffix, or that of a subfolder (with a slash at its end) without the slash."""
    return name.rstrip("/") if name.endswith("/") else Path(name).stem


def without_count(stem: str) -> str:
    """The stem without the number of a face at its end."""
    return _COUNT.sub("", stem)


def exists(path: Path) -> bool:
    """Whether anything has this name, a broken link too. Raises OSError for a name that no file can have."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


class NameIndex:
    """Names of files of a folder, found by the names that they are in the way of.

    Upper and lower case count as the same, as they do for some file systems.
    """

    def __init__(self) -> None:
        self._by_stem: defaultdict[str, set[str]] = defaultdict(set)
        self._by_base: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, name: str) -> None:
        stem = stem_of(name).lower()
        self._by_stem[stem].add(name)
        self._by_base[without_count(stem)].add(name)

    def in_the_way_of(self, name: str) -> set[str]:
        """Names of files that files called by `name`, with a count and a suffix, might hit.

        The faces of `a` may go to a.face1, a.face2 and so on, or to a_crop_1, a_crop_2.
        """
        name = name.lower()
        alike = (self._by_stem.get(name), self._by_stem.get(without_count(name)), self._by_base.get(name))
        return set().union(*filter(None, alike))


class FreeNames:
    """Gives every source of one run a name under which its files hit no others."""

    def __init__(
        self, folder: Path, ending: str, is_own: Callable[[str, str], bool], earlier: Callable[[str], Iterable[str]]
    ) -> None:
        """Look at what is in the folder.

        Args:
            folder: where the files go; it need not be there yet.
            ending: what stands between a name and the count and suffix of a file.
            is_own: whether a file of the folder, given by name, was made of a source.
            earlier: names of the files that were ever made of a source.
        """
        self._folder, self._ending, self._is_own, self._earlier = folder, ending, is_own, earlier
        self._taken: set[str] = set()
        self._bases: set[str] = set()
        self._numbers_tried: defaultdict[str, int] = defaultdict(int)
        self._stems: dict[str, str] = {}
        self.look()

    def look(self) -> None:
        """Look at what is in the folder now."""
        self._there = NameIndex()
        for entry in os.scandir(self._folder) if self._folder.exists() else ():
            if not is_partial(Path(entry.name)):
                self._there.add(f"{entry.name}/" if entry.is_dir() else entry.name)

    def free(self, stem: str, source: str) -> str:
        """The name that the source had before, else the stem, else the stem with the lowest number that is free."""
        name = self._earlier_name(stem, source)
        while name is None or not self._is_free(name, source):
            self._numbers_tried[stem.lower()] += 1
            number = self._numbers_tried[stem.lower()]
            name = stem if number == 1 else f"{stem}-{number}"
        written = f"{name}{self._ending}".lower()
        self._taken.add(written)
        self._bases.add(without_count(written))
        self._stems[name] = stem
        return name

    def instead_of(self, name: str, source: str) -> str:
        """Another name for a source, since a program beside this one took the one that it had been given."""
        self.look()
        return self.free(self._stems.get(name, name), source)

    def _earlier_name(self, stem: str, source: str) -> str | None:
        for written in sorted({without_count(stem_of(name)) for name in self._earlier(source)}):
            name = written.removesuffix(self._ending)
            number = name.removeprefix(f"{stem}-")
            if written.endswith(self._ending) and (name == stem or (number != name and number.isdecimal())):
                return name
        return None

    def _is_free(self, name: str, source: str) -> bool:
        written = f"{name}{self._ending}".lower()
        if written in self._taken or written in self._bases or without_count(written) in self._taken:
            return False
        return all(self._is_own(name, source) for name in self._there.in_the_way_of(written))

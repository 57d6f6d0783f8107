"""Files below a folder and files that match a pattern: each once, links followed without going round."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode: what a file or folder is, by whatever name it is reached."""


def identity_of(path: Path) -> Identity | None:
    """What stands under a path; None where there is nothing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@dataclass
class Walk:
    """Goes through folders; hidden ones and that of identity `spared` are not entered."""

    spared: Identity | None = None
    hidden: list[Path] = field(default_factory=list)
    special: list[Path] = field(default_factory=list)
    """Pipes, sockets and devices."""
    dangling: list[Path] = field(default_factory=list)
    """Links that lead nowhere."""
    closed: list[tuple[Path, OSError]] = field(default_factory=list)
    """Folders that cannot be listed."""
    met_spared: bool = False
    """Whether something was passed over because it is the spared folder or lies in it."""
    _links: list[Path] = field(default_factory=list)
    _entered: set[Identity | None] = field(default_factory=set)
    _met: set[Identity | None] = field(default_factory=set)
    _in_spared: dict[Path, bool] = field(default_factory=dict)

    def files(self, folder: Path) -> Iterator[Path]:
        """Regular files below a folder by name, then those that only links lead to; in linear time."""
        yield from self._below(folder)
        for link in self._links:  # grows meanwhile
            yield from self._behind(link)

    def spares(self, path: Path) -> bool:
        """Whether a path is the spared folder or lies in it."""
        if self.spared is None:
            return False
        spared = identity_of(path) == self.spared or self._lies_in_spared(path.parent)
        self.met_spared |= spared
        return spared

    def _lies_in_spared(self, folder: Path) -> bool:
        if folder not in self._in_spared:
            self._in_spared[folder] = any(identity_of(place) == self.spared for place in (folder, *folder.parents))
        return self._in_spared[folder]

    def _below(self, folder: Path) -> Iterator[Path]:
        pending = self._entries(folder)
        while pending:
            entry = pending.pop()
            if entry.is_symlink():
                self._links.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                pending += self._entries(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                self._met.add(identity_of(Path(entry.path)))
                yield Path(entry.path)
            else:
                self.special.append(Path(entry.path))

    def _behind(self, link: Path) -> Iterator[Path]:
        identity = identity_of(link)
        if identity is None:
            self.dangling.append(link)
        elif link.is_dir():
            yield from self._below(link)
        elif not link.is_file():
            self.special.append(link)
        elif identity not in self._met:
            self._met.add(identity)
            yield link

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """Entries of a folder, the last name first; none if it was entered before or is hidden or spared."""
        identity = identity_of(folder)
        if identity == self.spared:
            self.met_spared |= identity is not None
            return []
        if identity in self._entered:
            return []
        if self._entered and folder.name.startswith("."):
            self.hidden.append(folder)
            return []
        self._entered.add(identity)
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            self.closed.append((folder, error))
            return []


def matching(pattern: str, walk: Walk) -> Iterator[Path]:
    """Existing paths that match a pattern of * ? [ ] and, for any number of folders, **; no hidden or spared ones."""
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from (path for path in map(Path, sorted(glob.glob(pattern))) if not walk.spares(path))
        return
    fixed = list(takewhile(lambda part: not glob.has_magic(part), parts))
    base, asked = Path(*fixed), parts[len(fixed) :]
    for file in walk.files(base):
        if _fits(file.relative_to(base).parts, asked):
            yield file


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path match the parts of a pattern."""
    places = _with_empty(pattern, {0})
    for part in parts:
        fitting = {place for place in places if place < len(pattern) and _part_fits(part, pattern[place])}
        places = _with_empty(pattern, {place + (pattern[place] != "**") for place in fitting})
    return len(pattern) in places


def _with_empty(pattern: Sequence[str], places: set[int]) -> set[int]:
    """`places` in a pattern, counted in parts, and those reached from them where a ** stands for no folder at all."""
    reached = set(places)
    for place, part in enumerate(pattern):
        if place in reached and part == "**":
            reached.add(place + 1)
    return reached


def _part_fits(part: str, pattern: str) -> bool:
    if part.startswith(".") and not pattern.startswith("."):
        return False
    return pattern == "**" or fnmatchcase(part, pattern)

"""The folder that a command writes to: nothing in it is overwritten but what an earlier run made of the same source.

What was written is listed in the folder itself, in LEDGER, a line a file: its name, its source and its SHA-256. A file
that is not listed, or that somebody changed since, is the user's.
"""

import errno
import json
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from facial_keypoints.core.atomic_files import file_sha256, is_partial, remove_abandoned, whole
from facial_keypoints.core.errors import DataError

LEDGER = ".keypoints-outputs"

_COUNT = re.compile(r"(\.face\d+|(?<=_crop)_\d+)$")
"""Ends of names by which the faces of one source are told apart."""


class OutputFolder:
    """A folder for outputs, made when first written to. Not to be shared between threads."""

    def __init__(self, path: Path, inputs: Iterable[Path] = ()) -> None:
        """`inputs`: files that no output replaces, by whatever name or link they are reached.

        Raises DataError where `path` is no folder.
        """
        if _exists(path) and not path.is_dir():
            raise DataError(f"{path} is no folder to write to; name another one with --output")
        self.path = path
        self._inputs: set[tuple[int, int]] = set()
        self._written: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self._bytes_read = 0
        self.protect(inputs)
        self._read_ledger()
        remove_abandoned(path)

    def protect(self, inputs: Iterable[Path]) -> None:
        """Let no output replace these files either."""
        self._inputs |= {identity for path in inputs if (identity := _identity(path))}

    def target(self, name: str, source: Path | str | None) -> "Target":
        """Where the files go that are made of a source and whose names begin with `name`.

        `source`: a file, the address that it was fetched from, or None for standard input.
        """
        if isinstance(source, Path):  # by its place relative to the folder, so that both may move together
            return Target(self, name, os.path.relpath(source, self.path))
        return Target(self, name, source or "-")

    def names(self, wanted: Sequence[tuple[str, Path | str | None]], ending: str = "") -> list[str]:
        """A name for each (stem, source), with a number where a file called by it and `ending` is not its own to write.

        A source has the name again that it had before, if it can. Takes time in proportion to the number of files.
        """
        names = _Names(self, ending)
        return [names.free(stem, self.target(stem, source).source) for stem, source in wanted]

    @contextmanager
    def writing(self, name: str, source: str) -> Iterator[Path]:
        """Yield a temporary file that becomes `name` if all goes well.

        Raises DataError where that would overwrite anything but what was made of the same `source` before.
        """
        self.refuse_foreign([name], source)
        with whole(self.path / name) as partial:
            yield partial
            self._note(name, source, file_sha256(partial))
            self.refuse_foreign([name], source)

    def making_folder(self, name: str, source: str) -> None:
        """Make a folder in this one, or go on with one that an earlier run made of `source`. Raises DataError."""
        self.refuse_foreign([f"{name}/"], source)
        (self.path / name).mkdir(parents=True, exist_ok=True)
        self._note(f"{name}/", source, "")

    def refuse_foreign(self, names: Iterable[str], source: str) -> None:
        """Raise DataError where one of the names is there and is not what an earlier run made of `source`."""
        for name in names:
            if _exists(self.path / name) and not self.is_own(name, source):
                raise DataError(
                    f"{self.path / name} is here already and is not what an earlier run made of this; move it away or "
                    "choose another --output"
                )

    def is_own(self, name: str, source: str) -> bool:
        """Whether the file, or the folder where `name` ends with a slash, is as an earlier run made it of `source`."""
        path = self.path / name
        if _identity(path) in self._inputs:
            return False
        mode = path.lstat().st_mode
        if not (stat.S_ISDIR(mode) if name.endswith("/") else stat.S_ISREG(mode)):
            return False
        version = (source, "" if name.endswith("/") else file_sha256(path))
        if version not in self._written[name]:
            self._read_ledger()  # another program may have written it meanwhile
        return version in self._written[name]

    def listed(self) -> Iterator[tuple[str, str]]:
        """(name, source) of all that was ever written here."""
        for name, versions in self._written.items():
            yield from {(name, source) for source, _ in versions}

    def _note(self, name: str, source: str, digest: str) -> None:
        if (source, digest) in self._written[name]:
            return
        line = (json.dumps([name, source, digest]) + "\n").encode()
        ledger = self.path / LEDGER
        handle = os.open(ledger, os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_NOFOLLOW, 0o666)
        try:
            length = os.fstat(handle).st_size
            if length and os.pread(handle, 1, length - 1) != b"\n":  # a line that was cut short
                line = b"\n" + line
            if os.write(handle, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(ledger))
        finally:
            os.close(handle)
        self._written[name].add((source, digest))

    def _read_ledger(self) -> None:
        """Take in the lines that came since the last time; what is no line of a ledger tells nothing."""
        ledger = self.path / LEDGER
        if not _exists(ledger):
            return
        if not stat.S_ISREG(ledger.lstat().st_mode):
            raise DataError(f"{ledger}, which lists what was written, is no plain file; move it away")
        with ledger.open("rb") as file:
            file.seek(self._bytes_read)
            for line in file:
                self._bytes_read += len(line)
                try:
                    name, source, digest = json.loads(line)
                except (ValueError, TypeError, RecursionError):
                    continue
                if all(isinstance(part, str) for part in (name, source, digest)):
                    self._written[name].add((source, digest))


@dataclass(frozen=True)
class Target:
    """Where what is made of one source goes: files of a folder whose names begin alike."""

    folder: OutputFolder
    name: str
    source: str
    """As the ledger calls it."""

    @contextmanager
    def writing(self, ending: str) -> Iterator[Path]:
        """Yield a temporary file that becomes `name` and `ending` if all goes well. Raises DataError."""
        with self.folder.writing(f"{self.name}{ending}", self.source) as partial:
            yield partial


class _Names:
    """Gives every source a name under which its files hit no others."""

    def __init__(self, folder: OutputFolder, ending: str) -> None:
        self._folder, self._ending = folder, ending
        self._taken: set[str] = set()
        self._bases: set[str] = set()
        self._numbers_tried: defaultdict[str, int] = defaultdict(int)
        self._by_key: defaultdict[str, list[str]] = defaultdict(list)
        self._by_base: defaultdict[str, list[str]] = defaultdict(list)
        for entry in os.scandir(folder.path) if folder.path.exists() else ():
            if entry.name != LEDGER and not is_partial(Path(entry.name)):
                name = f"{entry.name}/" if entry.is_dir() else entry.name
                self._by_key[_stem(name).lower()].append(name)
                self._by_base[_without_count(_stem(name).lower())].append(name)
        self._earlier: defaultdict[str, list[str]] = defaultdict(list)
        for name, source in folder.listed():
            self._earlier[source].append(_without_count(_stem(name)))

    def free(self, stem: str, source: str) -> str:
        name = self._earlier_name(stem, source)
        while name is None or not self._is_free(name, source):
            self._numbers_tried[stem.lower()] += 1
            number = self._numbers_tried[stem.lower()]
            name = stem if number == 1 else f"{stem}-{number}"
        written = f"{name}{self._ending}".lower()
        self._taken.add(written)
        self._bases.add(_without_count(written))
        return name

    def _earlier_name(self, stem: str, source: str) -> str | None:
        for written in self._earlier.get(source, ()):
            name = written.removesuffix(self._ending)
            number = name.removeprefix(f"{stem}-")
            if written.endswith(self._ending) and (name == stem or (number != name and number.isdecimal())):
                return name
        return None

    def _is_free(self, name: str, source: str) -> bool:
        written = f"{name}{self._ending}".lower()
        base = _without_count(written)
        # The faces of `a` may go to a.face1, a.face2 and so on, or to a_crop_1, a_crop_2.
        if written in self._taken or written in self._bases or base in self._taken:
            return False
        there = {*self._by_key.get(written, ()), *self._by_key.get(base, ()), *self._by_base.get(written, ())}
        return all(self._folder.is_own(name, source) for name in there)


def _stem(name: str) -> str:
    return name.rstrip("/") if name.endswith("/") else Path(name).stem


def _without_count(stem: str) -> str:
    return _COUNT.sub("", stem)


def _exists(path: Path) -> bool:
    """Whether anything has this name, a broken link too. Raises OSError for a name that no file can have."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _identity(path: Path) -> tuple[int, int] | None:
    """What the file is, whatever name or link it is reached by; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino

"""The folder that a command writes to: nothing in it is overwritten but what an earlier run made of the same source.

A file that its ledger does not list, or that somebody changed since, is the user's.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from facial_keypoints.core.atomic_files import file_sha256, remove_abandoned, whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.outputs.claims import claimed
from facial_keypoints.outputs.ledger import Ledger
from facial_keypoints.outputs.names import FreeNames, exists

_OF_FILES = (".json", ".csv", ".pts", ".xml", ".jpg", ".jpeg", ".png", ".mp4", ".webm", ".html")
"""How names of what is written into the folder end: a new folder is hardly meant to be called so."""


class OutputFolder:
    """A folder for outputs, made when first written to. Not to be shared between threads."""

    def __init__(self, path: Path, inputs: Iterable[Path] = ()) -> None:
        """`inputs`: files that no output replaces, by whatever name or link they are reached.

        Raises DataError where `path` is no folder, or is called as a file is.
        """
        if exists(path) and not path.is_dir():
            raise DataError(f"{path} is no folder to write to; name another one with --output")
        if path.suffix.lower() in _OF_FILES and not exists(path):
            raise DataError(f"{path} is the name of a file, where --output is a folder; leave out {path.suffix}")
        self.path = path
        self.removed: list[str] = []
        """Names of outdated files that were removed (see `Target.remove_outdated`)."""
        self._inputs: set[tuple[int, int]] = set()
        self.protect(inputs)
        self._ledger = Ledger(path)
        self._written: set[str] = set()
        self._free_names: FreeNames | None = None
        remove_abandoned(path)

    def protect(self, inputs: Iterable[Path]) -> None:
        """Let no output replace these files either."""
        self._inputs |= {identity for path in inputs if (identity := _identity(path))}

    def names(self, wanted: Sequence[tuple[str, Path | str | None]], ending: str = "") -> list[str]:
        """A name for each (stem, source), with a number where a file called by it and `ending` is not its own to write.

        A source has the name again that it had before, if it can. Takes time in proportion to the number of files.
        """
        self._free_names = self._look_for_names(ending)
        return [self._free_names.free(stem, self.called(source)) for stem, source in wanted]

    def free_name(self, stem: str, source: str) -> str:
        """A name for what is made of all sources together, beside those of `names`; `source` tells it from others."""
        self._free_names = self._free_names or self._look_for_names("")
        return self._free_names.free(stem, source)

    def _look_for_names(self, ending: str) -> FreeNames:
        return FreeNames(self.path, ending, self.is_own, self._ledger.names_of)

    def target(self, name: str, source: Path | str | None) -> "Target":
        """Where the files go that are made of a source and whose names begin with `name`.

        `source`: a file, the address that it was fetched from, or None for standard input.
        """
        return Target(self, name, self.called(source))

    @contextmanager
    def claimed_target(self, name: str, source: Path | str | None, ending: str = "") -> Iterator["Target"]:
        """Yield the target of a source, whose files are called by `name`, one of `names`, and `ending`.

        Where a program beside this one was quicker to give the name to another source, the next free number follows it.
        Inside, no program gives the name to another source. Raises OSError where the folder cannot be written to.
        """
        called = self.called(source)
        while True:
            full = f"{name}{ending}"
            with claimed(self.path, full, called) as held:
                if held and not self._is_taken(full, called):
                    yield Target(self, full, called)
                    return
            self._free_names = self._free_names or self._look_for_names(ending)
            name = self._free_names.instead_of(name, called)

    def _is_taken(self, name: str, source: str) -> bool:
        """Whether another program made files of another source under the name since this one looked."""
        self._ledger.read()
        return any(exists(self.path / file) for file in self._ledger.foreign(name, source))

    def called(self, source: Path | str | None) -> str:
        """What the ledger calls a source: a file by its place relative to the folder, as both may move together."""
        return os.path.relpath(source, self.path) if isinstance(source, Path) else source or "-"

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

    def _note(self, name: str, source: str, digest: str) -> None:
        self._ledger.note(name, source, digest)
        self._written.add(name)

    def refuse_foreign(self, names: Iterable[str], source: str) -> None:
        """Raise DataError where one of the names is there and is not what an earlier run made of `source`."""
        for name in names:
            if exists(self.path / name) and not self.is_own(name, source):
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
        return self._ledger.holds(name, source, "" if name.endswith("/") else file_sha256(path))

    def remove_outdated(self, source: str, is_outdated: Callable[[str], object]) -> None:
        """Remove the files, outdated by name, that an earlier run made of a source and that this run did not write.

        What somebody changed since stays. Raises OSError.
        """
        for name in sorted(filter(is_outdated, self._ledger.names_of(source) - self._written)):
            if exists(self.path / name) and self.is_own(name, source):
                (self.path / name).unlink()
                self.removed.append(name)


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

    def remove_outdated(self, endings: str) -> None:
        """Remove the numbered files of an earlier run that this one, now done with the source, did not write again.

        A picture in which fewer faces are found than before would otherwise keep the files of those that are gone.
        `endings`: a regular expression that matches all that may follow `name` in such files, and nothing else.
        """
        self.folder.remove_outdated(self.source, re.compile(f"{re.escape(self.name)}(?:{endings})").fullmatch)


def _identity(path: Path) -> tuple[int, int] | None:
    """What the file is, whatever name or link it is reached by; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino

"""The list of what was written into an output folder, kept in the folder itself: whose file it is, and what it held.

A line of LEDGER is a JSON list of three texts: the name of a file in the folder (of a subfolder with a slash at its
end), the source that it was made of, and its SHA-256 (of a subfolder: nothing). Lines are only ever added, so that
several programs may write at once.
"""

import errno
import json
import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from facial_keypoints.core.errors import DataError
from facial_keypoints.outputs.names import NameIndex, exists

LEDGER = ".keypoints-outputs"


class Ledger:
    """What the ledger of a folder says, by name and by source. Not to be shared between threads."""

    def __init__(self, folder: Path) -> None:
        """Read the ledger of a folder, which need not be there yet. Raises DataError where it is no plain file."""
        self._path = folder / LEDGER
        self._bytes_read = 0
        self._versions: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        self._index = NameIndex()
        self.read()

    def holds(self, name: str, source: str, digest: str) -> bool:
        """Whether a file of this name and SHA-256 was made of the source, also by another program meanwhile."""
        if (source, digest) not in self._versions[name]:
            self.read()
        return (source, digest) in self._versions[name]

    def digests_of(self, name: str) -> set[str]:
        """SHA-256 of all that was ever written under a name, of whatever source."""
        return {digest for _, digest in self._versions.get(name, ())}

    def names_of(self, source: str) -> set[str]:
        """Names of all that was ever made of the source."""
        return set(self._names.get(source, ()))

    def foreign(self, name: str, source: str) -> list[str]:
        """Files that were only ever made of other sources and that are in the way of files called by `name`."""
        return [file for file in self._index.in_the_way_of(name) if file not in self._names[source]]

    def note(self, name: str, source: str, digest: str) -> None:
        """Add a line, unless there is one like it. Raises OSError, also where the disk takes only a part of it."""
        if (source, digest) in self._versions[name]:
            return
        line = (json.dumps([name, source, digest]) + "\n").encode()
        handle = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_NOFOLLOW, 0o666)
        try:
            length = os.fstat(handle).st_size
            if length and os.pread(handle, 1, length - 1) != b"\n":  # a line that was cut short
                line = b"\n" + line
            if os.write(handle, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        finally:
            os.close(handle)
        self._add(name, source, digest)

    def read(self) -> None:
        """Take in the lines that were added since the last time. Raises DataError where it is no plain file."""
        if not exists(self._path):
            return
        if not stat.S_ISREG(self._path.lstat().st_mode):
            raise DataError(f"{self._path}, which lists what was written, is no plain file; move it away")
        for line in self._new_lines():
            try:
                parts = json.loads(line)
            except (ValueError, RecursionError):  # damaged: it makes no file ours
                continue
            if isinstance(parts, list) and len(parts) == 3 and all(isinstance(part, str) for part in parts):
                self._add(*parts)

    def _new_lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(self._bytes_read)
            for line in file:
                self._bytes_read += len(line)
                yield line

    def _add(self, name: str, source: str, digest: str) -> None:
        self._versions[name].add((source, digest))
        self._names[source].add(name)
        if "/" not in name.rstrip("/"):  # what lies in a subfolder is in nobody's way
            self._index.add(name)

"""What a run has found so far, on disk: an interrupted run goes on from there, and no run needs much memory.

The journal holds lines of JSON. Those of a source stand between a line `begin` and a line `done`, which has their
SHA-256: what a killed program left half written, or somebody changed, counts as not found.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facial_keypoints.prediction.formats import About, Faces, FaceWriter, json_line

_BEGIN, _DONE = b'{"begin": ', b'{"done": '

Stamp = list[int] | None
"""Size and time of change of a file; None of what cannot be known again."""


@dataclass
class Found:
    """Where the lines of one source lie, and what is counted of it."""

    start: int
    end: int
    sha256: str
    stamp: Stamp = None
    faces: int = 0


class Journal:
    """The journal of one run, by keys of its sources. Not to be shared between threads."""

    def __init__(self, file: io.FileIO, place: Path) -> None:
        """Go on with what an open, unbuffered file holds, which is empty at first; `place` names it in errors."""
        self._file, self._place = file, place
        self.found: dict[str, Found] = {}
        self._read()

    def keep(self, keys: Iterable[str]) -> None:
        """Forget all sources but these."""
        self.found = {key: self.found[key] for key in keys}

    @contextmanager
    def writing(self, key: str, about: About) -> Iterator[FaceWriter]:
        """The writer of the faces of one source. Where something fails inside, nothing of the source is kept."""
        self._append(b"\n" + _BEGIN + json.dumps(key).encode() + b"}\n")
        start, digest = self._file.tell(), hashlib.sha256()

        def write(frame: int, time_s: float, faces: Faces) -> None:
            line = json_line(about, frame, time_s, faces).encode()
            self._append(line)
            digest.update(line)

        self.found.pop(key, None)
        yield write
        self.found[key] = Found(start, self._file.tell(), digest.hexdigest())

    def finish(self, key: str, stamp: Stamp, faces: int) -> None:
        """Note that the source is done with, so that a later run need not look at it again."""
        found = self.found[key]
        found.stamp, found.faces = stamp, faces
        line = {"done": key, "stamp": stamp, "faces": faces, "sha256": found.sha256}
        self._append(json.dumps(line).encode() + b"\n")

    def records(self, key: str) -> Iterator[dict[str, Any]]:
        """The lines of a source: one of a picture, one for each frame of a video, none of what was not looked at."""
        if found := self.found.get(key):
            for line in self._lines(found.start, found.end):
                yield json.loads(line)

    def _append(self, data: bytes) -> None:
        self._file.seek(0, io.SEEK_END)
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._place)) from None

    def _read(self) -> None:
        start = end = 0
        digest = hashlib.sha256()
        for line in self._lines(0, self._file.seek(0, io.SEEK_END)):
            end += len(line)
            if line.startswith(_BEGIN):
                start, digest = end, hashlib.sha256()
            elif line.startswith(_DONE):
                with suppress(ValueError, TypeError, RecursionError):  # cut short, or changed by somebody
                    self._take(Found(start, end - len(line), digest.hexdigest()), **json.loads(line))
            else:
                digest.update(line)

    def _take(self, found: Found, done: str, stamp: Stamp, faces: int, sha256: str) -> None:
        if sha256 == found.sha256:
            found.stamp, found.faces = stamp, faces
            self.found[done] = found

    def _lines(self, start: int, end: int) -> Iterator[bytes]:
        self._file.seek(start)
        reader = io.BufferedReader(self._file)
        try:
            while start < end and (line := reader.readline()):
                start += len(line)
                yield line
        finally:
            reader.detach()

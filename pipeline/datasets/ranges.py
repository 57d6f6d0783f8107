"""A file on a web server, read at random by asking for parts of it (RFC 9110, section 14)."""

import io
import re
from contextlib import closing
from typing import Any

from pipeline.datasets.location import Location

_PART = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


class NoRangeError(Exception):
    """The answer is not the part asked for."""


class Ranges(io.RawIOBase):
    """The raw side of a buffer; all parts must be of one content."""

    def __init__(self, place: Location) -> None:
        """Ask for the first byte; raises NoRangeError where the server does not send parts."""
        self._place = place
        self._position = 0
        self._size, self._version = self._part(0, bytearray(1))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = (0, self._position, self._size)[whence] + offset
        if position < 0:
            raise OSError("a place before the begin of the file")
        self._position = position
        return position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        if self._part(self._position, memoryview(buffer)[:length]) != (self._size, self._version):
            raise NoRangeError("the file changed while it was read")
        self._position += length
        return length

    def _part(self, start: int, buffer: Any) -> tuple[int, str]:
        """Fill `buffer` with what begins at `start`; return the size of the whole file and what tells its version."""
        end = start + len(buffer) - 1
        with closing(self._place.answer(Range=f"bytes={start}-{end}")) as answer:
            headers = answer.response.headers
            said = _PART.fullmatch(headers.get("Content-Range", ""))
            if answer.response.status != 206 or not said or said.groups()[:2] != (str(start), str(end)):
                raise NoRangeError("the server answers with another part of the file than was asked for")
            content = self._place.buffered(answer).read(len(buffer) + 1)
        if len(content) != len(buffer):
            raise NoRangeError("the server sends another number of bytes than it says")
        buffer[:] = content
        return int(said[3]), headers.get("ETag", "") + headers.get("Last-Modified", "")

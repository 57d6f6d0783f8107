"""Bytes of files and of answers over a network, read within the bounds on time and size."""

import io
import os
import stat
from collections.abc import Callable
from typing import Any

from facial_keypoints.core.errors import SourceError
from pipeline.datasets import bounds

_BEGIN_BYTES = 100
"""Read together, even if a server sends them one by one: they tell what kind of file it is."""


class Stream(io.RawIOBase):
    """A file or answer as the raw side of a buffer: its reads may come short, but not too slowly nor without end."""

    def __init__(self, file: Any, pace: bounds.Pace, shown: str) -> None:
        self._file = file
        self._pace = pace
        self._shown = shown
        self._came = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._more(len(buffer))
        begin = 0 if self._came else min(_BEGIN_BYTES, len(buffer))
        while len(content) < begin and (more := self._more(len(buffer) - len(content))):
            content += more
        self._came += len(content)
        if self._came > bounds.MAX_ARCHIVE_BYTES:
            raise SourceError(
                f"{self._shown} does not end after {bounds.MAX_ARCHIVE_BYTES >> 30} GiB, so it is not of this dataset"
            )
        buffer[: len(content)] = content
        return len(content)

    def _more(self, size: int) -> bytes:
        content = b"" if self._ended else self._pace.timed(self._file.read, size)
        self._ended = not content  # aiohttp complains of readers that come again after the end
        return content


class Answer:
    """What a server sends, read by the coroutines of an fsspec file system as if it were a file."""

    def __init__(self, fs: Any, response: Any, body: Any) -> None:
        """response: has `close`; body: has the coroutine `read`."""
        self.response = response
        self._fs = fs
        self._body = body

    def read(self, size: int) -> bytes:
        """Up to `size` bytes: those that are there, and at the end none."""
        content: bytes = in_time(self._fs, self._body.read, size)
        return content

    def close(self) -> None:
        self._fs.loop.call_soon_threadsafe(self.response.close)


def in_time(fs: Any, coroutine: Callable[..., Any], *args: Any, seconds: float = 0, **how: Any) -> Any:
    """What a coroutine of an fsspec file system returns within so many seconds, by default ANSWER_S."""
    from fsspec.asyn import sync

    seconds = seconds or bounds.ANSWER_S
    try:
        return sync(fs.loop, coroutine, *args, timeout=seconds, **how)
    except TimeoutError as error:
        cause = error.__cause__ or error  # a limit of aiohttp's own says what it is for
        raise cause if str(cause) else TimeoutError(f"no answer within {seconds:g} s") from None


def plain_file(path: str) -> io.BufferedReader:
    """A local file opened for reading; a pipe would hold the reader, a device never end: SourceError for both."""

    def opened(name: str, flags: int) -> int:
        file = os.open(name, flags | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        raise SourceError(f"{path} is a pipe or device; only plain files are taken: put the file itself there")

    return open(path, "rb", opener=opened)

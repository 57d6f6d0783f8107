"""A place that fsspec opens: a local path or a URL, with time limits and without secrets in messages."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import quote

from pipeline.redaction import without_credentials

CONNECT_S = 5
"""Longest wait for a connection."""
READ_S = 30
"""Longest silence of a server within an answer."""
BUFFER_BYTES = 1 << 20
"""Read at a time, also from a server that sends parts of a file."""


@dataclass(frozen=True)
class Location:
    fs: Any
    """An fsspec file system."""
    path: str
    """As `fs` wants it."""
    shown: str
    """For messages: without user, password, query."""

    @property
    def local(self) -> bool:
        return "file" in _protocols(self.fs)

    @property
    def http(self) -> bool:
        return "http" in _protocols(self.fs)

    @property
    def remote(self) -> bool:
        return not self.local and "memory" not in _protocols(self.fs)

    def below(self, name: str) -> "Location":
        """The file or folder `name` in this folder."""
        if not name:
            return self
        path, mark, query = self.path.partition("?") if self.http else (self.path, "", "")
        below = quote(name) if self.http else name
        return Location(self.fs, f"{path.rstrip('/')}/{below}{mark}{query}", f"{self.shown.rstrip('/')}/{name}")

    @contextmanager
    def stream(self) -> Iterator["io.BufferedReader[Any]"]:
        """Open for one reading from beginning to end."""
        # Over HTTP: no blocks, and any size, so that a file costs one request instead of two.
        how = {"block_size": 0, "size": 1} if self.http else {}
        try:
            opened = self.fs.open(self.path, "rb", **how)
        except Exception as error:
            if getattr(error, "status", None) == 404:
                raise FileNotFoundError(self.shown) from error
            raise
        with opened as file:
            yield io.BufferedReader(_Raw(file), BUFFER_BYTES)

    def open(self) -> IO[bytes]:
        """Open for reading at random."""
        file: IO[bytes] = self.fs.open(self.path, "rb", block_size=BUFFER_BYTES)
        return file


def locate(text: str, base: Path) -> Location:
    """Location of a URL, or of a local path (relative to `base`)."""
    import fsspec

    if "://" not in text and "::" not in text:
        path = str(base / Path(text).expanduser())
        return Location(fsspec.filesystem("file"), path, path)
    options = {protocol: _http_options() for protocol in ("http", "https") if f"{protocol}://" in text}
    fs, path = fsspec.core.url_to_fs(text, **options)
    return Location(fs, path, without_credentials(text))


def _http_options() -> dict[str, Any]:
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(total=None, connect=2 * CONNECT_S, sock_connect=CONNECT_S, sock_read=READ_S)
    return {"client_kwargs": {"timeout": timeout, "trust_env": True, "raise_for_status": True}}


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


class _Raw(io.RawIOBase):
    """Any object with `read` as the raw side of a buffer; its reads may come short."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = b"" if self._ended else self._file.read(len(buffer))
        self._ended = not content  # aiohttp complains of readers that come again after the end
        buffer[: len(content)] = content
        return len(content)

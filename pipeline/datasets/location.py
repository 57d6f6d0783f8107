"""A place that fsspec opens: a local path or a URL, with time limits and without secrets in messages."""

import gzip
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.errors import SourceError
from pipeline.datasets import bounds
from pipeline.datasets.streams import Answer, Stream, in_time, plain_file


@dataclass(frozen=True)
class Location:
    fs: Any
    """An fsspec file system."""
    path: str
    """As `fs` wants it."""
    shown: str
    """For messages: without user, password, query."""
    pace: bounds.Pace = field(default_factory=bounds.Pace)
    """Of all that is read here and below."""

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
        path, mark, query = self.path.partition("?") if self.http else (self.path, "", "")
        below = quote(name) if self.http else name
        shown = f"{self.shown.rstrip('/')}/{name}"
        return replace(self, path=f"{path.rstrip('/')}/{below}{mark}{query}", shown=shown)

    def is_folder(self) -> bool:
        return bool(self._asked("isdir"))

    def exists(self) -> bool:
        return bool(self._asked("exists"))

    def files(self) -> set[str]:
        """Relative paths of all files below a folder of an object store or the like."""
        base = self.path.rstrip("/") + "/"
        # One more than there may be, where the file system can be told.
        how = {"max_items": bounds.MAX_MEMBERS + 1} if "s3" in _protocols(self.fs) else {}
        return {str(path).removeprefix(base) for path in self._asked("find", bounds.LISTING_S, **how)}

    def _asked(self, question: str, seconds: float = 0, **how: Any) -> Any:
        if self.fs.async_impl:
            return in_time(self.fs, getattr(self.fs, f"_{question}"), self.path, seconds=seconds, **how)
        return getattr(self.fs, question)(self.path, **how)

    @contextmanager
    def stream(self) -> Iterator["io.BufferedReader[Any]"]:
        """Open for one reading from beginning to end."""
        with closing(self._opened()) as file:
            packed = self.buffered(file)
            yield _decoded(packed, file.response, self.shown) if self.http else packed

    def _opened(self) -> Any:
        if self.local:
            return plain_file(self.path)
        if self.http:
            return self.answer()
        if "s3" in _protocols(self.fs):
            body = self.pace.timed(in_time, self.fs, _object, self.fs, self.path)
            return Answer(self.fs, body, body)
        return self.fs.open(self.path, "rb", block_size=bounds.BUFFER_BYTES)

    def answer(self, **headers: str) -> Answer:
        """What the web server sends for this URL; raises FileNotFoundError where it has nothing there."""
        try:
            response = self.pace.timed(in_time, self.fs, _get, self.fs, self.path, headers)
        except Exception as error:
            if getattr(error, "status", None) == 404:
                raise FileNotFoundError(self.shown) from error
            raise
        return Answer(self.fs, response, response.content)

    def buffered(self, file: Any) -> "io.BufferedReader[Any]":
        return io.BufferedReader(Stream(file, self.pace, self.shown), bounds.BUFFER_BYTES)


def _decoded(packed: "io.BufferedReader[Any]", response: Any, shown: str) -> "io.BufferedReader[Any]":
    """The body of an answer to a request for the whole file, as it was before the server packed it for the way."""
    if response.status != 200:
        raise SourceError(f"{shown}: the server answered {response.status}, where 200 and the file were expected")
    coding = response.headers.get("Content-Encoding", "identity").lower()
    if coding in ("gzip", "x-gzip"):
        return io.BufferedReader(gzip.GzipFile(fileobj=packed))
    if coding != "identity":
        raise SourceError(f"{shown}: the server packs what it sends though asked not to; ask whoever runs it")
    return packed


def locate(text: str, base: Path) -> Location:
    """Location of a URL, or of a local path (relative to `base`)."""
    import fsspec

    if "://" not in text:
        path = str(base / Path(text).expanduser())
        return Location(fsspec.filesystem("file"), path, path)
    shown = without_credentials(text)
    protocol = text.partition("://")[0].lower()
    if protocol in ("http", "https"):
        return Location(fsspec.filesystem(protocol, **_http_options()), text, shown)
    if "::" in text:
        raise SourceError(f"{shown} is a chain of places; give one folder, .tar.gz or .zip, which is opened as it is")
    fs, path = fsspec.core.url_to_fs(text)
    return Location(fs, path, shown)


def _http_options() -> dict[str, Any]:
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(
        total=None, connect=2 * bounds.CONNECT_S, sock_connect=bounds.CONNECT_S, sock_read=bounds.ANSWER_S
    )
    session = {
        "timeout": timeout,
        "trust_env": True,
        "raise_for_status": True,
        # Frames do not get smaller by packing, and what is not unpacked on the way cannot grow there.
        "headers": {"Accept-Encoding": "identity"},
        "auto_decompress": False,
    }
    return {"client_kwargs": session, "get_client": _client}


async def _get(fs: Any, url: str, headers: dict[str, str]) -> Any:
    """aiohttp's response; fsspec's own files read a part of one however long it is."""
    session = await fs.set_session()
    return await session.get(fs.encode_url(url), headers=headers)


async def _object(fs: Any, path: str) -> Any:
    """The body of an object in a bucket."""
    file = await fs.open_async(path)
    await file.read(0)  # s3fs asks for the object only then
    return file.r


async def _client(**session: Any) -> Any:
    from aiohttp import ClientSession, DummyCookieJar

    return ClientSession(cookie_jar=DummyCookieJar(), **session)


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)

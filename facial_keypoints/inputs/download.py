"""Fetch pictures and videos from web addresses: within limits of size and time, and from http and https alone."""

import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.progress import progress
from facial_keypoints.core.text import brief
from facial_keypoints.inputs.addresses import SAFE, WEB_SCHEMES, Address

BYTE_LIMIT = 2**31
"""Most bytes of one file; an hour of 4K from a phone has 10 GB and should be given as a file."""
ANSWER_S = 20.0
"""Longest wait for a connection, and for any byte after it."""
PACE_S = 30.0
LEAST_BYTES_S = 8 << 10
"""A server that gives fewer bytes a second than this over PACE_S is given up."""
_BLOCK_BYTES = 2**20
_MOST_REDIRECTS = 10
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_HEADERS = {"User-Agent": "facial-keypoints", "Accept": "image/*, video/*, */*;q=0.1"}


class Downloads(AbstractContextManager["Downloads"]):
    """Files that were fetched, in a temporary folder that is made for the first one and removed with the context."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0

    def __exit__(self, *_: object) -> None:
        if self._folder:
            self._folder.cleanup()

    def fetch(self, address: Address) -> Path:
        """The file behind an address. Raises DataError that says why there is none, without user, password or query."""
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="keypoints-")
        self._count += 1
        path = Path(self._folder.name) / f"{self._count}{address.suffix}"
        try:
            with path.open("xb") as file, _opened(address) as response:
                _save(response, file, address)
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise DataError(
                f"{address.shown} cannot be fetched ({_reason(error)}); correct the address, or download it and give "
                "the file"
            ) from None
        return path


def _opened(address: Address) -> HTTPResponse:
    """The answer that holds the file, after redirects within http and https. Raises DataError where it is refused."""
    url, headers = address.request_url, dict(_HEADERS)
    if authorization := address.authorization:
        headers["Authorization"] = authorization
    for _ in range(_MOST_REDIRECTS):
        try:
            return cast(HTTPResponse, _opener().open(Request(url, headers=headers), timeout=ANSWER_S))
        except HTTPError as error:
            error.close()
            if error.code not in _REDIRECTS:
                raise DataError(f"{address.shown} {_refused(error)}") from None
            following = quote(urljoin(url, error.headers.get("Location", "")), SAFE)
        if urlsplit(following).scheme not in WEB_SCHEMES:
            raise DataError(f"{address.shown} leads on to no http or https address; give that of the file itself")
        if not may_have_password(url, following):
            headers.pop("Authorization", None)
        url = following
    raise DataError(f"{address.shown} leads on more than {_MOST_REDIRECTS} times; give the address of the file itself")


def may_have_password(url: str, following: str) -> bool:
    """Whether a password for an address may go on to where it leads: to the same host, and not from https to http."""
    before, after = urlsplit(url), urlsplit(following)
    return after.netloc == before.netloc and after.scheme in (before.scheme, "https")


def _opener() -> OpenerDirector:
    """Opens http and https addresses alone, by the proxy of the environment if there is one; follows no redirect.

    urllib's own handler of redirects reads what stands beside one into memory, however much it is.
    """
    opener = OpenerDirector()
    for handler in (ProxyHandler(), _PacedHTTP(), _PacedHTTPS(), HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    return opener


def _save(response: HTTPResponse, file: BinaryIO, address: Address) -> None:
    """Write what a server sends to a file. Raises DataError for too much, or where the disk takes no more."""
    told, received = response.length, 0
    _check_size(told or 0, address)
    blocks = -(-told // _BLOCK_BYTES) if told else 0
    for block in progress(_blocks(response), label=address.stem, total=blocks, unit="MB"):
        received += len(block)
        _check_size(received, address)
        _write(file, block, address)
    if told is not None and received < told:
        raise IncompleteRead(b"", told - received)


def _check_size(count: int, address: Address) -> None:
    if count > BYTE_LIMIT:
        raise DataError(
            f"{address.shown} has more than {BYTE_LIMIT >> 20} MB, too many to fetch; download it and give the file"
        )


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    while block := response.read(_BLOCK_BYTES):
        yield block


def _write(file: BinaryIO, block: bytes, address: Address) -> None:
    try:
        file.write(block)
    except OSError as error:
        raise DataError(
            f"{address.shown} does not fit into {tempfile.gettempdir()} ({error.strerror}); name a folder that has "
            "room: export TMPDIR=FOLDER"
        ) from None


def _refused(error: HTTPError) -> str:
    """Why a server sends no file, to follow its address."""
    remedy = "put USER:PASSWORD@ before the host" if error.code == HTTPStatus.UNAUTHORIZED else "correct the address"
    return f"is refused by its server ({error.code} {brief(error.reason)}); {remedy}"


def _reason(error: Exception) -> str:
    """Why nothing came, in words that do not show the address, as those of some errors do."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return "its server is too slow"
    if isinstance(cause, IncompleteRead):
        return "its server stopped before the end"
    if isinstance(cause, OSError):
        return brief(cause.strerror or type(cause).__name__)
    return "its server does not speak HTTP" if isinstance(cause, HTTPException) else "it is no address"


class _Paced(io.RawIOBase):
    """Bytes of a connection; reading them raises TimeoutError where they come more slowly than LEAST_BYTES_S."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._since, self._bytes = time.monotonic(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self._bytes += count or 0
        passed_s = time.monotonic() - self._since
        if passed_s > PACE_S:
            if self._bytes < LEAST_BYTES_S * passed_s:
                raise TimeoutError
            self._since, self._bytes = time.monotonic(), 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PacedResponse(HTTPResponse):
    """An answer whose headers, too, come at the least pace."""

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Paced(sock.makefile("rb", buffering=0)))


class _PacedHTTP(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_connection(HTTPConnection), req)


class _PacedHTTPS(HTTPSHandler):
    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_connection(HTTPSConnection), req)


def _connection(kind: Any) -> Any:
    """A connection of a class whose answers must come at the least pace."""

    def connect(*arguments: Any, **options: Any) -> Any:
        made = kind(*arguments, **options)
        made.response_class = _PacedResponse
        return made

    return connect

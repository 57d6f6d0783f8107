"""The source of a dataset, a folder or archive: a local path, or a URL that fsspec opens."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.errors import SourceError
from facial_keypoints.core.text import brief, printable, reason_of
from pipeline.core.redaction import without_secrets

VARIABLE = "KEYPOINTS_MIRROR"
WAYS_ON = (
    f"set {VARIABLE} to a folder, .tar.gz, .zip or URL that holds the frames, "
    "or go on with synthetic faces: dvc exp run -S fetch.source=synthetic"
)
CONNECT_S, ANSWER_S = 10.0, 30.0
"""Longest waits for a web server: to be connected, and for any byte of its answer."""
_BLOCK_BYTES = 4 << 20
"""Of a file in a bucket that is read at a time."""


class TransientSourceError(SourceError):
    """Reading failed on the way, so that another try may help."""


@dataclass(frozen=True)
class Source:
    """A folder, an archive, or a file in a folder."""

    place: str
    """Path or URL."""
    shown: str
    """The place in messages, without user, password and query."""

    def below(self, name: str) -> "Source":
        """The file or folder `name` in this folder; the query of a web address stays at its end."""
        address, mark, query = self.place.partition("?") if self._is_http else (self.place, "", "")
        name = quote(name) if self._is_http else name
        return replace(self, place=f"{address.rstrip('/')}/{name}{mark}{query}")

    def open(self) -> Any:
        """Open the file to be read once from its beginning; a read may give fewer bytes than asked for."""
        fs, path = self._file_system()
        # Over HTTP as one answer. Whatever size is given spares a question for it, which would hide why it is refused.
        return fs.open(path, "rb", **({"block_size": 0, "size": 1} if self._is_http else {"block_size": _BLOCK_BYTES}))

    @contextmanager
    def open_seekable(self) -> Iterator[IO[bytes]]:
        """Open the file to be read at random: in parts where its server sends them, else in a temporary copy."""
        fs, path = self._file_system()
        with fs.open(path, "rb", block_size=_BLOCK_BYTES) as file:
            if _gives_parts(file):
                yield file
                return
        with tempfile.TemporaryFile() as copy, self.open() as whole:
            shutil.copyfileobj(whole, copy)
            yield copy

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn whatever fails within into a SourceError, a TransientSourceError where that may pass."""
        try:
            yield
        except Exception as error:  # each backend of fsspec has exceptions of its own
            kind = TransientSourceError if "://" in self.place and not is_final(error) else SourceError
            raise kind(f"cannot read {self.shown}: {told(error, self.place)}; {WAYS_ON}") from error

    @property
    def _is_http(self) -> bool:
        return self.place.lower().startswith(("http://", "https://"))

    def _file_system(self) -> tuple[Any, str]:
        """The file system of fsspec, and the path there."""
        import fsspec

        options: dict[str, Any] = {}
        if self._is_http:
            from aiohttp import ClientTimeout

            timeout = ClientTimeout(total=None, connect=CONNECT_S, sock_connect=CONNECT_S, sock_read=ANSWER_S)
            # The environment may name a proxy; frames do not get smaller by packing.
            session = {"timeout": timeout, "trust_env": True, "headers": {"Accept-Encoding": "identity"}}
            # Raised later, by fsspec, it would leave the connection open.
            options = {"client_kwargs": session | {"raise_for_status": True}}
        fs, path = fsspec.core.url_to_fs(self.place, **options)
        return fs, path


def choose_source(archive: str, base: Path) -> Source:
    """The source of a dataset with this archive: the mirror that the environment names, else the archive itself.

    An archive on this machine, as that of an imported dataset is, comes first: the mirror is of public ones. Local
    paths are relative to `base`.
    """
    mirror = os.environ.get(VARIABLE)
    if "://" not in archive and (base / archive).exists():
        return Source(str(base / archive), archive)
    if not mirror:
        return Source(archive, f"{archive} (the public archive, as {VARIABLE} is not set)")
    place = mirror if "://" in mirror else str(base / Path(mirror).expanduser())
    return Source(place, f"{VARIABLE}={printable(without_credentials(mirror))}")


def _gives_parts(file: IO[bytes]) -> bool:
    """Whether a file that is not empty can be read from any place; it stands at the end then."""
    try:
        file.seek(-1, os.SEEK_END)
        return bool(file.read(1))
    except ValueError:  # fsspec's, about a web server that sends files whole
        return False


def is_final(error: Exception) -> bool:
    """Whether a source says that it has nothing for us, or cannot be one: trying again does not help."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return 400 <= status < 500 and status != 429
    no_file = FileNotFoundError | NotADirectoryError | IsADirectoryError | PermissionError
    return isinstance(error, no_file | ValueError | ImportError)


def told(error: Exception, place: str | None = None) -> str:
    """What an error of a place says, which may be in the words of a server: in short and without secrets."""
    return brief(without_secrets(" ".join(reason_of(error, place).split())), 200)

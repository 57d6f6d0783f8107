"""What went wrong with a source, in words, and whether trying again can help."""

import errno
import gzip
import os
import tarfile
import zipfile
import zlib
from typing import Any

from facial_keypoints.core.errors import SourceError
from facial_keypoints.core.text import printable
from pipeline.core.redaction import without_secrets
from pipeline.datasets.archives import DamagedError
from pipeline.datasets.layout import brief
from pipeline.datasets.ranges import NoRangeError

WAYS_ON = (
    "set KEYPOINTS_MIRROR to a folder, .tar.gz, .zip or URL that holds the frames, "
    "or go on with synthetic faces: dvc exp run -S fetch.source=synthetic"
)

_SHOWN_CHARS = 200
"""Of an error of a library or server in messages."""
_BROKEN_OFF = (DamagedError, EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile, zipfile.BadZipFile)


class TransientFaultError(SourceError):
    """Trying again may help."""


def explain(error: Exception, shown: str, *, remote: bool, reached: bool) -> SourceError:
    """The SourceError that says `error` to a user; a TransientFaultError where another try may help.

    remote: whether a network lies between; reached: whether the source has already given something, so that even a
    refused connection may pass.
    """
    reason, transient = _reason(error, remote, reached)
    kind = TransientFaultError if transient else SourceError
    return kind(f"cannot read {shown}: {reason}; {WAYS_ON}")


def _reason(error: Exception, remote: bool, reached: bool) -> tuple[str, bool]:
    """(what happened, whether it may pass)."""
    if misbehaviour := _misbehaviour(error):
        return misbehaviour, False
    status = http_status(error)
    if status:
        return f"the server answered {status}", status == 429 or status >= 500
    if isinstance(error, FileNotFoundError):
        return f"{_file(error) or 'it'} is not there", False
    if _connection_failed(error):
        cause = getattr(error, "os_error", error)
        return f"no connection ({_text(cause)})", reached
    if isinstance(error, _BROKEN_OFF):
        return f"it is damaged or breaks off ({_text(error)})", remote
    if isinstance(error, TimeoutError):
        return f"it is too slow ({_text(error)})", True
    if isinstance(error, NoRangeError):
        return _text(error), True
    if _network_fault(error):
        return f"the connection broke off ({_text(error)})", True
    file = _file(error)
    return f"{_text(error)}: {file}" if file else _text(error), False


def http_status(error: BaseException | None) -> int | None:
    """Status of the HTTP answer behind `error`: fsspec hides some behind FileNotFoundError."""
    while error is not None:
        status = getattr(error, "status", None)
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None


def _connection_failed(error: Exception) -> bool:
    import aiohttp

    refused = isinstance(error, OSError) and error.errno in {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}
    return refused or isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def _network_fault(error: Exception) -> bool:
    import aiohttp
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    return isinstance(error, aiohttp.ClientError | ConnectionError | HTTPClientError | IncompleteReadError)


def _misbehaviour(error: Exception) -> str:
    """What a server does that no server should, if that is what happened."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    if isinstance(error, aiohttp.TooManyRedirects):
        return "the server redirects from address to address without end"
    if isinstance(error, aiohttp.RedirectClientError):
        return f"the server redirects to what is no http address ({_text(error)})"
    if isinstance(error, aiohttp.ClientResponseError) and isinstance(error.__cause__, HttpProcessingError):
        return f"the server sends no proper HTTP ({_text(error.__cause__)})"
    return ""


def _file(error: Exception) -> str:
    """The file that an OSError is about, where it says so."""
    name = error.filename if isinstance(error, OSError) else None
    return brief(os.fsdecode(name)) if isinstance(name, str | bytes) else ""


def _text(error: Any) -> str:
    """What an error says, which may be in the words of the server."""
    text = str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
    return printable(without_secrets(" ".join(text.split())))[:_SHOWN_CHARS]

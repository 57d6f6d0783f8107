"""What went wrong with a source, in words, and whether trying again can help."""

import errno
import gzip
import tarfile
import zipfile
import zlib
from typing import Any

from pipeline.errors import SourceError
from pipeline.redaction import without_secrets

WAYS_ON = (
    "set KEYPOINTS_MIRROR to a folder, .tar.gz, .zip or URL that holds the frames, "
    "or go on with drawn faces: dvc exp run -S fetch.source=synthetic"
)

_BROKEN_OFF = (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile, zipfile.BadZipFile)


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
    status = _http_status(error)
    if status:
        return f"the server answered {status}", status == 429 or status >= 500
    if isinstance(error, FileNotFoundError):
        return "it is not there", False
    if _connection_failed(error):
        cause = getattr(error, "os_error", error)
        return f"no connection ({_text(cause)})", reached
    if isinstance(error, _BROKEN_OFF):
        return f"it is damaged or breaks off ({_text(error)})", remote
    if _network_fault(error):
        return f"the connection broke off ({_text(error)})", True
    return _text(error), False


def _http_status(error: BaseException | None) -> int | None:
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

    return isinstance(error, aiohttp.ClientError | ConnectionError | TimeoutError)


def _text(error: Any) -> str:
    text = str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
    return without_secrets(" ".join(text.split()))

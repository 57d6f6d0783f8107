"""YuNet's file: the one that the user names, or that of opencv_zoo, fetched once into the cache folder of the user."""

import hashlib
import os
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief

ADDRESS = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/966be4cb6eefc2a4f586ed0581bf4bbaa2533070/"
    "models/face_detection_yunet/face_detection_yunet_2023mar.onnx"
)
NAME = "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
BYTES = 232_589
VARIABLE = "KEYPOINTS_YUNET"
NO_FILE = "none"
"""Value of the variable with which nothing is fetched."""
WAIT_S = 6.0
"""Longest that fetching may take in all: names, redirects and a server that drips included."""
_CONNECT_S = 3.0
_BLOCK_BYTES = 2**16
_FAILED_NAME, _FAILED_S = "yunet-not-fetched", 3600.0
"""File that holds why fetching failed, and for how long it is not tried again."""
_REASON_MOST = 200


class NotFetchedError(ModelError):
    """YuNet's file is not here and cannot be had now."""


def named_file(option: Path | None) -> Path | None:
    """The file of the option, else that of the variable KEYPOINTS_YUNET; None where neither names one."""
    named = os.environ.get(VARIABLE, "")
    return option or (Path(named) if named and named != NO_FILE else None)


def fetching_is_declined() -> bool:
    """Whether KEYPOINTS_YUNET=none asks to fetch nothing."""
    return os.environ.get(VARIABLE) == NO_FILE


def cache_folder() -> Path:
    """The folder for what is fetched once: ~/.cache/facial-keypoints, below XDG_CACHE_HOME where that is set."""
    import pooch

    return Path(pooch.os_cache("facial-keypoints"))


def fetched_file(folder: Path, address: str = ADDRESS, *, insist: bool = False) -> Path:
    """The file in a cache folder, fetched unless it is there with the right SHA-256.

    Args:
        folder: made where it is missing.
        address: http or https address of the file.
        insist: fetch also where that failed within the last hour.

    Raises:
        NotFetchedError: why it cannot be had, and the remedy. Takes WAIT_S at most.
    """
    import pooch

    path = folder / NAME
    with suppress(OSError, ValueError):
        if hashlib.sha256(read_plain(path, BYTES)).hexdigest() == SHA256:
            return path
    _check_writable(folder)
    _check_place(path)
    remedy = _known_remedy(folder) if not insist else ""
    if remedy and (reason := _failed_lately(folder)):
        raise NotFetchedError(f"YuNet's file cannot be fetched ({reason}); {remedy}")
    pooch.get_logger().setLevel("ERROR")  # the caller tells what happens
    try:
        pooch.retrieve(address, SHA256, path.name, folder, downloader=_download)
    except (OSError, ValueError) as error:  # those of requests are OSErrors
        reason = _reason(error)
        _remember(folder, reason)
        raise NotFetchedError(f"YuNet's file cannot be fetched ({reason}); {remedy or _remedy(path)}") from None
    with suppress(OSError):
        (folder / _FAILED_NAME).unlink(missing_ok=True)
    return path


def _known_remedy(folder: Path) -> str:
    """Where all that helps can be read again, for whoever was told it when fetching failed first; else ""."""
    return "--detector yunet tells what helps" if (folder / _FAILED_NAME).is_file() else ""


def _remedy(path: Path) -> str:
    return f"fetch it by hand from {ADDRESS} to {path}, or name it with {VARIABLE} or --detector-model"


def _check_writable(folder: Path) -> None:
    """Raise NotFetchedError where nothing can be kept, before anything is fetched."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise NotFetchedError(
            f"YuNet's file cannot be kept in {folder} ({error.strerror}); name another cache folder with "
            f"XDG_CACHE_HOME, or the file with {VARIABLE} or --detector-model"
        ) from None


def _check_place(path: Path) -> None:
    """Raise NotFetchedError for what is no plain file: pooch would read a pipe or a device without end."""
    if os.path.lexists(path) and not path.is_file():
        raise NotFetchedError(f"{path} is no plain file; remove it, and YuNet's file is fetched there")


def _failed_lately(folder: Path) -> str:
    """Why fetching failed within the last hour, "" if it did not."""
    path = folder / _FAILED_NAME
    try:
        lately = 0 <= time.time() - path.stat().st_mtime < _FAILED_S
        return brief(read_plain(path, 10_000).decode(errors="replace"), _REASON_MOST) if lately else ""
    except (OSError, ValueError):
        return ""


def _remember(folder: Path, reason: str) -> None:
    with suppress(OSError), whole(folder / _FAILED_NAME) as file:  # without it the next run tries again
        file.write_text(reason, encoding="utf-8")


def _download(address: str, output: str, pooch: object) -> None:
    """Pooch's downloader: write what lies at an address to `output`, within WAIT_S.

    Raises OSError and ValueError. A thread waits, as nothing else bounds a look-up of a name or a dripping header.
    """
    answers: list[bytes | Exception] = []

    def fetch() -> None:
        try:
            answers.append(_content(address))
        except Exception as error:  # raised below
            answers.append(error)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    answer = answers[0] if answers else TimeoutError()
    if isinstance(answer, Exception):
        raise answer
    Path(output).write_bytes(answer)


def _content(address: str) -> bytes:
    """At most one byte more than the file should have."""
    import requests

    content = b""
    with requests.get(address, timeout=_CONNECT_S, stream=True) as response:
        response.raise_for_status()
        for part in response.iter_content(_BLOCK_BYTES):
            content += part
            if len(content) > BYTES:
                break
    return content[: BYTES + 1]


def _reason(error: OSError | ValueError) -> str:
    """Why nothing came, in a few words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return brief(f"its server answers {error.response.status_code} {error.response.reason}", _REASON_MOST)
    if isinstance(error, requests.Timeout | TimeoutError):
        return "its server is too slow"
    if isinstance(error, requests.RequestException):
        return "no connection to its server"
    if isinstance(error, OSError):
        return brief(error.strerror or type(error).__name__, _REASON_MOST)
    return "what comes from there is another file, by its SHA-256"

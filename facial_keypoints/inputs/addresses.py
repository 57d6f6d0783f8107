"""Inputs that are no files: web addresses, which are taken, and cameras and other addresses, which are refused."""

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import printable, shortened
from facial_keypoints.inputs.kinds import PICTURE_SUFFIXES, VIDEO_SUFFIXES

WEB_SCHEMES = ("http", "https")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://|(data):", re.IGNORECASE)
_LIVE_SCHEMES = frozenset(["rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srtp", "udp", "tcp", "srt", "mms", "mmsh", "rist"])
_CAMERA = re.compile(r"\d{1,2}|/dev/video\d+", re.ASCII)
SAFE = "%/:=&?~+!$,;'@()*[]"
"""Characters that stand in an address as they are, though `quote` would escape them."""
_LONGEST_STEM = 60
"""Characters of a name made of an address: at 4 bytes each there is room for an ending."""
_LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Address:
    """An http or https address of a picture or video."""

    text: str
    """As it was given; it may hold a user, a password and a token."""

    @property
    def shown(self) -> str:
        """For messages and results: without user, password, query and fragment."""
        return printable(shortened(without_credentials(self.text).partition("#")[0], _LONGEST_SHOWN))

    @property
    def key(self) -> str:
        """Tells it from other addresses without telling what its query holds."""
        _, mark, query = self.text.partition("?")
        return f"{self.shown}?{hashlib.sha256(query.encode(errors='replace')).hexdigest()[:16]}" if mark else self.shown

    @property
    def stem(self) -> str:
        """A file name for what is made of it: the last part of its path without suffix, else its host."""
        name = re.sub(r"[^\w. +-]", "_", PurePosixPath(self._file_name).stem).strip(". ")
        return name[:_LONGEST_STEM] or re.sub(r"[^\w.-]", "_", self._host)[:_LONGEST_STEM].strip(".") or "address"

    @property
    def suffix(self) -> str:
        """The suffix of its path, as ".jpg", if it is that of a picture or video, else nothing."""
        suffix = PurePosixPath(self._file_name).suffix.lower()
        return suffix if suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES else ""

    @property
    def request_url(self) -> str:
        """The address as a request needs it: escaped, without user and password. Raises ValueError for nonsense."""
        parts = self._parts
        host = self._host.encode("idna").decode()
        return urlunsplit((parts.scheme, host, quote(parts.path or "/", SAFE), quote(parts.query, SAFE), ""))

    @property
    def authorization(self) -> str:
        """The header for its user and password (RFC 7617), empty where there is none. Raises ValueError."""
        user, mark, _ = self._parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        return f"Basic {b64encode(f'{unquote(name)}:{unquote(password)}'.encode()).decode()}" if mark else ""

    @cached_property
    def _parts(self) -> SplitResult:
        return urlsplit(self.text)

    @property
    def _host(self) -> str:
        return self._parts.netloc.rpartition("@")[2]

    @property
    def _file_name(self) -> str:
        return PurePosixPath(unquote(self._parts.path, errors="replace").replace("\0", "_")).name


def address_of(text: str) -> Address | None:
    """The web address that a text is; None where it is none, so that it should be the name of a file.

    Raises DataError for a camera and for an address that is not of the web.
    """
    if is_camera(text):
        raise camera_refusal(text)
    found = _SCHEME.match(text)
    if not found:
        return None
    scheme = (found[1] or found[2]).lower()
    address = Address(text)
    if scheme not in WEB_SCHEMES:
        raise _refusal(address.shown if found[1] else "what begins with data:", scheme)
    try:
        if address.request_url and urlsplit(address.request_url).hostname:
            return address
    except ValueError:  # UnicodeError among them: a host that no server can have
        pass
    raise DataError(f"{address.shown} is no address that can be asked; correct it, e.g. https://example.org/me.jpg")


def is_camera(name: str | Path) -> bool:
    """Whether a name is the number of a camera, as OpenCV counts them, or the device of one."""
    return bool(_CAMERA.fullmatch(str(name)))


def camera_refusal(text: str) -> DataError:
    """Why a camera, by its number or its device, is not looked at, and how to record a clip instead."""
    device = text if text.startswith("/") else f"/dev/video{text}"
    return DataError(
        f"{printable(text)} is a camera, and cameras are not looked at live; record a clip and give that: "
        f"ffmpeg -f v4l2 -i {device} -t 10 clip.mp4"
    )


def _refusal(shown: str, scheme: str) -> DataError:
    if scheme == "file":
        return DataError(f"{shown} is an address of a file; give its path alone, without file://")
    if scheme in _LIVE_SCHEMES:
        remedy = "record a clip and give that: ffmpeg -i ADDRESS -t 10 clip.mp4"
        return DataError(f"{shown} is a live stream ({scheme}), and streams are not looked at live; {remedy}")
    return DataError(f"{shown} is an address of {scheme} where only http and https are read; download it and give that")

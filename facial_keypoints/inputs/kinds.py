"""What a file is by its content, whatever its name: its first bytes are looked at, and nothing is decoded.

Signatures: https://www.garykessler.net/library/file_sigs.html and the formats' own specifications.
"""

import os
import re
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from facial_keypoints.inputs.animated_formats import has_frames
from facial_keypoints.inputs.pages import is_raw

HEAD_BYTES = 4096

_PICTURE_SUFFIXES = "jpg jpeg jfif jpe mpo png apng webp tif tiff bmp gif ppm pgm pbm pnm jp2 j2k avif heic heif jxl"
_VIDEO_SUFFIXES = (
    "mp4 mov avi mkv webm m4v mpg mpeg wmv ogv 3gp 3g2 flv f4v m2ts vob dv asf mxf rm mjpg mjpeg h264 264 hevc y4m ivf"
)
PICTURE_SUFFIXES = frozenset(f".{suffix}" for suffix in _PICTURE_SUFFIXES.split())
VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _VIDEO_SUFFIXES.split())
"""Names that promise a picture or a video. Not .ts and .mts: most files of these names are programs."""


class Kind(Enum):
    """What can be looked at."""

    PICTURE = "picture"
    ANIMATION = "animation"
    VIDEO = "video"


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    name: str
    """With its article: "a JPEG", "text"."""
    kind: Kind | None = None
    """None for what cannot be looked at."""
    foreign: bool = False
    """A picture that only other programs can read."""

    @property
    def known(self) -> bool:
        """Whether it was recognized."""
        return self != _UNKNOWN


_UNKNOWN = Content("nothing that is known")
_MP4 = Content("an MP4 or QuickTime video", Kind.VIDEO)
_SOUND = Content("sound")
EMPTY = Content("nothing")
_NO_FILE = Content("nothing, as it is no file")
APPLE_DOUBLE = Content("what macOS notes of another file")
_RAW = Content("a camera's raw picture", foreign=True)

_PICTURES = {
    "a JPEG": (b"\xff\xd8\xff",),
    "a PNG": (b"\x89PNG\r\n\x1a\n",),
    "a GIF": (b"GIF87a", b"GIF89a"),
    "a TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "a JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
}
_VIDEOS = {
    "a Matroska or WebM video": (b"\x1a\x45\xdf\xa3",),
    "an ASF or WMV video": (bytes.fromhex("3026b2758e66cf11"),),
    "an FLV video": (b"FLV\x01",),
    "an MPEG video": (b"\0\0\1\xba", b"\0\0\1\xb3", b"\0\0\1\xb0", b"\0\0\1\xb6"),
    "an H.264 video": (b"\0\0\0\1\x67", b"\0\0\0\1\x27", b"\0\0\0\1\x09", b"\0\0\1\x67", b"\0\0\1\x27", b"\0\0\1\x09"),
    "an HEVC video": (b"\0\0\0\1\x40\x01", b"\0\0\0\1\x46\x01", b"\0\0\1\x40\x01"),
    "a DV video": (b"\x1f\x07\0",),
    "an MXF video": (bytes.fromhex("060e2b34020501010d0102"),),
    "a RealMedia video": (b".RMF",),
    "an uncompressed video": (b"YUV4MPEG2 ", b"DKIF", b"nut/multimedia container"),
}
_FOREIGN = {
    "a JPEG XL picture": (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    "a JPEG XR picture": (b"II\xbc\x01",),
    "a Photoshop picture": (b"8BPS",),
    "a GIMP picture": (b"gimp xcf",),
    "an OpenEXR picture": (b"\x76\x2f\x31\x01",),
    "a Radiance picture": (b"#?RADIANCE",),
    "a QOI picture": (b"qoif",),
    _RAW.name: (b"II*\0\x10\0\0\0CR", b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb"),
}
_OTHERS = {
    "a PDF document": (b"%PDF-",),
    "a ZIP archive or an Office document": (b"PK\3\4", b"PK\5\6"),
    "a packed archive": (
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ\0",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07",
        b"\x28\xb5\x2f\xfd",
    ),
    "a program": (b"\x7fELF", b"MZ"),
    "a database": (b"SQLite format 3\0",),
    "sound": (b"ID3", b"fLaC", b"\xff\xfb", b"#!AMR"),
}
_SIGNATURES = [
    *((mark, Content(name, foreign=True)) for name, marks in _FOREIGN.items() for mark in marks),
    *((mark, Content(name, Kind.PICTURE)) for name, marks in _PICTURES.items() for mark in marks),
    *((mark, Content(name, Kind.VIDEO)) for name, marks in _VIDEOS.items() for mark in marks),
    *((mark, Content(name)) for name, marks in _OTHERS.items() for mark in marks),
    (b"\0\5\x16\7", APPLE_DOUBLE),
]

_RIFF = {
    b"WEBP": Content("a WebP", Kind.PICTURE),
    b"AVI ": Content("an AVI video", Kind.VIDEO),
    b"CDXA": Content("a Video CD's video", Kind.VIDEO),
    b"WAVE": _SOUND,
}
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"))
_SOUND_BRANDS = frozenset((b"M4A ", b"M4B ", b"M4P "))
_QUICKTIME_ATOMS = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
_BMP_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
_PNM = re.compile(rb"P([1-6]|[Ff])(\s+(#[^\n]*\n)?)+-?\d")
_TRANSPORT_PACKETS = (188, 192, 204)


def kind_of(path: Path) -> Kind | None:
    """Whether a file holds a picture, an animation or a video; None for anything else and for what cannot be read."""
    try:
        return content_of(path).kind
    except OSError:
        return None


def content_of(path: Path) -> Content:
    """What a file holds. Raises OSError where it cannot be read."""
    if not stat.S_ISREG(path.stat().st_mode):
        return _NO_FILE  # to open one may wait for ever, or do things
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return content_of_file(file, path.suffix.lower())


def content_of_file(file: BinaryIO, suffix: str = "") -> Content:
    """What a file holds that is open at its start; the suffix (".mpg") decides only where the content does not."""
    head = file.read(HEAD_BYTES)
    content = _by_head(head)
    if content.kind is Kind.PICTURE and suffix in (".mjpg", ".mjpeg"):
        return Content("a Motion JPEG video", Kind.VIDEO)
    if content.kind is Kind.PICTURE and has_frames(file, head):
        return Content(f"{content.name} of several frames", Kind.ANIMATION)
    if content.name == "a TIFF" and is_raw(file):
        return _RAW
    if content == _UNKNOWN and suffix in VIDEO_SUFFIXES:
        return Content("a video of an unknown kind", Kind.VIDEO)
    return content


def _by_head(head: bytes) -> Content:
    """Content of a file by its first HEAD_BYTES."""
    if not head.strip(b"\0"):
        return Content("zeros") if head else EMPTY
    for mark, content in _SIGNATURES:
        if head.startswith(mark):
            return content
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], _UNKNOWN)
    if head[4:8] == b"ftyp":
        return _by_brands(head)
    if head[4:8] in _QUICKTIME_ATOMS:
        return _MP4
    if head[:4] == b"OggS":
        return Content("an Ogg video", Kind.VIDEO) if re.search(rb"\x80theora|fishead|BBCD|OVP80", head) else _SOUND
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return Content("a BMP", Kind.PICTURE)
    if _PNM.match(head):
        return Content("a PPM", Kind.PICTURE)
    if _is_transport_stream(head):
        return Content("an MPEG transport stream", Kind.VIDEO)
    return Content("text") if _is_text(head) else _UNKNOWN


def _by_brands(head: bytes) -> Content:
    """Content of an ISO base media file (ISO/IEC 14496-12), by the brands that it names."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}
    if b"avis" in brands:
        return Content("an AVIF of several frames", Kind.ANIMATION)
    if b"avif" in brands:
        return Content("an AVIF", Kind.PICTURE)
    if head[8:12] in _HEIF_BRANDS:
        return Content("a HEIC picture", foreign=True)
    if head[8:12] == b"crx ":
        return _RAW
    return _SOUND if head[8:12] in _SOUND_BRANDS else _MP4


def _is_transport_stream(head: bytes) -> bool:
    """Whether five sync bytes stand a packet apart (ISO/IEC 13818-1; discs add 4 bytes, broadcasters 16)."""
    return any(
        all(head[start + step * size : start + step * size + 1] == b"\x47" for step in range(5))
        for size in _TRANSPORT_PACKETS
        for start in range(size)
    )


def _is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are UTF-8 without control characters."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a character that the end of the head cuts
            return False
        text = head[: error.start].decode("utf-8")
    return not re.search(r"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]", text)

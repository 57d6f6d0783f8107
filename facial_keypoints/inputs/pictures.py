"""Read pictures of any common format as upright RGB, eight bits a channel, in bounded memory and time."""

import io
import os
import re
import stat
from collections.abc import Iterator
from itertools import islice
from numbers import Integral
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import printable, reason_of, shown
from facial_keypoints.inputs.kinds import Kind, content_of_file
from facial_keypoints.inputs.rgb import rgb_of

PIXEL_LIMIT = 150_000_000
"""More pixels are refused before they are decoded: a small file can unpack to more memory than there is."""
FRAME_PIXEL_LIMIT = 50_000_000
"""Pixels of a frame of animations and videos, of which several are held at once: 40 bytes a pixel were measured. 8K has
33 million."""
MEMORY_LIMIT = 2**31
"""Bytes that a picture may take while it is read, its file included."""
SCAN_LIMIT = 100
"""Scans of a progressive JPEG, each of which goes over all pixels: encoders write 10. libtiff has the same limit."""
HEADER_LIMIT = 2**26
"""Bytes of a JPEG before its pixels, which Pillow puts together in quadratic time."""
BYTE_LIMIT = 2**30
"""Most bytes of a file."""

# Pillow knows more kinds, some of which start other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
_PIXEL_BYTES = {"JPEG": 13, "MPO": 13, "WEBP": 18, "AVIF": 20, "JPEG2000": 26}
_OTHER_PIXEL_BYTES = 9
"""Bytes a pixel that decoder, Pillow and result hold at once: the most measured with any mode of a format."""
_GIVE = "give a JPEG, PNG, WebP, TIFF or BMP"
_AFTER_DATA = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")
"""Where a JPEG's coded pixels end: a marker that is no restart."""
_BARE_MARKERS = (0x01, 0xD8)
"""Markers that no length follows."""


def read_picture(source: str | PathLike[str] | bytes, page: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a file or its bytes, upright by its EXIF orientation.

    Transparent pictures are put on white, deeper ones scaled to eight bits; of several frames, number `page` is read,
    counted from 0. Raises DataError for what is missing, damaged, no picture, or beyond the limits above.
    """
    if not isinstance(source, str | PathLike | bytes) or source == "":
        raise DataError(f"{shown(source)} is no picture; give the path of a file, or its bytes")
    if not isinstance(page, Integral):
        raise DataError(f"page is {shown(page)} but should be a whole number from 0; change it, or leave it out")
    if isinstance(source, str) and "://" in source:
        raise DataError(f"{printable(without_credentials(source))} is an address; give what it holds, as bytes")
    name = "the picture" if isinstance(source, bytes) else printable(str(source))
    content = source if isinstance(source, bytes) else read_bytes(Path(source))
    try:
        if content.startswith(b"\xff\xd8") and next(_scan_places(content, 0), 0) > HEADER_LIMIT:
            raise _RefusedError(f"has more than {HEADER_LIMIT >> 20} MB before its pixels; save it anew without notes")
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            _go_to_page(image, page)
            _refuse_too_much(image, content)
            image.load()
            return rgb_of(image)
    except _RefusedError as error:
        raise DataError(f"{name} {error}") from None
    except Image.DecompressionBombError:  # Pillow raises it too, from a higher limit
        raise DataError(f"{name} {_too_many_pixels()}") from None
    except MemoryError:
        raise DataError(f"{name} takes more than {MEMORY_LIMIT >> 20} MB of memory to read; make it smaller") from None
    except UnidentifiedImageError:
        raise DataError(f"{name} {_unknown(content)}") from None
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        reason = printable(" ".join(str(error).split())) or type(error).__name__
        raise DataError(f"{name} is damaged ({reason}); save or copy it anew") from None


class _RefusedError(Exception):
    """A picture is refused, for a limit or a page that it lacks; the message goes on where its name ends."""


def _go_to_page(image: Image.Image, page: int) -> None:
    """Raise _RefusedError where there is no such page."""
    try:
        image.seek(page)
    except EOFError:
        raise _RefusedError(f"has no page {page}, counted from 0, or is damaged there; give another page") from None


def _too_many_pixels() -> str:
    return f"has more than {PIXEL_LIMIT // 1_000_000} million pixels, which may not fit into memory; shrink it"


def _refuse_too_much(image: Image.Image, content: bytes) -> None:
    """Raise _RefusedError for a picture whose pixels, memory or scans are beyond the limits."""
    pixels = image.width * image.height
    if pixels > PIXEL_LIMIT:
        raise _RefusedError(_too_many_pixels())
    needed = len(content) + pixels * _PIXEL_BYTES.get(image.format or "", _OTHER_PIXEL_BYTES)
    if needed > MEMORY_LIMIT:
        raise _RefusedError(
            f"is {image.format} of {pixels / 1e6:.0f} million pixels, which takes {needed >> 20} MB to read where "
            f"{MEMORY_LIMIT >> 20} are the limit; shrink it, or convert it to JPEG"
        )
    scans = _scan_places(content, getattr(image, "offset", 0)) if image.format in ("JPEG", "MPO") else iter(())
    if sum(1 for _ in islice(scans, SCAN_LIMIT + 1)) > SCAN_LIMIT:
        raise _RefusedError(f"has more than {SCAN_LIMIT} scans, which takes too long to read; save it anew")


def _scan_places(jpeg: bytes, start: int) -> Iterator[int]:
    """Offsets of the scans of the JPEG that begins at `start`."""
    at = start + 2
    while found := _AFTER_DATA.search(jpeg, at):
        marker, at = jpeg[found.start() + 1], found.end()
        if marker == 0xD9:
            return
        if marker == 0xDA:
            yield at
        if marker not in _BARE_MARKERS:
            at += int.from_bytes(jpeg[at : at + 2], "big")


def _unknown(content: bytes) -> str:
    """Why Pillow finds no picture in the bytes, to follow the name of the file."""
    if not content:
        return f"is empty; {_GIVE}"
    held = content_of_file(io.BytesIO(content))
    if held.foreign:
        return f"is {held.name}, which cannot be read here; convert it to JPEG"
    if held.kind in (Kind.PICTURE, Kind.ANIMATION):
        return f"is {held.name}, but damaged in its first part; save or copy it anew"
    told = f"holds {held.name} and " if held.known else ""
    return f"{told}is no picture of a known kind; {_GIVE}"


def read_bytes(path: Path) -> bytes:
    """A whole file, of up to BYTE_LIMIT bytes. Raises DataError."""
    name = printable(str(path))
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a device or pipe may never end
            raise DataError(f"{name} is no file; give a picture, or send it to standard input and give -")
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            content = file.read(min(os.fstat(file.fileno()).st_size, BYTE_LIMIT) + 1)
    except (OSError, ValueError) as error:
        why = reason_of(error, path)
        raise DataError(f"{name} cannot be read ({why}); correct the path or its permissions") from None
    if len(content) > BYTE_LIMIT:
        raise DataError(f"{name} has more than {BYTE_LIMIT >> 20} MB, too many for a picture; make it smaller")
    return content

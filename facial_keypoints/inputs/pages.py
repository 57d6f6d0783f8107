"""The pictures in a file that is no animation: pages of a TIFF, views of a multi-picture JPEG (MPO).

TIFF 6.0 and BigTIFF, https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf; MPO, CIPA DC-007.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import printable

PAGE_LIMIT = 1000
_MOST_ENTRIES = 4096
"""Most entries of a directory of a TIFF; real ones have some dozens."""
_MOST_SEGMENTS = 2000
"""Most segments, of up to 64 KB each, before the first scan of a JPEG."""
_SUBFILE_TYPE, _SUB_DIRECTORIES = 254, 330
_REDUCED, _MASK = 1, 4
_MP_ENTRIES = 0xB002
_VIEW_TYPES = frozenset((0x020001, 0x020002, 0x020003))
"""Panorama, stereo, several angles; not the large thumbnails that cameras add."""


@dataclass(frozen=True)
class Directory:
    """One picture of a TIFF."""

    subfile_type: int
    has_more_below: bool
    """Whether it has sub-directories, which are no pages; the picture itself in the raw file of a camera."""


def pages_of(path: Path) -> list[int]:
    """Frame numbers, counted from 0, of the pictures to look at in a file; thumbnails and masks are none of them.

    Raises DataError for more than PAGE_LIMIT, OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        pages = page_numbers(file)
    if len(pages) > PAGE_LIMIT:
        raise DataError(f"{printable(str(path))} has more than {PAGE_LIMIT} pages; split it")
    return pages


def page_numbers(file: BinaryIO) -> list[int]:
    """Frame numbers as `pages_of` gives them, of an open file; at most one more than PAGE_LIMIT."""
    file.seek(0)
    mark = file.read(4)
    if mark[:2] in (b"II", b"MM"):
        kinds = [directory.subfile_type for directory in directories(file)]
        return [number for number, kind in enumerate(kinds) if not number or not kind & (_REDUCED | _MASK)] or [0]
    return _views(file) if mark[:3] == b"\xff\xd8\xff" else [0]


def is_raw(file: BinaryIO) -> bool:
    """Whether a TIFF is a camera's raw file (DNG, NEF, ARW): a thumbnail, and the picture below it."""
    first = next(directories(file), None)
    return first is not None and bool(first.subfile_type & _REDUCED) and first.has_more_below


def directories(file: BinaryIO) -> Iterator[Directory]:
    """The pictures of a TIFF, until they end, come again, are damaged or are more than PAGE_LIMIT."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = b"+" in head[2:4]
    count_form, entry_form, offset_form = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    seen: set[int] = set()
    try:
        (offset,) = struct.unpack_from(order + offset_form, head, 8 if big else 4)
        while offset and offset not in seen and len(seen) <= PAGE_LIMIT:
            seen.add(offset)
            file.seek(offset)
            (count,) = _read(file, order + count_form)
            if count > _MOST_ENTRIES:
                return
            entries = [_read(file, order + entry_form) for _ in range(count)]
            values = {
                tag: struct.unpack_from(order + ("H" if kind == 3 else "I"), value)[0]
                for tag, kind, _, value in entries
            }
            yield Directory(values.get(_SUBFILE_TYPE, 0), _SUB_DIRECTORIES in values)
            (offset,) = _read(file, order + offset_form)
    except (struct.error, OverflowError, ValueError):
        return  # damaged: whoever decodes it says so


def _read(file: BinaryIO, form: str) -> tuple:
    """The next values of a file by their struct format."""
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _views(jpeg: BinaryIO) -> list[int]:
    """Numbers of the pictures in a JPEG: the first, those listed as views, and those of its size.

    A smaller one is a preview, or a map of light or depth.
    """
    try:
        entries = _listed_pictures(jpeg)
        first_size = _jpeg_size(jpeg, 0) if entries else b""
        return [0] + [
            number
            for number, (kind, offset) in enumerate(entries[1:], start=1)
            if kind in _VIEW_TYPES or (kind == 0 and _jpeg_size(jpeg, offset) == first_size)
        ]
    except (struct.error, OverflowError, ValueError):
        return [0]


def _listed_pictures(jpeg: BinaryIO) -> list[tuple[int, int]]:
    """(type, offset in the file) of the pictures in the multi-picture index of a JPEG, up to PAGE_LIMIT and one."""
    for marker, offset, length in _segments(jpeg, 0):
        if marker != 0xE2 or jpeg.read(4) != b"MPF\0":
            continue
        index = jpeg.read(length - 4)
        order = "<" if index[:2] == b"II" else ">"
        (start,) = struct.unpack_from(order + "I", index, 4)
        (count,) = struct.unpack_from(order + "H", index, start)
        for entry in range(count):
            tag, _, size, place = struct.unpack_from(order + "HHII", index, start + 2 + 12 * entry)
            if tag == _MP_ENTRIES:
                listed = min(size // 16, PAGE_LIMIT + 1)
                records = [struct.unpack_from(order + "III", index, place + 16 * number) for number in range(listed)]
                return [(attribute & 0xFFFFFF, offset + 4 + at) for attribute, _, at in records]
    return []


def _jpeg_size(jpeg: BinaryIO, start: int) -> bytes:
    """The bytes that give height and width of the JPEG that begins at `start`, empty if there are none."""
    for marker, _, _ in _segments(jpeg, start):
        if marker & 0xF0 == 0xC0 and marker not in (0xC4, 0xC8, 0xCC):
            return jpeg.read(5)[1:]
    return b""


def _segments(jpeg: BinaryIO, start: int) -> Iterator[tuple[int, int, int]]:
    """(marker, offset, length) of each segment before the first scan; the file is at the offset when one is yielded."""
    at = start + 2
    for _ in range(_MOST_SEGMENTS):
        jpeg.seek(at)
        prefix, marker, length = _read(jpeg, ">BBH")
        if prefix != 0xFF or marker == 0xDA:
            return
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        yield marker, at + 4, length - 2
        at += 2 + length

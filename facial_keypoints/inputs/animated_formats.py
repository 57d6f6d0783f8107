"""Whether a picture format that can hold an animation does: its blocks are walked, and nothing is decoded.

GIF89a, https://www.w3.org/Graphics/GIF/spec-gif89a.txt; PNG, https://www.w3.org/TR/png-3/; WebP, RFC 9649.
"""

import os
from collections.abc import Callable
from typing import BinaryIO

_MOST_BLOCKS = 1_000_000
"""A second frame behind more blocks than this is not looked for: a picture of 150 million pixels needs fewer."""


def has_frames(file: BinaryIO, head: bytes) -> bool:
    """Whether a file that begins with `head` shows more than one frame, one after another."""
    for mark, frames in _WALKS.items():
        if head.startswith(mark):
            return frames(file)
    return False


def _gif_has_frames(file: BinaryIO) -> bool:
    """Whether a second frame follows the first."""
    file.seek(10)
    _skip_palette(file)
    file.seek(2, os.SEEK_CUR)
    frames = 0
    for _ in range(_MOST_BLOCKS):
        match file.read(1):
            case b"!":
                file.seek(1, os.SEEK_CUR)
            case b",":
                frames += 1
                if frames > 1:
                    return True
                file.seek(8, os.SEEK_CUR)
                _skip_palette(file)
                file.seek(1, os.SEEK_CUR)
            case b";" | b"":
                return False
            case _:  # a byte of no block, which readers pass over
                continue
        _skip_parts(file)
    return False


def _skip_palette(file: BinaryIO) -> None:
    """Read a byte of flags and pass over the palette that it tells of, if any."""
    flags = file.read(1)
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, os.SEEK_CUR)


def _skip_parts(file: BinaryIO) -> None:
    """Pass over the parts of a block, each after its length, up to the empty one that ends it."""
    for _ in range(_MOST_BLOCKS):
        length = file.read(1)
        if not length or not length[0]:
            return
        file.seek(length[0], os.SEEK_CUR)


def _png_has_frames(file: BinaryIO) -> bool:
    """Whether the header tells of two frames, or of one beside a still picture that other programs show."""
    file.seek(8)
    frames, still = 0, 1
    for _ in range(_MOST_BLOCKS):
        length, name = int.from_bytes(file.read(4), "big"), file.read(4)
        if name == b"acTL":
            frames = int.from_bytes(file.read(4), "big")
            length -= 4
        if name == b"fcTL":
            still = 0
        if name in (b"IDAT", b"IEND", b""):
            return frames > 0 and frames + still > 1
        file.seek(length + 4, os.SEEK_CUR)
    return False


def _webp_has_frames(file: BinaryIO) -> bool:
    """Whether the file holds two chunks of animation frames."""
    file.seek(8)
    if file.read(4) != b"WEBP":
        return False
    frames = 0
    for _ in range(_MOST_BLOCKS):
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        frames += name == b"ANMF"
        if frames > 1 or not name:
            return frames > 1
        file.seek(length + length % 2, os.SEEK_CUR)
    return False


_WALKS: dict[bytes, Callable[[BinaryIO], bool]] = {
    b"GIF8": _gif_has_frames,
    b"\x89PNG": _png_has_frames,
    b"RIFF": _webp_has_frames,
}

"""Contents and names of small odd files: pictures, animations, pages, videos, other things, and damage of each."""

import contextlib
import io
import random
from collections.abc import Iterator

import av
import numpy as np
from PIL import Image

from tests.discs import draw_discs

SIZE = (48, 64)

STEMS = [
    *(
        "plain",
        "sp ace",
        "caf\udce9",
        "line\nend",
        "tab\tbell\a",
        "\x1b[31mred",
        "-x",
        "--output",
        "[ab]",
        "a*b?",
        "runs:",
    ),
    *("-", "2024-05-01T12:30:00", "http:", "%d", "$x^2$", "日本", "e\u0301", "\u202eright", "quote\"'", "back\\slash"),
    *(".hidden", "x" * 180, "me.face1", "me_crop_2", "me-page1", "CON", "~", "{a}", ";ls", "a.b.c"),
]
SUFFIXES = [
    *(
        ".jpg",
        ".JPG",
        ".jpeg",
        ".jfif",
        ".jpe",
        ".jpg_large",
        ".png",
        ".gif",
        ".webp",
        ".tif",
        ".bmp",
        ".heic",
        ".avif",
    ),
    *(".mp4", ".MTS", ".ts", ".flv", ".mov", ".webm", ".avi", ".mkv", "", ".txt", ".json", ".partial", ".", ".jpg~"),
    ".\udcff",
]


def picture(seed: int) -> Image.Image:
    """A small one, most with a face."""
    return Image.fromarray(draw_discs([(20.0 + seed % 20, 24.0, 7.0 + seed % 5)] if seed % 4 else [], SIZE))


def encoded(form: str, seed: int, frames: int = 1, **options: object) -> bytes:
    file = io.BytesIO()
    first, *others = (picture(seed + number) for number in range(frames))
    first.save(file, form, **({"save_all": True, "append_images": others} if others else {}), **options)
    return file.getvalue()


def video(container: str, codec: str, frames: int = 5) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=10, width=SIZE[1], height=SIZE[0], pix_fmt="yuv420p")
        assert isinstance(stream, av.VideoStream)
        for number in range(frames):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture(number + 1)))))
        output.mux(stream.encode())
    return file.getvalue()


STILLS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
PICTURES = [
    *(encoded(form, seed) for seed, form in enumerate(STILLS)),
    encoded("JPEG", 3, progressive=True),
    encoded("JPEG", 1, exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
]
ANIMATIONS = [encoded(form, 1, frames=3) for form in ("GIF", "PNG", "WEBP")]
PAGES = [encoded("TIFF", 1, frames=2), encoded("MPO", 1, frames=2)]
OTHERS = [
    *(b"", bytes(100), b"hello\n" * 20, b"{}", b"%PDF-1.4\n", b"PK\3\4" + bytes(40), b"\x7fELF" + bytes(60)),
    *(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(80), b"8BPS" + bytes(60), b"\xff\x0a" + bytes(60)),
    *(b"\0\5\x16\7" + bytes(80), b"II*\0\x08\0\0\0\0\0\x08\0\0\0", b"GIF89a\xff\xff\xff\xff\0\0\0,", b"\xff\xd8\xff"),
    *(b"ffconcat version 1.0\nfile plain.mp4\n", b"#EXTM3U\n#EXTINF:1,\nplain.ts\n"),
]


def videos() -> list[bytes]:
    kinds = [("mp4", "mpeg4"), ("mov", "mpeg4"), ("matroska", "mpeg4"), ("webm", "libvpx"), ("avi", "mpeg4")]
    kinds += [("mpegts", "mpeg2video"), ("flv", "flv1"), ("ogg", "libtheora"), ("mpeg", "mpeg1video"), ("m4v", "mpeg4")]
    made = []
    for container, codec in kinds:
        with contextlib.suppress(av.FFmpegError, ValueError):  # not every build of FFmpeg has every encoder
            made.append(video(container, codec))
    return made


def damaged(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    match chance.randrange(4):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + chance.randbytes(8) + content[at + 8 :]
        case 2:
            return content[:at] + bytes(64) + content[at + 64 :]
        case _:
            return content + chance.randbytes(64)


def names_for(chance: random.Random) -> Iterator[str]:
    while True:
        name = f"{chance.choice(STEMS)}{chance.choice(['', '', chance.randrange(10**4)])}{chance.choice(SUFFIXES)}"
        if name not in (".", ".."):
            yield name

import io
import os

import av
import numpy as np
import pytest
from PIL import Image

from facial_keypoints.inputs.kinds import Kind, content_of, kind_of
from facial_keypoints.inputs.pages import page_numbers, pages_of

STILL = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))


def encoded(form: str, frames: int = 1, **options: object) -> bytes:
    file = io.BytesIO()
    others = [Image.new("RGB", (8, 8), (40 * number, 0, 99)) for number in range(1, frames)]
    STILL.save(file, form, **({"save_all": True, "append_images": others} if others else {}), **options)
    return file.getvalue()


def video(container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=25, width=64, height=48, pix_fmt="yuv420p")
        assert isinstance(stream, av.VideoStream)
        for _ in range(60):  # a transport stream of so few pixels is short
            output.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(stream.encode())
    return file.getvalue()


@pytest.fixture
def kind(tmp_path):
    def kind_of_content(content: bytes, name: str = "file") -> Kind | None:
        (tmp_path / name).write_bytes(content)
        return kind_of(tmp_path / name)

    return kind_of_content


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF"])
def test_a_picture_is_known_without_its_suffix(kind, form):
    assert kind(encoded(form)) is kind(encoded(form), "x.mp4") is Kind.PICTURE


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF"])
def test_several_frames_are_an_animation(kind, form):
    assert kind(encoded(form, frames=3), "x.jpg") is Kind.ANIMATION


@pytest.mark.parametrize("form", ["TIFF", "MPO"])
def test_pages_are_no_animation(kind, form):
    assert kind(encoded(form, frames=3)) is Kind.PICTURE


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        *(("mp4", "mpeg4"), ("mov", "mpeg4"), ("matroska", "mpeg4"), ("webm", "libvpx"), ("avi", "mpeg4")),
        *(("mpegts", "mpeg2video"), ("flv", "flv1"), ("mpeg", "mpeg1video"), ("asf", "msmpeg4v3"), ("ogg", "libvpx")),
        *(("h264", "libx264"), ("m4v", "mpeg4"), ("ivf", "libvpx"), ("yuv4mpegpipe", "rawvideo"), ("3gp", "mpeg4")),
    ],
)
def test_a_video_is_known_without_its_suffix(kind, container, codec):
    content = video(container, codec)
    assert kind(content) is kind(content, "x.jpg") is Kind.VIDEO


@pytest.mark.parametrize("size", [188, 192, 204])
def test_packets_of_a_broadcast_or_disc_are_a_video(kind, size):
    packet = bytes(size - 188) + b"G" + bytes(187) if size == 192 else b"G" + bytes(size - 1)
    assert kind(packet * 8) is kind(b"\x01" * 100 + packet * 8) is Kind.VIDEO
    assert kind(packet * 4) is None


def test_an_old_quicktime_film_begins_with_any_of_its_atoms(kind):
    for atom in (b"moov", b"mdat", b"wide", b"free"):
        assert kind(b"\0\0\0\x08" + atom + bytes(50)) is Kind.VIDEO


@pytest.mark.parametrize(
    ("content", "name", "foreign"),
    [
        (b"hello\n", "text", False),
        ("grüße".encode() * 1000, "text", False),
        (b"export const a = 1;\n", "text", False),
        (b"", "nothing", False),
        (bytes(64), "zeros", False),
        (b"%PDF-1.7\n", "a PDF document", False),
        (b"OggS\0\2" + bytes(20) + b"\x01vorbis", "sound", False),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "sound", False),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture", True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC picture", True),
        (b"\xff\x0a" + bytes(9), "a JPEG XL picture", True),
        (b"8BPS\0\1", "a Photoshop picture", True),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw picture", True),
        (b"\x91\x92\x93\x94" * 9, "nothing that is known", False),
    ],
)
def test_what_cannot_be_looked_at_has_a_name(tmp_path, content, name, foreign):
    path = tmp_path / "module.ts"
    path.write_bytes(content)
    held = content_of(path)
    assert (held.kind, held.name, held.foreign) == (None, name, foreign)


def test_an_unknown_stream_is_a_video_by_its_suffix(kind):
    assert kind(b"\x91\x92\x93\x94" * 9, "x.MPG") is Kind.VIDEO
    assert kind(b"hello\n", "x.mpg") is None
    assert kind(encoded("JPEG") * 3, "x.mjpeg") is Kind.VIDEO


def test_a_raw_file_with_a_thumbnail_first_is_no_tiff(tmp_path):
    """DNG, NEF and ARW: subfile type 1, and the picture in a sub-directory."""
    entry = b"\xfe\0\4\0\1\0\0\0\1\0\0\0" + b"\x4a\1\4\0\1\0\0\0\x40\0\0\0"
    (tmp_path / "a.dng").write_bytes(b"II*\0\x08\0\0\0\2\0" + entry + bytes(40))
    assert content_of(tmp_path / "a.dng").name == "a camera's raw picture"


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")  # to open it would wait for ever
    assert kind_of(tmp_path / "pipe.jpg") is kind_of(tmp_path) is kind_of(tmp_path / "none") is None


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF", "JPEG", "MPO", "AVIF"])
def test_a_file_cut_anywhere_is_looked_at(tmp_path, form):
    content = encoded(form, frames=1 if form == "JPEG" else 2)
    for end in range(len(content)):
        (tmp_path / "cut").write_bytes(content[:end])
        kind_of(tmp_path / "cut")
        assert pages_of(tmp_path / "cut")


def test_a_still_beside_an_animation_of_one_frame_is_another_frame(kind):
    """Other programs than browsers show what stands before the animation."""
    two = encoded("PNG", frames=2)
    at = two.index(b"acTL") + 4
    told_as_one = two[:at] + b"\0\0\0\1" + two[at + 4 :]
    assert kind(told_as_one) is Kind.PICTURE
    control = told_as_one.index(b"fcTL") - 4
    assert kind(told_as_one[:control] + told_as_one[control + 38 :]) is Kind.ANIMATION


def test_every_page_of_a_tiff_is_one_but_thumbnails_and_masks():
    content = bytearray(encoded("TIFF", frames=3))
    assert page_numbers(io.BytesIO(content)) == [0, 1, 2]
    # Entries are sorted by tag: the first of page 2, its width, becomes its subfile type, a thumbnail's.
    first = int.from_bytes(content[4:8], "little")
    length = int.from_bytes(content[first : first + 2], "little")
    second = int.from_bytes(content[first + 2 + 12 * length :][:4], "little")
    content[second + 2 : second + 14] = b"\xfe\0\4\0\1\0\0\0\1\0\0\0"
    assert page_numbers(io.BytesIO(content)) == [0, 2]


def test_directories_that_go_round_are_looked_at_once():
    directory = b"\1\0" + b"\0\1\4\0\1\0\0\0\x08\0\0\0"
    assert page_numbers(io.BytesIO(b"II*\0\x08\0\0\0" + directory + b"\x08\0\0\0")) == [0]


def test_a_large_tiff_has_pages_too():
    content = encoded("TIFF", frames=2, big_tiff=True)
    assert content[2:3] == b"+"
    assert page_numbers(io.BytesIO(content)) == [0, 1]


def test_views_of_one_size_are_pages_and_a_map_of_light_is_none():
    views, light = io.BytesIO(), io.BytesIO()
    STILL.save(views, "MPO", save_all=True, append_images=[STILL])
    STILL.save(light, "MPO", save_all=True, append_images=[STILL.resize((4, 4))])
    assert (page_numbers(views), page_numbers(light)) == ([0, 1], [0])

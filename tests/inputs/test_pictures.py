import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facial_keypoints.core.errors import DataError
from facial_keypoints.inputs import pictures
from facial_keypoints.inputs.pictures import read_picture
from facial_keypoints.inputs.rgb import rgb_of

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "PPM", "WEBP"])
def test_a_lossless_picture_comes_back(form):
    np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(RGB), form, lossless=True)), RGB)


def test_pictures_are_read_in_many_threads_and_warnings_stay_as_they_were():
    """`warnings.catch_warnings` of several threads would put the filters of one back after those of another."""
    content, before = encoded(Image.fromarray(RGB)), [*warnings.filters]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: read_picture(content), range(200)))
    assert warnings.filters == before
    assert all((rgb == RGB).all() for rgb in read)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_upright(orientation):
    """The corner that EXIF says is the upper left one is dark; OpenCV's reader is the reference."""
    picture = np.full((16, 24, 3), 200, np.uint8)
    picture[:8, :8] = 10
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(picture), "JPEG", quality=95, exif=exif)
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert read_picture(content).shape == expected.shape
    assert np.abs(read_picture(content).astype(int) - expected).max() < 12


def test_transparency_is_white():
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = 0, 255, 51
    assert read_picture(encoded(Image.fromarray(rgba)))[0, :, 0].tolist() == [255, 0, 204]


def test_a_palette_with_a_transparent_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert read_picture(encoded(image, transparency=0))[0].tolist() == [[255, 255, 255], [40, 50, 60]]


def test_sixteen_bits_are_scaled():
    deep = np.array([[0, 257, 65535, 32896]], np.uint16)
    assert read_picture(encoded(Image.fromarray(deep)))[0, :, 0].tolist() == [0, 1, 255, 128]


@pytest.mark.parametrize(("bits", "form"), [(8, "PNG"), (10, "PNG"), (12, "TIFF"), (16, "PPM"), (14, "PPM")])
def test_numbers_that_do_not_fill_sixteen_bits_are_scaled_by_as_many_as_they_take(bits, form):
    most = 2**bits - 1
    deep = np.array([[0, most, most // 2, most // 5]], np.uint16)
    grays = read_picture(encoded(Image.fromarray(deep), form))[0, :, 0]
    np.testing.assert_allclose(grays, [0, 255, 127.5, 51], atol=1)


@pytest.mark.parametrize("odd", [-9999.0, 1e9, np.inf])
def test_a_few_odd_numbers_leave_the_others_their_grays(odd):
    deep = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (100, 1))
    usual = read_picture(encoded(Image.fromarray(deep), "TIFF"))
    deep[50, 20] = odd
    found = read_picture(encoded(Image.fromarray(deep), "TIFF"))
    assert np.abs(found.astype(int) - usual)[deep != odd].max() == 0
    assert found[50, 20, 0] in (0, 255)


def test_numbers_of_any_range_are_spread_over_gray():
    deep = np.array([[-5.0, 0.0, 5.0, np.nan]], np.float32)
    assert read_picture(encoded(Image.fromarray(deep), "TIFF"))[0, :, 1].tolist() == [0, 128, 255, 128]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "CMYK", "YCbCr", "I;16", "F"])
def test_any_mode_becomes_rgb(mode):
    image = Image.new(mode, (5, 4))
    form = "TIFF" if mode in {"CMYK", "YCbCr", "F"} else "PNG"
    picture = read_picture(encoded(image, form))
    assert picture.shape == (4, 5, 3)
    assert picture.dtype == np.uint8


def test_a_printers_picture_keeps_its_colours():
    content = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    red, green, blue = read_picture(content)[4, 4].tolist()
    assert red > 200 > 60 > max(green, blue)


@pytest.mark.slow
def test_fifty_million_pixels_are_read():
    content = encoded(Image.new("L", (8660, 5774), 7), "PNG", compress_level=1)
    assert read_picture(content).shape == (5774, 8660, 3)


def test_a_picture_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    content = encoded(Image.new("L", (100, 100)))
    monkeypatch.setattr(pictures, "PIXEL_LIMIT", 9_999)
    monkeypatch.setattr(pictures, "rgb_of", lambda _: pytest.fail("decoded"))
    with pytest.raises(DataError, match="more than 0 million pixels"):
        read_picture(content)


def test_what_cannot_be_read_is_named(tmp_path):
    whole = encoded(Image.fromarray(np.tile(RGB, (40, 40, 1))), "JPEG")
    for name, content, message in [
        ("empty.jpg", b"", "is empty"),
        ("text.jpg", b"hello" * 50, "holds text and is no picture of a known kind"),
        ("half.jpg", whole[: len(whole) // 2], "is damaged"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} {message}"):
            read_picture(tmp_path / name)
    with pytest.raises(DataError, match="No such file"):
        read_picture(tmp_path / "none.jpg")
    with pytest.raises(DataError, match="is no file"):
        read_picture(tmp_path)


def with_scans(jpeg: bytes, count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * count + jpeg[-2:]


PROGRESSIVE = encoded(Image.fromarray(np.full((16, 16, 3), 90, np.uint8)), "JPEG", progressive=True)


def test_scans_are_counted_before_they_are_decoded(monkeypatch):
    assert PROGRESSIVE.count(b"\xff\xda") == 10
    assert read_picture(with_scans(PROGRESSIVE, 90)).shape == (16, 16, 3)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    for hidden in (b"", b"\xff\x01", b"\xff\xff"):  # markers of no length, and fill bytes, hide none
        last = PROGRESSIVE.rindex(b"\xff\xda")
        content = PROGRESSIVE[:last] + hidden + PROGRESSIVE[last:]
        with pytest.raises(DataError, match="more than 100 scans"):
            read_picture(with_scans(content, 2000))


def test_what_stands_in_notes_and_behind_the_picture_is_no_scan():
    preview = b"\xff\xe2\xff\xff" + b"\xff\xda" * 32766 + b"\0"
    assert read_picture(PROGRESSIVE[:2] + preview + PROGRESSIVE[2:] + b"\xff\xda\0\2" * 2000).shape == (16, 16, 3)


def test_scans_of_a_later_view_are_counted_too():
    file = io.BytesIO()
    still = Image.fromarray(np.full((16, 16, 3), 90, np.uint8))
    still.save(file, "MPO", save_all=True, append_images=[still], progressive=True)
    assert read_picture(file.getvalue(), page=1).shape == (16, 16, 3)
    with pytest.raises(DataError, match="more than 100 scans"):
        read_picture(with_scans(file.getvalue(), 2000), page=1)


def test_pages_are_read_one_by_one():
    file = io.BytesIO()
    pages = [Image.new("L", (4 + number, 3), 60 * number) for number in range(3)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    for number in range(3):
        picture = read_picture(file.getvalue(), page=number)
        assert (picture.shape, picture.max()) == ((3, 4 + number, 3), 60 * number)
    for number in (3, -1):
        with pytest.raises(DataError, match=f"^the picture has no page {number}, counted from 0, or is damaged there"):
            read_picture(file.getvalue(), page=number)
    with pytest.raises(DataError, match=r"^the picture has no page 1, "):
        read_picture(encoded(pages[0]), page=1)


def test_a_path_may_be_text_and_what_is_none_is_told(tmp_path):
    Image.new("L", (4, 3), 60).save(tmp_path / "a.png")
    assert read_picture(str(tmp_path / "a.png")).shape == (3, 4, 3)
    with pytest.raises(DataError, match=r"^a\\x00 cannot be read \(embedded null byte\); correct the path"):
        read_picture("a\0")
    with pytest.raises(
        DataError, match=r"^https://\S*a\.b/c\.jpg is an address; give what it holds, as bytes$"
    ) as error:
        read_picture("https://me:secret@a.b/c.jpg")
    assert "secret" not in str(error.value)
    for nothing in (None, 3, "", np.zeros((4, 4, 3), np.uint8)):
        with pytest.raises(DataError, match="is no picture; give the path of a file, or its bytes"):
            read_picture(nothing)
    for page in ("1", 1.0, None):
        with pytest.raises(DataError, match=rf"^page is {page!r} but should be a whole number from 0; change it"):
            read_picture(encoded(Image.fromarray(RGB)), page)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_memory_is_accounted_for_before_it_is_taken(monkeypatch):
    """JPEG 2000 takes twice what a JPEG does: of a hundred million pixels one is read."""
    header = encoded(Image.new("RGB", (8, 8)), "JPEG2000")
    size = (8).to_bytes(4, "big") * 2
    grown = header.replace(size, (10_000).to_bytes(4, "big") * 2)
    assert grown.count((10_000).to_bytes(4, "big") * 2) >= 2
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(DataError, match="is JPEG2000 of 100 million pixels, which takes 2479 MB to read where 2048"):
        read_picture(grown)


@pytest.mark.parametrize("size", [(1_500_000, 2), (2, 1_500_000), (1025, 1100)])
@pytest.mark.parametrize("mode", ["RGB", "LA", "I;16", "F"])
def test_a_picture_is_converted_as_a_whole_would_be(size, mode):
    """In parts of a million pixels: of one row, of several, of several rows."""
    numbers = np.arange(size[0] * size[1]).reshape(size[::-1])
    image = {
        "RGB": lambda: Image.fromarray(np.stack([numbers % 251, numbers % 241, numbers % 239], -1).astype(np.uint8)),
        "LA": lambda: Image.fromarray(np.stack([numbers % 251, numbers % 241], -1).astype(np.uint8)),
        "I;16": lambda: Image.fromarray((numbers % 65_521).astype(np.uint16)),
        "F": lambda: Image.fromarray(np.clip(numbers, 10_000, 1_100_000).astype(np.float32)),
    }[mode]()
    white = Image.new("RGBA", size, "white")
    expected = {
        "RGB": lambda: np.asarray(image),
        "LA": lambda: np.asarray(Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")),
        "I;16": lambda: np.rint(np.asarray(image, float) / 257)[..., None],
        "F": lambda: np.rint((values := np.asarray(image, float) - 10_000) * 255 / values.max())[..., None],
    }[mode]()
    np.testing.assert_array_equal(rgb_of(image.copy()), np.broadcast_to(expected, (*size[::-1], 3)))


def test_what_is_no_picture_is_told_by_its_name():
    for content, what in [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC picture, which cannot be read here; convert it to JPEG"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "holds an MP4 or QuickTime video and is no picture"),
        (b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "is a TIFF, but damaged in its first part"),
    ]:
        with pytest.raises(DataError, match=f"the picture {what}"):
            read_picture(content)


def test_a_name_is_shown_as_text(tmp_path):
    path = tmp_path / "caf\udce9\n.jpg"
    path.write_bytes(b"hello")
    with pytest.raises(DataError) as error:
        read_picture(path)
    assert str(error.value).isprintable()
    assert "caf\\udce9\\n.jpg holds text" in str(error.value)


def test_a_pipe_and_a_device_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="is no file"):
            read_picture(path)

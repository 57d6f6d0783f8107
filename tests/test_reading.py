import io

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline import reading
from pipeline.errors import DataError
from pipeline.reading import read_picture

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "PPM", "WEBP"])
def test_a_lossless_picture_comes_back(form):
    np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(RGB), form, lossless=True)), RGB)


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


def test_fifty_million_pixels_are_read():
    content = encoded(Image.new("L", (8660, 5774), 7), "PNG", compress_level=1)
    assert read_picture(content).shape == (5774, 8660, 3)


def test_a_picture_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    content = encoded(Image.new("L", (100, 100)))
    monkeypatch.setattr(reading, "PIXEL_LIMIT", 9_999)
    monkeypatch.setattr(reading, "rgb_of", lambda _: pytest.fail("decoded"))
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

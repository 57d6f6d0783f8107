"""The pixels of any Pillow picture as upright RGB bytes, converted part by part so that no second copy is held."""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112
_UPRIGHT: dict[object, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda rgb: rgb[:, ::-1],
    3: lambda rgb: rgb[::-1, ::-1],
    4: lambda rgb: rgb[::-1],
    5: lambda rgb: rgb.swapaxes(0, 1),
    6: lambda rgb: rgb.swapaxes(0, 1)[:, ::-1],
    7: lambda rgb: rgb[::-1, ::-1].swapaxes(0, 1),
    8: lambda rgb: rgb.swapaxes(0, 1)[::-1],
}
"""EXIF orientation -> the rotation or mirroring that makes the picture upright."""
_PART_PIXELS = 2**20
_SAMPLED_PIXELS = 2**20
"""About how many of a picture's pixels tell the range of its values."""


def rgb_of(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB, upright, of a loaded picture, which is closed so that its memory is free."""
    upright = _upright(image)
    rgb = _converted(image)
    image.close()
    return np.ascontiguousarray(upright(rgb)) if upright else rgb


def _upright(image: Image.Image) -> Callable[[np.ndarray], np.ndarray] | None:
    """What rotates or mirrors the pixels upright by the EXIF orientation; None where nothing need be done."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION))
    except Exception:  # a damaged note beside a sound picture
        return None


def _converted(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB as stored, not yet upright."""
    parts = list(_parts(*image.size))
    deep = image.mode == "F" or image.mode.startswith("I")
    low, high = _range(image, parts) if deep else (0.0, 0.0)
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for left, top, right, bottom in parts:
        part = image.crop((left, top, right, bottom))
        rgb[top:bottom, left:right] = _scaled(part, low, high)[..., None] if deep else _flat(part)
    return rgb


def _parts(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """left, top, right, bottom of strips, or of parts of a row where one is too long."""
    across = min(width, _PART_PIXELS)
    rows = max(1, _PART_PIXELS // width)
    for top in range(0, height, rows):
        for left in range(0, width, across):
            yield left, top, min(left + across, width), min(top + rows, height)


def _flat(image: Image.Image) -> np.ndarray:
    """(h, w, 3) uint8 RGB of a part, on white where it is transparent."""
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"))
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))


def _range(image: Image.Image, parts: list[tuple[int, int, int, int]]) -> tuple[float, float]:
    """The values that become black and white.

    Of whole numbers of up to 16 bits 0, and the end of as many bits as the greatest takes: cameras fill 10 or 12. Of
    any others those that all but a thousandth lie between, at either end: a place without data, or a pixel that is
    stuck, must not leave one gray of all the others.
    """
    if image.mode.startswith("I;16") or image.format == "PPM":
        greatest = max(int(_numbers(image.crop(part)).max()) for part in parts)
        return 0.0, float(2 ** max(8, greatest.bit_length()) - 1)
    step = -(-image.width * image.height // _SAMPLED_PIXELS)
    sampled = np.concatenate([_numbers(image.crop(part)).ravel()[::step] for part in parts])
    return float(np.quantile(sampled, 0.001, method="lower")), float(np.quantile(sampled, 0.999, method="higher"))


def _numbers(image: Image.Image) -> np.ndarray:
    """(h, w) float64 values; those that are no numbers become finite."""
    return np.nan_to_num(np.asarray(image, np.float32)).astype(np.float64)


def _scaled(image: Image.Image, low: float, high: float) -> np.ndarray:
    """(h, w) uint8 gray of a part, `low` black and `high` white."""
    gray = np.rint((_numbers(image) - low) * (255 / max(high - low, 1e-9)))
    return np.asarray(np.clip(gray, 0, 255), np.uint8)

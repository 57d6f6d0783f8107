"""Pictures of any common kind as one thing: upright RGB, eight bits a channel."""

import io
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.errors import DataError

PIXEL_LIMIT = 150_000_000
"""More pixels are refused before they are decoded: a small file can unpack to more memory than there is."""
_BYTE_LIMIT = 2**30

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".jp2", ".avif")
)
"""Names by which a picture is known in a folder; the content decides how it is read."""

# Pillow knows more kinds, some of which start other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the picture upright."""


def read_picture(source: Path | bytes) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a file or its bytes, upright by its EXIF orientation.

    Transparent pictures stand on white, deeper ones are scaled to eight bits, of several frames the first is read.
    Raises DataError for what is missing, damaged, no picture or larger than PIXEL_LIMIT.
    """
    name = "the picture" if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else _content(source)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > PIXEL_LIMIT:
                raise Image.DecompressionBombError
            return np.array(_rgb(_upright(image)))
    except Image.DecompressionBombError:  # Pillow raises it too, from a higher limit
        raise DataError(
            f"{name} has more than {PIXEL_LIMIT // 1_000_000} million pixels, which may not fit into memory; shrink it"
        ) from None
    except UnidentifiedImageError:
        raise DataError(
            f"{name} is {'no picture of a known kind' if content else 'empty'}; give a JPEG, PNG, WebP, TIFF or BMP"
        ) from None
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        reason = str(error) or type(error).__name__
        raise DataError(f"{name} is damaged ({reason}); save or copy it anew") from None


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a device or pipe may never end
            raise DataError(f"{path} is no file; give a picture, or send it to standard input and give -")
        if status.st_size > _BYTE_LIMIT:
            raise DataError(f"{path} has {status.st_size >> 20} MB, too many for a picture; make it smaller")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); correct the path or its permissions") from None


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # a damaged note beside a sound picture
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _scaled(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _scaled(image: Image.Image) -> Image.Image:
    """8-bit gray of a deeper one: 16 bits by their range, others between their least and their greatest value."""
    deep = np.nan_to_num(np.asarray(image, np.float32))
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (float(deep.min()), float(deep.max()))
    return Image.fromarray(np.rint((deep - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))

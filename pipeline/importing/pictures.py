"""Pictures of labels: decoded, and which way their pixels are turned."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from pipeline.datasets.gathering import link_or_copy
from pipeline.datasets.object_frames import decode_upright
from pipeline.datasets.readers import MAX_FILE_BYTES

_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Picture:
    """A decoded picture."""

    pixels: np.ndarray
    """(H, W, 3) uint8 BGR as it is shown."""
    orientation: int
    """Of EXIF, 1 to 8; 1: shown as it is stored."""
    sha256: str

    def shown_from_stored(self, points: np.ndarray) -> np.ndarray:
        """(K, 2) points of the stored pixels as points of the picture as it is shown."""
        x, y = points.T
        shown_height, shown_width = self.pixels.shape[:2]
        right, bottom = shown_width - 1, shown_height - 1
        turned = {
            2: (right - x, y),
            3: (right - x, bottom - y),
            4: (x, bottom - y),
            5: (y, x),
            6: (right - y, x),
            7: (right - y, bottom - x),
            8: (y, bottom - x),
        }
        return np.stack(turned.get(self.orientation, (x, y)), -1)


def load_picture(content: bytes) -> Picture:
    """Decode a picture. Raises ValueError for what is none, or is too large for a dataset."""
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"its picture has {len(content) >> 20} MiB where {MAX_FILE_BYTES >> 20} are the most")
    pixels = decode_upright(content)
    if pixels is None:
        raise ValueError("its picture is empty, truncated, beyond all size or no picture")
    return Picture(pixels, _orientation(content), hashlib.sha256(content).hexdigest())


def _orientation(content: bytes) -> int:
    try:
        with Image.open(io.BytesIO(content)) as image:
            value = _told_orientation(image, content)
    except Exception:  # a damaged note beside a sound picture
        return 1
    if value != 1 and image.format == "AVIF":
        raise ValueError("its AVIF is turned by its orientation, which OpenCV does not follow; save it as PNG")
    return value if value in range(1, 9) else 1


def _told_orientation(image: Image.Image, content: bytes) -> int:
    """The orientation that OpenCV follows, too: of EXIF or TIFF, not of XMP or PNG's text as `getexif`."""
    if isinstance(image, TiffImageFile):
        return int(image.tag_v2.get(_ORIENTATION, 1))
    if "exif" not in image.info and b"eXIf" in content:
        image.load()  # Pillow meets a PNG's EXIF behind the pixels only then
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    return int(exif.get(_ORIENTATION, 1))


def place_picture(images: Path, pictures: Path, name: str, content: bytes | None) -> None:
    """Put a picture of the folder `images` among those of the dataset, by a hard link or else as a copy.

    content: the picture itself, where it is in no folder.
    """
    target = pictures / name
    if content is None:
        link_or_copy((images / name).resolve(), target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)

"""Pictures that labels name: found in a folder, decoded, and which way their pixels are turned."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from facial_keypoints.core.text import shown
from pipeline.datasets.gathering import link_or_copy
from pipeline.datasets.object_frames import decode_upright
from pipeline.datasets.readers import MAX_FILE_BYTES

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".JPG", ".JPEG", ".PNG")
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


class PictureFolder:
    """Finds the pictures that labels name in a folder."""

    def __init__(self, all_pictures: Path, folder: Path) -> None:
        """`folder` is `all_pictures` or a folder in that, from which pictures are named."""
        self._folder = folder
        below = folder.resolve().relative_to(all_pictures.resolve()).as_posix()
        self._before = "" if below == "." else f"{below}/"
        self._left_away: int | None = None

    def find(self, name: str) -> str:
        """Path below the folder of all pictures of the one that a label calls `name`, which may lack its ending.

        Labels may be from another machine: of the folders before the name as many are left away as it takes to find the
        first picture, and of all others then as many. Raises ValueError where there is none, or its name cannot stand
        in a manifest.
        """
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
        for first in range(len(parts)) if self._left_away is None else [self._left_away]:
            below = "/".join(parts[first:])
            if found := self._with_ending(below):
                self._left_away = first
                return _fit_for_manifest(self._before + found)
        raise ValueError(f"there is no picture {shown(name)} in {self._folder}")

    def _with_ending(self, name: str) -> str | None:
        """The name of the picture `name`, or of the only one that is called so but for its ending."""
        if (self._folder / name).is_file():
            return name
        found = [name + ending for ending in ENDINGS if (self._folder / (name + ending)).is_file()]
        if len(found) > 1:
            raise ValueError(f"{shown(name)} may be {found[0]} or {found[1]}; name the ending, or remove one")
        return found[0] if found else None


def _fit_for_manifest(name: str) -> str:
    if not name.isprintable() or "\\" in name or "::" in name or name != name.strip():
        raise ValueError(f"the picture's name {shown(name)} has characters that no list of files can hold; rename it")
    return name


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
            value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged note beside a sound picture
        return 1
    if value != 1 and image.format == "AVIF":
        raise ValueError("its AVIF is turned by its orientation, which OpenCV does not follow; save it as PNG")
    return value if value in range(1, 9) else 1


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

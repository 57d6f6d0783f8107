"""Pictures to be written, encoded as JPEG where that can hold them."""

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.outputs.output_folder import Target

_JPEG_LONGEST_PX = 65_000
_JPEG_QUALITY = 93


def write_picture(target: Target, rgb: np.ndarray, count: str = "") -> None:
    """Write (H, W, 3) uint8 RGB as the target's `count`.jpg, or .png where it is longer than JPEG allows.

    Raises DataError for a picture that neither can hold.
    """
    suffix, content = encoded_picture(rgb)
    with target.writing(f"{count}{suffix}") as partial:
        partial.write_bytes(content)


def encoded_picture(rgb: np.ndarray) -> tuple[str, bytes]:
    """ ".jpg" or, where JPEG is too short, ".png", and such a file of (H, W, 3) uint8 RGB. Raises DataError."""
    suffix = ".jpg" if max(rgb.shape) <= _JPEG_LONGEST_PX else ".png"
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == ".jpg" else []
    try:
        done, code = cv2.imencode(suffix, np.ascontiguousarray(rgb[..., ::-1]), options)
    except cv2.error:
        done = False
    if not done:
        raise DataError(
            f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels is more than a {suffix} file holds; make it smaller"
        )
    return suffix, code.tobytes()

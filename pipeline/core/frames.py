"""Frames as they lie in the raw data."""

from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError


def read_gray(path: Path) -> np.ndarray:
    """(H, W) uint8 luma of a picture of any depth, palette or channel count; alpha is ignored, EXIF turns are not."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); fetch it again with: dvc repro -fs fetch") from None
    image = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if content.size else None
    if image is None:
        raise DataError(f"{path} is empty, truncated or no image; fetch it again with: dvc repro -fs fetch")
    return np.asarray(image, np.uint8)

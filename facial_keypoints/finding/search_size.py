"""The size at which pictures are searched for faces."""

import cv2
import numpy as np

LONGEST_PX = 1920
"""Longer side of a picture that is searched: in it a face of 24 pixels is still found."""


def resized(image: np.ndarray, longest_px: int) -> tuple[np.ndarray, float]:
    """An (H, W, ...) uint8 picture whose longer side is as given, and the factor by which it was scaled."""
    scale = longest_px / max(image.shape[:2])
    if scale == 1:
        return image, scale
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8), scale


def reduced(image: np.ndarray, longest_px: int) -> tuple[np.ndarray, float]:
    """As `resized` for a picture that is longer; another one stays as it is."""
    return resized(image, min(longest_px, max(image.shape[:2])))

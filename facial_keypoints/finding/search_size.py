"""The size at which pictures are searched for faces."""

import cv2
import numpy as np

LONGEST_PX = 1920
"""Longer side of a picture that is searched: in it a face of 24 pixels is still found."""


def reduced(image: np.ndarray, longest_px: int) -> tuple[np.ndarray, float]:
    """An (H, W, ...) uint8 picture whose longer side is at most `longest_px`, and the factor by which it was scaled."""
    scale = min(1.0, longest_px / max(image.shape[:2]))
    if scale == 1:
        return image, scale
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale

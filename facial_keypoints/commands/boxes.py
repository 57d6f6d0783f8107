"""Boxes round faces as the command line gives them."""

import re
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import shortened

_FARTHEST_PX = 1e9


def parse_boxes(texts: Sequence[str]) -> np.ndarray:
    """(K, 4) float64 x, y, width, height in pixels of texts such as "10,20,80,90". Raises DataError."""
    return np.array([_box(text) for text in texts], np.float64).reshape(-1, 4)


def _box(text: str) -> list[float]:
    if re.fullmatch(r"[0-9.eE+\-, ]*", text):  # float() also takes 1_0, nan and the digits of every script
        with suppress(ValueError):
            x, y, width, height = (float(part) for part in text.split(","))
            if min(width, height) >= 1 and max(abs(x), abs(y), width, height) <= _FARTHEST_PX:
                return [x, y, width, height]
    raise DataError(
        f"--box {shortened(text, 60)} should read x,y,width,height in pixels, both sides 1 or more, e.g. 10,20,80,90"
    )

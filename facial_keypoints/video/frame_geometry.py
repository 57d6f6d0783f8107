"""Show a stored frame the right way up, with square pixels, at one size throughout a video."""

from fractions import Fraction

import cv2
import numpy as np

from facial_keypoints.inputs.pictures import PIXEL_LIMIT

_ASPECT_LIMIT = 10
"""Longest side of a pixel over its other side; more is taken for a mistake of the file."""

Matrix = tuple[int, ...]
"""Nine numbers a b u, c d v, x y w, by rows: a point goes from (p, q) to (a p + c q + x, b p + d q + y); see
https://developer.apple.com/documentation/quicktime-file-format/movie_header_atom and FFmpeg's libavutil/display.h."""


def natural_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height in square pixels of a frame whose pixels are `aspect` times as wide as high; no side shrinks.

    They stay as they are where that would make more than PIXEL_LIMIT pixels.
    """
    if not aspect or not Fraction(1, _ASPECT_LIMIT) <= aspect <= _ASPECT_LIMIT:
        return width, height
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return size if size[0] * size[1] <= PIXEL_LIMIT else (width, height)


def upright(image: np.ndarray, matrix: Matrix) -> np.ndarray:
    """The (H, W, 3) image rotated and mirrored as the matrix says, to the nearest right angle."""
    a, b, _, c, d = matrix[:5]
    if not (a or b or c or d):
        return image
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = cv2.transpose(image), c, b
    flips = (a < 0, d < 0)
    codes = {(True, False): 1, (False, True): 0, (True, True): -1}
    return np.asarray(cv2.flip(image, codes[flips]) if flips in codes else image)


def fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The (H, W, 3) image scaled to fit into `size`, (width, height) in pixels, centred on black."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = small
    return canvas

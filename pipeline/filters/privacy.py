"""Faces that nobody should recognize: a few mean colours are kept of each and nothing else."""

import cv2
import numpy as np

from pipeline.filters.art import softened
from pipeline.filters.outline import cover, face_size

CELLS = 7
"""Means across the face. Four times as many still let people and programs recognize it."""
_FOREHEAD = 1.25
"""Beyond an average hairline, since people differ."""
_GROW = 0.06
"""Round the outline, in face sizes: points can be off."""


def pixelate(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Cover the face with squares of one colour each."""
    grid = _Cells(image, keypoints)
    squares = cv2.resize(grid.means(image), grid.covered_size, interpolation=cv2.INTER_NEAREST)
    touched = cv2.resize(grid.mask, grid.count, interpolation=cv2.INTER_AREA) > 0
    mask = cv2.resize(touched.astype(np.float32), grid.covered_size, interpolation=cv2.INTER_NEAREST)
    return grid.mixed(image, squares, mask)


def blur(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Cover the face with a smooth blend of the same colours, fading out round it."""
    grid = _Cells(image, keypoints)
    smooth = cv2.resize(grid.means(image), grid.covered_size, interpolation=cv2.INTER_LINEAR)
    smooth = softened(smooth, 0.4 * grid.cell_px)
    return grid.mixed(image, smooth, np.clip(3 * grid.faded(0.35 * grid.cell_px), 0, 1))


class _Cells:
    """A grid of squares over a face, also where it reaches beyond the picture."""

    def __init__(self, image: np.ndarray, keypoints: np.ndarray) -> None:
        points = np.asarray(keypoints, np.float64)
        size = max(face_size(points), 1.0)
        # A face may be far larger than what is seen of it, where three means across are few enough.
        self.cell_px = max(2, round(min(size / CELLS, min(image.shape[:2]) / 3)))
        # Two cells of room, for the fading and for squares that the outline only touches.
        low = points.min(0) - (_FOREHEAD + 0.2) * size
        high = points.max(0) + (_FOREHEAD + 0.2) * size
        inside_low, inside_high = -2 * self.cell_px, np.array(image.shape[1::-1]) + 2 * self.cell_px
        self.left, self.top = np.floor(np.clip(low, inside_low, inside_high)).astype(int).tolist()
        cells = np.ceil((np.clip(high, inside_low, inside_high) - (self.left, self.top)) / self.cell_px)
        self.count = (max(1, int(cells[0])), max(1, int(cells[1])))
        self.covered_size = (self.count[0] * self.cell_px, self.count[1] * self.cell_px)
        self.mask = cover(points - (self.left, self.top), _FOREHEAD, self.covered_size[::-1], _GROW * size)

    def means(self, image: np.ndarray) -> np.ndarray:
        """(rows, columns, 3) float32 mean colours of the cells; beyond the picture its border is mirrored."""
        height, width = image.shape[:2]
        columns = _mirrored(np.arange(self.left, self.left + self.covered_size[0]), width)
        rows = _mirrored(np.arange(self.top, self.top + self.covered_size[1]), height)
        part = cv2.resize(image[rows[:, None], columns], self.count, interpolation=cv2.INTER_AREA)
        return np.asarray(part, np.float32)

    def faded(self, reach_px: float) -> np.ndarray:
        return softened(self.mask, reach_px)

    def mixed(self, image: np.ndarray, covering: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """A copy of the image with (h, w, 3) colours laid over it by an (h, w) mask 0..1."""
        result = image.copy()
        top, left = max(self.top, 0), max(self.left, 0)
        bottom = min(self.top + self.covered_size[1], image.shape[0])
        right = min(self.left + self.covered_size[0], image.shape[1])
        if top < bottom and left < right:
            here = (slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left))
            below = image[top:bottom, left:right].astype(np.float32)
            shown = below + (covering[here] - below) * mask[here][..., None]
            result[top:bottom, left:right] = np.rint(shown.clip(0, 255))
        return result


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Indices beyond 0..length - 1 brought inside as by mirrors at the border."""
    folded = np.mod(index, 2 * length)
    return np.asarray(np.where(folded < length, folded, 2 * length - 1 - folded))

"""Hide faces: of each only a few mean colours are kept, so that neither people nor programs recognize it."""

import cv2
import numpy as np

from facial_keypoints.filters.art import softened
from facial_keypoints.filters.outline import cover, face_size

CELLS = 7
"""Means across the face. With four times as many, people and programs still recognize it."""
_FOREHEAD = 1.25
"""How far a face is hidden from the brows to an average hairline; above 1 since hairlines differ."""
_GROW = 0.06
"""Room that is hidden round the outline, in face sizes, since points can be off."""
_MOST_CELL_PX = 64
"""Larger cells are computed with this side and enlarged when they are laid over the picture, part by part."""
_PART_PX = 1024
"""Side of those parts."""


def pixelate(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with the face of (68, 2) keypoints under squares of one colour each."""
    grid = _Cells(image, keypoints)
    squares = cv2.resize(grid.means(image), grid.size, interpolation=cv2.INTER_NEAREST)
    touched = cv2.resize(grid.mask, grid.count, interpolation=cv2.INTER_AREA) > 0
    mask = cv2.resize(touched.astype(np.float32), grid.size, interpolation=cv2.INTER_NEAREST)
    return grid.mixed(image, squares, mask, cv2.INTER_NEAREST)


def blur(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """As `pixelate` with a smooth blend of the same colours, which fades out round the face."""
    grid = _Cells(image, keypoints)
    smooth = cv2.resize(grid.means(image), grid.size, interpolation=cv2.INTER_LINEAR)
    smooth = softened(smooth, 0.4 * grid.drawn_px)
    mask = np.clip(3 * softened(grid.mask, 0.35 * grid.drawn_px), 0, 1)
    return grid.mixed(image, smooth, mask, cv2.INTER_LINEAR)


class _Cells:
    """A grid of squares over a face, also where that reaches beyond the picture.

    Large squares are computed at a smaller side, so that a face takes little memory, however large it is.
    """

    def __init__(self, image: np.ndarray, keypoints: np.ndarray) -> None:
        points = np.asarray(keypoints, np.float64)
        size = max(face_size(points), 1.0)
        # Of a face far larger than the picture only a part is seen: there three means across the picture suffice.
        self.cell_px = max(2, round(min(size / CELLS, min(image.shape[:2]) / 3)))
        self.drawn_px = min(self.cell_px, _MOST_CELL_PX)
        # Two cells of room, for the fading and for squares that the outline just touches.
        low = points.min(0) - (_FOREHEAD + 0.2) * size
        high = points.max(0) + (_FOREHEAD + 0.2) * size
        inside_low, inside_high = -2 * self.cell_px, np.array(image.shape[1::-1]) + 2 * self.cell_px
        self.left, self.top = np.floor(np.clip(low, inside_low, inside_high)).astype(int).tolist()
        cells = np.ceil((np.clip(high, inside_low, inside_high) - (self.left, self.top)) / self.cell_px)
        self.count = (max(1, int(cells[0])), max(1, int(cells[1])))
        self.size = (self.count[0] * self.drawn_px, self.count[1] * self.drawn_px)
        self._scale = self.drawn_px / self.cell_px
        drawn = (points - (self.left, self.top) + 0.5) * self._scale - 0.5
        self.mask = cover(drawn, _FOREHEAD, self.size[::-1], _GROW * size * self._scale)

    def means(self, image: np.ndarray) -> np.ndarray:
        """(rows, columns, 3) float32 mean colours of the cells; beyond its border the picture is mirrored."""
        height, width = image.shape[:2]
        columns = _mirrored(np.arange(self.left, self.left + self.count[0] * self.cell_px), width)
        tops = range(self.top, self.top + self.count[1] * self.cell_px, self.cell_px)
        rows = (_mirrored(np.arange(top, top + self.cell_px), height) for top in tops)
        parts = (image[row[:, None], columns] for row in rows)
        means = [cv2.resize(part, (self.count[0], 1), interpolation=cv2.INTER_AREA) for part in parts]
        return np.concatenate(means).astype(np.float32)

    def mixed(self, image: np.ndarray, covering: np.ndarray, mask: np.ndarray, enlarging: int) -> np.ndarray:
        """A copy of the image with (h, w, 3) colours of the computed grid laid over it by an (h, w) mask 0..1."""
        result = image.copy()
        bottom = min(self.top + self.count[1] * self.cell_px, image.shape[0])
        right = min(self.left + self.count[0] * self.cell_px, image.shape[1])
        for top in range(max(self.top, 0), bottom, _PART_PX):
            for left in range(max(self.left, 0), right, _PART_PX):
                part = result[top : min(top + _PART_PX, bottom), left : min(left + _PART_PX, right)]
                places = self._drawn_places(left, top, part.shape)
                over, share = (
                    cv2.remap(drawn, *places, enlarging, borderMode=cv2.BORDER_REPLICATE) for drawn in (covering, mask)
                )
                part[:] = np.rint((part + (over - part) * share[..., None]).clip(0, 255))
        return result

    def _drawn_places(self, left: int, top: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """(h, w) float32 x and y in the computed grid of the pixels of a part of the picture."""
        x = (np.arange(left, left + shape[1]) - self.left + 0.5) * self._scale - 0.5
        y = (np.arange(top, top + shape[0]) - self.top + 0.5) * self._scale - 0.5
        across, down = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        return across, down


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Indices with those beyond 0..length - 1 mirrored at the border."""
    folded = np.mod(index, 2 * length)
    return np.asarray(np.where(folded < length, folded, 2 * length - 1 - folded))

"""A sheet on which a person sees whether labels sit where they should: objects, and some of their points at 4x."""

from collections.abc import Iterable

import cv2
import numpy as np

from facial_keypoints.core.scheme import Scheme
from pipeline.core.labels import SEEN, UNLABELLED
from pipeline.datasets.label_table import Sample
from pipeline.datasets.object_frames import cut_frame

ZOOM = 4
_PATCH_PX = 40
"""Side of what is shown around a point, in pixels of the picture."""
_PATCHES = 9
_TILE = 3 * ZOOM * _PATCH_PX
_COLUMNS = 2
_SEEN, _HIDDEN, _LINE = (80, 255, 80), (60, 160, 255), (255, 200, 80)
_TITLE_PX = 24


def contact_sheet(samples: Iterable[tuple[Sample, np.ndarray]], scheme: Scheme) -> np.ndarray:
    """(H, W, 3) uint8 BGR: each sample with its (H, W, 3) picture as a whole, and nine of its points at 4x.

    Points that are seen are green, hidden ones orange; a cross marks the place to a part of a pixel.
    """
    tiles = [_tile(sample, picture, scheme) for sample, picture in samples]
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[row : row + columns], 1) for row in range(0, len(tiles), columns)])


def _tile(sample: Sample, picture: np.ndarray, scheme: Scheme) -> np.ndarray:
    title = np.zeros((_TITLE_PX, 2 * _TILE, 3), np.uint8)
    text = sample.picture.encode("ascii", "replace").decode()[-90:]
    _write(title, text, (4, 17), 0.5)
    both = np.concatenate([_whole(sample, picture, scheme), _patches(sample, picture)], 1)
    tile = np.concatenate([title, both])
    return cv2.copyMakeBorder(tile, 0, 6, 0, 6, cv2.BORDER_CONSTANT)


def _whole(sample: Sample, picture: np.ndarray, scheme: Scheme) -> np.ndarray:
    """The box round the labelled points and some space, with lines, points and their numbers."""
    labelled = sample.points[sample.visibility != UNLABELLED]
    low, size = labelled.min(0), np.ptp(labelled, axis=0)
    side = max(8, int(1.3 * size.max()) + 4)
    left, top = (int(value) for value in np.floor(low + size / 2 - side / 2))
    scale = _TILE / side
    shown = cv2.resize(cut_frame(picture, (left, top, side)), (_TILE, _TILE), interpolation=cv2.INTER_AREA)
    points = (sample.points - (left, top) + 0.5) * scale - 0.5
    for line in scheme.contours:
        for one, other in zip(line.path, line.path[1:], strict=False):
            if sample.visibility[one] and sample.visibility[other]:
                cv2.line(shown, _place(points[one]), _place(points[other]), _LINE, 1, cv2.LINE_AA)
    for number, (point, flag) in enumerate(zip(points, sample.visibility, strict=True)):
        if flag:
            cv2.circle(shown, _place(point), 3, _colour(flag), -1, cv2.LINE_AA)
            x, y = _place(point)
            _write(shown, str(number), (x + 4, y - 3), 0.33)
    return shown


def _patches(sample: Sample, picture: np.ndarray) -> np.ndarray:
    """Nine labelled points, evenly chosen, each with the pixels around it, enlarged as squares."""
    labelled = np.flatnonzero(sample.visibility)
    chosen = labelled[np.unique(np.linspace(0, len(labelled) - 1, _PATCHES).round().astype(int))]
    shown = np.zeros((_TILE, _TILE, 3), np.uint8)
    side = ZOOM * _PATCH_PX
    for place, number in enumerate(chosen):
        row, column = divmod(place, 3)
        shown[row * side : (row + 1) * side, column * side : (column + 1) * side] = _patch(sample, picture, int(number))
    return shown


def _patch(sample: Sample, picture: np.ndarray, number: int) -> np.ndarray:
    point = sample.points[number]
    left, top = (int(value) for value in np.floor(point) - _PATCH_PX // 2)
    pixels = cut_frame(picture, (left, top, _PATCH_PX))
    patch = np.ascontiguousarray(np.kron(pixels, np.ones((ZOOM, ZOOM, 1), np.uint8)))
    x, y = _place((point - (left, top) + 0.5) * ZOOM - 0.5)
    for (x1, y1), (x2, y2) in (((-9, 0), (-3, 0)), ((3, 0), (9, 0)), ((0, -9), (0, -3)), ((0, 3), (0, 9))):
        cv2.line(patch, (x + x1, y + y1), (x + x2, y + y2), _colour(sample.visibility[number]), 1)
    _write(patch, str(number), (3, 12), 0.4)
    cv2.rectangle(patch, (0, 0), (ZOOM * _PATCH_PX - 1, ZOOM * _PATCH_PX - 1), (60, 60, 60), 1)
    return patch


def _write(picture: np.ndarray, text: str, place: tuple[int, int], size: float) -> None:
    """White letters with a dark rim, to be read on anything."""
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, width, cv2.LINE_AA)


def _place(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _colour(flag: int) -> tuple[int, int, int]:
    return _SEEN if flag == SEEN else _HIDDEN

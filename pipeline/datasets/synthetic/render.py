"""Rendering parts to a picture: visibility, light and anti-aliasing."""

import cv2
import numpy as np

from pipeline.datasets.synthetic.camera import Camera
from pipeline.datasets.synthetic.light import Light, Points, lit_share, shade, shadow_map
from pipeline.datasets.synthetic.part import Part
from pipeline.datasets.synthetic.splat import EMPTY, visible

SAMPLES = 2
"""Samples along each side of a pixel, averaged against jagged edges."""
_PENUMBRA_MM = 3.0
_SHADOWS_EVERY = 4
"""Only one point in so many casts a shadow: points lie closer together than the cells of the shadow map."""


def render(parts: list[Part], camera: Camera, light: Light, size: tuple[int, int]) -> np.ndarray:
    """Render parts, in camera millimetres, to a picture of `size` = (H, W).

    Returns (H, W, 4) float32: linear light times coverage, and coverage.
    """
    cells = np.concatenate(
        [np.flatnonzero(part.exists) + start for part, start in zip(parts, _starts(parts), strict=True)]
    )
    places = np.concatenate([part.surface.reshape(-1, 3) for part in parts])[cells]
    height, width = size[0] * SAMPLES, size[1] * SAMPLES
    index = visible(camera.enlarged(SAMPLES).project(places), places[:, 2], (height, width)).ravel()
    shown = np.flatnonzero(index != EMPTY)
    seen = index[shown]
    lit = np.ones(height * width, np.float32)
    lit[shown] = lit_share(places[seen], shadow_map(places[::_SHADOWS_EVERY], light))
    lit = _softened(lit.reshape(height, width), _PENUMBRA_MM * camera.px_per_mm * SAMPLES).ravel()
    picture = np.zeros((height * width, 4), np.float32)
    picture[shown, :3] = shade(_gather(parts, cells[seen]), light, lit[shown])
    picture[shown, 3] = 1
    return np.asarray(cv2.resize(picture.reshape(height, width, 4), (size[1], size[0]), interpolation=cv2.INTER_AREA))


def _starts(parts: list[Part]) -> list[int]:
    """Return the index of the first cell of each part, where the cells of all parts are counted one after another."""
    sizes = [part.exists.size for part in parts]
    return [0, *np.cumsum(sizes[:-1]).tolist()]


def _softened(values: np.ndarray, reach_px: float) -> np.ndarray:
    edge = 2 * round(reach_px / 2) + 1
    return np.asarray(cv2.blur(cv2.blur(values, (edge, edge)), (edge, edge)))


def _gather(parts: list[Part], cells: np.ndarray) -> Points:
    """Return the properties of the cells with the (N,) indices `cells`, counted as by `_starts`."""
    rows = np.concatenate([_rows(part) for part in parts]).take(cells, 0)
    return Points(
        normal=np.ascontiguousarray(rows[:, :3]), albedo=rows[:, 3:6], gloss=rows[:, 6].copy(), soft=rows[:, 7].copy()
    )


def _rows(part: Part) -> np.ndarray:
    """Return normal, albedo, gloss and softness of all cells, (cells, 8) float32, so that one look-up brings all."""
    rows = np.empty((part.exists.size, 8), np.float32)
    rows[:, :3] = part.normals.reshape(-1, 3)
    rows[:, 3:6] = part.paint.albedo.reshape(-1, 3)
    rows[:, 6] = part.paint.gloss.ravel()
    rows[:, 7] = part.paint.soft
    return rows

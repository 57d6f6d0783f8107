"""From parts to a picture: what is seen, what is lit, and smooth edges."""

import cv2
import numpy as np

from pipeline.synthetic.camera import Camera
from pipeline.synthetic.light import Light, Points, lit_share, shade, shadow_map
from pipeline.synthetic.part import Part
from pipeline.synthetic.splat import EMPTY, visible

SAMPLES = 2
"""Pixels drawn along each side of a pixel of the picture."""
_PENUMBRA_MM = 3.0
_SHADOWS_EVERY = 4
"""One point in so many casts a shadow; they lie closer than the shadow map's cells."""


def render(parts: list[Part], camera: Camera, light: Light, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 4) float32, linear light times coverage and coverage, of parts in camera millimetres; size is (H, W)."""
    cells = np.flatnonzero(np.concatenate([part.exists.ravel() for part in parts]))
    places = np.concatenate([part.surface[part.exists] for part in parts])
    height, width = size[0] * SAMPLES, size[1] * SAMPLES
    index = visible(camera.enlarged(SAMPLES).project(places), places[:, 2], (height, width))
    shown = index != EMPTY
    lit = np.ones((height, width), np.float32)
    lit[shown] = lit_share(places[index[shown]], shadow_map(places[::_SHADOWS_EVERY], light))
    lit = _softened(lit, _PENUMBRA_MM * camera.px_per_mm * SAMPLES)
    picture = np.zeros((height, width, 4), np.float32)
    picture[shown, :3] = shade(_gather(parts, cells[index[shown]]), light, lit[shown][:, None])
    picture[shown, 3] = 1
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA))


def _softened(values: np.ndarray, reach_px: float) -> np.ndarray:
    edge = 2 * round(reach_px / 2) + 1
    return np.asarray(cv2.blur(cv2.blur(values, (edge, edge)), (edge, edge)))


def _gather(parts: list[Part], cells: np.ndarray) -> Points:
    """What is known of (N,) cells, counted through all parts one after another."""
    return Points(
        position=np.concatenate([part.surface.reshape(-1, 3) for part in parts])[cells],
        normal=np.concatenate([part.normals.reshape(-1, 3) for part in parts])[cells],
        albedo=np.concatenate([part.paint.albedo.reshape(-1, 3) for part in parts])[cells],
        gloss=np.concatenate([part.paint.gloss.reshape(-1, 1) for part in parts])[cells],
        soft=np.concatenate([np.full((part.exists.size, 1), part.paint.soft, np.float32) for part in parts])[cells],
    )

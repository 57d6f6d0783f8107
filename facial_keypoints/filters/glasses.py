"""Sunglasses: a curved front of glossy acetate with shaded lenses, and two arms that run behind the ears."""

from functools import cache

import numpy as np

from facial_keypoints.filters import art
from facial_keypoints.filters.head import Head, fit_head
from facial_keypoints.filters.light import light_of
from facial_keypoints.filters.surfaces import Shadow, Sheet, lay_over

_PX_PER_MM = 12
_HALF_MM = (75.0, 29.0)
"""Half width and height of the front."""
_LENS_MM = (27.0, 20.5)
"""Half width and height of a lens."""
_LENS_X_MM = 35.0
"""From the middle of the front to that of a lens."""
_BEND_PER_MM = 0.0036
"""How far the front recedes over the square of the distance from its middle."""
_ARM_PX = (96, 1200)
"""Height and length of the picture of an arm."""
_BLACK = (0.035, 0.03, 0.035)
_SHADOW = Shadow(drop_mm=4, blur_mm=3, strength=0.4)


def sunglasses(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with sunglasses on the face of (68, 2) keypoints. Raises DataError."""
    head = fit_head(keypoints)
    bridge, front = _front(head)
    arms = [_arm(head, bridge, side) for side in (-1, 1)]
    return lay_over(image, head, [*arms, Sheet(front, front_picture())], _SHADOW, light_of(image, head))


def _front(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """(3,) place of the bridge and (8, 40, 3) grid of the front, head millimetres."""
    points = head.points
    eyes = points[[36, 39, 42, 45]]
    scale = np.linalg.norm(eyes[3] - eyes[0]) / 90
    bridge = np.array([0, eyes[:, 1].mean() + 3.5, points[27, 2] + 5])
    x, y = np.meshgrid(np.linspace(-1, 1, 40) * _HALF_MM[0], np.linspace(-1, 1, 8) * _HALF_MM[1])
    # Lenses lean towards the cheeks by a few degrees.
    grid = np.stack([x, y, -_BEND_PER_MM * x**2 - 0.1 * y], -1) * scale
    return bridge, bridge + grid


def _arm(head: Head, bridge: np.ndarray, side: int) -> Sheet:
    """The arm of a side (-1 the subject's right, 1 the left), from the hinge to above the ear.

    It fades out at its end, over which hair may lie.
    """
    points = head.points
    scale = np.linalg.norm(points[45] - points[36]) / 90
    hinge = bridge + scale * np.array([side * 69.0, -15.0, -_BEND_PER_MM * 69**2])
    ear = np.array([side * (np.abs(points[[0, 16], 0]).mean() + 4), points[[0, 16], 1].mean() - 8, -4])
    share = np.linspace(0, 1, 16)[:, None]
    line = hinge + (ear - hinge) * share + np.array([side * 3.0, 0, 0]) * np.sin(np.pi * share)
    half = (4.2 - 1.2 * share) * scale * np.array([0, 1, 0])
    return Sheet(np.stack([line - half, line + half]), arm_picture())


@cache
def front_picture() -> np.ndarray:
    """(696, 1800, 4) float32 overlay (see `art.layer`) of the front."""
    size = (round(2 * _HALF_MM[1] * _PX_PER_MM), round(2 * _HALF_MM[0] * _PX_PER_MM))
    lenses = art.filled([_in_px(_lens(side)) for side in (-1, 1)], size)
    body = art.filled([_in_px(_rim(side)) for side in (-1, 1)] + [_in_px(_bridge())], size)
    body = art.rounded(body, 2.6 * _PX_PER_MM) * (1 - lenses)
    normals = art.bevelled(body, 2.2 * _PX_PER_MM)
    frame = art.layer(art.glossy(normals, _BLACK, gloss=0.55, sharpness=26), body)
    for side in (-1, 1):
        frame = art.over(_rivet(side, size), frame)
    return art.over(frame, _glass(lenses))


def _in_px(outline_mm: np.ndarray) -> np.ndarray:
    """(K, 2) millimetres from the middle of the front -> (K, 2) px of its picture."""
    return np.asarray((outline_mm + np.array(_HALF_MM)) * _PX_PER_MM - 0.5)


def _lens(side: int) -> np.ndarray:
    """(240, 2) millimetres: outline of a lens, a rounded square, wider above and raised at the temple."""
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    x, y = (np.sign(f) * np.abs(f) ** 0.66 for f in (np.cos(angle), np.sin(angle)))
    x, y = x * (1 - 0.1 * y), y - 0.07 * x * (1 - 0.5 * y)
    return np.stack([side * (_LENS_X_MM + _LENS_MM[0] * x), _LENS_MM[1] * y + 1.5], -1)


def _rim(side: int) -> np.ndarray:
    """(240, 2) millimetres: outer outline of the rim of a lens, thicker above, with a wing to the hinge."""
    lens = _lens(side)
    centre = np.array([side * _LENS_X_MM, 1.5])
    away = lens - centre
    direction = away / np.linalg.norm(away, axis=1, keepdims=True)
    up, out = np.clip(-direction[:, 1], 0, 1), np.clip(side * direction[:, 0], 0, 1)
    wing = 5.5 * np.exp(-(((direction[:, 1] + 0.52) / 0.2) ** 2)) * out
    return np.asarray(lens + direction * (3.0 + 2.6 * up + wing)[:, None])


def _bridge() -> np.ndarray:
    """(40, 2) millimetres: outline of the arch between the rims."""
    x = np.linspace(-12, 12, 20)
    top, bottom = -9.5 + 0.012 * x**2, -2.5 + 0.03 * x**2
    return np.concatenate([np.stack([x, top], -1), np.stack([x, bottom], -1)[::-1]])


def _rivet(side: int, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 4) overlay with two small metal studs at the hinge; `size` is (H, W)."""
    angle = np.linspace(0, 2 * np.pi, 40)
    studs = [
        _in_px(np.array([side * 66.0, -16.0 + rise]) + np.stack([2.0 * np.cos(angle), 0.9 * np.sin(angle)], -1))
        for rise in (-1.4, 1.4)
    ]
    mask = art.filled(studs, size)
    return art.layer(art.glossy(art.bevelled(mask, 0.9 * _PX_PER_MM), (0.62, 0.6, 0.58), 0.5, 12), mask)


def _glass(lenses: np.ndarray) -> np.ndarray:
    """(H, W, 4) overlay of the glass in an (H, W) mask: smoky, lighter below, reflecting the sky and a streak."""
    height, width = lenses.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x_mm, y_mm = x / _PX_PER_MM - _HALF_MM[0], y / _PX_PER_MM - _HALF_MM[1]
    down = np.clip((y_mm + 18) / 40, 0, 1)[..., None]
    colour = (1 - down) * np.array([0.03, 0.03, 0.04]) + down * np.array([0.24, 0.17, 0.12])
    across = (np.abs(x_mm) - _LENS_X_MM) * np.sign(x_mm) + 0.75 * y_mm
    streaks = 0.20 * _band(across, -9, 5.5) + 0.10 * _band(across, 3.5, 1.8)
    sky = 0.16 * np.clip(-(y_mm + 5) / 16, 0, 1) ** 2
    light = (streaks * (1 - 0.6 * down[..., 0]) + sky)[..., None] * np.array([0.85, 0.93, 1.0])
    rim = np.exp(-art.inside_px(lenses) / (1.2 * _PX_PER_MM))[..., None]
    opacity = lenses * (0.95 - 0.2 * down[..., 0])
    return art.layer((colour + light) * (1 - 0.6 * rim), opacity)


def _band(values: np.ndarray, centre: float, half: float) -> np.ndarray:
    """1 where values lie within `half` of the centre, falling off softly over a millimetre and a half."""
    return np.asarray(0.5 - 0.5 * np.tanh(np.abs(values - centre) - half))


@cache
def arm_picture() -> np.ndarray:
    """(96, 1200, 4) float32 overlay of an arm: a rounded bar with a highlight that fades out at the far end."""
    height, width = _ARM_PX
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None]
    shine = 0.35 * np.exp(-(((y + 0.45) / 0.16) ** 2)) + 0.06 * np.exp(-(((y - 0.5) / 0.3) ** 2))
    colour = np.array(_BLACK) + np.broadcast_to(shine, (height, width))[..., None]
    ends = np.clip((1 - x) / 0.3, 0, 1)
    edge = np.clip((1 - np.abs(y)) * height / 8, 0, 1)
    return art.layer(colour, (ends * ends * (3 - 2 * ends) * edge).astype(np.float32))

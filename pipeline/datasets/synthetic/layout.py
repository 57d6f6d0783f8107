"""Where on the skin the features lie, as maps over its coordinates (u, v).

The maps hold for every face: shape and expression move the skin, and its features with it.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from facial_keypoints.mean_face.surface import grid_pixels, grid_units, point_units, template, units_of

FRONT_MM = 200.0
"""Millimetres of skin along a side of the grid, if all of it were as dense as the middle of the face."""


@dataclass(frozen=True)
class Layout:
    """Maps of (side, side) float32, 0..1 unless said otherwise."""

    side: int
    eyes: np.ndarray
    """Opening between the lids."""
    mouth: np.ndarray
    """Opening between the lips."""
    lips: np.ndarray
    lip_line: np.ndarray
    """Line along which upper and lower lip meet."""
    lash_upper: np.ndarray
    lash_lower: np.ndarray
    crease: np.ndarray
    brow_along: np.ndarray
    """Position along a brow: 0 at its inner end, 1 at its outer one, below 0 and above 1 beyond them."""
    brow_across: np.ndarray
    """Distance to the line of the brow in millimetres, positive above it."""
    nostrils: np.ndarray
    folds: np.ndarray
    """Lines from nose to mouth corners."""
    beard: np.ndarray
    moustache: np.ndarray
    blush: np.ndarray
    sockets: np.ndarray
    place: np.ndarray
    """(side, side, 3) position on the mean head without expression, in head millimetres."""


def px(side: int, mm: float) -> float:
    return mm * side / FRONT_MM


def smooth_line(points: np.ndarray, closed: bool, steps: int = 8) -> np.ndarray:
    """Return a Catmull-Rom curve through (K, 2) points, (K * steps, 2)."""
    if closed:
        before, after, far = (np.roll(points, shift, 0) for shift in (1, -1, -2))
        start = points
    else:
        padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
        before, start, after, far = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(steps) / steps)[:, None, None]
    curve = start + t / 2 * (
        after - before + t * (2 * before - 5 * start + 4 * after - far + t * (3 * (start - after) + far - before))
    )
    curve = curve.swapaxes(0, 1).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def _fill(side: int, outline: np.ndarray) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _stroke(side: int, line: np.ndarray, width_mm: float, soft_mm: float) -> np.ndarray:
    """Draw a blurred line, (side, side) 0..1; on a finer grid first, so that thin lines keep their place."""
    mask = np.zeros((2 * side, 2 * side), np.uint8)
    width = max(1, round(2 * px(side, width_mm)))
    cv2.polylines(mask, [np.rint((line * 2 + 0.5) * 16).astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)
    small = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return blur(small, px(side, soft_mm))


def blur(values: np.ndarray, sigma_px: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), max(sigma_px, 0.3)), np.float32)


def _bell(place: np.ndarray, x: float, y: float, width_x: float, width_y: float) -> np.ndarray:
    """Draw a soft spot on each side of the face, 0..1, on its front only; x, y and widths in head millimetres."""
    across = (np.abs(place[..., 0]) - x) / width_x
    return np.asarray(np.exp(-(across**2) - ((place[..., 1] - y) / width_y) ** 2) * (place[..., 2] > 0), np.float32)


@cache
def layout(side: int) -> Layout:
    points = grid_pixels(point_units(), side)
    place = cv2.resize(template(), (side, side), interpolation=cv2.INTER_LINEAR)
    mouth = _fill(side, smooth_line(points[60:68], True))
    lips = _fill(side, smooth_line(points[48:60], True))
    upper = [smooth_line(points[list(range(first, first + 4))], False) for first in (36, 42)]
    lower = [smooth_line(points[list(lids)], False) for lids in ((39, 40, 41, 36), (45, 46, 47, 42))]
    eyes = [_fill(side, np.concatenate(lids)) for lids in zip(upper, lower, strict=True)]
    rise = np.array([0, -px(side, 4.2)])
    along, across = _brow_coordinates(side)
    return Layout(
        side=side,
        eyes=np.maximum(*eyes),
        mouth=mouth,
        lips=blur(np.clip(lips - mouth, 0, 1), px(side, 0.5)),
        lip_line=np.maximum(
            *(
                _stroke(side, smooth_line(points[list(row)], False), 1.3, 0.5)
                for row in ((60, 61, 62, 63, 64), (60, 67, 66, 65, 64))
            )
        ),
        lash_upper=np.maximum(*(_stroke(side, line, 1.0, 0.35) for line in upper)),
        lash_lower=np.maximum(*(_stroke(side, line, 0.7, 0.4) for line in lower)),
        crease=np.maximum(*(_stroke(side, line + rise, 1.2, 0.8) for line in upper)),
        brow_along=along,
        brow_across=across,
        nostrils=_nostrils(side, points),
        folds=_folds(side, place),
        beard=_beard(place),
        moustache=_moustache(place),
        blush=_bell(place, 42, 30, 20, 17),
        sockets=np.maximum(
            _bell(place, 17, 0, 9, 9), np.maximum(_bell(place, 31, -9, 17, 5), 0.8 * _bell(place, 28, 12, 14, 5))
        ),
        place=place,
    )


def _brow_coordinates(side: int) -> tuple[np.ndarray, np.ndarray]:
    u, v = grid_units(side, side)
    line = point_units()[22:27]
    mirrored = np.abs(u)
    along = (mirrored - line[0, 0]) / (line[-1, 0] - line[0, 0])
    fit = np.polyfit(line[:, 0], line[:, 1], 3)
    across = (np.polyval(fit, mirrored) - v) / 2 * FRONT_MM
    return along.astype(np.float32), across.astype(np.float32)


def _nostrils(side: int, points: np.ndarray) -> np.ndarray:
    spots = np.zeros((side, side), np.float32)
    axes = np.array([3.6, 1.5]) * px(side, 1.0)
    turn = np.linspace(0, 2 * np.pi, 24)
    for wing, inner, tilt in ((31, 32, -0.2), (35, 34, 0.2)):
        along, across = axes[0] * np.cos(turn), axes[1] * np.sin(turn)
        ring = np.stack(
            [along * np.cos(tilt) - across * np.sin(tilt), along * np.sin(tilt) + across * np.cos(tilt)], -1
        )
        centre = 0.45 * points[wing] + 0.55 * points[inner] + np.array([0, -px(side, 1.6)])
        spots = np.maximum(spots, _fill(side, ring + centre))
    return blur(spots, px(side, 0.8))


def _folds(side: int, place: np.ndarray) -> np.ndarray:
    lines = []
    for flip in (-1, 1):
        corners = np.array([(18, 38, 85), (25, 48, 82), (31, 60, 78), (33, 70, 75)]) * (flip, 1, 1)
        lines.append(_stroke(side, smooth_line(grid_pixels(units_of(corners), side), False), 1.2, 1.6))
    return np.asarray(np.maximum(*lines))


def _ramp(values: np.ndarray, start: np.ndarray | float, end: np.ndarray | float) -> np.ndarray:
    """Rise smoothly from 0 at `start` to 1 at `end`."""
    t = np.clip((values - start) / (end - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _beard(place: np.ndarray) -> np.ndarray:
    x, y, z = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    line = 62 + 0 * x - 52 * _ramp(x, 38, 68)
    return np.asarray(_ramp(y, line, line + 10) * (1 - _ramp(y, 125, 140)) * _ramp(z, -4, 10))


def _moustache(place: np.ndarray) -> np.ndarray:
    x, y = np.abs(place[..., 0]), place[..., 1]
    top = 53 + 0.25 * x
    return np.asarray(_ramp(y, top, top + 4) * (1 - _ramp(x, 27, 36)) * (1 - _ramp(y, 78, 84)) * (place[..., 2] > 40))

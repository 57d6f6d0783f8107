"""A handlebar moustache, hair by hair, in the colour of the brows."""

from functools import cache

import cv2
import numpy as np

from facial_keypoints.filters import art
from facial_keypoints.filters.head import Head, fit_head
from facial_keypoints.filters.light import light_of
from facial_keypoints.filters.surfaces import Shadow, Sheet, lay_over

_PX_PER_MM = 16
_HALF_MM = (50.0, 24.0)
"""Half width and height of the picture of the moustache."""
_HAIRS = 2600
_SHADOW = Shadow(drop_mm=2.5, blur_mm=1.6, strength=0.4)
_SPINE_MM = np.array(
    [(-3.0, 0.5), (3, -2.0), (13, 0.0), (21, 4.5), (29, 6.5), (36, 4.0), (40.5, -2), (40, -8), (36, -9.5)]
)
"""Middle line of the half on the right of the picture, from below the nose to the curled tip."""
_THICK_MM = np.array([4.5, 6.8, 7.4, 6.0, 4.3, 2.9, 1.8, 1.1, 0.5])
"""Half the thickness at each point of the middle line."""
_LEVELS = (0.09, 0.85)
"""Gray levels 0..1 of the darkest and the lightest hair."""
_ALONG = 14
"""Points of the line of a hair."""


def moustache(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with a moustache on the face of (68, 2) keypoints. Raises DataError."""
    head = fit_head(keypoints)
    tint = np.append(_brow_colour(image, keypoints), 1).astype(np.float32)
    hairs = Sheet(_grid(head), moustache_picture() * tint)
    return lay_over(image, head, [hairs], _SHADOW, light_of(image, head))


def _grid(head: Head) -> np.ndarray:
    """(12, 40, 3) head millimetres: over the upper lip, in proportion to the mouth, the tips in front of the cheeks."""
    points = head.points
    scale = float(np.clip(np.linalg.norm(points[54] - points[48]) / 51, 0.85, 1.25))
    middle = 0.55 * points[33] + 0.45 * points[51]
    x, y = np.meshgrid(np.linspace(-1, 1, 40) * _HALF_MM[0], np.linspace(-1, 1, 12) * _HALF_MM[1])
    # It follows the curve of teeth and cheeks, but less than the face does, so that the tips stand off.
    grid = np.stack([x, y, 3.5 - 0.0075 * x**2 + 0.0000012 * x**4], -1)
    return np.asarray(middle + scale * grid)


def _brow_colour(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(3,) colour 0..1 of the hair of the brows: what lies along them and is least like the skin of the nose."""
    height, width = image.shape[:2]
    reach = max(1, round(0.012 * float(np.ptp(keypoints[:, 0]))))

    def colours(lines: list[tuple[int, int]]) -> np.ndarray:
        places = np.concatenate([np.linspace(keypoints[a], keypoints[b], 12) for a, b in lines])
        near = [places + np.array([0, dy]) for dy in range(-reach, reach + 1)]
        x, y = np.clip(np.rint(np.concatenate(near)), 0, (width - 1, height - 1)).astype(int).T
        return np.asarray(image[y, x] / 255.0)

    brows, skin = colours([(18, 20), (23, 25)]), np.median(colours([(28, 30)]), 0)
    unlike = np.argsort(np.linalg.norm(brows - skin, axis=1))[-len(brows) // 4 :]
    colour = brows[unlike].mean(0)
    level, bare = float(colour.mean()), float(skin.mean())
    wanted = 0.5 * bare if 0.6 < level / max(bare, 1e-3) < 1.2 else level  # faint brows would give a moustache of skin
    return np.asarray(colour * np.clip(wanted, *_LEVELS) / max(level, 1e-3))


@cache
def moustache_picture() -> np.ndarray:
    """(768, 1600, 4) float32 overlay in shades of gray, to be multiplied with a colour."""
    half = _hairs(np.random.default_rng(2))
    other = _hairs(np.random.default_rng(4))[:, ::-1]
    picture = art.over(half, other)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8))


def _hairs(rng: np.random.Generator) -> np.ndarray:
    """(768, 1600, 4) overlay of the half on the right, lit from above; upper hairs are drawn last and hide others."""
    size = (round(2 * _HALF_MM[1] * _PX_PER_MM), round(2 * _HALF_MM[0] * _PX_PER_MM))
    offset = np.sort(rng.uniform(-1, 1, _HAIRS))[::-1]
    lines = _lines(offset, rng)
    pixels = np.rint(((lines + np.array(_HALF_MM)) * _PX_PER_MM - 0.5) * 16).astype(np.int32)
    roundness = 0.72 + 0.38 * np.exp(-(((offset + 0.4) / 0.42) ** 2)) - 0.3 * np.maximum(offset, 0)
    light = 255 * np.clip(roundness * np.clip(rng.normal(1, 0.17, _HAIRS), 0.55, 1.5), 0.1, 1)
    thick = rng.integers(2, 5, _HAIRS)
    shade, cover = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for line, gray, width in zip(pixels, light.tolist(), thick.tolist(), strict=True):
        cv2.polylines(shade, [line], False, gray, width, cv2.LINE_AA, 4)
        cv2.polylines(cover, [line], False, 255, width, cv2.LINE_AA, 4)
    opacity = cover.astype(np.float32)[..., None] / 255
    gray = np.minimum(shade.astype(np.float32)[..., None] / 255, opacity)
    return np.concatenate([gray, gray, gray, opacity], -1)


def _lines(offset: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 14, 2) millimetres: hairs along the middle line, off it by about `offset` (N,) half thicknesses, -1..1."""
    count, steps = len(offset), np.linspace(0, 1, _ALONG)
    start, length = rng.uniform(-0.06, 0.86, (count, 1)), rng.uniform(0.14, 0.34, (count, 1))
    spine, across, thick = _spine()
    place = np.rint(np.clip(start + length * steps, 0, 1) * (len(spine) - 1)).astype(int)
    drift = offset[:, None] + rng.normal(0, 0.16, (count, 1)) * steps
    sway = rng.normal(0, 0.12, (count, 1, 2))
    return np.asarray(spine[place] + across[place] * thick[place] * drift[..., None] + sway)


def _spine() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The middle line: (800, 2) places in millimetres, (800, 2) unit vectors across it, (800, 1) half thickness."""
    fine = np.linspace(0, len(_SPINE_MM) - 1, 800)
    knots = np.arange(len(_SPINE_MM))
    rough = np.stack([np.interp(fine, knots, column) for column in (*_SPINE_MM.T, _THICK_MM)], -1)
    kernel = np.hanning(161) / np.hanning(161).sum()
    padded = np.pad(rough, ((80, 80), (0, 0)), mode="reflect", reflect_type="odd")
    x, y, thick = (np.convolve(column, kernel, "valid") for column in padded.T)
    line = np.stack([x, y], -1)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    return line, np.stack([-along[:, 1], along[:, 0]], -1), thick[:, None]

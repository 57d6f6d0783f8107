"""A felt hat with a ribbon: one sheet from the edge of the brim over the crown to its top, shaped round the skull."""

from functools import cache

import cv2
import numpy as np

from facial_keypoints.filters import art
from facial_keypoints.filters.head import Head, fit_head
from facial_keypoints.filters.light import light_of
from facial_keypoints.filters.surfaces import Shadow, Sheet, lay_over

_ROWS, _COLUMNS = 60, 96
"""Points of the sheet from the edge of the brim to the top, and round the head."""
_PICTURE = (900, 2400)
"""Height and width of the picture that is laid over the sheet, px."""
_CROWN_MM = (88.0, 105.0)
"""Half width and half depth of the opening of the hat."""
_TILT_DEG = 9.0
"""By how much the hat is higher over the forehead than over the nape."""
_FOREHEAD_Y_MM = -55.0
"""Where the opening crosses the forehead of the mean face, head millimetres."""
_BRIM, _WALL = 0.36, 0.78
"""Shares of the sheet, from the edge: where the brim ends and where the wall of the crown ends."""
_FELT = np.array([0.47, 0.34, 0.24])
_RIBBON = np.array([0.13, 0.10, 0.11])
_SHADOW = Shadow(drop_mm=17, blur_mm=7, strength=0.5)


def hat(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with a hat on the head of (68, 2) keypoints. Raises DataError."""
    head = fit_head(keypoints)
    felt = Sheet(_grid(head), hat_picture(), roundness=1.0, inside=0.75)
    return lay_over(image, head, [felt], _SHADOW, light_of(image, head), hair=1.08)


def _grid(head: Head) -> np.ndarray:
    """(60, 96, 3) head millimetres of the sheet; columns begin and end at the nape."""
    share, angle = np.meshgrid(np.linspace(0, 1, _ROWS), np.linspace(-np.pi, np.pi, _COLUMNS), indexing="ij")
    radius, rise = _profile(share)
    across, ahead = np.sin(angle), np.cos(angle)
    curl = np.clip(1 - share / _BRIM, 0, 1) ** 2
    rise = rise + curl * (20 * across**2 - 7 * np.clip(ahead, 0, 1) ** 2 + 5 * np.clip(-ahead, 0, 1))
    pinch = 11 * np.exp(-(((np.abs(angle) - 0.62) / 0.3) ** 2) - ((share - 0.76) / 0.12) ** 2)
    x, z = _CROWN_MM[0] * across, _CROWN_MM[1] * ahead
    inward = np.clip((share - _WALL) / (1 - _WALL), 0, 1)
    x, z = ((c + (radius - pinch) * d) * (1 - inward**1.5) for c, d in ((x, across), (z, ahead)))
    crease = 17 * np.exp(-((x / 24) ** 2)) * np.clip((share - 0.74) / 0.1, 0, 1)
    rise = rise - crease + 9 * (ahead - 0.3) * np.clip((share - _BRIM) / (_WALL - _BRIM), 0, 1)
    tilt = np.radians(_TILT_DEG)
    wide = _width(head)
    y, z = -rise * np.cos(tilt) - z * np.sin(tilt), z * np.cos(tilt) - rise * np.sin(tilt)
    front = (head.points[[19, 24], 1].mean() + 24.5) + _FOREHEAD_Y_MM + _CROWN_MM[1] * np.sin(tilt)
    return np.stack([wide * x, wide * y + front, wide * z - 4], -1)


def _width(head: Head) -> float:
    """Width of the head over that of the mean head, within what a hat can follow."""
    return float(np.clip(np.abs(head.points[[0, 1, 15, 16], 0]).mean() / 70, 0.85, 1.2))


def _profile(share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Millimetres outside and above the opening of the hat, at shares 0..1 of the way from the edge of the brim."""
    places = (0, 0.1, 0.3, _BRIM, 0.40, 0.5, 0.62, 0.72, _WALL, 0.84, 1)
    outside = (52, 40, 10, 1, 0, -1, -4, -9, -15, -17, -17)
    above = (0, 0, 1, 3, 8, 28, 57, 80, 92, 97, 95)
    return _smooth(share, places, outside), _smooth(share, places, above)


def _smooth(share: np.ndarray, places: tuple[float, ...], values: tuple[float, ...]) -> np.ndarray:
    """Values at shares 0..1, interpolated smoothly between those given at places."""
    fine = np.linspace(0, 1, 401)
    drawn = np.interp(fine, places, values)
    kernel = np.hanning(25)
    padded = np.pad(drawn, 12, mode="reflect", reflect_type="odd")
    return np.asarray(np.interp(share, fine, np.convolve(padded, kernel / kernel.sum(), "valid")))


@cache
def hat_picture() -> np.ndarray:
    """(900, 2400, 4) float32 overlay: felt, the bound edge of the brim, a ribbon with its bow on the subject's left."""
    height, width = _PICTURE
    rng = np.random.default_rng(3)
    v = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    u = np.linspace(-1, 1, width, dtype=np.float32)[None]
    grain = 0.035 * _noise(rng, 2) + 0.03 * _noise(rng, 7) + 0.035 * _noise(rng, 90)
    colour = np.broadcast_to(_FELT, (*_PICTURE, 3)) * (1 + grain[..., None])
    corner = 1 - 0.45 * np.exp(-(((v - _BRIM) / 0.035) ** 2)) - 0.25 * np.exp(-(((v - 0.9) / 0.08) ** 2))
    colour = colour * corner[..., None]
    edge = _step((0.028 - v) / 0.004) * np.ones_like(u)
    colour = _mixed(colour, 0.62 * _FELT * (1 + 0.1 * np.sin(1500 * u))[..., None], edge)
    band = _step((v - _BRIM - 0.012) / 0.003) * _step((0.525 - v) / 0.003) * np.ones_like(u)
    colour = _mixed(colour, _ribbon(u, v), band)
    return art.layer(colour.astype(np.float32), np.ones(_PICTURE, np.float32))


def _ribbon(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(900, 2400, 3) colours of ribbed silk, folded to a bow beside the crown; `u` round the head, `v` up the sheet."""
    sheen = 0.8 + 0.5 * np.exp(-(((v - 0.47) / 0.03) ** 2)) + 0.08 * np.sin(2 * np.pi * v * 170)
    aside = (u - 0.52) / 0.075
    folds = 1 + 0.5 * np.sin(9 * np.abs(aside) + 14 * (v - 0.45)) * np.exp(-((aside / 0.8) ** 4))
    knot = 1 + 0.8 * np.exp(-((aside / 0.2) ** 4)) - 0.6 * np.exp(-(((np.abs(aside) - 0.3) / 0.07) ** 2))
    return np.asarray(_RIBBON * (sheen * folds * knot)[..., None])


def _step(values: np.ndarray) -> np.ndarray:
    """0 below -1, 1 above 1, smooth between."""
    share = np.clip(values / 2 + 0.5, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _mixed(below: np.ndarray, above: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """(H, W, 3) colours, `above` where the (H, W) cover is 1, `below` where it is 0."""
    return np.asarray(below + (above - below) * cover[..., None])


def _noise(rng: np.random.Generator, cell_px: int) -> np.ndarray:
    """(900, 2400) smooth noise of about -2..2."""
    small = rng.normal(size=(_PICTURE[0] // cell_px, _PICTURE[1] // cell_px)).astype(np.float32)
    return np.asarray(cv2.resize(small, _PICTURE[::-1], interpolation=cv2.INTER_CUBIC))

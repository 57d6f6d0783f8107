"""Light on surfaces: a key light that casts shadows, light of a sky from above and of a floor from below."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.datasets.synthetic.people import Rgb

_WRAP = np.array([0.34, 0.2, 0.14], np.float32)
"""How far red, green and blue light reaches beyond the edge between light and shade on skin, as a cosine."""
_BLEED = np.array([1.0, 0.5, 0.4], np.float32)
"""Colour of the light that skin scatters into its own shade."""
_CELL_MM, _BIAS_MM = 3.0, 5.0
_ROW = 4096


@dataclass(frozen=True)
class Light:
    """Where the light comes from, seen from the camera, and its colours and strengths."""

    azimuth_deg: float = -35.0
    """Direction of the key light; negative: from the left of the picture, 0: from the camera."""
    elevation_deg: float = 35.0
    key: float = 0.75
    key_rgb: Rgb = (1.0, 0.96, 0.9)
    sky: float = 0.38
    sky_rgb: Rgb = (0.92, 0.96, 1.0)
    floor: float = 0.18
    floor_rgb: Rgb = (1.0, 0.9, 0.8)

    def direction(self) -> np.ndarray:
        """Return the (3,) float32 unit vector towards the key light, in camera axes."""
        azimuth, elevation = np.radians([self.azimuth_deg, self.elevation_deg])
        level = np.cos(elevation)
        return np.array([level * np.sin(azimuth), -np.sin(elevation), level * np.cos(azimuth)], np.float32)


@dataclass
class Points:
    """Surface properties of N visible points."""

    normal: np.ndarray
    """(N, 3) float32 unit vectors in camera axes."""
    albedo: np.ndarray
    """(N, 3) float32 linear colour."""
    gloss: np.ndarray
    """(N,)."""
    soft: np.ndarray
    """(N,)."""


def shadow_map(points: np.ndarray, light: Light) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map how far (M, 3) points in camera millimetres reach towards the key light.

    Returns the (rows, columns) depth of the point nearest to the light in each cell of _CELL_MM, the (3, 3) axes of the
    light and the (2,) origin of the map in them.
    """
    toward = light.direction()
    side = np.cross(np.array([0, 1, 0], np.float32), toward)
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(toward, side), toward]).astype(np.float32)
    seen = cv2.transform(points[None], axes)[0]
    origin = seen[:, :2].min(0) - 2 * _CELL_MM
    cells = ((seen[:, :2] - origin) / _CELL_MM).astype(np.int32)
    width, height = (int(count) + 3 for count in cells.max(0))
    depth = np.full(width * height, -1e4, np.float32)
    np.maximum.at(depth, (cells[:, 1] * width + cells[:, 0]).astype(np.intp), seen[:, 2])
    return cv2.blur(depth.reshape(height, width), (3, 3)), axes, origin


def lit_share(position: np.ndarray, shadows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the (N,) share of the key light, 0..1, that reaches (N, 3) points, by what `shadow_map` returned."""
    if not len(position):  # of which OpenCV would make None
        return np.ones(0, np.float32)
    depth, axes, origin = shadows
    seen = cv2.transform(position[None], axes)[0]
    place = (seen[:, :2] - origin) / _CELL_MM - 0.5
    rows = np.resize(place, (-(-len(place) // _ROW), _ROW, 2))  # remap takes no row longer than 32767
    nearest = cv2.remap(depth, rows[..., 0], rows[..., 1], cv2.INTER_LINEAR).reshape(-1)[: len(place)]
    return np.asarray(np.clip(1 - (nearest - seen[:, 2] - _BIAS_MM) / 10.0, 0, 1), np.float32)


def shade(points: Points, light: Light, lit: np.ndarray) -> np.ndarray:
    """Return the (N, 3) float32 linear light that N points send to the camera; lit is what `lit_share` returns."""
    toward = light.direction()
    halfway = toward + np.array([0, 0, 1], np.float32)
    halfway = (halfway / np.linalg.norm(halfway)).astype(np.float32)
    turns = np.stack([toward, halfway, np.array([0, 1, 0], np.float32), np.array([0, 0, 1], np.float32)])
    facing, shine, down, front = cv2.split(cv2.transform(points.normal[None], turns))
    facing, shine, up, front = (
        facing[0],
        np.maximum(shine[0], 0),
        0.5 - 0.5 * down[0],
        0.55 + 0.45 * np.maximum(front[0], 0),
    )
    sharp = np.clip(points.gloss - 0.6, 0, 1)
    gloss = points.gloss * (0.16 * (1 - sharp) * _power(shine, 4) + 0.35 * sharp * _power(shine, 9)) * (facing > -0.1)
    sky, floor = up * front * np.float32(light.sky), (1 - up) * front * np.float32(light.floor)
    bleed = 0.12 * points.soft
    out = np.empty((len(facing), 3), np.float32)
    for channel in range(3):  # one at a time: far faster than arrays whose last axis is 3
        wrap = points.soft * _WRAP[channel]
        reached = bleed * _BLEED[channel] + lit * (1 - bleed)
        key = np.float32(light.key * light.key_rgb[channel]) * reached
        around = sky * np.float32(light.sky_rgb[channel]) + floor * np.float32(light.floor_rgb[channel])
        diffuse = np.maximum((facing + wrap) / (1 + wrap), 0)
        out[:, channel] = points.albedo[:, channel] * (around + key * diffuse) + key * gloss
    return out


def _power(values: np.ndarray, doublings: int) -> np.ndarray:
    """values ** (2 ** doublings), by squaring."""
    for _ in range(doublings):
        values = values * values
    return values

"""The light of a photograph, as far as a face tells: its direction, and how bright and colourful things are in it."""

from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.filters.head import Head

_AMBIENT = 0.5
"""Share of the light that comes from everywhere."""
_FULL = 0.9
"""Brightness of the light parts of a well exposed photograph, sRGB 0..1."""


@dataclass(frozen=True)
class Light:
    """What is needed to paint an overlay as if it were in the photograph."""

    direction: np.ndarray
    """(3,) unit vector from the head to the light: x right, y down, z towards the camera."""
    brightness: float
    """Factor of the colours of an overlay, 0.5..1."""
    colour: float
    """0 for a gray photograph, 1 for one in full colour."""

    def shade(self, normals: np.ndarray, roundness: float) -> np.ndarray:
        """(...) factors of brightness of places with (..., 3) unit normals; 1 for a normal towards the camera.

        `roundness`: how much they depend on the normals, 0..1.
        """
        lit = _AMBIENT + (1 - _AMBIENT) * np.clip(normals @ self.direction, 0, None) / self.direction[2]
        return np.asarray(1 + roundness * (lit - 1))

    def on(self, overlay: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 colours of an (H, W, 4) overlay under this light."""
        colours = overlay[..., :3]
        gray = colours @ np.array([0.299, 0.587, 0.114], np.float32)
        return np.asarray(self.brightness * (gray[..., None] + self.colour * (colours - gray[..., None])), np.float32)


def light_of(image: np.ndarray, head: Head) -> Light:
    """Estimate the light of an (H, W, 3) uint8 RGB picture: from above, on the side of the brighter cheek of a head."""
    cheeks = head.project(np.array([[-40.0, 34, 76], [40, 34, 76]]))
    reach = max(1, round(9 * head.px_per_mm))
    right, left = (_mean_round(image, centre, reach) for centre in cheeks)
    aside = float(np.clip(1.5 * (left - right) / (left + right + 20), -0.7, 0.7))
    direction = np.array([aside, -0.6, 0.75])
    low, high = head.keypoints.min(0).astype(int), head.keypoints.max(0).astype(int) + 1
    face = image[max(low[1], 0) : max(high[1], 1), max(low[0], 0) : max(high[0], 1)]
    step = max(1, max(image.shape) // 400)
    brightest = float(np.percentile(image[::step, ::step].max(2), 97)) / 255  # of all, since skins differ
    chroma = float(np.ptp(face.astype(np.float32), axis=2).mean()) if face.size else 255.0
    return Light(
        direction / np.linalg.norm(direction),
        brightness=float(np.clip(0.45 + 0.55 * brightest / _FULL, 0.5, 1)),
        colour=float(np.clip((chroma - 4) / 16, 0, 1)),
    )


def _mean_round(image: np.ndarray, centre: np.ndarray, reach: int) -> float:
    """Mean gray level 0..255 of the square of `reach` px about a place (2,), which is brought inside the picture."""
    height, width = image.shape[:2]
    x, y = (int(np.clip(value, 0, side - 1)) for value, side in zip(centre, (width, height), strict=True))
    patch = image[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    return float(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).mean())

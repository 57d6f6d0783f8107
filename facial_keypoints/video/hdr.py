"""Tone mapping of high dynamic range (ITU-R BT.2100) to the standard one: 203 cd/m² (ITU-R BT.2408) become white."""

import math

import cv2
import numpy as np

_WHITE = 203.0
"""cd/m²."""
_DISPLAY_GAMMA = 2.4
"""Gamma of screens of standard dynamic range (ITU-R BT.1886)."""
_PQ, _HLG = 16, 18
"""Numbers of transfer characteristics (ITU-T H.273)."""


def to_standard_range(image: np.ndarray, transfer: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB of standard range, of RGB with transfer characteristics `transfer`; others stay as they are.

    Channel by channel, so that strong colours come out a little paler than in their wider gamut.
    """
    if transfer not in (_PQ, _HLG):
        return image
    signal = np.arange(256) / 255
    light = _pq(signal) if transfer == _PQ else _hlg(signal)
    table = np.rint(255 * np.minimum(light / _WHITE, 1) ** (1 / _DISPLAY_GAMMA)).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table))


def _pq(signal: np.ndarray) -> np.ndarray:
    """Light in cd/m² of perceptual quantizer signals 0..1."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return np.asarray(10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _hlg(signal: np.ndarray) -> np.ndarray:
    """Light in cd/m² of hybrid log-gamma signals 0..1, on a screen whose peak is 1000 cd/m²."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * math.log(4 * a)
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return np.asarray(1000 * scene**1.2)

"""Smooth moving points: still ones stop trembling, quick ones do not lag.

The one-euro filter (Casiez, Roussel and Vogel, CHI 2012): a low-pass filter whose cutoff rises with the speed. Where
a network tells radii, points of frames in which they are less certain than before weigh less, by the inverse squares of
their radii as independent measurements do, and go along with the face instead.
"""

import math

import numpy as np

from facial_keypoints.core.geometry import face_size

_LEAST_CUTOFF_HZ = 0.5
_CUTOFF_PER_SPEED = 16.0
"""Hz for a speed of one face size a second; jitter and lag: python -m benchmarks.video."""
_SPEED_CUTOFF_HZ = 5.0
_LEAST_RADIUS_FRAC = 1e-3
"""Over the size of the face: no point of a picture is more certain."""


class OneEuro:
    """Filters the points of one face, frame after frame; speeds are measured in sizes of that face."""

    def __init__(self) -> None:
        self._raw: np.ndarray | None = None
        self._certainty: np.ndarray | None = None

    def __call__(self, points: np.ndarray, time_s: float, radii: np.ndarray | None = None) -> np.ndarray:
        """(K, 2) smoothed points of the (K, 2) points of the next frame, which is later than the one before; pixels.

        `radii`: (K,) of the points, if they are known; see `core.certainty`.
        """
        size = max(float(face_size(points)), 1e-6)
        certainty = None if radii is None else 1 / np.maximum(radii / size, _LEAST_RADIUS_FRAC)[:, None] ** 2
        if self._raw is None:
            self._raw, self._smooth, self._velocity = points, points, np.zeros_like(points)
            self._time_s, self._certainty = time_s, certainty
            return points
        rate_hz = 1 / (time_s - self._time_s)
        velocity = (points - self._raw) * (rate_hz / size)
        self._velocity = _mixed(self._velocity, velocity, _share(_SPEED_CUTOFF_HZ, rate_hz))
        share = _share(_LEAST_CUTOFF_HZ + _CUTOFF_PER_SPEED * self._speed(), rate_hz)
        step = share * (points - self._smooth)
        self._smooth = self._smooth + self._weighed(step, share, certainty)
        self._raw, self._time_s = points, time_s
        return self._smooth

    def _weighed(self, step: np.ndarray, share: float | np.ndarray, certainty: np.ndarray | None) -> np.ndarray:
        """Of (K, 2) steps of the smoothed points: their own as far as they are certain, else that of the whole face.

        `share`: (K, 1) of the new points in them; `certainty`: (K, 1) inverse squares of radii.
        """
        if certainty is None or self._certainty is None:
            self._certainty = certainty
            return step
        self._certainty = _mixed(self._certainty, certainty, share)
        own = np.minimum(1, certainty / self._certainty)
        of_face = (certainty * step).sum(0) / certainty.sum()
        return np.asarray(own * step + (1 - own) * of_face)

    def _speed(self) -> np.ndarray:
        """(K, 1) speed of each point in face sizes a second, or of the whole face, measured best, if quicker."""
        own = np.linalg.norm(self._velocity, axis=1, keepdims=True)
        return np.asarray(np.maximum(own, np.linalg.norm(self._velocity.mean(0))))


def _share(cutoff_hz: float | np.ndarray, rate_hz: float) -> float | np.ndarray:
    """Weight, 0..1, of the new value beside the old one in a low-pass filter of this cutoff at this rate."""
    return 1 / (1 + rate_hz / (2 * math.pi * cutoff_hz))


def _mixed(old: np.ndarray, new: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """The mean of old and new values, of which the new ones weigh `share`."""
    return np.asarray(old + share * (new - old))

"""How the head is rotated, and how millimetres become pixels."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """Rotation of the head in degrees, as the picture shows it: yaw > 0 right, pitch > 0 up, roll > 0 clockwise."""

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0

    def rotation(self) -> np.ndarray:
        """Return the (3, 3) float64 `camera_from_head`, which applies first yaw, then pitch, then roll."""
        (ys, ps, rs), (yc, pc, rc) = (
            f(np.radians([self.yaw_deg, self.pitch_deg, self.roll_deg])) for f in (np.sin, np.cos)
        )
        yaw = np.array([[yc, 0, ys], [0, 1, 0], [-ys, 0, yc]])
        pitch = np.array([[1, 0, 0], [0, pc, -ps], [0, ps, pc]])
        roll = np.array([[rc, -rs, 0], [rs, rc, 0], [0, 0, 1]])
        return np.asarray(roll @ pitch @ yaw)


@dataclass(frozen=True)
class Camera:
    """A perspective camera, described by where the head's origin falls in the picture, how large, and from how far.

    The origin lies between the ears, at the height of the eyes.
    """

    x_px: float
    y_px: float
    px_per_mm: float
    """Scale at the distance of the head's origin."""
    distance_mm: float = 1500.0

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project (..., 3) camera millimetres (x right, y down, z towards the camera) to (..., 2) pixels, x then y."""
        scale = self.px_per_mm * self.distance_mm / (self.distance_mm - points[..., 2:])
        return np.asarray(points[..., :2] * scale + np.array([self.x_px, self.y_px], points.dtype))

    def enlarged(self, factor: float) -> "Camera":
        """Return the camera that sees the same in a picture resized by `factor`; pixel centres lie at whole numbers."""
        x, y = ((value + 0.5) * factor - 0.5 for value in (self.x_px, self.y_px))
        return Camera(x, y, self.px_per_mm * factor, self.distance_mm)

"""How the head is turned and how millimetres become pixels."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """Turn of the head in degrees, as seen in the picture: yaw > 0 to the right, pitch > 0 up, roll > 0 clockwise."""

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0

    def rotation(self) -> np.ndarray:
        """(3, 3) float64 `camera_from_head`: first yaw, then pitch, then roll."""
        (ys, ps, rs), (yc, pc, rc) = (
            f(np.radians([self.yaw_deg, self.pitch_deg, self.roll_deg])) for f in (np.sin, np.cos)
        )
        yaw = np.array([[yc, 0, ys], [0, 1, 0], [-ys, 0, yc]])
        pitch = np.array([[1, 0, 0], [0, pc, -ps], [0, ps, pc]])
        roll = np.array([[rc, -rs, 0], [rs, rc, 0], [0, 0, 1]])
        return np.asarray(roll @ pitch @ yaw)


@dataclass(frozen=True)
class Camera:
    """Where the head's origin (between the ears, at eye height) falls, how large, and from how far it is seen."""

    x_px: float
    y_px: float
    px_per_mm: float
    """At the distance of the head's origin."""
    distance_mm: float = 1500.0

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) camera millimetres (x right, y down, z towards the camera) -> (..., 2) pixels."""
        scale = self.px_per_mm * self.distance_mm / (self.distance_mm - points[..., 2:])
        return np.asarray(points[..., :2] * scale + np.array([self.x_px, self.y_px], points.dtype))

    def enlarged(self, factor: float) -> "Camera":
        """The same view on a picture resized by `factor` (pixel centres at whole numbers)."""
        x, y = ((value + 0.5) * factor - 0.5 for value in (self.x_px, self.y_px))
        return Camera(x, y, self.px_per_mm * factor, self.distance_mm)

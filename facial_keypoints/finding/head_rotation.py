"""The rotation of a head, estimated from its 68 points."""

from typing import NamedTuple

import numpy as np

from facial_keypoints.mean_face.shape import mean_points

_RIGID = [*range(17, 36), 36, 39, 42, 45]
"""Points that speech and blinks leave in place: brows, nose, eye corners."""


class HeadRotation(NamedTuple):
    """Degrees as seen in the picture: yaw > 0 to the right, pitch > 0 up, roll > 0 clockwise."""

    yaw: float
    pitch: float
    roll: float


def head_rotation(keypoints: np.ndarray) -> HeadRotation:
    """The rotation of the head with (68, 2) keypoints in pixels, rounded to a tenth of a degree.

    It is the rotation nearest to the affine camera that projects the mean face in three dimensions onto the points with
    the least squared error. Perspective and a face unlike the mean leave errors of several degrees, in pitch above all.
    """
    shape, seen = mean_points()[_RIGID], keypoints[_RIGID].astype(np.float64)
    camera, *_ = np.linalg.lstsq(shape - shape.mean(0), seen - seen.mean(0), rcond=None)
    left, _, right = np.linalg.svd(camera.T, full_matrices=False)
    rows = left @ right
    across, down = rows
    toward = np.cross(across, down)
    yaw = np.arctan2(-toward[0], toward[2])
    pitch = np.arcsin(np.clip(toward[1], -1, 1))
    roll = np.arctan2(-across[1], down[1])
    return HeadRotation(*(round(float(np.degrees(angle)), 1) for angle in (yaw, pitch, roll)))

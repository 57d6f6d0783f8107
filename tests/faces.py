"""A synthetic face of known pose and its keypoints, small so that tests are quick."""

from functools import cache

import numpy as np

from pipeline.datasets.synthetic import Camera, Face, Identity, Light, Pose, draw_background, paint_onto

SIDE = 200
LIGHT = Light(azimuth_deg=20, elevation_deg=30, key=0.8, sky=0.45)


@cache
def drawn_face(
    yaw_deg: float = 0, pitch_deg: float = 0, roll_deg: float = 0, *, x_px: float = 100, scale: float = 0.7
) -> tuple[np.ndarray, np.ndarray]:
    """(200, 200, 3) uint8 RGB and (68, 2) keypoints; read-only."""
    face = Face(Identity(), pose=Pose(yaw_deg, pitch_deg, roll_deg))
    background = draw_background(np.random.default_rng(0), (SIDE, SIDE))
    picture, keypoints = paint_onto(background, face, Camera(x_px, 100, scale), LIGHT)
    image = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)
    for array in (image, keypoints):
        array.setflags(write=False)
    return image, keypoints

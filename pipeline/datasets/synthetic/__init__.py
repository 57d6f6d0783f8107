"""Synthetic faces with exact labels: a parametric person, posed, lit, painted and photographed.

`Identity`, `Expression`, `Pose`, `Clothes`, `Light` and `Camera` describe a face in full. Set them, blend them with
`between`, and paint with `paint_onto`; or let `draw_face` choose everything but the person at random.
"""

from dataclasses import replace

import numpy as np

from facial_keypoints.mean_face.expression import Expression
from pipeline.datasets.synthetic.background import draw_background
from pipeline.datasets.synthetic.body import Clothes
from pipeline.datasets.synthetic.camera import Camera, Pose
from pipeline.datasets.synthetic.capture import Capture, develop, take
from pipeline.datasets.synthetic.face import Face, keypoints, paint_face
from pipeline.datasets.synthetic.front import put_in_front
from pipeline.datasets.synthetic.light import Light
from pipeline.datasets.synthetic.people import Identity, between, random_identity
from pipeline.datasets.synthetic.scene import Clip, random_clip, random_expression, random_moment

__all__ = [
    "Camera",
    "Capture",
    "Clip",
    "Clothes",
    "Expression",
    "Face",
    "Identity",
    "Light",
    "Pose",
    "between",
    "draw_background",
    "draw_face",
    "keypoints",
    "paint_onto",
    "put_in_front",
    "random_clip",
    "random_expression",
    "random_identity",
    "random_moment",
    "take",
]


def paint_onto(
    background: np.ndarray, face: Face, camera: Camera, light: Light, *, exposure: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Paint a person over an (H, W, 3) float32 sRGB picture 0..1.

    `exposure` multiplies the light that the camera takes in. Returns the new picture and the (68, 2) float64 labels, x
    then y, in its pixels.
    """
    top, bottom, left, right = _reach(camera, background.shape[:2])
    if top >= bottom or left >= right:
        return background, keypoints(face, camera)
    near = replace(camera, x_px=camera.x_px - left, y_px=camera.y_px - top)
    person, labels = paint_face(face, near, light, (bottom - top, right - left))
    colour, cover = develop(person, exposure)
    picture = background.copy()
    picture[top:bottom, left:right] += (colour - picture[top:bottom, left:right]) * cover
    return picture, labels + np.array([left, top])


_REACH_MM = {"up": 230, "down": 420, "aside": 280}
"""Millimetres that hair and shoulders reach from the head's origin, which lies between the ears, in the picture."""


def _reach(camera: Camera, size: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of the window of an (H, W) picture that a person can touch, in pixels."""
    scale = camera.px_per_mm
    top, bottom = camera.y_px - _REACH_MM["up"] * scale, camera.y_px + _REACH_MM["down"] * scale
    left, right = (camera.x_px + sign * _REACH_MM["aside"] * scale for sign in (-1, 1))
    (top, bottom), (left, right) = np.clip([top, bottom], 0, size[0]), np.clip([left, right], 0, size[1])
    return int(top), int(np.ceil(bottom)), int(left), int(np.ceil(right))


def draw_face(identity: Identity, rng: np.random.Generator, clip: Clip | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Photograph a person at a random moment of a clip; a random clip unless one is given.

    Returns the (H, W, 3) uint8 RGB picture and its (68, 2) float64 labels, x then y, in pixels.
    """
    clip = clip or random_clip(rng)
    face, camera = random_moment(rng, identity, clip)
    background = draw_background(np.random.default_rng(clip.background_seed), clip.size)
    picture, labels = paint_onto(background, face, camera, clip.light, exposure=clip.capture.exposure)
    picture = put_in_front(picture, clip.front, labels, np.random.default_rng(clip.background_seed + 1))
    return take(picture, clip.capture, rng), labels

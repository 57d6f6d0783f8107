"""Clips and moments: what frames of one video share and what changes from frame to frame."""

from dataclasses import dataclass

import numpy as np

from facial_keypoints.mean_face.expression import Expression
from pipeline.datasets.synthetic.body import Clothes
from pipeline.datasets.synthetic.camera import Camera, Pose
from pipeline.datasets.synthetic.capture import Capture
from pipeline.datasets.synthetic.face import Face
from pipeline.datasets.synthetic.light import Light
from pipeline.datasets.synthetic.people import Identity, random_colour

_FACE_MM = 138.0
"""Height of the mean face from brows to chin."""


@dataclass(frozen=True)
class Clip:
    """What all frames of one video share."""

    size: tuple[int, int]
    """(H, W) pixels."""
    light: Light
    clothes: Clothes
    capture: Capture
    pose: Pose
    """Rotation of the head about which that of each frame varies."""
    face_frac: float
    """Height of the face over that of the frame."""
    background_seed: int
    front: str
    """What is in front of the person: nothing, microphone or caption."""


def random_clip(rng: np.random.Generator) -> Clip:
    height = float(np.clip(200 * np.exp(rng.normal(0, 0.38)), 72, 494))
    width = float(np.clip(height * 0.92 * np.exp(rng.normal(0, 0.14)), 72, 494))
    return Clip(
        size=(round(height), round(width)),
        light=_random_light(rng),
        clothes=_random_clothes(rng),
        capture=_random_capture(rng, height),
        pose=Pose(
            float(np.clip(rng.normal(0, 15), -30, 30)),
            float(np.clip(rng.normal(0, 6), -14, 14)),
            float(rng.normal(0, 4)),
        ),
        face_frac=float(0.36 * np.exp(rng.normal(0, 0.1))),
        background_seed=int(rng.integers(2**31)),
        front=str(rng.choice(["nothing", "microphone", "caption"], p=[0.84, 0.09, 0.07])),
    )


def _random_light(rng: np.random.Generator) -> Light:
    warmth = rng.normal(0, 0.08)
    key, sky = float(rng.uniform(0.25, 1.1)), float(rng.uniform(0.2, 0.6))
    return Light(
        azimuth_deg=float(np.clip(rng.normal(0, 45), -95, 95)),
        elevation_deg=float(rng.uniform(-5, 65)),
        key=key,
        key_rgb=(float(1 + warmth), 0.97, float(0.93 - warmth)),
        sky=sky,
        sky_rgb=(float(0.95 - 0.6 * warmth), 0.97, float(1 + 0.6 * warmth)),
        floor=float(sky * rng.uniform(0.3, 0.8)),
    )


def _random_clothes(rng: np.random.Generator) -> Clothes:
    style = str(rng.choice(["suit", "shirt", "tshirt", "stripes"], p=[0.3, 0.3, 0.3, 0.1]))
    dark: tuple[float, float, float] = (0.1, 0.11, float(rng.uniform(0.1, 0.22)))
    return Clothes(style, dark if style == "suit" and rng.random() < 0.7 else random_colour(rng), random_colour(rng))


def _random_capture(rng: np.random.Generator, height: float) -> Capture:
    cast = rng.normal(0, 0.035, 3)
    return Capture(
        exposure=float(np.exp(rng.normal(0.1, 0.25))),
        contrast=float(rng.uniform(0.75, 1.15)),
        saturation=0.0 if rng.random() < 0.06 else float(rng.uniform(0.55, 1.05)),
        tint=(float(1 + cast[0]), float(1 + cast[1]), float(1 + cast[2])),
        sharpness_frac=float(rng.uniform(0.4, 1)) if rng.random() < 0.4 else 1.0,
        focus_px=float(rng.exponential(0.002 * height)),
        noise=float(rng.exponential(0.006)),
        jpeg_quality=int(rng.integers(40, 97)),
    )


def random_expression(rng: np.random.Generator) -> Expression:
    """Choose an expression of somebody who speaks, smiles, blinks and glances."""
    talks, smiles, blink = rng.random() < 0.45, rng.random() < 0.45, rng.random() < 0.06
    lids = 1.0 if blink else float(np.clip(rng.normal(0.14, 0.13), -0.15, 0.6))
    return Expression(
        jaw_open=float(rng.beta(1.2, 3)) if talks else 0.0,
        lips_part=float(rng.uniform(0, 0.9)) if smiles or talks else 0.0,
        smile=float(rng.uniform(0.25, 1)) if smiles else float(rng.normal(0.08, 0.15)),
        pucker=float(rng.uniform(0, 0.8)) if talks and not smiles and rng.random() < 0.4 else 0.0,
        brow_raise=float(rng.normal(0.1, 0.3)),
        brow_furrow=float(rng.uniform(0.2, 0.8)) if rng.random() < 0.1 else 0.0,
        close_right=lids,
        close_left=float(np.clip(lids + rng.normal(0, 0.04), -0.2, 1)),
        gaze_x=float(np.clip(rng.normal(0, 0.35), -1, 1)),
        gaze_y=float(np.clip(rng.normal(0.05, 0.25), -1, 1)),
    )


def random_moment(rng: np.random.Generator, person: Identity, clip: Clip) -> tuple[Face, Camera]:
    """Choose how the person is seen in one frame of the clip."""
    pose = Pose(
        float(np.clip(clip.pose.yaw_deg + rng.normal(0, 10), -38, 38)),
        float(np.clip(clip.pose.pitch_deg + rng.normal(0, 5), -20, 20)),
        float(np.clip(clip.pose.roll_deg + rng.normal(0, 5), -20, 20)),
    )
    height, width = clip.size
    scale = clip.face_frac * height / _FACE_MM * float(np.exp(rng.normal(0, 0.06)))
    face = Face(person, random_expression(rng), pose, clip.clothes)
    middle = pose.rotation() @ (0, 44, 75)
    x = width * float(np.clip(0.5 + rng.normal(0, 0.06), 0.35, 0.65)) - middle[0] * scale
    y = height * float(np.clip(0.47 + rng.normal(0, 0.05), 0.36, 0.6)) - middle[1] * scale
    return face, Camera(x, y, scale, float(rng.uniform(900, 3000)))

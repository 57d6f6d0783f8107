"""Paint people who do not exist and write examples/people.jpg, a picture to try everything on.

python -m examples.people
"""

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.datasets.synthetic import Camera, Clothes, Expression, Face, Light, Pose, paint_onto, random_identity

OUTPUT = Path("examples/people.jpg")
HEIGHT, WIDTH = 460, 1200
LIGHT = Light(azimuth_deg=-30, elevation_deg=30, key=0.62, sky=0.42, floor=0.22)
WALL_RGB = (0.66, 0.74, 0.78)
PEOPLE = [
    (18, Pose(10, -2, -3), Clothes("tshirt", (0.2, 0.34, 0.3))),
    (9, Pose(-10, 3, 5), Clothes("tshirt", (0.72, 0.7, 0.66))),
    (25, Pose(8, 2, -4), Clothes("tshirt", (0.66, 0.25, 0.22))),
    (20, Pose(-10, 2, 3), Clothes("tshirt", (0.35, 0.28, 0.42))),
]
"""Seed of the person, rotation of the head, clothes; from left to right."""


def people() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8: all of them in a row before a wall that darkens towards the floor."""
    darkening = np.linspace(1.04, 0.84, HEIGHT, dtype=np.float32)[:, None, None]
    picture = np.repeat(darkening * np.array(WALL_RGB, np.float32), WIDTH, axis=1)
    for index, (seed, pose, clothes) in enumerate(PEOPLE):
        person = random_identity(np.random.default_rng(seed), bare=True)
        face = Face(person, Expression(smile=0.45, close_right=0.16, close_left=0.16), pose, clothes)
        camera = Camera(WIDTH * (index + 0.5) / len(PEOPLE), 205, 1.45)
        picture, _ = paint_onto(picture, face, camera, LIGHT)
    return np.asarray(np.rint(255 * picture.clip(0, 1)), np.uint8)


if __name__ == "__main__":
    Image.fromarray(people()).save(OUTPUT, quality=90)

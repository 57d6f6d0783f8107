"""What stands behind a person: a wall, panels, lights out of focus, foliage, shelves or a crowd."""

import cv2
import numpy as np

from pipeline.datasets.synthetic.people import random_colour

Size = tuple[int, int]


def draw_background(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Paint one of six kinds of scene, blurred as one out of focus is: (H, W, 3) float32 sRGB 0..1.

    The same state of the generator gives the same scene at any size (H, W).
    """
    scene = (_wall, _panels, _lights, _foliage, _shelves, _crowd)[
        int(rng.choice(6, p=[0.22, 0.25, 0.15, 0.13, 0.12, 0.13]))
    ]
    canvas = scene(rng, (240, 240))
    grain = rng.standard_normal((60, 60)).astype(np.float32)
    canvas = canvas + 0.012 * cv2.resize(grain, (240, 240), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.asarray(np.clip(cv2.resize(canvas, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), 0, 1))


def _blurred(canvas: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), max(sigma, 0.4)), np.float32)


def _wall(rng: np.random.Generator, size: Size) -> np.ndarray:
    corners = np.array([[random_colour(rng), random_colour(rng)]], np.float32).reshape(1, 2, 3)
    weak = corners.mean((0, 1)) + (corners - corners.mean((0, 1))) * rng.uniform(0.1, 0.5)
    rows = np.concatenate([weak, weak[:, ::-1] * rng.uniform(0.5, 1)]).astype(np.float32)
    return np.asarray(cv2.resize(rows, (size[1], size[0]), interpolation=cv2.INTER_LINEAR))


def _panels(rng: np.random.Generator, size: Size) -> np.ndarray:
    canvas = _wall(rng, size)
    for _ in range(int(rng.integers(3, 12))):
        x, y = rng.integers(-40, size[1]), rng.integers(-40, size[0])
        width, height = rng.integers(8, 120, 2)
        colour = random_colour(rng)
        cv2.rectangle(canvas, (int(x), int(y)), (int(x + width), int(y + height)), colour, -1)
    return _blurred(canvas, rng.uniform(0.5, 6))


def _lights(rng: np.random.Generator, size: Size) -> np.ndarray:
    canvas = _wall(rng, size) * 0.25
    for _ in range(int(rng.integers(15, 70))):
        centre = (int(rng.integers(0, size[1])), int(rng.integers(0, size[0])))
        glow = np.clip(np.array(random_colour(rng)) + rng.uniform(0, 0.5), 0, 1)
        cv2.circle(canvas, centre, int(rng.integers(2, 14)), tuple(glow.tolist()), -1, cv2.LINE_AA)
    return _blurred(canvas, rng.uniform(0.8, 3))


def _foliage(rng: np.random.Generator, size: Size) -> np.ndarray:
    leaf = np.array([0.2, 0.36, 0.12]) * rng.uniform(0.5, 1.4) + rng.normal(0, 0.03, 3)
    texture = np.zeros(size, np.float32)
    for cells, weight in ((12, 0.2), (35, 0.2), (80, 0.16)):
        texture += weight * cv2.resize(
            rng.standard_normal((cells, cells)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC
        )
    canvas = (leaf * (1 + texture[..., None])).astype(np.float32)
    horizon = int(size[0] * rng.uniform(-0.3, 0.5))
    if horizon > 0:
        sky = np.array([0.7, 0.8, 0.92]) * rng.uniform(0.7, 1.05)
        edge = horizon + 12 * texture[0]
        canvas = np.where((np.arange(size[0])[:, None] < edge)[..., None], sky, canvas).astype(np.float32)
    return _blurred(canvas, rng.uniform(0.6, 4))


def _shelves(rng: np.random.Generator, size: Size) -> np.ndarray:
    canvas = np.full((*size, 3), 0.15, np.float32)
    shelf = int(rng.integers(35, 70))
    for top in range(0, size[0], shelf):
        x = 0
        while x < size[1]:
            width, gap = int(rng.integers(4, 14)), int(rng.integers(3, shelf // 3))
            cv2.rectangle(canvas, (x, top + gap), (x + width - 1, top + shelf - 5), random_colour(rng), -1)
            x += width
        cv2.rectangle(canvas, (0, top + shelf - 5), (size[1], top + shelf), (0.35, 0.25, 0.17), -1)
    return _blurred(canvas * np.float32(rng.uniform(0.5, 1.1)), rng.uniform(0.8, 4))


def _crowd(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Paint people out of focus: heads without features over coloured shoulders."""
    canvas = _wall(rng, size)
    for _ in range(int(rng.integers(2, 9))):
        x, y, radius = int(rng.integers(0, size[1])), int(rng.integers(20, size[0])), int(rng.integers(9, 26))
        tone = np.array([0.85, 0.65, 0.52]) * rng.uniform(0.35, 1.05)
        cv2.ellipse(canvas, (x, y + 3 * radius), (2 * radius, 2 * radius), 0, 0, 360, random_colour(rng), -1)
        cv2.ellipse(canvas, (x, y - radius // 4), (radius, int(1.3 * radius)), 0, 0, 360, (0.1, 0.08, 0.07), -1)
        cv2.ellipse(canvas, (x, y), (int(0.8 * radius), int(1.1 * radius)), 0, 0, 360, tuple(tone.tolist()), -1)
    return _blurred(canvas, rng.uniform(2, 5))

"""Spectacles: rims, bridge and temples as tubes, and dark lenses."""

import numpy as np

from pipeline.datasets.synthetic.part import Part, plain
from pipeline.datasets.synthetic.people import Identity
from pipeline.datasets.synthetic.skin import linear

STYLES = ("none", "full", "thin", "sun")


def _tube(line: np.ndarray, radius: float, colour: np.ndarray, sides: int) -> Part:
    """Return a tube round a (K, 3) line, with a radius in millimetres and `sides` cells round it."""
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    first = np.cross(along, np.array([0.3, 0.5, 0.81]))
    first /= np.linalg.norm(first, axis=1, keepdims=True) + 1e-9
    second = np.cross(along, first)
    turn = np.linspace(0, 2 * np.pi, sides)[:, None, None]
    outward = first * np.cos(turn) + second * np.sin(turn)
    part = plain(line + radius * outward, colour, gloss=1.2)
    part.normals = outward.astype(np.float32)
    return part


def _rim(centre: np.ndarray, half: tuple[float, float], power: float, count: int) -> np.ndarray:
    """Return the (count, 3) closed outline of a lens, bent back round the face.

    It is a superellipse with half axes in millimetres: `power` 1 gives an ellipse, less gives more of a rectangle.
    """
    turn = np.linspace(0, 2 * np.pi, count)
    bend = [np.sign(f) * np.abs(f) ** power for f in (np.cos(turn), np.sin(turn))]
    x = centre[0] + half[0] * bend[0]
    y = centre[1] + half[1] * bend[1]
    return np.stack([x, y, centre[2] - 0.0045 * x**2], -1)


def spectacles(person: Identity, points: np.ndarray, side: int, width: float) -> list[Part]:
    """Return the parts of a pair of glasses, if any, in head millimetres, for a face with (68, 3) points."""
    if person.glasses == "none":
        return []
    seed, sides = person.texture_seed, max(7, side // 40)
    colour = linear(person.glasses_rgb)
    radius = {"full": 1.9, "thin": 0.9, "sun": 1.7}[person.glasses]
    half = (23.0 + seed % 4, 15.0 + seed % 7 + (2.0 if person.glasses == "sun" else 0.0))
    power = (0.55, 0.75, 1.0)[seed % 3]
    middle = points[[36, 39, 42, 45]].reshape(2, 2, 3).mean(1)
    parts: list[Part] = []
    for sign, eye in zip((-1, 1), middle, strict=True):
        centre = np.array([sign * (9.5 + half[0]), eye[1] + 3.5, points[27, 2] + 7.0])
        rim = _rim(centre, half, power, max(2 * side, 60))
        parts.append(_tube(rim, radius, colour, sides))
        hinge = rim[np.argmax(sign * rim[:, 0] - 0.3 * np.abs(rim[:, 1] - centre[1] + 5))]
        ear = np.array([sign * 76.0 * width, hinge[1] - 1, -6.0])
        share = np.linspace(0, 1, max(side, 40))[:, None]
        parts.append(
            _tube(hinge + (ear - hinge) * share + (sign * 5, 0, 0) * np.sin(np.pi * share), radius, colour, sides)
        )
        if person.glasses == "sun":
            scale = np.sqrt(np.linspace(0, 1, max(side // 5, 10)))[:, None, None]
            lens = centre - (0, 0, 0.0045 * centre[0] ** 2) + (rim - centre + (0, 0, 0.0045 * centre[0] ** 2)) * scale
            shield = plain(lens, np.full(3, 0.008), gloss=1.5)
            shield.normals = np.broadcast_to(np.array([0.15 * sign, 0, 0.99], np.float32), lens.shape).copy()
            parts.append(shield)
    arch = np.linspace(-1, 1, max(side // 4, 12))
    bridge = np.stack([10.5 * arch, middle[:, 1].mean() - 1 - 2.5 * (1 - arch**2), points[27, 2] + 7.0 + 0 * arch], -1)
    return [*parts, _tube(bridge, radius, colour, sides)]

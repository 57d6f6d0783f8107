"""Ears, neck and clothed shoulders."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.datasets.synthetic.part import Part, plain
from pipeline.datasets.synthetic.people import Identity, Rgb
from pipeline.datasets.synthetic.skin import linear, mix, noise, skin_colour


@dataclass(frozen=True)
class Clothes:
    """What a person wears in a clip."""

    style: str = "shirt"
    """One of shirt, tshirt, suit, stripes."""
    rgb: Rgb = (0.25, 0.3, 0.4)
    second_rgb: Rgb = (0.6, 0.15, 0.15)
    """Colour of a tie or of stripes."""


def ears(person: Identity, side: int, width: float) -> list[Part]:
    """Model both ears in head millimetres; `width` is the breadth of the head over that of the mean head."""
    count = max(side // 6, 10)
    a, b = np.meshgrid(np.linspace(-1, 1, count), np.linspace(-1, 1, count))
    radius = np.hypot(a, b)
    outline = 1.0 - 0.22 * np.clip(b, 0, 1) * np.abs(a) - 0.1 * np.clip(b, 0, 1)
    lift = (
        5.0 * np.clip(radius, 0, 1) ** 2
        - 3.5 * np.exp(-(((radius - 0.72) / 0.13) ** 2))
        - 3.0 * (radius > 0.9) * (b < 0.4)
    )
    hollow = 1 - 0.6 * np.exp(-(((a + 0.15) / 0.3) ** 2) - ((b - 0.12) / 0.32) ** 2)
    flush = np.array([1.0, 0.86, 0.85]) * skin_colour(person)
    parts = []
    for sign in (-1, 1):
        reach = 13.0 * (a + 0.75)
        x = sign * (71.0 * width + 0.42 * reach + 0.8 * lift)
        z = -2.0 - 0.85 * reach
        y = 12.0 + 31.0 * b * (1 - 0.15 * np.clip(b, 0, 1)) + 0.12 * reach
        surface = np.stack([x, y, z], -1)
        colour = (flush * hollow[..., None]).astype(np.float32)
        part = plain(
            surface if sign > 0 else surface[:, ::-1], colour if sign > 0 else colour[:, ::-1], gloss=0.2, soft=1.0
        )
        exists = radius < outline
        part.exists = exists if sign > 0 else exists[:, ::-1]
        parts.append(part)
    return parts


def neck(person: Identity, side: int, head: np.ndarray, body: np.ndarray) -> Part:
    """Model the neck in camera millimetres: its top follows the rotation of the head, its foot that of the body.

    head and body are (3, 3) rotations.
    """
    count = max(side // 3, 12)
    around, down = np.meshgrid(np.linspace(-1, 1, count), np.linspace(0, 1, count))
    longitude = np.radians(120 * around)
    girth = 51 - 3 * np.sin(np.pi * down)
    rest = np.stack([girth * np.sin(longitude), 62 + 125 * down, (girth - 1) * np.cos(longitude) - 20], -1)
    follow = np.clip(1.15 - 1.2 * down, 0, 1)[..., None]
    surface = rest @ head.T * follow + rest @ body.T * (1 - follow)
    cords = np.exp(-(((np.abs(around) - 0.42 * (1 - 0.75 * down)) / 0.07) ** 2))
    shade = 1 - 0.12 * cords * down + 0.03 * noise(person.texture_seed + 40, (20, 20), around.shape)
    return plain(surface, skin_colour(person) * shade[..., None], gloss=0.18, soft=1.0)


def shoulders(person: Identity, clothes: Clothes, side: int, body: np.ndarray) -> Part:
    """Model clothed shoulders in camera millimetres; body is a (3, 3) rotation."""
    count = max(side // 3, 32)
    around, down = np.meshgrid(np.linspace(-1, 1, count), np.linspace(0, 1, count))
    drop = 240 * down**1.25
    slope = np.clip(drop / 72, 0, 1) ** 0.62
    longitude = np.radians(105 * around)
    x = (48 + 159 * slope) * np.sin(longitude)
    z = (47 + 47 * slope) * np.cos(longitude) - 20 - 6 * slope
    y = 124 + drop + 40 * np.clip(np.cos(longitude), -0.2, 1) * (1 - slope)
    rest = np.stack([x, y, z], -1)
    size = (max(side * 5 // 4, 120), max(side, 96))
    shape = cv2.resize(rest.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return plain(cv2.transform(shape, body), _cloth(person, clothes, shape), gloss=0.05)


def _cloth(person: Identity, clothes: Clothes, rest: np.ndarray) -> np.ndarray:
    """Linear colour, (H, W, 3), of clothes, and of skin where the neckline leaves it bare.

    rest is the (H, W, 3) surface of the body in millimetres, before it is rotated.
    """
    x, y, z = np.moveaxis(rest, -1, 0)
    main, second, skin = linear(clothes.rgb), linear(clothes.second_rgb), skin_colour(person)
    colour = np.broadcast_to(main, rest.shape)
    match clothes.style:
        case "stripes":
            colour = mix(colour, second, _within(6 * np.sin(x / 5.5)))
        case "tshirt":
            colour = mix(colour, skin, _within(45 * (1 - x**2 / 62**2 - (y - 150) ** 2 / 42**2)) * (z > 0))
        case "suit":
            opening = 0.42 * (330 - y) - np.abs(x)
            colour = mix(colour, 0.8 * main, _within(opening + 26) * (z > 0))
            colour = mix(colour, linear((0.88, 0.88, 0.9)), _within(opening) * (z > 0))
            tie = np.minimum(opening, 9 + 0.05 * (y - 170) - np.abs(x))
            colour = mix(colour, second, _within(tie) * (z > 0))
        case "shirt":
            opening = 0.45 * (225 - y) - np.abs(x)
            colour = mix(colour, 1.25 * main, _within(18 - np.abs(opening + 9)) * (y < 222) * (z > 0))
            colour = mix(colour, skin, _within(opening) * (z > 0))
    wrinkles = 1 + 0.12 * noise(person.texture_seed + 41, (12, 12), x.shape)
    return np.asarray(np.clip(colour * wrinkles[..., None], 0, 1), np.float32)


def _within(inside_mm: np.ndarray) -> np.ndarray:
    """How much a place lies inside an edge, 0..1, by its distance to the edge; the edge is 4 mm wide."""
    return np.asarray(np.clip(inside_mm / 4 + 0.5, 0, 1), np.float32)

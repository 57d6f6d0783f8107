"""Frames that look the same in two splits though they belong to two people: a test that repeats the training.

Each frame gets a perceptual hash of 255 bits: of the 16 x 16 lowest frequencies of its cosine transform without the
mean, which are above their median (as Zauner, "Implementation and benchmarking of perceptual image hash functions",
2010, has it of 8 x 8). Of 8 x 8, frames of different people come nearer to each other than a frame to its own copy
cropped by 2 %: faces are alike.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from facial_keypoints.core.terminal import tell

_SIDE, _SHRUNK_PX = 16, 64
NEAR_BITS = 48
"""Most bits in which near-duplicates differ. On 300 real frames, copies that were saved as JPEG of quality 15, halved,
brightened or cropped by 2 % differed in at most 42, and no two of 2,308 x 3,455 frames of different people in fewer
than 64; of neighbouring frames of a video every second pair is near."""
_AT_ONCE = 256
"""Frames that are compared with all others at a time, to bound the memory. 100,000 frames took 8 s to hash, and 20,000
of them 14 s to compare with the others, on one core."""
_TOLD = 10


@dataclass(frozen=True)
class NearDuplicate:
    """A frame, and the one of another split and person that is nearest to it."""

    frame: str
    like: str
    distance: int
    """In bits."""


def warn_of_near_duplicates(samples: pd.DataFrame, images: np.ndarray) -> None:
    """Tell of frames of test, and of val, that look like one of another person that is trained or chosen by.

    samples: N rows of samples.csv. images: (N, S, S) uint8.
    """
    bits = perceptual_bits(images)
    for split, earlier in (("val", ["train"]), ("test", ["train", "val"])):
        one, other = (samples["split"] == split).to_numpy(), samples["split"].isin(earlier).to_numpy()
        if found := near_duplicates(samples, bits, one, other):
            _warn(found, f"{int(one.sum()):,} frames of {split}", " or ".join(earlier))


def _warn(found: list[NearDuplicate], frames: str, other: str) -> None:
    tell(
        f"warning: {len(found):,} of the {frames} look like one of {other} that counts as another person or group: "
        "errors there are too good to be true of new ones; give such frames one group (docs/own-data.md), or remove "
        "them"
    )
    for pair in found[:_TOLD]:
        tell(f"- {pair.frame} is like {pair.like}: {pair.distance} of {_SIDE**2 - 1} bits differ")
    if len(found) > _TOLD:
        tell(f"- and {len(found) - _TOLD:,} more")


def near_duplicates(samples: pd.DataFrame, bits: np.ndarray, one: np.ndarray, other: np.ndarray) -> list[NearDuplicate]:
    """Of each frame in `one` the nearest in `other` of another person, where it is near; the nearest pairs first.

    samples: N rows of samples.csv. bits: (N, B) of `perceptual_bits`. one, other: (N,) which rows to compare.
    """
    paths = (samples["folder"] + "/" + samples["file"]).to_numpy()
    people = pd.factorize(samples["person"])[0]
    rows, others = np.flatnonzero(one), np.flatnonzero(other)
    found: list[NearDuplicate] = []
    for start in range(0, len(rows) if len(others) else 0, _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        # Of vectors of -1 and 1: bits in which both are the same, less those in which they differ. Exact in float32.
        agreement = bits[some] @ bits[others].T
        agreement[people[some, None] == people[None, others]] = -np.inf
        nearest = agreement.argmax(1)
        distances = (bits.shape[1] - agreement[np.arange(len(some)), nearest]) / 2
        found += [
            NearDuplicate(paths[row], paths[others[place]], int(distance))
            for row, place, distance in zip(some, nearest, distances, strict=True)
            if distance <= NEAR_BITS
        ]
    return sorted(found, key=lambda pair: (pair.distance, pair.frame))


def perceptual_bits(images: np.ndarray) -> np.ndarray:
    """(N, B) float32 of -1 and 1: the bits of the perceptual hash of (N, S, S) uint8 images."""
    bits = np.empty((len(images), _SIDE**2 - 1), np.float32)
    for row, image in enumerate(images):
        shrunk = cv2.resize(image, (_SHRUNK_PX, _SHRUNK_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
        frequencies = cv2.dct(shrunk)[:_SIDE, :_SIDE].ravel()[1:]
        bits[row] = np.where(frequencies > np.median(frequencies), 1, -1)
    return bits

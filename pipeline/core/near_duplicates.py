"""Frames that look the same in two splits though they belong to two people: a test that repeats the training.

Each frame gets a perceptual hash of 255 bits: of the 16 x 16 lowest frequencies of its cosine transform without the
mean, which are above their median (as Zauner, "Implementation and benchmarking of perceptual image hash functions",
2010, has it of 8 x 8). Of 8 x 8, frames of different people come nearer to each other than a frame to its own copy
cropped by 2 %: faces are alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.core.terminal import tell

_SIDE, _SHRUNK_PX = 16, 64
HASH_BYTES = _SIDE**2 // 8
"""Of 255 bits."""
NEAR_BITS = 48
"""Most bits in which near-duplicates differ. On 300 real frames, copies that were saved as JPEG of quality 15, halved,
brightened or cropped by 2 % differed in at most 42, and no two of 2,308 x 3,455 frames of different people in fewer
than 64; of neighbouring frames of a video every second pair is near."""
LOOKED_AT = 10_000
"""Frames of a split that are compared, evenly spread where it has more: 20,000 with 100,000 took 14 s on one core, and
all of a million with each other would take an hour."""
_ROWS, _COLUMNS = 256, 4096
"""Frames that are compared at a time, to bound the memory."""
_TOLD = 10


@dataclass(frozen=True)
class HashedFrames:
    """N frames of a split."""

    hashes: np.ndarray
    """(N, HASH_BYTES) uint8 of `perceptual_hash`."""
    people: np.ndarray
    """(N,) numbers of the person, or group, of each."""
    names: Callable[[Sequence[int]], list[str]]
    """Gives what the frames in some rows are called."""


@dataclass(frozen=True)
class NearDuplicate:
    """A frame, and the one of another split and person that is nearest to it."""

    distance: int
    """In bits."""
    row: int
    split: str
    """The split of the other."""
    other_row: int


def warn_of_near_duplicates(splits: dict[str, HashedFrames]) -> None:
    """Tell of frames of test, and of val, that look like one of another person that is trained or chosen by."""
    for split, earlier in (("val", ["train"]), ("test", ["train", "val"])):
        one = splits[split]
        rows = np.unique(np.linspace(0, len(one.hashes) - 1, min(LOOKED_AT, len(one.hashes))).round().astype(int))
        if found := near_duplicates(one, rows, {name: splits[name] for name in earlier}):
            looked_at = f"{len(rows):,} frames of {split}" + (
                " that were looked at" if len(one.hashes) > len(rows) else ""
            )
            _warn(found, looked_at, " or ".join(earlier), one, splits)


def _warn(
    found: list[NearDuplicate], frames: str, earlier: str, one: HashedFrames, splits: dict[str, HashedFrames]
) -> None:
    tell(
        f"warning: {len(found):,} of the {frames} look like one of {earlier} that counts as another person or group: "
        "errors there are too good to be true of new ones; give such frames one group (docs/own-data.md), or remove "
        "them"
    )
    told = found[:_TOLD]
    for pair, name in zip(told, one.names([pair.row for pair in told]), strict=True):
        (like,) = splits[pair.split].names([pair.other_row])
        tell(f"- {name} is like {like}: {pair.distance} of {_SIDE**2 - 1} bits differ")
    if len(found) > _TOLD:
        tell(f"- and {len(found) - _TOLD:,} more")


def near_duplicates(one: HashedFrames, rows: np.ndarray, others: dict[str, HashedFrames]) -> list[NearDuplicate]:
    """Of each frame in `rows` of a split the nearest of another person in other splits, where it is near.

    The nearest pairs come first.
    """
    found: list[NearDuplicate] = []
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        nearest = {row: NearDuplicate(NEAR_BITS + 1, row, "", 0) for row in some.tolist()}
        for split, other in others.items():
            for row, distance, other_row in _near_rows(one, some, other):
                if distance < nearest[row].distance:
                    nearest[row] = NearDuplicate(distance, row, split, other_row)
        found += [pair for pair in nearest.values() if pair.distance <= NEAR_BITS]
    return sorted(found, key=lambda pair: (pair.distance, pair.row))


def _near_rows(one: HashedFrames, rows: np.ndarray, other: HashedFrames) -> Iterator[tuple[int, int, int]]:
    """Rows with one of another person that is near, the distance, and the row of the nearest of a block of these."""
    signs, people = _signs(one.hashes[rows]), one.people[rows, None]
    for start in range(0, len(other.hashes), _COLUMNS):
        block = slice(start, start + _COLUMNS)
        # Of vectors of -1 and 1: bits in which both are the same, less those in which they differ. Exact in float32.
        agreement = signs @ _signs(other.hashes[block]).T
        agreement[people == other.people[None, block]] = -np.inf
        nearest = agreement.argmax(1)
        distances = (signs.shape[1] - agreement[np.arange(len(rows)), nearest]) / 2
        for place in np.flatnonzero(distances <= NEAR_BITS):
            yield int(rows[place]), int(distances[place]), start + int(nearest[place])


def _signs(hashes: np.ndarray) -> np.ndarray:
    """(N, 255) float32 of -1 and 1."""
    return np.unpackbits(hashes, axis=1, count=_SIDE**2 - 1) * np.float32(2) - np.float32(1)


def perceptual_hash(image: np.ndarray) -> np.ndarray:
    """(HASH_BYTES,) uint8: the 255 bits of the perceptual hash of an (S, S) uint8 image."""
    shrunk = cv2.resize(image, (_SHRUNK_PX, _SHRUNK_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    frequencies = cv2.dct(shrunk)[:_SIDE, :_SIDE].ravel()[1:]
    return np.packbits(frequencies > np.median(frequencies))

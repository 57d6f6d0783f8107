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
"""Frames of a split that are compared, evenly spread where it has more: 20,000 with a million take a minute of one
core, and all of a million with each other would take most of an hour."""
_ROWS, _COLUMNS = 64, 4096
"""Frames that are compared at a time, so that the processor's caches hold the distances."""
_OF_ONE_PERSON = 255
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
            _warn(found, looked_at, " or ".join(earlier), split, splits)


def _warn(found: list[NearDuplicate], frames: str, earlier: str, split: str, splits: dict[str, HashedFrames]) -> None:
    tell(
        f"warning: {len(found):,} of the {frames} look like one of {earlier} that counts as another person or group: "
        "errors there are too good to be true of new ones; give such frames one group (docs/own-data.md), or remove "
        "them"
    )
    pairs = [((split, pair.row), (pair.split, pair.other_row), pair.distance) for pair in found[:_TOLD]]
    names = _names({place for *places, _ in pairs for place in places}, splits)
    for one, other, distance in pairs:
        tell(f"- {names[one]} is like {names[other]}: {distance} of {_SIDE**2 - 1} bits differ")
    if len(found) > _TOLD:
        tell(f"- and {len(found) - _TOLD:,} more")


def _names(places: set[tuple[str, int]], splits: dict[str, HashedFrames]) -> dict[tuple[str, int], str]:
    """What the frames of these splits and rows are called; those of a split at once, as its whole list is read."""
    rows = {split: sorted(row for other, row in places if other == split) for split in splits}
    return {
        (split, row): name
        for split, chosen in rows.items()
        if chosen
        for row, name in zip(chosen, splits[split].names(chosen), strict=True)
    }


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
    hashes, people = one.hashes[rows], one.people[rows, None]
    for start in range(0, len(other.hashes), _COLUMNS):
        block = slice(start, start + _COLUMNS)
        distances = _distances(hashes, other.hashes[block])
        distances[people == other.people[None, block]] = _OF_ONE_PERSON
        nearest = distances.argmin(1)
        least = distances[np.arange(len(rows)), nearest]
        for place in np.flatnonzero(least <= NEAR_BITS):
            yield int(rows[place]), int(least[place]), start + int(nearest[place])


def _distances(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, M) uint8 numbers of bits in which (N, HASH_BYTES) and (M, HASH_BYTES) hashes differ."""
    distances = np.zeros((len(hashes), len(others)), np.uint8)
    differing = np.empty(distances.shape, np.uint64)
    for one, other in zip(hashes.view(np.uint64).T, np.ascontiguousarray(others.view(np.uint64).T), strict=True):
        np.bitwise_xor(one[:, None], other, out=differing)
        distances += np.bitwise_count(differing)
    return distances


def perceptual_hash(image: np.ndarray) -> np.ndarray:
    """(HASH_BYTES,) uint8: the 255 bits of the perceptual hash of an (S, S) uint8 image."""
    shrunk = cv2.resize(image, (_SHRUNK_PX, _SHRUNK_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    frequencies = cv2.dct(shrunk)[:_SIDE, :_SIDE].ravel()[1:]
    return np.packbits(frequencies > np.median(frequencies))

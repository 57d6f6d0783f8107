"""Prepared images made in shards, which several processes, also of several hosts, share.

All shards of one preparation lie in one folder until it is finished. A shard is a folder there, whole or not there,
with a digest of what it was made of and of what it holds: what a killed process made is taken over, what was damaged or
made of other frames is not.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from facial_keypoints.core.atomic_files import file_sha256, whole_folder
from pipeline.core.near_duplicates import HASH_BYTES
from pipeline.core.samples import read_samples_in_parts

_DIGEST = "sha256"


@dataclass(frozen=True)
class Squares:
    """N frames of a shard; each field is a file of it."""

    images: np.ndarray
    """(N, S, S) uint8 gray."""
    crop_from_source: np.ndarray
    """(N, 3, 3) float32."""
    hashes: np.ndarray
    """(N, HASH_BYTES) uint8 of `perceptual_hash`."""

    @classmethod
    def empty(cls, count: int, side: int) -> "Squares":
        """Room for `count` frames of this side."""
        return cls(
            np.empty((count, side, side), np.uint8),
            np.empty((count, 3, 3), np.float32),
            np.empty((count, HASH_BYTES), np.uint8),
        )


Make = Callable[[pd.DataFrame], Generator[None, None, Squares]]
"""Makes the arrays of a shard out of its rows of samples.csv; yields as each frame is done."""


@dataclass(frozen=True)
class Shard:
    """Neighbouring frames of a split."""

    split: str
    number: int
    """Counted from 0 in its split."""
    samples: pd.DataFrame
    """Their rows of samples.csv."""


def shard_place(folder: Path, split: str, number: int) -> Path:
    """Where a shard lies in the folder of a preparation."""
    return folder / f"{split}-{number:05d}"


def shards_of(samples: Path, split: str, rows: int) -> Iterator[Shard]:
    """The shards of a split, each of `rows` frames but the last; a split without frames has one without any.

    `samples` is the list of all splits.
    """
    waiting = pd.DataFrame()
    number = 0
    for part in read_samples_in_parts(samples, rows):
        chosen = part[part["split"] == split]
        waiting = pd.concat([waiting, chosen]) if len(waiting) else chosen
        if len(waiting) >= rows:
            yield Shard(split, number, waiting.iloc[:rows])
            waiting, number = waiting.iloc[rows:], number + 1
    if len(waiting) or not number:
        yield Shard(split, number, waiting)


def make_shards(shards: Iterable[Shard], folder: Path, raw: Path, make: Make, *, helping: bool) -> Iterator[None]:
    """Make what is not there, but what another process makes meanwhile, and wait for that; yields once for each frame.

    It ends where the folder is removed, as the process does that has all shards and has finished. Who is `helping` that
    one leaves all that is there as it is: in another checkout the same frames may have other times.
    """
    left = []
    for shard in shards:
        try:
            yield from _make(shard, folder, raw, make, helping=helping, wait=False)
        except Timeout:
            left.append(shard)
    for shard in left:
        yield from _make(shard, folder, raw, make, helping=helping, wait=True)


def _make(shard: Shard, folder: Path, raw: Path, make: Make, *, helping: bool, wait: bool) -> Iterator[None]:
    place, sources = shard_place(folder, shard.split, shard.number), _sources(shard.samples, raw)

    def is_done() -> bool:
        return place.is_dir() if helping else _is_made(place, sources)

    if not is_done():
        with FileLock(folder.with_name(f"{folder.name}-{place.name}.lock"), timeout=-1 if wait else 0):
            # No shard of a folder that is still there was removed: it goes as one.
            if not is_done() and folder.is_dir():
                squares = yield from make(shard.samples)
                _write(place, sources, squares)
                return
    yield from [None] * len(shard.samples)


def _write(place: Path, sources: str, squares: Squares) -> None:
    with whole_folder(place) as partial:
        for name, array in vars(squares).items():
            np.save(partial / f"{name}.npy", array)
        (partial / _DIGEST).write_text(_digest(partial, sources))


def _is_made(place: Path, sources: str) -> bool:
    """Whether a shard is there, as it was made, of these sources."""
    try:
        return (place / _DIGEST).read_text() == _digest(place, sources)
    except (OSError, ValueError):
        return False


def _digest(place: Path, sources: str) -> str:
    files = [file_sha256(path) for path in sorted(place.glob("*.npy"))]
    return hashlib.sha256("\n".join([sources, *files]).encode()).hexdigest()


def _sources(samples: pd.DataFrame, raw: Path) -> str:
    """Digest of name, size and time of the frames of a shard: reading them all would take as long as making it."""
    digest = hashlib.sha256()
    for folder, file in zip(samples["folder"], samples["file"], strict=True):
        path = raw / folder / file
        try:
            status = path.stat()
            digest.update(f"{folder}/{file} {status.st_size} {status.st_mtime_ns}\n".encode())
        except OSError as error:  # whoever reads it says so
            digest.update(f"{folder}/{file} {error.errno}\n".encode())
    return digest.hexdigest()

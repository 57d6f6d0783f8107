from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from pipeline.core import near_duplicates as module
from pipeline.core.near_duplicates import (
    NEAR_BITS,
    HashedFrames,
    near_duplicates,
    perceptual_hash,
    warn_of_near_duplicates,
)


def picture(seed: int) -> np.ndarray:
    """(64, 64) uint8 smooth blotches."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 12), np.uint8)
    return np.asarray(cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC), np.uint8)


def hashed(split: str, hashes: np.ndarray, people: Sequence[int]) -> HashedFrames:
    return HashedFrames(hashes, np.array(people, int), lambda rows: [f"{split}/{row}" for row in rows])


def splits_of(*frames: tuple[int, str, int]) -> dict[str, HashedFrames]:
    """Splits of frames of (person, split, seed of the picture)."""
    parts = {split: [frame for frame in frames if frame[1] == split] for split in ("train", "val", "test")}
    empty = np.zeros((0, 32), np.uint8)
    return {
        split: hashed(
            split,
            np.stack([perceptual_hash(picture(seed)) for *_, seed in part]) if part else empty,
            [person for person, *_ in part],
        )
        for split, part in parts.items()
    }


def altered() -> list[np.ndarray]:
    """The same picture as JPEG of low quality, halved, brighter, and cropped by 2 %."""
    same = picture(1)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", same, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_GRAYSCALE)
    half = cv2.resize(cv2.resize(same, (32, 32), interpolation=cv2.INTER_AREA), (64, 64))
    brighter = np.clip(same * 0.9 + 20, 0, 255).astype(np.uint8)
    cropped = cv2.resize(same[1:, :-1], (64, 64))
    return [np.asarray(one, np.uint8) for one in (jpeg, half, brighter, cropped)]


def bits_between(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.unpackbits(perceptual_hash(one) ^ perceptual_hash(other)).sum())


@pytest.mark.parametrize("copy", altered())
def test_an_altered_copy_is_near_and_another_picture_is_not(copy: np.ndarray) -> None:
    assert bits_between(picture(1), copy) <= NEAR_BITS < 80 < bits_between(picture(1), picture(2))


def test_copies_of_another_person_in_an_earlier_split_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [(0, "train", 1), (1, "val", 2), (2, "test", 1), (3, "test", 2), (4, "val", 1)]
    warn_of_near_duplicates(splits_of(*frames))
    val, like_train, test, *pairs = capsys.readouterr().err.splitlines()
    assert val.startswith("warning: 1 of the 2 frames of val look like one of train that counts as another person")
    assert like_train == "- val/1 is like train/0: 0 of 255 bits differ"
    assert test.startswith("warning: 2 of the 2 frames of test look like one of train or val")
    assert pairs == ["- test/0 is like train/0: 0 of 255 bits differ", "- test/1 is like val/0: 0 of 255 bits differ"]


def test_frames_of_one_person_may_be_alike(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_near_duplicates(splits_of((0, "train", 1), (1, "val", 2), (0, "test", 1)))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("split", ["train", "test"])
def test_without_frames_to_compare_nothing_is_told(split: str, capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_near_duplicates(splits_of((0, split, 1), (1, split, 1)))
    assert capsys.readouterr().err == ""


def test_of_many_frames_each_has_its_nearest_and_the_nearest_pairs_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COLUMNS", 130)
    bits = np.random.default_rng(0).random((700, 255)) < 0.5
    bits[300:600] = bits[:300]
    bits[300:600, :5] ^= True
    bits[599, :3] ^= True  # 2 bits differ
    hashes = np.packbits(bits, axis=1)
    test, train = hashed("test", hashes[:300], range(300)), hashed("train", hashes[300:], range(300, 700))
    found = near_duplicates(test, np.arange(300), {"train": train})
    assert [(pair.row, pair.other_row, pair.distance) for pair in found[:2]] == [(299, 299, 2), (0, 0, 5)]
    assert len(found) == 300


def test_a_long_list_is_told_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_near_duplicates(splits_of((0, "train", 1), *((row, "test", 1) for row in range(1, 15))))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[-1] == "- and 4 more"


def test_of_very_many_frames_an_even_share_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 3)
    warn_of_near_duplicates(splits_of((0, "train", 1), *((row, "test", 1) for row in range(1, 6))))
    first, *pairs = capsys.readouterr().err.splitlines()
    assert first.startswith("warning: 3 of the 3 frames of test that were looked at look like one of train or val")
    assert [pair.split()[1] for pair in pairs] == ["test/0", "test/2", "test/4"]

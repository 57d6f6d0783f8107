import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.core.near_duplicates import NEAR_BITS, near_duplicates, perceptual_bits, warn_of_near_duplicates


def picture(seed: int) -> np.ndarray:
    """(64, 64) uint8 smooth blotches."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 12), np.uint8)
    return np.asarray(cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC), np.uint8)


def samples_of(*rows: tuple[str, str]) -> pd.DataFrame:
    """Rows of samples.csv of (person, split)."""
    table = pd.DataFrame(rows, columns=["person", "split"])
    return table.assign(folder=np.where(table["split"] == "test", "test", "training"), file=table.index.astype(str))


def altered() -> list[np.ndarray]:
    """The same picture as JPEG of low quality, halved, brighter, and cropped by 2 %."""
    same = picture(1)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", same, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_GRAYSCALE)
    half = cv2.resize(cv2.resize(same, (32, 32), interpolation=cv2.INTER_AREA), (64, 64))
    brighter = np.clip(same * 0.9 + 20, 0, 255).astype(np.uint8)
    cropped = cv2.resize(same[1:, :-1], (64, 64))
    return [np.asarray(one, np.uint8) for one in (jpeg, half, brighter, cropped)]


@pytest.mark.parametrize("copy", altered())
def test_an_altered_copy_is_near_and_another_picture_is_not(copy: np.ndarray) -> None:
    bits = perceptual_bits(np.stack([picture(1), copy, picture(2)]))
    assert (bits[0] != bits[1]).sum() <= NEAR_BITS < 80 < (bits[0] != bits[2]).sum()


def test_copies_of_another_person_in_an_earlier_split_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    samples = samples_of(("a", "train"), ("b", "val"), ("c", "test"), ("d", "test"), ("e", "val"))
    warn_of_near_duplicates(samples, np.stack([picture(seed) for seed in (1, 2, 1, 2, 1)]))
    val, like_train, test, *pairs = capsys.readouterr().err.splitlines()
    assert val.startswith("warning: 1 of the 2 frames of val look like one of train that counts as another person")
    assert like_train == "- training/4 is like training/0: 0 of 255 bits differ"
    assert test.startswith("warning: 2 of the 2 frames of test look like one of train or val")
    assert pairs == [
        "- test/2 is like training/0: 0 of 255 bits differ",
        "- test/3 is like training/1: 0 of 255 bits differ",
    ]


def test_frames_of_one_person_may_be_alike(capsys: pytest.CaptureFixture[str]) -> None:
    samples = samples_of(("a", "train"), ("b", "val"), ("a", "test"))
    warn_of_near_duplicates(samples, np.stack([picture(seed) for seed in (1, 2, 1)]))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("split", ["train", "test"])
def test_without_frames_to_compare_nothing_is_told(split: str, capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_near_duplicates(samples_of(("a", split), ("b", split)), np.stack([picture(1), picture(1)]))
    assert capsys.readouterr().err == ""


def test_of_many_frames_each_has_its_nearest_and_the_nearest_pairs_come_first() -> None:
    rng = np.random.default_rng(0)
    bits = np.where(rng.random((700, 255)) < 0.5, np.float32(-1), np.float32(1))
    bits[300:600] = bits[:300]
    bits[300:600, :5] *= -1
    bits[599, :3] *= -1  # 2 bits differ
    samples = samples_of(*((str(row), "test" if row < 300 else "train") for row in range(700)))
    found = near_duplicates(samples, bits, np.arange(700) < 300, np.arange(700) >= 300)
    assert [(pair.frame, pair.like, pair.distance) for pair in found[:2]] == [
        ("test/299", "training/599", 2),
        ("test/0", "training/300", 5),
    ]
    assert len(found) == 300


def test_a_long_list_is_told_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    samples = samples_of(("a", "train"), *((str(row), "test") for row in range(14)))
    warn_of_near_duplicates(samples, np.stack([picture(1)] * 15))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[-1] == "- and 4 more"

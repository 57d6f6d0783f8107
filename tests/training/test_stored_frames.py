"""Frames on disk train as those in memory do."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from facial_keypoints.core.scheme import IBUG_68
from pipeline.core.samples import SAMPLE_COLUMNS
from pipeline.training import frames, stored_frames
from pipeline.training.frames import LabelledFrames, TrainingFrames
from pipeline.training.stored_frames import StoredFrames, load_labelled_frames
from pipeline.training.trainer import Epoch, fit
from tests.training.test_augment import NOTHING
from tests.training.test_trainer import SETTINGS, Offset

CPU, SIDE, COUNT = torch.device("cpu"), 64, 23


def write_frames(folder: Path, shard: int) -> Path:
    """Noise with random points, a fifth of it without labels, in shards of so many frames."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (COUNT, SIDE, SIDE), np.uint8)
    keypoints = rng.uniform(0, SIDE, (COUNT, 68, 2)).astype(np.float32)
    keypoints[::5] = np.nan
    keypoints[1, 30] = np.nan
    folder.mkdir()
    parts = [images[start : start + shard] for start in range(0, COUNT, shard)]
    for number, part in enumerate(parts):
        np.save(folder / (f"images-{number:05d}.npy" if len(parts) > 1 else "images.npy"), part)
    np.save(folder / "keypoints.npy", keypoints)
    np.save(folder / "crop_from_source.npy", np.tile(np.eye(3, dtype=np.float32), (COUNT, 1, 1)))
    rows = [
        [f"training/p_{i}", f"p_{i}.jpg", "training", "p", "p_0", i, i % 5 > 0, "train", None] for i in range(COUNT)
    ]
    pd.DataFrame(rows, columns=SAMPLE_COLUMNS).to_csv(folder / "samples.csv", index=False)
    return folder


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LabelledFrames, StoredFrames]:
    """The same frames in memory, and on disk in windows of two batches of four."""
    monkeypatch.setattr(stored_frames, "_WINDOW", 8)
    folders = [write_frames(tmp_path / name, shard) for name, shard in (("one", COUNT), ("many", 5))]
    held, stored = (load_labelled_frames(folder, SIDE, IBUG_68, CPU) for folder in folders)
    assert isinstance(held, LabelledFrames)
    assert isinstance(stored, StoredFrames)
    return held, stored


@pytest.mark.parametrize("size", [1, 4, 30])
def test_batches_are_those_of_frames_in_memory(both: tuple[LabelledFrames, StoredFrames], size: int) -> None:
    order = torch.randperm(len(both[0]), generator=torch.Generator().manual_seed(0))
    batches = [[*one.batches(size), *one.batches(size, 1, 3), *one.chosen_batches(order.split(size))] for one in both]
    assert len(batches[0]) == len(batches[1])
    whole, every_third = (list(both[1].batches(size, *of)) for of in ((), (1, 3)))
    assert [images.tolist() for images, _ in every_third] == [images.tolist() for images, _ in whole[1::3]]
    for (images, keypoints), (stored_images, stored_keypoints) in zip(*batches, strict=True):
        assert torch.equal(images, stored_images)
        assert torch.equal(keypoints.nan_to_num(), stored_keypoints.nan_to_num())
        assert torch.equal(keypoints.isnan(), stored_keypoints.isnan())


@pytest.mark.parametrize("at_once", [50_000, 7])
def test_the_mean_shape_is_that_of_frames_in_memory(
    both: tuple[LabelledFrames, StoredFrames], monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    held, stored = both
    for module in (frames, stored_frames):
        monkeypatch.setattr(module, "MEAN_OF", at_once)
    assert torch.equal(held.mean_shape, stored.mean_shape)
    assert torch.allclose(held.mean_shape, held.keypoints_crop.nanmean(0))


def test_training_gives_the_same_bits(both: tuple[LabelledFrames, StoredFrames]) -> None:
    (weights, epochs), (stored_weights, stored_epochs) = map(trained, both)
    assert epochs == stored_epochs
    assert all(torch.equal(tensor, stored_weights[name]) for name, tensor in weights.items())


def trained(some: TrainingFrames) -> tuple[dict[str, torch.Tensor], list[Epoch]]:
    history: list[Epoch] = []
    network = fit(
        Offset(), some, some, settings=SETTINGS, amounts=NOTHING, on_epoch=lambda epoch, state: history.append(epoch)
    )
    return network.state_dict(), history


def test_no_more_is_read_ahead_than_two_windows(both: tuple[LabelledFrames, StoredFrames]) -> None:
    asked: list[int] = []
    rows = (torch.tensor([asked.append(number) or number]) for number in itertools.count())
    batches = both[1].chosen_batches(itertools.islice(rows, 18))
    next(batches)
    assert len(asked) == 16

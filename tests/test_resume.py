from pathlib import Path

import pytest
import torch
from torch.nn import functional

from pipeline.config import load_params
from pipeline.models import build_network
from pipeline.resume import Checkpoint
from pipeline.trainer import Faces, Recipe, fit
from tests.imports import ROOT
from tests.test_augment import NOTHING
from tests.test_trainer import faces

RECIPE = Recipe(epochs=3, batch_size=4, loss="l1", lr=0.01, weight_decay=0.01, warmup_frac=0.1, ema_decay=0.9, seed=0)
KEY = "ab" * 32


class Killed(BaseException):
    pass


def train(name, path: Path, *, die_after: int | None = None, key: str = KEY):
    """Train on a few faces with a checkpoint after every epoch; returns the final state and the history."""
    torch.manual_seed(0)
    few = faces(10, shift=1.0)
    large = Faces(functional.interpolate(few.images[:, None], (96, 96))[:, 0], few.keypoints_crop)
    section = load_params(ROOT / "params.yaml").model.model_dump() | {"name": name}
    section["coarse_to_fine"] |= {"coarse_px": 32, "fine_px": 64, "fine_width": 8, "fine_pyramid": 8}
    network = build_network(section, side=96, mean_shape=large.keypoints_crop.mean(0))
    checkpoint = Checkpoint(path, key)
    start, history = checkpoint.read()
    final = {}

    def on_epoch(epoch, state):
        history.append(epoch)
        checkpoint.write(state, history)
        final.update(state)
        if epoch.epoch == die_after:
            raise Killed

    fit(network, large, large, recipe=RECIPE, amounts=NOTHING, on_epoch=on_epoch, resume=start)
    return final, history


@pytest.mark.parametrize("name", ["coarse_to_fine", "udacity_5conv"])
def test_a_training_that_goes_on_ends_like_one_that_never_stopped(tmp_path, name):
    whole, history = train(name, tmp_path / "whole")
    with pytest.raises(Killed):
        train(name, tmp_path / "broken", die_after=1)
    with pytest.raises(Killed):
        train(name, tmp_path / "broken", die_after=2)
    resumed, same_history = train(name, tmp_path / "broken")
    assert same_history == history
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert set(resumed) == set(whole)
    assert not [n for n in whole if not torch.equal(whole[n], resumed[n]) or whole[n].stride() != resumed[n].stride()]

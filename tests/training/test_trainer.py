import dataclasses
import time
from typing import Any

import pytest
import torch
from torch import nn

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.progress import EpochLines
from facial_keypoints.core.scheme import IBUG_68
from pipeline.models.network import KeypointNetwork
from pipeline.models.tensor_geometry import mirror_keypoints
from pipeline.training.frames import LabelledFrames
from pipeline.training.schedules import one_cycle
from pipeline.training.settings import Train
from pipeline.training.trainer import fit
from tests.training.test_augment import NOTHING

SETTINGS = Train(
    epochs=2,
    batch_size=4,
    shards=1,
    precision="mixed",
    loss="l1",
    loss_unit="face_size",
    optimizer="muon",
    schedule="one_cycle",
    lr=0.01,
    weight_decay=0.01,
    warmup_frac=0.1,
    ema_decay=0.9,
    start="scratch",
    trunk_lr_factor=1.0,
    seed=0,
)


class Offset(KeypointNetwork):
    """Answers one learned shape for every picture."""

    def __init__(self) -> None:
        super().__init__(IBUG_68.count)
        self.shape = nn.Parameter(torch.rand(68, 2, generator=torch.Generator().manual_seed(1)) * 10 + 20)

    def forward(self, images):
        return self.shape.expand(len(images), 1, 68, 2)


def faces(count: int, *, shift: float = 0.0) -> LabelledFrames:
    shape = torch.rand(68, 2, generator=torch.Generator().manual_seed(2)) * 32 + 16
    # Symmetric on purpose, but for `shift` to the right.
    shape = (shape + mirror_keypoints(shape[None], 64, IBUG_68.flip_index)[0]) / 2 + torch.tensor([shift, 0.0])
    images = torch.randint(0, 255, (count, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    return LabelledFrames(images, shape.repeat(count, 1, 1), IBUG_68)


def train(settings: Train = SETTINGS, *, train_faces=None, val=None, amounts=NOTHING):
    history = []
    net = fit(
        Offset(),
        faces(10) if train_faces is None else train_faces,
        faces(3) if val is None else val,
        settings=settings,
        amounts=amounts,
        on_epoch=lambda epoch, state: history.append(epoch),
    )
    return net, history


def test_training_lowers_the_error():
    _, history = train(dataclasses.replace(SETTINGS, epochs=150, lr=0.5))
    assert history[-1].val_nme < 0.1 * history[0].val_nme
    assert [row.epoch for row in history] == list(range(1, 151))


def test_partly_labelled_frames_train_and_are_measured_where_they_can_be():
    few = faces(12)
    few.keypoints_crop[::2, 5] = torch.nan
    few.keypoints_crop[1::3, 10:] = torch.nan
    amounts = dataclasses.replace(NOTHING, mirror_prob=0.5)
    settings = dataclasses.replace(SETTINGS, epochs=150, lr=0.5)
    net, history = train(settings, train_faces=few, val=few, amounts=amounts)
    assert net.shape.isfinite().all()
    assert history[-1].val_nme < 0.1 * history[0].val_nme
    nobody = faces(2)
    nobody.keypoints_crop[:, 36] = torch.nan  # one of the two points that errors are divided by
    _, history = train(val=nobody)
    assert history[-1].val_loss is not None
    assert history[-1].val_nme is None


def test_the_mean_shape_is_that_of_the_labels_there_are():
    few = faces(2)
    few.keypoints_crop[1] += 10
    few.keypoints_crop[0, 3] = torch.nan
    few.keypoints_crop[:, 4] = torch.nan
    others = [point for point in range(68) if point not in (3, 4)]
    assert torch.allclose(few.mean_shape[others], few.keypoints_crop[:, others].mean(0))
    assert torch.equal(few.mean_shape[3], few.keypoints_crop[1, 3])
    assert torch.allclose(few.mean_shape[4], few.mean_shape[[*others, 3]].mean(0))


def test_the_rate_rises_to_its_peak_and_falls():
    _, history = train(dataclasses.replace(SETTINGS, epochs=50, lr=0.01, warmup_frac=0.2))
    rates = [row.lr for row in history]
    peak = rates.index(max(rates))
    assert peak == 10
    assert max(rates) == pytest.approx(0.01, rel=0.02)
    assert rates[-1] < 1e-4


def test_without_validation_frames_its_columns_are_empty():
    _, history = train(val=faces(0))
    assert history[-1].val_nme is None
    assert history[-1].val_loss is None


def test_a_set_smaller_than_a_batch_trains():
    _, history = train(dataclasses.replace(SETTINGS, batch_size=64))
    assert len(history) == 2


def test_one_seed_gives_one_model():
    (first, _), (second, _) = train(), train()
    assert torch.equal(first.shape, second.shape)


def test_labels_that_lie_to_one_side_are_learned_in_spite_of_mirroring():
    amounts = dataclasses.replace(NOTHING, mirror_prob=0.5)
    shifted = faces(16, shift=1.0)
    recipe = dataclasses.replace(SETTINGS, epochs=200, lr=1.0, batch_size=8)
    net, _ = train(recipe, train_faces=shifted, val=faces(0), amounts=amounts)
    error = (net.shape - shifted.keypoints_crop[0]).mean(0)
    assert error[0].abs().item() < 0.2  # pulled to the middle it would be 1


def test_a_loss_that_explodes_is_named_with_the_remedy():
    bad = faces(8)
    bad.keypoints_crop[:] = float("nan")
    with pytest.raises(ModelError, match=r"the loss became nan in epoch 1; lower train\.lr"):
        train(train_faces=bad)


def test_without_decay_the_average_is_the_last():
    net = Offset()
    average: Any = fit(
        net,
        faces(8),
        faces(0),
        settings=dataclasses.replace(SETTINGS, ema_decay=0.0),
        amounts=NOTHING,
        on_epoch=lambda epoch, state: None,
    )
    assert torch.equal(average.shape, net.shape)


@pytest.mark.parametrize("warmup_frac", [0.0, 0.05, 0.1, 0.2, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 5, 10, 20, 1000])
def test_the_rate_stays_within_bounds(steps, warmup_frac):
    factors = [one_cycle(step, steps, warmup_frac) for step in range(steps)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) > 0


def test_every_epoch_is_a_line(capsys, monkeypatch):
    clock = iter([100.0, 130.0, 250.0, 300.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    lines = EpochLines(4)
    lines.tell(2, 5.1234, 0.0441)  # a training that goes on after epoch 1
    lines.tell(3, 4.0, None)
    lines.tell(4, 3.0, 0.04)
    assert capsys.readouterr().out.splitlines() == [
        "epoch 2/4  loss 5.12  NME on val 4.41 %  60 s left",
        "epoch 3/4  loss 4  75 s left",
        "epoch 4/4  loss 3  NME on val 4.00 %",
    ]

"""What a training gives on a CUDA device is what it gives on the CPU, up to rounding. Skipped where there is none."""

import dataclasses

import numpy as np
import pytest
import torch

from facial_keypoints.core.scheme import IBUG_68
from pipeline.models.coarse_to_fine import CoarseToFine
from pipeline.models.forward import keypoints_on_cpu, predict_crops
from pipeline.training.frames import LabelledFrames
from pipeline.training.trainer import Training, fit
from tests.discs import FACE, draw_discs
from tests.training import test_trainer
from tests.training.test_augment import EVERYTHING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SIDE = 96
SETTINGS = dataclasses.replace(test_trainer.SETTINGS, batch_size=8, precision="float32", lr=0.003, weight_decay=0.1)


def network() -> CoarseToFine:
    torch.manual_seed(0)
    shape = torch.from_numpy(FACE).float() * 50 + SIDE / 2
    return CoarseToFine(
        shape,
        IBUG_68.flip_index,
        coarse_px=32,
        coarse_width=8,
        coarse_blocks=1,
        coarse_far_prob=0.3,
        coarse_far_deg=70,
        coarse_neighbour_prob=0.3,
        fine_neighbour_prob=0.3,
        fine_px=64,
        fine_margin_frac=0.15,
        fine_width=8,
        fine_pyramid=16,
        fine_networks=1,
        mirrored_view=True,
        correction_ridge=0.1,
        spread=True,
    )


def frames(device: torch.device, count: int = 24) -> LabelledFrames:
    random = np.random.default_rng(0)
    places = [(*random.uniform(40, 56, 2), random.uniform(20, 28)) for _ in range(count)]
    images = np.stack([draw_discs([place], (SIDE, SIDE))[..., 0] for place in places])
    points = np.stack([2 * radius * FACE + (x, y) for x, y, radius in places]).astype(np.float32)
    return LabelledFrames(torch.from_numpy(images).to(device), torch.from_numpy(points).to(device), IBUG_68)


def first_losses(device: torch.device, steps: int = 3) -> list[float]:
    made = network().to(device)
    torch.manual_seed(0)
    training = Training(made, SETTINGS, EVERYTHING, frames(device))
    _, batches = next(training.epochs())
    return [training.step(*batch).item() for _, batch in zip(range(steps), batches, strict=False)]


def test_the_first_steps_are_those_of_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert first_losses(CUDA) == pytest.approx(first_losses(CPU), rel=1e-3)


def test_it_predicts_what_the_cpu_predicts():
    images = frames(CPU).images.numpy()
    made = network().eval()
    on_cpu = keypoints_on_cpu(made, images)
    assert np.abs(predict_crops(made, images) - on_cpu).max() < 0.01  # px


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_a_training_learns_and_goes_on_from_its_state(precision):
    settings = dataclasses.replace(SETTINGS, epochs=12, precision=precision)
    history, states = [], []

    def keep(epoch, state):
        history.append(epoch)
        states.append({name: value.clone() for name, value in state.items()})

    def train(**options):
        torch.manual_seed(0)
        made = network().to(CUDA)
        amounts = dataclasses.replace(EVERYTHING, rotation_deg=5)
        return fit(made, frames(CUDA), frames(CUDA), settings=settings, amounts=amounts, on_epoch=keep, **options)

    train()
    assert history[-1].train_loss < history[0].train_loss
    train(resume=states[5])
    gone_on = history[12:]
    assert [row.epoch for row in gone_on] == list(range(7, 13))
    # The gradients of some operations are sums in no fixed order.
    assert gone_on[0].train_loss == pytest.approx(history[6].train_loss, rel=0.01)

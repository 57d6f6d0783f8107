"""The training loop: whole batches from arrays held in memory, one-cycle schedule, averaged weights."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.augment import Augmentation, augment
from pipeline.device import mixed_precision
from pipeline.errors import ModelError
from pipeline.losses import keypoint_loss
from pipeline.metrics import nme
from pipeline.optim import WeightAverage, make_optimizer, one_cycle
from pipeline.progress import progress
from pipeline.scheme import POINTS


@dataclass(frozen=True)
class Recipe:
    """How to train; names and units as in the `train` section of params.yaml."""

    epochs: int
    batch_size: int
    loss: str
    loss_unit: str
    optimizer: str
    schedule: str
    lr: float
    weight_decay: float
    warmup_frac: float
    ema_decay: float
    seed: int


@dataclass(frozen=True)
class Faces:
    """Labelled frames on one device: (N, S, S) uint8 images and (N, 68, 2) float32 keypoints in crop pixels."""

    images: Tensor
    keypoints_crop: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, S, S) float32 images in 0..1 and (B, 68, 2) keypoints of these rows."""
        rows = rows.to(self.images.device)
        return self.images.index_select(0, rows)[:, None].float().div_(255), self.keypoints_crop[rows]


@dataclass(frozen=True)
class Epoch:
    """One row of the history; validation values are None without validation frames."""

    epoch: int
    lr: float
    train_loss: float
    val_loss: float | None
    val_nme: float | None


def fit(
    network: nn.Module,
    train: Faces,
    val: Faces,
    *,
    recipe: Recipe,
    amounts: Augmentation,
    on_epoch: Callable[[Epoch], None],
) -> nn.Module:
    """Train `network` in place on the device of `train`; returns a copy with averaged weights, in eval mode.

    Validation measures the averaged weights. Raises ModelError when the loss is no longer finite.
    """
    training = Training(network, recipe, amounts, train.images.device)
    epoch_steps = training.steps(len(train)) // recipe.epochs
    schedule = training.schedule(len(train))
    batches = progress(training.batches(train), label="train", total=recipe.epochs * epoch_steps, unit="steps")
    for epoch in range(1, recipe.epochs + 1):
        lr = float(schedule.get_last_lr()[0])
        losses = []
        for images, keypoints in itertools.islice(batches, epoch_steps):
            losses.append(training.step(images, keypoints))
            schedule.step()
        train_loss = torch.stack(losses).mean().item()
        if not np.isfinite(train_loss):
            raise ModelError(f"the loss became {train_loss} in epoch {epoch}; lower train.lr and run again")
        on_epoch(Epoch(epoch, lr, train_loss, *validate(training.average.network, val, recipe)))
    return training.average.network


class Training:
    """A network on its way: its optimizer, the average of its weights, and the random draws."""

    def __init__(self, network: nn.Module, recipe: Recipe, amounts: Augmentation, device: torch.device) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # convolutions take half the time on the CPU
        self.recipe, self.amounts = recipe, amounts
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.mirror_shift = nn.Parameter(torch.zeros(POINTS, 2, device=device))
        self.optimizer = make_optimizer(network, self.mirror_shift, lr=recipe.lr, weight_decay=recipe.weight_decay)
        self.average = WeightAverage(network, recipe.ema_decay)

    def steps(self, frames: int) -> int:
        return self.recipe.epochs * _batches_per_epoch(frames, self.recipe.batch_size)

    def schedule(self, frames: int) -> torch.optim.lr_scheduler.LRScheduler:
        factor = partial(one_cycle, steps=self.steps(frames), warmup_frac=self.recipe.warmup_frac)
        return torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)

    def batches(self, faces: Faces) -> Iterator[tuple[Tensor, Tensor]]:
        """Every epoch all faces in a new order."""
        size = self.recipe.batch_size
        for _ in range(self.recipe.epochs):
            order = torch.randperm(len(faces), generator=self.generator)
            for index in range(_batches_per_epoch(len(faces), size)):
                yield faces.batch(order[index * size : (index + 1) * size])

    def step(self, images: Tensor, keypoints: Tensor) -> Tensor:
        """One step on a batch; returns its loss."""
        images, keypoints = augment(images, keypoints, self.amounts, self.generator, self._learned_shift())
        self.network.train()
        with mixed_precision(images.device):
            estimates = self.network(images)
        loss = keypoint_loss(self.recipe.loss, estimates.float(), keypoints)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.average.update(self.network)
        return loss.detach()

    def _learned_shift(self) -> Tensor | None:
        """None where every frame is mirrored: then nothing holds the network to the labels' side."""
        return self.mirror_shift if self.amounts.mirror_prob < 1 else None


def _batches_per_epoch(frames: int, batch_size: int) -> int:
    """Whole batches only, so that every step sees as many frames; a set smaller than a batch is one batch."""
    return max(1, frames // batch_size)


def validate(network: nn.Module, faces: Faces, recipe: Recipe) -> tuple[float, float] | tuple[None, None]:
    """Mean loss and NME of a network in eval mode; None without faces."""
    if not len(faces):
        return None, None
    losses, errors = [], []
    with torch.inference_mode():
        for rows in torch.split(torch.arange(len(faces)), recipe.batch_size):
            images, keypoints = faces.batch(rows)
            estimates = network(images)
            losses.append(keypoint_loss(recipe.loss, estimates, keypoints).item() * len(rows))
            errors.append(nme(estimates[:, -1].cpu().numpy(), keypoints.cpu().numpy()))
    return sum(losses) / len(faces), float(np.concatenate(errors).mean())

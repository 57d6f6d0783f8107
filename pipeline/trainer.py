"""The training loop: whole batches from arrays held in memory, one-cycle schedule, averaged weights."""

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.augment import Augmentation, augment
from pipeline.device import mixed_precision
from pipeline.errors import ModelError
from pipeline.losses import keypoint_loss
from pipeline.metrics import nme
from pipeline.progress import progress
from pipeline.scheme import POINTS


@dataclass(frozen=True)
class Recipe:
    """How to train; names and units as in the `train` section of params.yaml."""

    epochs: int
    batch_size: int
    loss: str
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
        return self.images[rows, None].float() / 255, self.keypoints_crop[rows]


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
    network.to(memory_format=torch.channels_last)  # convolutions run up to twice as fast on the CPU
    generator = torch.Generator().manual_seed(recipe.seed)
    steps = recipe.epochs * _batches_per_epoch(len(train), recipe.batch_size)
    mirror_shift = nn.Parameter(torch.zeros(POINTS, 2, device=train.images.device))
    groups = _parameter_groups(network, mirror_shift, recipe)
    optimizer = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=steps, pct_start=recipe.warmup_frac
    )
    average = WeightAverage(network, recipe.ema_decay)
    batches = progress(_epochs(train, recipe, generator), label="train", total=steps, unit="steps")
    for epoch in range(1, recipe.epochs + 1):
        losses = []
        lr = float(schedule.get_last_lr()[0])
        for images, keypoints in itertools.islice(batches, steps // recipe.epochs):
            images, keypoints = augment(images, keypoints, amounts, generator, mirror_shift)
            losses.append(_step(network, images, keypoints, recipe.loss, optimizer))
            schedule.step()
            average.update(network)
        train_loss = torch.stack(losses).mean().item()
        if not np.isfinite(train_loss):
            raise ModelError(f"the loss became {train_loss} in epoch {epoch}; lower train.lr and run again")
        on_epoch(Epoch(epoch, lr, train_loss, *validate(average.network, val, recipe)))
    return average.network


def _batches_per_epoch(frames: int, batch_size: int) -> int:
    """Whole batches only, so that every step sees as many frames; a set smaller than a batch is one batch."""
    return max(1, frames // batch_size)


def _epochs(faces: Faces, recipe: Recipe, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(recipe.epochs):
        order = torch.randperm(len(faces), generator=generator)
        for index in range(_batches_per_epoch(len(faces), recipe.batch_size)):
            yield faces.batch(order[index * recipe.batch_size : (index + 1) * recipe.batch_size])


def _step(
    network: nn.Module, images: Tensor, keypoints: Tensor, loss_name: str, optimizer: torch.optim.Optimizer
) -> Tensor:
    network.train()
    with mixed_precision(images.device):
        estimates = network(images)
    loss = keypoint_loss(loss_name, estimates.float(), keypoints)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    return loss.detach()


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


def _parameter_groups(network: nn.Module, mirror_shift: nn.Parameter, recipe: Recipe) -> list[dict[str, Any]]:
    """Decay for matrices and kernels only: norms and biases keep their scale.

    `mirror_shift` is learned along: the frames that are not mirrored hold the network to the labels' convention, so
    what is left between its points and mirrored labels is the labels' own asymmetry. It is about a hundredth, hence
    its smaller rate.
    """
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay, "lr": recipe.lr},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0, "lr": recipe.lr},
        {"params": [mirror_shift], "weight_decay": 0.0, "lr": recipe.lr / 20},
    ]


class WeightAverage:
    """Exponential moving average of a network's weights and running statistics.

    The decay starts low and rises to `decay`, so that short trainings do not remember their first weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    def update(self, network: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for mean, current in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(current, 1 - decay)
            else:
                mean.copy_(current)

"""The training loop: whole batches from arrays held in memory, one-cycle schedule, averaged weights."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.progress import EpochLines, progress
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core.metrics import nme
from pipeline.models.device import mixed_precision
from pipeline.training.augment import augment
from pipeline.training.losses import keypoint_loss
from pipeline.training.optim import WeightAverage, make_optimizer
from pipeline.training.schedules import SCHEDULES
from pipeline.training.settings import Augment, Train
from pipeline.training.training_state import (
    State,
    load_optimizer_state,
    load_random_state,
    named,
    optimizer_state,
    part,
    random_state,
)

_EVALUATED_AT_ONCE = 64


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
    settings: Train,
    amounts: Augment,
    on_epoch: Callable[[Epoch, State], None],
    resume: State | None = None,
) -> nn.Module:
    """Train `network` in place on the device of `train`; returns a copy with averaged weights, in eval mode.

    Validation measures the averaged weights. `on_epoch` hears of each epoch and gets the state after it, which is good
    until it returns; given as `resume`, a training goes on from there, bit for bit as if it had never stopped. Raises
    ModelError when the loss is no longer finite.
    """
    training = Training(network, settings, amounts, train)
    if resume is not None:
        training.load_state(resume)
    lines = EpochLines(settings.epochs)
    for epoch, batches in training.epochs():
        lr = training.set_rate()
        train_loss = torch.stack([training.step(*batch) for batch in batches]).mean().item()
        if not np.isfinite(train_loss):
            raise ModelError(f"the loss became {train_loss} in epoch {epoch}; lower train.lr and run again")
        if epoch == settings.epochs:
            finish(training.average.network, train)
        val_loss, val_nme = validate(training.average.network, val, settings)
        on_epoch(Epoch(epoch, lr, train_loss, val_loss, val_nme), training.state())
        lines.tell(epoch, train_loss, val_nme)
    return training.average.network


class Training:
    """A network on its way: its optimizer, the average of its weights, and the random draws."""

    def __init__(self, network: nn.Module, settings: Train, amounts: Augment, faces: Faces) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # convolutions take half the time on the CPU
        self.settings, self.amounts, self.faces = settings, amounts, faces
        self.device = faces.images.device
        self.generator = torch.Generator().manual_seed(settings.seed)
        own_shift = getattr(network, "mirror_shift", None)
        self.mirror_shift = (
            nn.Parameter(torch.zeros(IBUG_68.count, 2, device=self.device)) if own_shift is None else own_shift
        )
        self.optimizer = make_optimizer(
            settings.optimizer, network, self.mirror_shift, lr=settings.lr, weight_decay=settings.weight_decay
        )
        self.peak_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.average = WeightAverage(network, settings.ema_decay)
        set_draft(self.average.network, True)
        # Whole batches only, so that every step sees as many frames; a set smaller than a batch is one batch.
        self.epoch_steps = max(1, len(faces) // settings.batch_size)

    def epochs(self) -> Iterator[tuple[int, Iterator[tuple[Tensor, Tensor]]]]:
        """Number and batches of each epoch that is still to come."""
        done, total = self.average.updates, self.settings.epochs * self.epoch_steps
        batches = progress(self._batches(), label="train", total=total, done=done, unit="steps")
        for epoch in range(done // self.epoch_steps + 1, self.settings.epochs + 1):
            yield epoch, itertools.islice(batches, self.epoch_steps)
        next(batches, None)  # there is none: it ends the progress

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Every epoch all faces in a new order."""
        size = self.settings.batch_size
        for _ in range(self.average.updates // self.epoch_steps, self.settings.epochs):
            order = torch.randperm(len(self.faces), generator=self.generator)
            for index in range(self.epoch_steps):
                yield self.faces.batch(order[index * size : (index + 1) * size])

    def set_rate(self) -> float:
        """Set the learning rate of the next step; returns that of the weights."""
        steps = self.settings.epochs * self.epoch_steps
        factor = SCHEDULES[self.settings.schedule](self.average.updates, steps, self.settings.warmup_frac)
        for group, peak in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
            group["lr"] = factor * peak
        return float(self.optimizer.param_groups[0]["lr"])

    def state(self) -> State:
        """What `load_state` needs; the tensors are those that the next step changes."""
        return {
            **named("network", self.network.state_dict()),
            **named("average", self.average.network.state_dict()),
            **named("optimizer", optimizer_state(self.optimizer)),
            **named("random", random_state(self.generator, self.device)),
            "mirror_shift": self.mirror_shift.detach().clone(),  # maybe one of the network's own
            "updates": torch.tensor(self.average.updates),
        }

    def load_state(self, state: State) -> None:
        """Become the training that `state` is of; tensors keep their layout in memory, on which bits depend."""
        self.network.load_state_dict(part("network", state))
        self.average.network.load_state_dict(part("average", state))
        load_optimizer_state(self.optimizer, part("optimizer", state))
        load_random_state(part("random", state), self.generator, self.device)
        self.mirror_shift.data.copy_(state["mirror_shift"])
        self.average.updates = int(state["updates"])
        set_draft(self.average.network, self.average.updates < self.settings.epochs * self.epoch_steps)

    def step(self, images: Tensor, keypoints: Tensor) -> Tensor:
        """One step on a batch; returns its loss."""
        self.set_rate()
        images, keypoints = augment(images, keypoints, self.amounts, self.generator, self._learned_shift())
        self.network.train()
        with mixed_precision(images.device, self.settings.precision):
            estimates = self.network(images)
        loss = keypoint_loss(self.settings.loss, self.settings.loss_unit, estimates.float(), keypoints)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.average.update(self.network)
        return loss.detach()

    def _learned_shift(self) -> Tensor | None:
        """None where every frame is mirrored: then nothing holds the network to the labels' side."""
        return self.mirror_shift if self.amounts.mirror_prob < 1 else None


def set_draft(network: nn.Module, draft: bool) -> None:
    """Tell a network that answers better for more time whether it should be quick about it."""
    if hasattr(network, "draft"):
        network.draft = draft  # type: ignore[assignment]  # it says so itself


def finish(network: nn.Module, faces: Faces) -> None:
    """Let a network that corrects its answers by the frames it was trained on do so."""
    set_draft(network, False)
    fit_own = getattr(network, "fit_correction", None)
    if fit_own is not None:
        fit_own(faces.batch(rows) for rows in torch.split(torch.arange(len(faces)), _EVALUATED_AT_ONCE))


def validate(network: nn.Module, faces: Faces, settings: Train) -> tuple[float, float] | tuple[None, None]:
    """Mean loss and NME of a network in eval mode; None without faces."""
    if not len(faces):
        return None, None
    losses, errors = [], []
    with torch.inference_mode():
        for rows in torch.split(torch.arange(len(faces)), _EVALUATED_AT_ONCE):
            images, keypoints = faces.batch(rows)
            estimates = network(images)
            losses.append(keypoint_loss(settings.loss, settings.loss_unit, estimates, keypoints).item() * len(rows))
            errors.append(nme(estimates[:, -1].cpu().numpy(), keypoints.cpu().numpy(), IBUG_68))
    return sum(losses) / len(faces), float(np.concatenate(errors).mean())

"""The training loop: whole batches of frames, one-cycle schedule, averaged weights."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.progress import EpochLines, progress
from pipeline.core.metrics import measurable, nme
from pipeline.models.device import mixed_precision
from pipeline.models.network import KeypointNetwork, last_estimate
from pipeline.training.augment import amounts_after, augment
from pipeline.training.frames import TrainingFrames
from pipeline.training.losses import keypoint_loss
from pipeline.training.optim import WeightAverage, make_optimizer
from pipeline.training.parts import part_seed, sum_over_parts
from pipeline.training.schedules import SCHEDULES
from pipeline.training.settings import Augment, Train
from pipeline.training.training_state import (
    State,
    load_optimizer_state,
    load_random_state,
    optimizer_state,
    random_state,
    under_prefix,
    with_prefix,
)
from pipeline.training.workers import ALONE, Workers

_EVALUATED_AT_ONCE = 64
"""Frames in a batch outside of the training steps."""


@dataclass(frozen=True)
class Epoch:
    """One row of the history; validation values are None without validation frames."""

    epoch: int
    """Counted from 1."""
    lr: float
    """Learning rate of the epoch's first step."""
    train_loss: float
    """Mean loss of its steps, on augmented frames."""
    val_loss: float | None
    """Mean loss on the validation frames, in the same unit."""
    val_nme: float | None
    """Mean NME on the validation frames in crop pixels; a fraction. None where of no frame it can be measured."""


def fit(
    network: KeypointNetwork,
    train: TrainingFrames,
    val: TrainingFrames,
    *,
    settings: Train,
    amounts: Augment,
    on_epoch: Callable[[Epoch, State], None],
    resume: State | None = None,
    workers: Workers = ALONE,
) -> KeypointNetwork:
    """Train a network in place.

    Args:
        network: on the device of `train`.
        train: one or more frames.
        val: frames on which the averaged weights are measured after each epoch; may be none.
        settings: how to train.
        amounts: how far training frames are changed.
        on_epoch: called after each epoch with its row and the state of the training, which is good until it returns.
        resume: a state that an earlier training gave; this one goes on from there, bit for bit as if that had never
            stopped. Of several workers, the first one's counts.
        workers: those that train together, each of which calls this with the same network, frames and settings.

    Returns:
        A copy of the network with averaged weights, its refinement fitted, in eval mode.

    Raises:
        ModelError: where the loss is no longer finite.
    """
    training = Training(network, settings, amounts, train, workers)
    if (resume := workers.from_first(resume)) is not None:
        training.load_state(resume)
    lines = EpochLines(settings.epochs)
    for epoch, batches in training.epochs():
        lr = training.set_rate()
        train_loss = torch.stack([training.step(*batch) for batch in batches]).mean().item()
        if not np.isfinite(train_loss):
            raise ModelError(f"the loss became {train_loss} in epoch {epoch}; lower train.lr and run again")
        if epoch == settings.epochs:
            refine(training.average.network, train, workers)
            if len(val):
                training.average.network.calibrate(*workers.share(val, _EVALUATED_AT_ONCE))
        val_loss, val_nme = validate(training.average.network, val, settings, workers)
        on_epoch(Epoch(epoch, lr, train_loss, val_loss, val_nme), training.state())
        lines.tell(epoch, train_loss, val_nme)
    return training.average.network


class Training:
    """A network in training: its optimizer, the running average of its weights, and the random draws."""

    def __init__(
        self,
        network: KeypointNetwork,
        settings: Train,
        amounts: Augment,
        frames: TrainingFrames,
        workers: Workers = ALONE,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # convolutions take half the time on the CPU
        self.settings, self.amounts, self.frames, self.workers = settings, amounts, frames, workers
        self.device = frames.device
        self.generator = torch.Generator().manual_seed(settings.seed)
        own_shift = network.learned_mirror_shift()
        self.mirror_shift = (
            nn.Parameter(torch.zeros(network.points, 2, device=self.device)) if own_shift is None else own_shift
        )
        self.optimizer = make_optimizer(
            settings.optimizer,
            network,
            self.mirror_shift,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            head=network.head_tensors(),
            trunk_lr_factor=settings.trunk_lr_factor,
        )
        self.peak_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.average = WeightAverage(network, settings.ema_decay)
        self.average.network.skip_refinement(True)
        # Whole batches only, so that every step sees as many frames; a set smaller than a batch is one batch.
        self.epoch_steps = max(1, len(frames) // settings.batch_size)

    def epochs(self) -> Iterator[tuple[int, Iterator[tuple[Tensor, Tensor]]]]:
        """Number and batches of each epoch that is still to come."""
        done, total = self.average.updates, self.settings.epochs * self.epoch_steps
        batches = progress(self._batches(), label="train", total=total, done=done, unit="steps")
        for epoch in range(done // self.epoch_steps + 1, self.settings.epochs + 1):
            yield epoch, itertools.islice(batches, self.epoch_steps)
        next(batches, None)  # there is none: it ends the progress

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of all epochs to come; each epoch takes the frames in a new order."""
        size = self.settings.batch_size
        for _ in range(self.average.updates // self.epoch_steps, self.settings.epochs):
            order = torch.randperm(len(self.frames), generator=self.generator)
            steps = range(0, self.epoch_steps * size, size)
            yield from self.frames.chosen_batches(order[start : start + size] for start in steps)

    def set_rate(self) -> float:
        """Set the learning rate of the next step; returns that of the weights (the mirror shift has its own)."""
        steps = self.settings.epochs * self.epoch_steps
        factor = SCHEDULES[self.settings.schedule](self.average.updates, steps, self.settings.warmup_frac)
        for group, peak in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
            group["lr"] = factor * peak
        return float(self.optimizer.param_groups[0]["lr"])

    def state(self) -> State:
        """What `load_state` needs; the tensors are those that the next step changes."""
        return {
            **with_prefix("network", self.network.state_dict()),
            **with_prefix("average", self.average.network.state_dict()),
            **with_prefix("optimizer", optimizer_state(self.optimizer)),
            **with_prefix("random", random_state(self.generator, self.device)),
            "mirror_shift": self.mirror_shift.detach().clone(),  # maybe one of the network's own
            "updates": torch.tensor(self.average.updates),
        }

    def load_state(self, state: State) -> None:
        """Become the training that `state` is of; tensors keep their layout in memory, on which bits depend."""
        self.network.load_state_dict(under_prefix("network", state))
        self.average.network.load_state_dict(under_prefix("average", state))
        load_optimizer_state(self.optimizer, under_prefix("optimizer", state))
        load_random_state(under_prefix("random", state), self.generator, self.device)
        self.mirror_shift.data.copy_(state["mirror_shift"])
        self.average.updates = int(state["updates"])
        self.average.network.skip_refinement(self.average.updates < self.settings.epochs * self.epoch_steps)

    def step(self, images: Tensor, keypoints: Tensor) -> Tensor:
        """Take one step on (B, 1, S, S) images and (B, K, 2) keypoints; returns its scalar loss."""
        self.set_rate()
        images, keypoints = augment(
            images,
            keypoints,
            amounts_after(self._done_frac, self.amounts),
            self.generator,
            flip_index=self.frames.scheme.flip_index,
            mirror_shift=self._learned_shift(),
        )
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(images, keypoints) if self.settings.shards == 1 else self._in_parts(images, keypoints)
        self.optimizer.step()
        self.average.update(self.network)
        return loss

    def _in_parts(self, images: Tensor, keypoints: Tensor) -> Tensor:
        """What `_backward` does, in parts of the batch that the workers share."""
        shards, step = self.settings.shards, self.average.updates
        parts = list(zip(images.tensor_split(shards), keypoints.tensor_split(shards), strict=True))

        def backward(part: int) -> Tensor:
            torch.manual_seed(part_seed(self.settings.seed, step, part))
            return self._backward(*parts[part], share=len(parts[part][0]) / len(images))

        learned = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        return sum_over_parts(backward, self.network, learned, shards=shards, workers=self.workers)

    def _backward(self, images: Tensor, keypoints: Tensor, *, share: float = 1.0) -> Tensor:
        """Compute the gradients of augmented frames that are a `share` of the batch; returns their part of its loss."""
        with mixed_precision(images.device, self.settings.precision):
            estimates, spread = self.network.with_spread(images, keypoints)
        loss = keypoint_loss(self.settings.loss, self.settings.loss_unit, estimates.float(), keypoints, spread) * share
        torch.autograd.backward(loss, retain_graph=share < 1)  # all parts learn of the one shift of mirrored labels
        return loss.detach()

    @property
    def _done_frac(self) -> float:
        return self.average.updates / (self.settings.epochs * self.epoch_steps)

    def _learned_shift(self) -> Tensor | None:
        """None where every frame is mirrored: then nothing holds the network to the labels' side."""
        return self.mirror_shift if self.amounts.mirror_prob < 1 else None


def refine(network: KeypointNetwork, frames: TrainingFrames, workers: Workers = ALONE) -> None:
    """Fit the refinement of a network whose weights are final, on the frames it was trained on, and switch it on."""
    network.skip_refinement(False)
    network.fit_refinement(*workers.share(frames, _EVALUATED_AT_ONCE))


def validate(
    network: KeypointNetwork, frames: TrainingFrames, settings: Train, workers: Workers = ALONE
) -> tuple[float | None, float | None]:
    """Mean loss and mean NME, a fraction, of a network in eval mode; None without frames that have one."""
    if not len(frames):
        return None, None

    def measure(images: Tensor, keypoints: Tensor) -> tuple[float, np.ndarray]:
        estimates, spread = network.with_spread(images)
        loss = keypoint_loss(settings.loss, settings.loss_unit, estimates, keypoints, spread).item() * len(images)
        truth = keypoints.cpu().numpy()
        measured = measurable(truth, frames.scheme)
        return loss, nme(last_estimate(estimates).cpu().numpy()[measured], truth[measured], frames.scheme)

    own, each = workers.share(frames, _EVALUATED_AT_ONCE)
    with torch.inference_mode():
        losses, errors = zip(*each(measure, own), strict=True)
    found = np.concatenate(errors)
    return sum(losses) / len(frames), float(found.mean()) if len(found) else None

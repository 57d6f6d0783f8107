"""Processes that train one network together, as torchrun starts them; what one of them has to know of the others.

All hold the same network and take the same steps. They share the parts of each batch, and the batches on which the
network is measured, and exchange what they find. The first one alone keeps checkpoints, tells and writes.
"""

import contextlib
import itertools
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous
from torch.nn import functional

from facial_keypoints.core.errors import ConfigError, KeypointsError, interruption
from facial_keypoints.core.text import brief, shown
from pipeline.models.network import Each
from pipeline.training.frames import Batch, TrainingFrames
from pipeline.training.meeting import meet

T = TypeVar("T")
LAUNCHER = "KEYPOINTS_LAUNCHER"
"""Environment variable with the process that started the workers, which may be gone before one asks for its parent."""

_CPU = torch.device("cpu")
_FIRST_TELLS_S = 2.0
_TIMEOUT, _LONGEST_S = "KEYPOINTS_WORKER_TIMEOUT_S", 1e9
"""How long another worker keeps an error to itself: where all have the same, the first tells it and torchrun ends them.
"""


class LostWorkerError(KeypointsError):
    """Another worker does not answer any more."""


@dataclass(frozen=True)
class Workers:
    """The workers of a training, as one of them sees them; by default there is one."""

    number: int = 0
    """Which of them this process is."""
    count: int = 1
    device: torch.device = _CPU
    """Where tensors lie as they are exchanged."""

    @property
    def first(self) -> bool:
        return self.number == 0

    def parts(self, shards: int) -> range:
        """Those of the parts of a batch that are this worker's."""
        each = shards // self.count
        return range(self.number * each, (self.number + 1) * each)

    def sum_in_order(self, own: Tensor) -> Tensor:
        """(N,) sum over the parts of all workers, in their order, of which `own` (P, N) are this one's.

        Each worker adds up a slice of N and sends it to the others, so that what goes over the network does not grow
        with the parts that each one has not.
        """
        if self.count == 1:
            return _in_order(own)
        parts, length = own.shape
        padded = functional.pad(own, (0, -length % self.count)).to(self.device)
        to_each = padded.view(parts, self.count, -1).transpose(0, 1).contiguous()
        slices = torch.empty_like(to_each)
        total = padded.new_empty(padded.shape[1])
        with _noticing_losses():
            dist.all_to_all_single(slices, to_each)
            dist.all_gather_single(total, _in_order(slices.flatten(0, 1)))
        return total[:length].to(own.device)

    def share(self, frames: TrainingFrames, size: int) -> tuple[Iterator[Batch], Each]:
        """The batches of `size` of all frames that are this worker's to do, and how it does them.

        The other value takes a function and those batches, and gives what the function is of every batch, in their
        order: every worker reads and does some of them, and gets what the others found.
        """
        own = frames.batches(size, self.number, self.count)
        return own, partial(self._in_rounds, math.ceil(len(frames) / size / self.count))

    def _in_rounds(
        self, rounds: int, function: Callable[[Tensor, Tensor], T], own: Iterable[tuple[Tensor, Tensor]]
    ) -> Iterator[T]:
        """In each round every worker does a batch, if there is one for it, and gives the others what it found."""
        found = itertools.starmap(function, own)
        for _ in range(rounds):
            yield from itertools.chain(*self._of_all(list(itertools.islice(found, 1))))

    def from_first(self, value: T) -> T:
        """What the first worker gives; what the others give is not looked at."""
        if self.count == 1:
            return value
        held = [value]
        with _noticing_losses():
            dist.broadcast_object_list(held, src=0)
        return held[0]

    def refuse_differing(self, key: str) -> None:
        """Raise ConfigError where not all workers have the same key of what they train."""
        keys = self._of_all(key)
        if others := [str(number) for number, of_worker in enumerate(keys) if of_worker != keys[0]]:
            raise ConfigError(
                f"workers {', '.join(others)} of {self.count} would train something else than worker 0: give all hosts "
                "the same params.yaml, data, code, PyTorch and kind of processor"
            )

    def _of_all(self, value: T) -> list[T]:
        """The value that each worker gives, in their order."""
        if self.count == 1:
            return [value]
        found = [value] * self.count
        with _noticing_losses():
            dist.all_gather_object(found, value)
        return found


ALONE = Workers()


@contextmanager
def joined(shards: int) -> Iterator[Workers]:
    """Become one of the workers that torchrun started together with this process, or the only one without it.

    All but the first are silent inside, and one that is ended by a signal says nothing. Raises ConfigError where they
    cannot share the parts of a batch evenly.
    """
    count = int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1
    refuse_uneven(shards, count)
    if shards > 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads_each(shards))
    if dist.is_torchelastic_launched():
        launcher = int(os.environ.get(LAUNCHER, os.getppid()))
        threading.Thread(target=_end_with_parent, args=[launcher], daemon=True).start()
    if count == 1:
        yield ALONE
        return
    with _told_once(first=os.environ["RANK"] == "0"):
        yield _connected(int(os.environ["RANK"]), count)
    dist.destroy_process_group()


def refuse_uneven(shards: int, count: int) -> None:
    """Raise ConfigError where `count` workers cannot have the same number of a batch's parts each."""
    if shards % count:
        raise ConfigError(
            f"train.shards is {shards} and there are {count} workers, each of which takes the same number of a batch's "
            f"parts; set train.shards to {count} or a multiple (the result follows train.shards, not the workers), or "
            "start 1 worker"
        )


def threads_each(shards: int) -> int:
    """Threads of a worker where OMP_NUM_THREADS does not say: as many as if each part of a batch had a worker.

    The number of threads decides how sums are rounded, so it must not depend on the number of workers.
    """
    return max(1, len(os.sched_getaffinity(0)) // shards)


def _connected(number: int, count: int) -> Workers:
    """Join the group: over NCCL where each worker of this host has a GPU of its own, else over gloo."""
    timeout = _timeout()
    cards = torch.cuda.device_count()
    if cards:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % cards)
    over_nccl = int(os.environ["LOCAL_WORLD_SIZE"]) <= cards
    with _noticing_losses():
        torchruns, _, _ = next(rendezvous("env://", timeout=timeout))
        store = meet(torchruns, number, count, timeout)
        backend = "cpu:gloo,cuda:nccl" if over_nccl else "gloo"
        dist.init_process_group(backend, timeout=timeout, store=store, rank=number, world_size=count)
    return Workers(number, count, torch.device("cuda" if over_nccl else "cpu"))


def _timeout() -> timedelta:
    """How long a worker waits for the others. Raises ConfigError."""
    text = os.environ.get(_TIMEOUT, "600")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < _LONGEST_S:
        raise ConfigError(f"{_TIMEOUT} is {shown(text)} but should be seconds, above 0 and below 1e9; set it anew")
    return timedelta(seconds=seconds)


@contextmanager
def _told_once(*, first: bool) -> Iterator[None]:
    """Let the first worker tell what ends all of them, and another one what ends that one alone."""
    with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as silence:
        if not first:
            silence.enter_context(contextlib.redirect_stdout(nowhere))
            silence.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            if interruption(error) or (isinstance(error, LostWorkerError) and not first):
                raise SystemExit(1) from None
            if not first:
                _wait_for_the_first()
            raise


def _wait_for_the_first() -> None:
    try:
        time.sleep(_FIRST_TELLS_S)
    except KeyboardInterrupt:  # torchrun ends this worker, as the first has told what was wrong
        raise SystemExit(1) from None


@contextmanager
def _noticing_losses() -> Iterator[None]:
    """Raise LostWorkerError where an exchange fails. Both backends tell that by a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        why, _, _ = re.sub(r"^\[\S+\] ", "", str(error)).partition(". ")  # gloo: its own line of code, why, advice
        raise LostWorkerError(
            f"another worker of this training ended or cannot be reached ({brief(why, 120)}); what ended it is told "
            "where it ran; start again, and it goes on after its last epoch"
        ) from error


def _end_with_parent(parent: int) -> None:
    """End this process when torchrun's is gone: killed, it could not say so."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _in_order(parts: Tensor) -> Tensor:
    """(N,) sum of (P, N) parts, the first two first, then one after the other."""
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total

"""Which frames of a batch a random change takes: its share of them is met on average, however small the batch."""

import math

import torch
from torch import Tensor


def some_frames(count: int, share: float, generator: torch.Generator | None = None) -> Tensor:
    """(N,) distinct numbers below `count`, drawn evenly, in random order.

    N is `share` of `count`; where that is no whole number, it is the next lower or higher one, drawn so that the mean
    over many batches is the share. Draws nothing where N can only be 0.

    Args:
        count: frames of the batch.
        share: of the frames, 0..1.
        generator: lives on the CPU; None for torch's own. So every device sees the same draws.
    """
    many = _rounded_at_random(share * count, generator)
    return torch.randperm(count, generator=generator)[:many] if many else torch.zeros(0, dtype=torch.long)


def _rounded_at_random(number: float, generator: torch.Generator | None) -> int:
    """The next lower or higher whole number, whose mean is the given one."""
    whole = math.floor(number)
    rest = number - whole
    return whole + int(rest > 0 and torch.rand((), generator=generator).item() < rest)

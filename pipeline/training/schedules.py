"""How the learning rate moves. To add a schedule: a function here and a line in SCHEDULES, which params.yaml names."""

import math
from collections.abc import Callable


def one_cycle(step: int, steps: int, warmup_frac: float) -> float:
    """A cosine from 1/25 up to 1, then one down to 0.

    Smith and Topin, "Super-convergence", 2019, with cosines for lines.
    """
    warmup = warmup_frac * steps
    if step < warmup:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * step / warmup)) / 2
    return (1 + math.cos(math.pi * (step - warmup) / max(1.0, steps - warmup))) / 2


def constant(step: int, steps: int, warmup_frac: float) -> float:
    """1 throughout."""
    return 1.0


SCHEDULES: dict[str, Callable[[int, int, float], float]] = {"one_cycle": one_cycle, "constant": constant}
"""Name in params.yaml -> factor of the learning rate at `step` of `steps`, the first `warmup_frac` of which warm up."""

"""How weights move: parameter groups, the one-cycle schedule and the running average."""

import copy
import math

import torch
from torch import nn


def make_optimizer(
    network: nn.Module, mirror_shift: nn.Parameter, *, lr: float, weight_decay: float
) -> torch.optim.AdamW:
    """AdamW with decay for matrices and kernels only: norms and biases keep their scale.

    `mirror_shift` is learned along: the frames that are not mirrored hold the network to the labels' convention, so
    what is left between its points and mirrored labels is the labels' own asymmetry. It is about a hundredth, hence
    its smaller rate.
    """
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay, "lr": lr},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0, "lr": lr},
        {"params": [mirror_shift], "weight_decay": 0.0, "lr": lr / 20},
    ]
    return torch.optim.AdamW(groups)


def one_cycle(step: int, *, steps: int, warmup_frac: float) -> float:
    """Factor of the learning rate at `step` of `steps`: a cosine from 1/25 up to 1, then one down to 0.

    Smith and Topin, "Super-convergence", 2019, with cosines for lines.
    """
    warmup = warmup_frac * steps
    if step < warmup:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * step / warmup)) / 2
    return (1 + math.cos(math.pi * (step - warmup) / max(1.0, steps - warmup))) / 2


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

"""How weights move: parameter groups, Muon and the running average."""

import copy
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.device import has_bfloat16
from pipeline.models.layers import PointMaps
from pipeline.models.network import KeypointNetwork

_MUON_STEP = 0.4
"""Root mean square of Muon's steps over the rate. AdamW's is about 0.2; twice that was best on validation frames."""


def make_optimizer(
    name: str,
    network: nn.Module,
    mirror_shift: nn.Parameter,
    *,
    lr: float,
    weight_decay: float,
    head: Collection[str] = (),
    trunk_lr_factor: float = 1.0,
) -> torch.optim.AdamW:
    """The optimizer of a network and of the shift of mirrored labels.

    `mirror_shift` is learned along: the frames that are not mirrored hold the network to the labels' convention, so
    what is left between its points and mirrored labels is the labels' own asymmetry. It is about a hundredth of the
    face's size, hence its smaller rate.

    Args:
        name: "adamw", or "muon" for Muon on the inner convolutions and AdamW on the rest.
        network: whose parameters learn.
        mirror_shift: (K, 2) in face sizes, one of the network's own parameters or not.
        lr: peak learning rate.
        weight_decay: of matrices and kernels; norms and biases keep their scale.
        head: names of the network's parameters in the layers that give the points; all others are the trunk.
        trunk_lr_factor: rate of the trunk over `lr`.
    """
    inner = inner_kernels(network) if name == "muon" else []
    chosen = {id(parameter) for parameter in (*inner, mirror_shift)}
    others = [parameter for parameter in network.parameters() if id(parameter) not in chosen]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": weight_decay, "lr": lr},
        {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0, "lr": lr},
        {"params": [mirror_shift], "weight_decay": 0.0, "lr": lr / 20},
    ]
    if inner:
        groups += [{"params": inner, "weight_decay": weight_decay, "lr": lr, "momentum": 0.9}]
    if trunk_lr_factor != 1:
        named = dict(network.named_parameters())
        at_full_rate = {id(parameter) for name, parameter in named.items() if name in head} | {id(mirror_shift)}
        groups = [part for group in groups for part in _parted(group, at_full_rate, trunk_lr_factor)]
    return MuonAdamW(groups) if inner else torch.optim.AdamW(groups)


def _parted(group: dict[str, Any], at_full_rate: set[int], factor: float) -> list[dict[str, Any]]:
    """A parameter group as two, first that of the parameters at the full rate; one without parameters is left out."""
    full = [parameter for parameter in group["params"] if id(parameter) in at_full_rate]
    rest = [parameter for parameter in group["params"] if id(parameter) not in at_full_rate]
    parts = [{**group, "params": full}, {**group, "params": rest, "lr": factor * group["lr"]}]
    return [part for part in parts if part["params"]]


def inner_kernels(network: nn.Module) -> list[Tensor]:
    """Kernels of the convolutions between the first, which sees gray levels, and those that give the heatmaps."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return [c.weight for c in convolutions if c.in_channels > c.groups and not isinstance(c, PointMaps)]


class MuonAdamW(torch.optim.AdamW):
    """AdamW whose groups with a `momentum` take orthogonalized steps, so that a kernel learns in all directions alike.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; with Nesterov's momentum, kernels as
    (outputs, rest) matrices, and steps measured in AdamW's, so that one rate serves both (Liu et al., "Muon is
    scalable for LLM training", 2025). PyTorch's own Muon takes no convolutions.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            if "momentum" in group:
                for kernel in group["params"]:
                    self._orthogonal_step(kernel, group)
        super().step()

    def _orthogonal_step(self, kernel: Tensor, group: dict[str, Any]) -> None:
        if kernel.grad is None:
            return
        gradient, kernel.grad = kernel.grad, None  # AdamW passes over what has no gradient
        momentum = self.state[kernel].setdefault("momentum", torch.zeros_like(gradient))
        momentum.mul_(group["momentum"]).add_(gradient)
        matrix = gradient.add(momentum, alpha=group["momentum"]).flatten(1)
        update = orthogonal(matrix).mul_(_MUON_STEP * max(matrix.shape) ** 0.5).view(kernel.shape)
        kernel.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=group["lr"])


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Approximately U V^T of a matrix U S V^T by a quintic Newton-Schulz iteration.

    The singular values end between about 0.7 and 1.2. It computes in bfloat16, which is enough for a direction, or in
    float32 where the processor has no bfloat16 (a matrix of 128 x 1152 then takes 6 ms instead of 106), with the
    coefficients that Jordan et al. chose for the steepest start.
    """
    wide = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    x = wide.to(torch.bfloat16 if has_bfloat16(matrix.device) else torch.float32) / (wide.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        polynomial = torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        x = torch.addmm(x, polynomial, x, beta=3.4445)
    found: Tensor = x if wide is matrix else x.T
    return found.to(matrix.dtype, memory_format=torch.contiguous_format)


class WeightAverage:
    """Exponential moving average of a network's weights and running statistics.

    The decay starts low and rises to `decay`, so that short trainings do not remember their first weights.
    """

    def __init__(self, network: KeypointNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    def update(self, network: KeypointNetwork) -> None:
        """Move the average towards the weights of `network`; integers, such as counters, are taken over."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for mean, current in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(current, 1 - decay)
            else:
                mean.copy_(current)

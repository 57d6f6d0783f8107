"""What decides how a training goes on besides its weights, as tensors by name, and how it is set again."""

from collections.abc import Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]
"""Tensors by dotted names."""


def with_prefix(prefix: str, state: State) -> dict[str, Tensor]:
    """The same tensors with `prefix` and a dot before each name."""
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}


def under_prefix(prefix: str, state: State) -> dict[str, Tensor]:
    """Entries under `prefix`, the prefix removed; the inverse of `with_prefix`."""
    return {name.removeprefix(f"{prefix}."): state[name] for name in state if name.startswith(f"{prefix}.")}


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and counters by "<index of the parameter>.<name>"; rates and decays follow from the settings."""
    moments = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, values in moments.items() for name, value in values.items()}


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Set what `optimizer_state` gave, for an optimizer of the same parameters in the same order."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, value in state.items():
        index, _, kind = name.partition(".")
        parameter = parameters[int(index)]
        # A moment lies in memory as its parameter does; a counter stays where the optimizer wants it.
        like = torch.empty_like(parameter) if value.shape == parameter.shape else torch.empty_like(value)
        optimizer.state[parameter][kind] = like.copy_(value)


def random_state(generator: torch.Generator, device: torch.device) -> dict[str, Tensor]:
    """States of `generator` and of torch's own generators on the CPU and on `device`, from which layers draw."""
    state = {"given": generator.get_state(), "torch": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def load_random_state(state: State, generator: torch.Generator, device: torch.device) -> None:
    """Set what `random_state` gave, on a device of the same type."""
    generator.set_state(state["given"])
    torch.set_rng_state(state["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)

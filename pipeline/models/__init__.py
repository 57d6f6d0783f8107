"""Networks by name. To add one: a file beside this one and a line in NETWORKS.

A file offers `build(name, options, *, side, mean_shape, flip_index)`, which returns a `network.KeypointNetwork`.
`options` are those of params.yaml under the network's name; the other arguments are as `build_network` has them.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the names alone must not load torch
    import numpy as np
    from torch import Tensor, nn

    from pipeline.models.network import KeypointNetwork

NETWORKS = {
    "coarse_to_fine": "coarse_to_fine",
    "udacity_5conv": "course",
    "udacity_4conv": "course",
    "naimishnet_bn": "course",
    "naimishnet": "course",
    "resnet18": "backbone",
    "mobilenet_v3_small": "backbone",
}
"""Name -> file of this folder that builds it."""


def build_network(
    model: Mapping[str, Any],
    *,
    side: int,
    mean_shape: "Tensor",
    flip_index: "np.ndarray",
    load_pretrained: bool = False,
) -> "KeypointNetwork":
    """A new network by the `model` section of params.yaml.

    Args:
        model: the section.
        side: pixels of the sides of the square frames.
        mean_shape: (K, 2) mean training face in their pixels.
        flip_index: (K,) permutation that gives each point of a mirrored frame its own number.
        load_pretrained: whether it takes over weights trained elsewhere if the section asks for them; without, the
            caller fills in the weights.

    Raises:
        ValueError: for an unknown name, frames of a size that the network cannot take, a window in front of a network
            that finds the face itself, or pretrained weights that do not exist or cannot be had.
        TypeError: for options that do not fit.
    """
    name, share = model["name"], model["window_frac"]
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are {', '.join(NETWORKS)}")
    module = importlib.import_module(f"pipeline.models.{NETWORKS[name]}")
    window = importlib.import_module("pipeline.models.window")
    seen = window.shape_in_window(mean_shape, side, share)
    network: KeypointNetwork = module.build(
        name, model.get(name, {}), side=side, mean_shape=seen, flip_index=flip_index
    )
    if share < 1:
        network = window.Window(network, share)
    if load_pretrained and model["weights"] == "pretrained":
        network.load_pretrained()
    return network


def count_parameters(network: "nn.Module") -> int:
    """Number of trainable values, those that training learns and not the buffers beside them."""
    return sum(parameter.numel() for parameter in network.parameters())

"""Networks by name. To add one: a file beside this one and a line in NETWORKS.

Contract: a file offers `build(name, options, *, side, mean_shape)`, where `options` are those of params.yaml under the
network's name, `side` the pixels of the square frames and `mean_shape` (68, 2) the mean training face in them. The
network's forward takes (B, 1, S, S) float32 images in 0..1 and returns (B, E, 68, 2) float32 keypoints in crop pixels,
E successive estimates of which the last is the answer; the training loss counts all of them. It may have a parameter
`mirror_shift` (68, 2), which training then learns (geometry.mirror_keypoints), a method `fit_correction(batches)`,
called in eval mode with the training frames when its weights are final, and a flag `draft`, set until then.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the names alone must not load torch
    from torch import Tensor, nn

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
    model: Mapping[str, Any], *, side: int, mean_shape: "Tensor", load_pretrained: bool = False
) -> "nn.Module":
    """A new network by the `model` section of params.yaml.

    With `load_pretrained` and weights "pretrained" it starts from weights of ImageNet; else the caller fills them in.
    Raises ValueError for an unknown name, frames of a size it cannot take, or weights that do not exist or cannot be
    had; TypeError for options that do not fit.
    """
    name, share = model["name"], model["window_frac"]
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are {', '.join(NETWORKS)}")
    module = importlib.import_module(f"pipeline.models.{NETWORKS[name]}")
    if share < 1 and NETWORKS[name] == "coarse_to_fine":
        raise ValueError("it finds the face itself; set model.window_frac to 1")
    window = importlib.import_module("pipeline.models.window")
    seen = window.shape_in_window(mean_shape, side, share)
    network: nn.Module = module.build(name, model.get(name, {}), side=side, mean_shape=seen)
    if load_pretrained and model["weights"] == "pretrained":
        start = getattr(network, "load_pretrained", None)
        if start is None:
            raise ValueError(f"{name} has no pretrained weights; set model.weights to scratch")
        start()
    return window.Window(network, share) if share < 1 else network


def count_parameters(network: "nn.Module") -> int:
    return sum(parameter.numel() for parameter in network.parameters())

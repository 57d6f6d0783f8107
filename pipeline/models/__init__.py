"""Networks by name. To add one: a file beside this one, a line in `build_network`, its name in config.Model.

Contract: forward takes (B, 1, S, S) float32 images in 0..1 and returns (B, E, 68, 2) float32 keypoints in crop pixels,
E successive estimates of which the last is the answer; the training loss counts all of them.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pipeline.models.backbone import Backbone
from pipeline.models.coarse_to_fine import CoarseToFine
from pipeline.models.udacity_5conv import Udacity5Conv


def build_network(model: Mapping[str, Any], *, side: int, mean_shape: Tensor) -> nn.Module:
    """A new network for frames of `side` pixels; `mean_shape` (68, 2) is the mean training face in crop pixels.

    `model` is the section of params.yaml: a name and, under the name of a network with choices, its options.
    Raises ValueError for an unknown name and TypeError for options that do not fit.
    """
    name = model["name"]
    match name:
        case "coarse_to_fine":
            return CoarseToFine(mean_shape, **model[name])
        case "udacity_5conv":
            return Udacity5Conv(side)
        case "resnet18" | "mobilenet_v3_small":
            return Backbone(name, mean_shape)
    raise ValueError(f"no network is called {name!r}")


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

"""What the layers of any network hold and what they put out for one frame, recorded by hooks."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.geometry import resize_matrix
from pipeline.models.forward import unit_images
from pipeline.models.network import KeypointNetwork

_SAME_SIZE = 1.25
"""Maps whose sides differ by less count as of one size: convolutions without padding lose a few pixels."""


@dataclass(frozen=True)
class Layer:
    """The output of a layer for one frame."""

    name: str
    maps: np.ndarray
    """(C, h, w) float32 feature maps."""
    seen: np.ndarray
    """(H, W) float32 input of the part of the network that holds the layer, mean over its channels."""
    crop_from_seen: np.ndarray
    """(3, 3) pixels of `seen` -> pixels of the frame."""
    heatmaps: bool
    """Whether there is a map for each keypoint."""

    @property
    def crop_from_maps(self) -> np.ndarray:
        """(3, 3) pixels of the maps -> pixels of the frame; maps are taken to cover `seen` from border to border."""
        return np.asarray(self.crop_from_seen @ resize_matrix(self.maps.shape[1:], self.seen.shape))


@torch.inference_mode()
def layer_outputs(network: KeypointNetwork, crop: np.ndarray) -> list[Layer]:
    """Every module whose output for an (S, S) uint8 frame is feature maps, in the order in which they finish.

    The frame is looked at once: a refinement, which may look at the mirrored frame first, is left out.
    """
    images = unit_images(crop[None], torch.device("cpu"))
    parts = {name: module for name, module in network.named_modules() if name}
    kept: list[tuple[str, Tensor]] = []
    shown: dict[str, Tensor] = {}
    network.skip_refinement(True)
    try:
        with _hooked(parts, kept, shown, network.points):
            estimates = network(images)
    finally:
        network.skip_refinement(False)
    layers = []
    for name, maps in kept:
        part = name.split(".")[0]
        seen = shown[part][0].mean(0).numpy()
        crop_from_seen = network.crop_from_part(part, seen.shape, len(crop), estimates[0])
        layers.append(Layer(name, maps[0].numpy(), seen, crop_from_seen, maps.shape[1] == network.points))
    return layers


@contextmanager
def _hooked(
    parts: dict[str, nn.Module], kept: list[tuple[str, Tensor]], shown: dict[str, Tensor], points: int
) -> Iterator[None]:
    """Inside, copy the maps that parts put out to `kept` and the inputs of stages to `shown`; keypoints are no maps.

    They have to be copied, since a later layer may write over them in place. Of a part that is used twice, the first
    time counts.
    """

    def keep(name: str, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if "." not in name:
            shown.setdefault(name, inputs[0].clone())
        maps = isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1
        if maps and name not in dict(kept) and output.shape[-2:] != (points, 2):
            kept.append((name, output.clone()))

    def hook(name: str, part: nn.Module) -> torch.utils.hooks.RemovableHandle:
        return part.register_forward_hook(lambda _, inputs, output: keep(name, inputs, output))

    handles = [hook(name, part) for name, part in parts.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def choose(layers: list[Layer], names: list[str]) -> list[Layer]:
    """The layers of these names; without names, the last layer of each size, after its activation where it has one.

    Without names, heatmaps of the points are always among them. Raises ModelError for a name that no layer has.
    """
    if not names:
        return _by_size(layers)
    named = {layer.name: layer for layer in layers}
    for name in names:
        if name not in named:
            near = difflib.get_close_matches(name, named, n=3, cutoff=0.3) or list(named)[:3]
            raise ModelError(f"no layer with maps is called {name!r}; try {', '.join(near)} (of {len(named)} layers)")
    return [named[name] for name in dict.fromkeys(names)]


def _by_size(layers: list[Layer]) -> list[Layer]:
    """Of each run of layers of one stage and size the last that has an activation, and the last heatmaps."""
    groups = [[layers[0]]]
    for before, layer in pairwise(layers):
        ratio = layer.maps.shape[-1] / groups[-1][0].maps.shape[-1]
        moved_on = before.name.split(".")[0] != layer.name.split(".")[0]
        if moved_on or not 1 / _SAME_SIZE < ratio < _SAME_SIZE:
            groups.append([])
        groups[-1].append(layer)
    chosen = []
    for group in groups:
        active = [layer for layer in group if layer.maps.min() >= 0]
        chosen.append((active or group)[-1])
        chosen += [layer for layer in group if layer.heatmaps and layer is not chosen[-1]][-1:]
    return chosen


def convolutions(network: nn.Module, names: list[str]) -> dict[str, np.ndarray]:
    """Name -> (O, I, k, k) kernels of the convolutions within the named layers.

    Without names, those of the layers that see the gray picture. Kernels of a single pixel are left out, since there is
    nothing to see in them.
    """
    found = {
        name: module.weight.detach().numpy()
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1
    }
    if not names:
        return {name: kernels for name, kernels in found.items() if kernels.shape[1] == 1}
    return {name: kernels for name, kernels in found.items() if any(f"{name}.".startswith(f"{n}.") for n in names)}

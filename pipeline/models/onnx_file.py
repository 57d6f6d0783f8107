"""An ONNX file of `keypoints export` back as a network that can be trained.

The file holds no batch normalization: it is part of the convolution before it. And its kernels may be rounded to 8
bits. So each kernel is read as it is, and the normalization made anew after it, with the mean and the variance that its
channels have on some frames: what the network predicts stays the same, and training goes on as from its own file.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facial_keypoints.core.onnx_runtime import MOST_BYTES
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief, one_line, shown
from pipeline.models.model_file import Description, checked_description, in_one_line, planned
from pipeline.models.network import KeypointNetwork, to_unit

_KERNEL_RMS = 0.16
"""Root mean square of kernels after a training by Muon: 0.15 to 0.19 in each inner layer of the default network.

Their scale is lost in the file, and what the normalization makes of them is the same at any; but the larger they are,
the less a step of training changes them.
"""
_BATCH = 16
"""Frames that go through the network together."""
_PREFIX, _ROUNDED = "network.", "_quantized"
"""What stands before the names of the network's tensors, and after those of tensors in 8 bits."""


def open_onnx_file(path: Path, frames: Callable[[Description], np.ndarray]) -> tuple[Description, KeypointNetwork]:
    """The description of an exported file, and its network in eval mode on the CPU.

    Args:
        path: a file of `keypoints export`, in float32 or with convolutions in 8 bits and the rest in float16.
        frames: gives (N, S, S) uint8 frames of faces for what the file says of the S and the fit that it takes.

    Raises:
        ModelError: for a missing, damaged or foreign file.
    """
    with in_one_line(path, "give another, or the model.safetensors that it was exported from"):
        model = _parsed(read_plain(path, MOST_BYTES))
        description = _described(model)
        network, held = planned(description), _Initializers(model.graph)
        folded = _folded(network, held)
        network.load_state_dict(_weights(network, held, folded), assign=True)
        _normalize_anew(network.eval(), folded.values(), to_unit(torch.from_numpy(frames(description))))
        if not all(tensor.isfinite().all() for tensor in network.state_dict().values()):
            raise ValueError("it holds values that are no numbers")
    return description, network


def _parsed(content: bytes) -> Any:
    import onnx

    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # of the types of protobuf
        raise ValueError(brief(one_line(str(error)), 120)) from None


def _described(model: Any) -> Description:
    told = {entry.key: entry.value for entry in model.metadata_props}
    if absent := {"model", "scheme", "size_px", "fit"} - set(told):
        raise ValueError(f"it does not say its {min(absent)}, as of an older version; export it again")
    if not told["size_px"].isdecimal():
        raise ValueError(f"its size_px is {shown(told['size_px'])} where a number is expected")
    preprocess = {"size_px": int(told["size_px"][:9]), "fit": told["fit"]}
    try:
        told_in_json = {name: json.loads(told[name]) for name in ("model", "scheme")}
    except RecursionError:
        raise ValueError("its description is nested too deeply") from None
    return checked_description({**told_in_json, "preprocess": preprocess})


class _Initializers:
    """The tensors that an ONNX graph holds, by the names that they have in the network."""

    def __init__(self, graph: Any) -> None:
        self.held = {tensor.name.removeprefix(_PREFIX): tensor for tensor in graph.initializer}

    def __contains__(self, name: str) -> bool:
        return name in self.held or name + _ROUNDED in self.held

    def tensor(self, name: str, shape: torch.Size) -> Tensor:
        """One of them in float32, whether it is rounded to 8 bits or not. Raises ValueError."""
        rounded = name + _ROUNDED
        values = self._array(rounded if rounded in self.held else name, tuple(shape))
        if rounded in self.held:
            first = rounded if f"{rounded}_scale" in self.held else name
            rows = (-1, *[1] * (values.ndim - 1))  # a scale for each of the outputs
            scale, zero = (self._array(f"{first}_{part}", values.shape[:1]) for part in ("scale", "zero_point"))
            values = (values - zero.reshape(rows)) * scale.reshape(rows)
        return torch.from_numpy(values)

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """A float32 copy. Raises ValueError where there is none of this shape, or its values lie in another file."""
        from onnx import TensorProto, numpy_helper

        tensor = self.held.get(name)
        if tensor is None:
            raise ValueError(f"it lacks the tensor {name}")
        if tensor.data_location == TensorProto.EXTERNAL:
            raise ValueError("its weights lie in other files")
        if tensor.data_type not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.INT32):
            raise ValueError(
                f"its {name} is of type {tensor.data_type} where float, float16, int8 or int32 is expected"
            )
        if tuple(tensor.dims) != shape:
            raise ValueError(f"its {name} has the shape {shown(list(tensor.dims))} where {list(shape)} is expected")
        return np.array(numpy_helper.to_array(tensor), np.float32)


@dataclass(frozen=True)
class _Folded:
    """A normalization that the file does not hold, being part of the convolution before it."""

    kernel: str
    """Name of the tensor in `state_dict`."""
    convolution: nn.Conv2d
    normalization: nn.BatchNorm2d

    def fresh(self, part: str, shape: torch.Size, held: _Initializers) -> Tensor:
        """An entry of `state_dict` of a normalization that adds the bias of the convolution and does nothing else."""
        if part == "bias":
            return held.tensor(f"{self.kernel}_bias", shape)
        if part == "num_batches_tracked":
            return torch.tensor(0)
        return torch.zeros(shape) if part == "running_mean" else torch.ones(shape)


def _folded(network: KeypointNetwork, held: _Initializers) -> dict[str, _Folded]:
    """By the name of the normalization."""
    kinds = (nn.Conv2d, nn.BatchNorm2d)
    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, kinds)]
    return {
        after: _Folded(f"{before}.weight", one, other)
        for (before, one), (after, other) in pairwise(layers)
        if isinstance(one, nn.Conv2d) and isinstance(other, nn.BatchNorm2d) and f"{after}.weight" not in held
    }


def _weights(network: KeypointNetwork, held: _Initializers, folded: Mapping[str, _Folded]) -> dict[str, Tensor]:
    """All entries of the network's `state_dict`.

    What is of the labels alone may not be there: a network that does not use it is exported without.
    """
    weights, of_labels = {}, network.label_tensors()
    for name, tensor in network.state_dict().items():
        place, _, part = name.rpartition(".")
        if place in folded:
            weights[name] = folded[place].fresh(part, tensor.shape, held)
        elif part == "num_batches_tracked":
            weights[name] = torch.tensor(0)  # no file has it, and nothing that predicts uses it
        elif name in held or name not in of_labels:
            weights[name] = held.tensor(name, tensor.shape)
        else:
            weights[name] = torch.zeros(tensor.shape)
    return weights


@torch.no_grad()
def _normalize_anew(network: KeypointNetwork, folded: Iterable[_Folded], images: Tensor) -> None:
    """Give kernels the scale of `_KERNEL_RMS`, and normalizations the statistics of (N, 1, S, S) images in 0..1."""
    with ExitStack() as hooks:
        recorded = [(one, hooks.enter_context(_recorded(one.convolution))) for one in folded]
        for batch in torch.split(images, _BATCH):
            network(batch)
    for one, seen in recorded:
        mean, square = torch.stack(seen).mean(0)
        kernel, normalization = one.convolution.weight, one.normalization
        scale = _KERNEL_RMS / kernel.flatten(1).square().mean(1).sqrt().clamp_min(1e-6)
        kernel.mul_(scale.view(-1, 1, 1, 1))
        variance = scale.square() * (square - mean.square()).clamp_min(0)
        weights = {
            "weight": (variance + normalization.eps).sqrt() / scale,
            "bias": normalization.bias + mean,
            "running_mean": scale * mean,
            "running_var": variance,
        }
        normalization.load_state_dict(weights, strict=False)


@contextmanager
def _recorded(layer: nn.Module) -> Iterator[list[Tensor]]:
    """A list that gets the (2, C) means and mean squares of the channels of each output of the layer."""
    seen: list[Tensor] = []

    def record(_layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        seen.append(torch.stack([output.mean((0, 2, 3)), output.square().mean((0, 2, 3))]))

    hook = layer.register_forward_hook(record)
    try:
        yield seen
    finally:
        hook.remove()

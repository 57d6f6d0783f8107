"""The network that a training starts with, and the weights that pretrain hands over to it."""

from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import ConfigError, ModelError
from pipeline.core.settings import Preprocess
from pipeline.models import build_network
from pipeline.models.network import KeypointNetwork
from pipeline.models.settings import Model
from pipeline.models.tensor_files import open_tensors
from pipeline.training.frames import TrainingFrames

Weights = dict[str, Tensor]
"""Entries of `state_dict` by their names."""


def new_network(model: Model, preprocess: Preprocess, frames: TrainingFrames) -> KeypointNetwork:
    """The network of params.yaml with the weights a training on `frames` starts from, on their device.

    Draws from torch's own generator. Raises ConfigError where the settings do not fit together.
    """
    try:
        network = build_network(
            asdict(model),
            side=preprocess.size_px,
            mean_shape=frames.mean_shape,
            flip_index=frames.scheme.flip_index,
            load_pretrained=True,
        )
        return network.to(frames.device)
    except ValueError as error:
        raise ConfigError(f"model.name {model.name} cannot be built as params.yaml says: {error}") from None


def refuse_small_parts(network: nn.Module, step_faces: int, shards: int, name: str) -> None:
    """Raise ConfigError where a part of a step has no face, or just one and the network normalizes over them."""
    least = 2 if any(isinstance(module, nn.BatchNorm1d) for module in network.modules()) else 1
    if step_faces // shards < least:
        parts = f"each of {shards} parts of a step (train.shards)" if shards > 1 else "a step"
        raise ConfigError(
            f"{name} learns from {least} or more faces in {parts}, and there are {step_faces // shards}; raise "
            "train.batch_size, label more frames" + (", or lower train.shards" if shards > 1 else "")
        )


def transferable_weights(network: KeypointNetwork, *, head: bool = True) -> Weights:
    """The weights that another training of such a network, on other faces and labels, can start from.

    Without the `head` those that it can start from on faces with other points.
    """
    left_out = network.label_tensors() | (set() if head else network.head_tensors())
    return {name: tensor for name, tensor in network.state_dict().items() if name not in left_out}


def load_transferred(network: KeypointNetwork, weights: Weights) -> None:
    """Load what `transferable_weights` gave for another network; where that is no head, the network keeps its own.

    Raises ModelError where the other network has other tensors.
    """
    if tensor_kinds(weights) not in [tensor_kinds(transferable_weights(network, head=head)) for head in (True, False)]:
        raise ModelError(
            "the weights of pretrain are of another network than params.yaml says; make them again with: "
            "dvc repro pretrain"
        )
    network.load_state_dict(weights, strict=False)


def tensor_kinds(weights: Weights) -> dict[str, tuple[torch.dtype, torch.Size]]:
    """Type and shape of each tensor, by its name."""
    return {name: (tensor.dtype, tensor.shape) for name, tensor in weights.items()}


def write_weights(path: Path, weights: Weights) -> None:
    """Write a safetensors file without a description: it is good only with the params.yaml that made it."""
    with whole(path) as partial:
        partial.write_bytes(save({name: tensor.cpu().contiguous() for name, tensor in weights.items()}))


def read_weights(path: Path) -> Weights:
    """What `write_weights` wrote, on the CPU. Raises ModelError."""
    try:
        with open_tensors(path) as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; make it with: dvc repro pretrain") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged ({error}); make it again with: dvc repro -fs pretrain") from None

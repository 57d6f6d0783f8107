"""The network that a training starts with, and the weights that a training on drawn faces leaves to it."""

from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import ConfigError, ModelError
from pipeline.core.settings import Preprocess
from pipeline.models import build_network
from pipeline.models.settings import Model
from pipeline.models.tensor_files import open_tensors

Weights = dict[str, Tensor]
_OF_THE_LABELS = {"mean_shape", "mirror_shift", "correction"}
"""Tensors of networks that tell of the faces and labels they were trained on, not of how faces look."""


def new_network(model: Model, preprocess: Preprocess, mean_shape: Tensor) -> nn.Module:
    """By the parameters; `mean_shape` (68, 2) of the training faces. Raises ConfigError."""
    try:
        return build_network(asdict(model), side=preprocess.size_px, mean_shape=mean_shape, load_pretrained=True)
    except ValueError as error:
        raise ConfigError(f"model.name {model.name} cannot be built as params.yaml says: {error}") from None


def refuse_single_faces(network: nn.Module, step_faces: int, name: str) -> None:
    """Raise ConfigError where a step of one face would be normalized over its faces."""
    if step_faces == 1 and any(isinstance(module, nn.BatchNorm1d) for module in network.modules()):
        raise ConfigError(
            f"{name} normalizes over the faces of a step, of which there is 1 and should be 2 or more; raise "
            "train.batch_size, or label more frames"
        )


def weights_to_leave(network: nn.Module) -> Weights:
    """What another training of such a network, on other faces, can start from."""
    tensors = network.state_dict().items()
    return {name: tensor for name, tensor in tensors if name.rpartition(".")[2] not in _OF_THE_LABELS}


def take_over(network: nn.Module, weights: Weights) -> None:
    """Start from what `weights_to_leave` gave. Raises ModelError where that was a network of another shape."""
    own = weights_to_leave(network)
    if _kinds(weights) != _kinds(own):
        raise ModelError(
            "the weights of pretrain are of another network than params.yaml says; make them again with: "
            "dvc repro pretrain"
        )
    network.load_state_dict(weights, strict=False)


def _kinds(weights: Weights) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in weights.items()}


def write_weights(path: Path, weights: Weights) -> None:
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

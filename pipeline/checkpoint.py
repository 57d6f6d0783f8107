"""Model files: safetensors with the weights and, as metadata, how to rebuild the network and prepare its pictures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from pipeline.errors import ModelError
from pipeline.files import whole
from pipeline.models import build_network
from pipeline.scheme import POINTS

# One key only: safetensors writes several in an order that changes between processes.
_KEY = "facial_keypoints"


def save_model(path: Path, network: nn.Module, description: Mapping[str, Any]) -> None:
    """Write weights and `description`: {"model": section of params.yaml, "preprocess": {"size_px", "fit"}}."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with whole(path) as partial:
        partial.write_bytes(save(tensors, {_KEY: json.dumps(description, sort_keys=True)}))


def read_description(path: Path) -> dict[str, Any]:
    """What `save_model` was told. Raises ModelError for a missing, damaged or foreign file."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(json.loads((file.metadata() or {})[_KEY]))
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; train a model with: dvc repro train") from None
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} is damaged or no model of this project ({error}); give another, or train again: "
            "dvc repro -fs train"
        ) from None


def load_model(path: Path) -> nn.Module:
    """The network in eval mode on the CPU, rebuilt from the file alone. Raises ModelError."""
    description = read_description(path)
    try:
        side = description["preprocess"]["size_px"]
        network = build_network(description["model"], side=side, mean_shape=torch.zeros(POINTS, 2))
        with safe_open(path, framework="pt") as file:
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path} does not fit this version of its network ({reason}); give another, or train again: "
            "dvc repro -fs train"
        ) from None
    return network.eval()

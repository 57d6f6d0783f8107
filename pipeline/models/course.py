"""Course networks of this dataset: convolutions with pooling on the whole frame, then fully connected layers.

All learn the labels as (p - 100) / 50, as the course does. Where they come from, and their training:
pipeline/experiments/recipes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from facial_keypoints.core.scheme import IBUG_68


@dataclass(frozen=True)
class Layers:
    """Layer table: what is pooled 2x2 after each convolution without padding, and the layers between it and 136."""

    convolutions: tuple[tuple[int, int], ...]  # channels, kernel
    hidden: tuple[int, ...]
    hidden_dropout: tuple[float, ...]
    convolution_dropout: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    batch_norm: bool = False  # after every layer but the last
    elu: bool = False  # and Glorot initialization, last hidden layer linear; else ReLU as PyTorch initializes it


NETWORKS = {
    "udacity_5conv": Layers(
        convolutions=((32, 5), (64, 3), (128, 3), (256, 3), (512, 3)),
        hidden=(1024, 512),
        hidden_dropout=(0.3, 0.3),
    ),
    "udacity_4conv": Layers(
        convolutions=((32, 5), (64, 4), (128, 3), (256, 2)),
        hidden=(1000,),
        hidden_dropout=(0.4,),
    ),
    "naimishnet_bn": Layers(
        convolutions=((32, 5), (64, 5), (128, 3), (256, 3)),
        hidden=(2048, 2048),
        hidden_dropout=(0.5, 0.4),
        batch_norm=True,
    ),
    # Agarwal, Krohn-Grimberghe and Vyas, "Facial Key Points Detection using Deep Convolutional Neural Network -
    # NaimishNet", arXiv 1710.00977, table I; there on 96 px, where 6400 values reach the first hidden layer.
    "naimishnet": Layers(
        convolutions=((32, 4), (64, 3), (128, 2), (256, 1)),
        hidden=(1000, 1000),
        hidden_dropout=(0.5, 0.6),
        convolution_dropout=(0.1, 0.2, 0.3, 0.4),
        elu=True,
    ),
}


def build(name: str, options: Mapping[str, Any], *, side: int, mean_shape: Tensor) -> nn.Module:
    return CourseNetwork(NETWORKS[name], side)


class CourseNetwork(nn.Module):
    def __init__(self, layers: Layers, side: int) -> None:
        """Raises ValueError where convolutions and pooling leave nothing of frames `side` pixels wide."""
        super().__init__()
        self.trunk = nn.Sequential(*_convolutions(layers))
        for _, kernel in layers.convolutions:
            side = (side - kernel + 1) // 2
        if side < 1:
            raise ValueError("its convolutions with pooling leave nothing of frames this small")
        flat = layers.convolutions[-1][0] * side * side
        self.head = nn.Sequential(nn.Flatten(), *_hidden_layers(layers, flat))
        self.coordinates = nn.Linear(layers.hidden[-1], 2 * IBUG_68.count)
        if layers.elu:
            self.apply(_glorot)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, 1, 68, 2) keypoints in crop pixels, learned as (p - 100) / 50."""
        hidden = self.head(self.trunk(images))
        with torch.autocast(images.device.type, enabled=False):
            normalized: Tensor = self.coordinates(hidden.float())
            return 50 * normalized.view(-1, 1, IBUG_68.count, 2) + 100


def _convolutions(layers: Layers) -> list[nn.Module]:
    modules: list[nn.Module] = []
    inputs = 1
    for (outputs, kernel), dropout in zip(layers.convolutions, layers.convolution_dropout, strict=False):
        modules.append(nn.Conv2d(inputs, outputs, kernel))
        modules += [nn.BatchNorm2d(outputs)] if layers.batch_norm else []
        # ReLU and ELU rise: pooled before them, the values are the same, for a quarter of their work.
        modules += [nn.MaxPool2d(2), nn.ELU(inplace=True) if layers.elu else nn.ReLU(inplace=True)]
        modules += [nn.Dropout(dropout)] if dropout else []
        inputs = outputs
    return modules


def _hidden_layers(layers: Layers, inputs: int) -> list[nn.Module]:
    modules: list[nn.Module] = []
    for index, (outputs, dropout) in enumerate(zip(layers.hidden, layers.hidden_dropout, strict=True)):
        modules.append(nn.Linear(inputs, outputs))
        if layers.batch_norm:
            modules.append(nn.BatchNorm1d(outputs))
        if layers.elu and index < len(layers.hidden) - 1:
            modules.append(nn.ELU(inplace=True))
        if not layers.elu:
            modules.append(nn.ReLU(inplace=True))
        modules.append(nn.Dropout(dropout))
        inputs = outputs
    return modules


def _glorot(module: nn.Module) -> None:
    """Convolutions evenly from -0.05..0.05, dense layers after Glorot, as the paper has it."""
    if not isinstance(module, nn.Linear | nn.Conv2d):
        return
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    else:
        nn.init.uniform_(module.weight, -0.05, 0.05)
    if module.bias is not None:
        nn.init.zeros_(module.bias)

"""Course networks of this dataset: convolutions with pooling on the whole frame, then fully connected layers.

All learn the labels as (p - 100) / 50, as the course does. The recipes in pipeline/experiments/recipes name the
projects that they come from, and train them as those do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.network import KeypointNetwork


@dataclass(frozen=True)
class Layers:
    """Layer table of a course network: convolutions without padding, each pooled 2x2, then fully connected layers."""

    convolutions: tuple[tuple[int, int], ...]
    """Output channels and kernel side of each."""
    hidden: tuple[int, ...]
    """Outputs of the fully connected layers before the last one, which gives the 2 K coordinates."""
    hidden_dropout: tuple[float, ...]
    """Probability after each of `hidden`."""
    convolution_dropout: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    """Probability after each of `convolutions`."""
    batch_norm: bool = False
    """After every layer but the last."""
    elu: bool = False
    """ELU, Glorot initialization and a linear last hidden layer; else ReLU and what PyTorch initializes with."""


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


def build(
    name: str, options: Mapping[str, Any], *, side: int, mean_shape: Tensor, flip_index: np.ndarray
) -> KeypointNetwork:
    """See `pipeline.models.build_network`; it has no options. Raises ValueError for frames that are too small."""
    return CourseNetwork(NETWORKS[name], side, len(mean_shape))


class CourseNetwork(KeypointNetwork):
    """The network of one layer table."""

    def __init__(self, layers: Layers, side: int, points: int) -> None:
        """Raises ValueError where convolutions and pooling leave nothing of frames `side` pixels wide."""
        super().__init__(points)
        self.trunk = nn.Sequential(*_convolutions(layers))
        for _, kernel in layers.convolutions:
            side = (side - kernel + 1) // 2
        if side < 1:
            raise ValueError("its convolutions with pooling leave nothing of frames this small")
        flat = layers.convolutions[-1][0] * side * side
        self.head = nn.Sequential(nn.Flatten(), *_hidden_layers(layers, flat))
        self.coordinates = nn.Linear(layers.hidden[-1], 2 * points)
        if layers.elu:
            self.apply(_glorot)

    def head_tensors(self) -> set[str]:
        return {f"coordinates.{part}" for part in ("weight", "bias")}

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, 1, K, 2) keypoints in crop pixels, learned as (p - 100) / 50."""
        hidden = self.head(self.trunk(images))
        with torch.autocast(images.device.type, enabled=False):
            normalized: Tensor = self.coordinates(hidden.float())
            return 50 * normalized.view(-1, 1, self.points, 2) + 100


def _convolutions(layers: Layers) -> list[nn.Module]:
    """From (B, 1, S, S) images to the pooled maps of the last convolution."""
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
    """From (B, inputs) flattened maps to the values that the coordinates are made of."""
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
    """Draw kernels evenly from -0.05..0.05 and dense weights as Glorot and Bengio (AISTATS 2010), as the paper does."""
    if not isinstance(module, nn.Linear | nn.Conv2d):
        return
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    else:
        nn.init.uniform_(module.weight, -0.05, 0.05)
    if module.bias is not None:
        nn.init.zeros_(module.bias)

"""The small network that finds the face in a reduced view of the frame."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.layers import Residual, conv_norm_relu

_SPREAD = 0.05
"""Where the spread starts, in face sizes: about the error after training."""


class CoarseNetwork(nn.Module):
    """(B, 1, C, C) reduced frames -> (B, K, 2) offsets from the mean shape, in face sizes; 0 before training.

    Or (B, K, 3) with their spread.
    """

    def __init__(self, side: int, width: int, blocks: int, points: int, spread: bool) -> None:
        """`width`: channels after the first convolution; `blocks`: residual blocks after each of the others."""
        super().__init__()
        self.points = points
        channels = (1, width, 2 * width, 4 * width, 6 * width)
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(pairwise(channels)):
            layers += [conv_norm_relu(inputs, outputs, stride=2)]
            layers += [Residual(outputs) for _ in range(blocks if level else 0)]
        self.trunk = nn.Sequential(*layers)
        self.hidden = nn.Linear(channels[-1] * math.ceil(side / 16) ** 2, 256)
        self.offsets = nn.Linear(256, 2 * points)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)
        self.log_spread = nn.Linear(256, points) if spread else None
        if self.log_spread is not None:
            nn.init.zeros_(self.log_spread.weight)
            nn.init.constant_(self.log_spread.bias, math.log(_SPREAD))

    def forward(self, images: Tensor) -> Tensor:
        hidden = functional.relu(self.hidden(self.trunk(images).flatten(1)))
        with torch.autocast(images.device.type, enabled=False):
            offsets: Tensor = self.offsets(hidden.float()).view(-1, self.points, 2)
            if self.log_spread is None:
                return offsets
            return torch.cat([offsets, self.log_spread(hidden.float()).exp()[..., None]], -1)

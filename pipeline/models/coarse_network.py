"""The small network that finds the face in a reduced view of the frame."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.layers import conv_norm_relu


class CoarseNetwork(nn.Module):
    """(B, 1, C, C) reduced frames -> (B, K, 2) offsets from the mean shape, in face sizes; 0 before training."""

    def __init__(self, side: int, points: int) -> None:
        super().__init__()
        self.points = points
        channels = (1, 16, 32, 64, 96)
        self.trunk = nn.Sequential(*(conv_norm_relu(i, o, stride=2) for i, o in pairwise(channels)))
        self.hidden = nn.Linear(channels[-1] * math.ceil(side / 16) ** 2, 256)
        self.offsets = nn.Linear(256, 2 * points)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)

    def forward(self, images: Tensor) -> Tensor:
        hidden = functional.relu(self.hidden(self.trunk(images).flatten(1)))
        with torch.autocast(images.device.type, enabled=False):
            offsets: Tensor = self.offsets(hidden.float())
            return offsets.view(-1, self.points, 2)

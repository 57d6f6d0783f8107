"""The best-known course network: five convolutions on the whole frame and three fully connected layers."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.scheme import POINTS


def build(name: str, options: Mapping[str, Any], *, side: int, mean_shape: Tensor) -> nn.Module:
    return Udacity5Conv(side)


class Udacity5Conv(nn.Module):
    """conv 32 (5x5), 64, 128, 256, 512 (3x3), each with ReLU and 2x2 max-pool; at 224 px 12800, 1024, 512, 136."""

    def __init__(self, side: int) -> None:
        super().__init__()
        channels = [1, 32, 64, 128, 256, 512]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            kernel = 5 if inputs == 1 else 3
            layers += [nn.Conv2d(inputs, outputs, kernel), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            side = (side - kernel + 1) // 2
        if side < 1:
            raise ValueError("five convolutions with pooling leave nothing of frames below 96 pixels")
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(512 * side * side, 1024),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(1024, 512),
            nn.ReLU(),
            nn.Dropout(0.3),
        )
        self.coordinates = nn.Linear(512, 2 * POINTS)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, 1, 68, 2) keypoints in crop pixels, learned as (p - 100) / 50."""
        hidden = self.head(self.trunk(images))
        with torch.autocast(images.device.type, enabled=False):
            normalized: Tensor = self.coordinates(hidden.float())
            return 50 * normalized.view(-1, 1, POINTS, 2) + 100

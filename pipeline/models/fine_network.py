"""The network that places the points in an upright face, and the heatmap head that it ends in."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.layers import PointMaps, Residual, conv_norm_relu

_BLOCKS = (1, 2, 1)
"""Residual blocks at each level of the feature pyramid, the finest first."""


class FineNetwork(nn.Module):
    """(B, 1, P, P) upright faces -> (B, K, 2) keypoints in pixels of the cut-out."""

    def __init__(self, width: int, pyramid: int, points: int) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 6 * width]
        self.stem = conv_norm_relu(1, width, kernel=5, stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(conv_norm_relu(i, o, stride=2), *(Residual(o) for _ in range(blocks)))
            for (i, o), blocks in zip(pairwise(channels), _BLOCKS, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(c, pyramid, 1) for c in channels[1:])
        self.smooth = conv_norm_relu(pyramid, pyramid)
        self.heatmaps = PointMaps(pyramid, points, 1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        levels = [features := stage(features) for stage in self.stages]
        top = self.laterals[-1](levels[-1])
        for lateral, level in zip(reversed(self.laterals[:-1]), reversed(levels[:-1]), strict=True):
            top = lateral(level) + functional.interpolate(top, size=level.shape[-2:], mode="nearest")
        return soft_argmax(self.heatmaps(self.smooth(top)), images.shape[-1])


class FineNetworks(nn.ModuleList):
    """(B, 1, P, P) upright faces -> (B, M, K, 2) keypoints in pixels of the cut-out, those of each of M networks."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([network(images) for network in self], 1)


def soft_argmax(heatmaps: Tensor, side: int) -> Tensor:
    """(B, K, h, w) scores -> (B, K, 2) mean positions under their softmax, in pixels of the image that the maps cover.

    `side` is the width and height of that image.
    """
    with torch.autocast(heatmaps.device.type, enabled=False):
        weights = heatmaps.float().flatten(2).softmax(-1).view_as(heatmaps)
        height, width = heatmaps.shape[-2:]
        x = (torch.arange(width, device=heatmaps.device) + 0.5) * (side / width) - 0.5
        y = (torch.arange(height, device=heatmaps.device) + 0.5) * (side / height) - 0.5
        return torch.stack([weights.sum(2) @ x, weights.sum(3) @ y], -1)

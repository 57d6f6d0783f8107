"""The network that places the points in an upright face, and the heatmap and spread heads that it ends in."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.layers import PointMaps, Residual, conv_norm_relu

_BLOCKS = (1, 2, 1)
"""Residual blocks at each level of the feature pyramid, the finest first."""
_SPREAD = 0.01
"""Where the spread starts, in sides of the cut-out: about the error after training."""


class FineNetwork(nn.Module):
    """(B, 1, P, P) upright faces -> (B, K, 2) keypoints in pixels of the cut-out, or (B, K, 3) with their spread."""

    def __init__(self, width: int, pyramid: int, points: int, spread: bool) -> None:
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
        self.spread = SpreadHead(pyramid, points) if spread else None

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        levels = [features := stage(features) for stage in self.stages]
        top = self.laterals[-1](levels[-1])
        for lateral, level in zip(reversed(self.laterals[:-1]), reversed(levels[:-1]), strict=True):
            top = lateral(level) + functional.interpolate(top, size=level.shape[-2:], mode="nearest")
        features, side = self.smooth(top), images.shape[-1]
        weights = spatial_softmax(self.heatmaps(features))
        points = mean_position(weights, side)
        if self.spread is None:
            return points
        return torch.cat([points, side * self.spread(features, weights)[..., None]], -1)


class SpreadHead(nn.Module):
    """How far each point may be off, from the features where its heatmap looks and from the width of the heatmap.

    The heatmap alone cannot tell: its cells are larger than the errors.
    """

    def __init__(self, channels: int, points: int) -> None:
        super().__init__()
        self.of_features = nn.Parameter(torch.zeros(points, channels))
        self.of_width = nn.Parameter(torch.zeros(points))
        self.start = nn.Parameter(torch.full((points,), math.log(_SPREAD)))

    def forward(self, features: Tensor, weights: Tensor) -> Tensor:
        """(B, C, h, w) features and (B, K, h, w) weights -> (B, K) spread in sides of the cut-out."""
        seen = weights.flatten(2).to(features.dtype) @ features.flatten(2).transpose(1, 2)
        with torch.autocast(features.device.type, enabled=False):
            log = (seen.float() * self.of_features).sum(-1) + self.of_width * log_width(weights) + self.start
            return log.clamp(-7, 2).exp()


class FineNetworks(nn.ModuleList):
    """(B, 1, P, P) upright faces -> (B, M, K, 2 or 3) keypoints in pixels of the cut-out, of each of M networks."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([network(images) for network in self], 1)


def spatial_softmax(heatmaps: Tensor) -> Tensor:
    """(B, K, h, w) scores -> float32 weights, those of each point with the sum 1."""
    with torch.autocast(heatmaps.device.type, enabled=False):
        return heatmaps.float().flatten(2).softmax(-1).view_as(heatmaps)


def mean_position(weights: Tensor, side: int) -> Tensor:
    """(B, K, h, w) weights -> (B, K, 2) mean positions, in pixels of the image that the maps cover.

    `side` is the width and height of that image.
    """
    with torch.autocast(weights.device.type, enabled=False):
        height, width = weights.shape[-2:]
        x = (torch.arange(width, device=weights.device) + 0.5) * (side / width) - 0.5
        y = (torch.arange(height, device=weights.device) + 0.5) * (side / height) - 0.5
        return torch.stack([weights.sum(2) @ x, weights.sum(3) @ y], -1)


def log_width(weights: Tensor) -> Tensor:
    """(B, K, h, w) weights -> (B, K) logarithm of the standard deviation of the position, in cells; not below 0.1."""
    variances = []
    for along in (weights.sum(2), weights.sum(3)):
        place = torch.arange(along.shape[-1], dtype=weights.dtype, device=weights.device)
        variances.append(along @ place.square() - (along @ place).square())
    return (variances[0] + variances[1]).clamp_min(0.01).log() / 2

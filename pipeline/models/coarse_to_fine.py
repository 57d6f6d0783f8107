"""Find the face on a small view, cut it out upright, place the points there.

The face covers a seventh of a frame, so a network that works on the whole frame wastes its time on background. Here a
small network looks at a reduced view and guesses the points; the similarity that brings this guess to the mean face
cuts an upright face of one size from the frame, and a larger network with a feature pyramid (Lin et al., CVPR 2017)
places each point there as the mean of a heatmap (Sun et al., "Integral Human Pose Regression", ECCV 2018). The
cut-out is the idea of deep alignment networks (Kowalski et al., CVPRW 2017).
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.geometry import apply_affine, face_size, invert_affine, similarity_about_centre, similarity_between, warp
from pipeline.models.layers import Residual, conv_norm_relu, standardize
from pipeline.scheme import POINTS

_JITTER_TURN_RAD = 0.1
_JITTER_LOG_SCALE = 0.1
_JITTER_SHIFT_FRAC = 0.04


def build(name: str, options: Mapping[str, Any], *, side: int, mean_shape: Tensor) -> nn.Module:
    return CoarseToFine(mean_shape, **options)


class CoarseToFine(nn.Module):
    mean_shape: Tensor

    def __init__(
        self,
        mean_shape: Tensor,
        *,
        coarse_px: int,
        fine_px: int,
        fine_margin_frac: float,
        fine_width: int,
        fine_pyramid: int,
    ) -> None:
        """`mean_shape`: (68, 2) mean face of the training frames in crop pixels."""
        super().__init__()
        self.coarse_px, self.fine_px, self.fine_margin_frac = coarse_px, fine_px, fine_margin_frac
        self.register_buffer("mean_shape", mean_shape)
        self.coarse = CoarseNetwork(coarse_px)
        self.fine = FineNetwork(fine_width, fine_pyramid)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, 2, 68, 2) coarse and fine keypoints in crop pixels."""
        small = functional.interpolate(images, size=(self.coarse_px, self.coarse_px), mode="area")
        offsets = self.coarse(standardize(small))
        with torch.autocast(images.device.type, enabled=False):  # in bfloat16 points would be off by a pixel
            coarse = self.mean_shape + face_size(self.mean_shape) * offsets.float()
            upright_from_crop = self._upright_from_crop(coarse.detach())
            crop_from_upright = invert_affine(upright_from_crop)
            cut_out = warp(images, upright_from_crop, self.fine_px)
        placed = self.fine(standardize(cut_out))
        with torch.autocast(images.device.type, enabled=False):
            fine = apply_affine(crop_from_upright, placed.float())
            return torch.stack([coarse, fine], 1)

    def _upright_from_crop(self, coarse: Tensor) -> Tensor:
        upright = upright_shape(self.mean_shape, self.fine_px, self.fine_margin_frac)
        matrix = similarity_between(coarse, upright.expand_as(coarse))
        return random_similarity(len(matrix), self.fine_px).to(matrix) @ matrix if self.training else matrix


def upright_shape(mean_shape: Tensor, side: int, margin_frac: float) -> Tensor:
    """(68, 2) mean shape scaled and centred so that its longer extent and a margin on both sides fill `side` pixels."""
    low, high = mean_shape.amin(0), mean_shape.amax(0)
    scale = side / ((high - low).amax() * (1 + 2 * margin_frac))
    return (mean_shape - (low + high) / 2) * scale + (side - 1) / 2


def random_similarity(count: int, side: int) -> Tensor:
    """(B, 3, 3) small turns, scales and shifts about the centre of `side` pixels, as the coarse guesses err."""
    return similarity_about_centre(
        side,
        turn_rad=_JITTER_TURN_RAD * torch.randn(count),
        scale=torch.exp(_JITTER_LOG_SCALE * torch.randn(count)),
        shift_px=_JITTER_SHIFT_FRAC * side * torch.randn(count, 2),
    )


class CoarseNetwork(nn.Module):
    """(B, 1, P, P) -> (B, 68, 2) offsets from the mean shape, in face sizes."""

    def __init__(self, side: int) -> None:
        super().__init__()
        channels = (1, 16, 32, 64, 96)
        self.trunk = nn.Sequential(*(conv_norm_relu(i, o, stride=2) for i, o in pairwise(channels)))
        self.hidden = nn.Linear(channels[-1] * math.ceil(side / 16) ** 2, 256)
        self.offsets = nn.Linear(256, 2 * POINTS)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)

    def forward(self, images: Tensor) -> Tensor:
        hidden = functional.relu(self.hidden(self.trunk(images).flatten(1)))
        with torch.autocast(images.device.type, enabled=False):
            offsets: Tensor = self.offsets(hidden.float())
            return offsets.view(-1, POINTS, 2)


class FineNetwork(nn.Module):
    """(B, 1, P, P) upright faces -> (B, 68, 2) keypoints in pixels of the cut-out."""

    def __init__(self, width: int, pyramid: int) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 6 * width]
        self.stem = conv_norm_relu(1, width, kernel=5, stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(conv_norm_relu(i, o, stride=2), Residual(o)) for i, o in pairwise(channels)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(c, pyramid, 1) for c in channels[1:])
        self.smooth = conv_norm_relu(pyramid, pyramid)
        self.heatmaps = nn.Conv2d(pyramid, POINTS, 1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        levels = [features := stage(features) for stage in self.stages]
        top = self.laterals[-1](levels[-1])
        for lateral, level in zip(reversed(self.laterals[:-1]), reversed(levels[:-1]), strict=True):
            top = lateral(level) + functional.interpolate(top, size=level.shape[-2:], mode="nearest")
        return soft_argmax(self.heatmaps(self.smooth(top)), images.shape[-1])


def soft_argmax(heatmaps: Tensor, side: int) -> Tensor:
    """(B, K, h, w) scores -> (B, K, 2) mean positions under their softmax, in pixels of the `side` the maps cover."""
    with torch.autocast(heatmaps.device.type, enabled=False):
        weights = heatmaps.float().flatten(2).softmax(-1).view_as(heatmaps)
        height, width = heatmaps.shape[-2:]
        x = (torch.arange(width, device=heatmaps.device) + 0.5) * (side / width) - 0.5
        y = (torch.arange(height, device=heatmaps.device) + 0.5) * (side / height) - 0.5
        return torch.stack([weights.sum(2) @ x, weights.sum(3) @ y], -1)

"""A classifier of torchvision with its last layer made to answer keypoints: what one would try first."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model

from pipeline.geometry import face_size
from pipeline.models.layers import standardize
from pipeline.scheme import POINTS


def build(name: str, options: Mapping[str, Any], *, side: int, mean_shape: Tensor) -> nn.Module:
    return Backbone(name, mean_shape)


class Backbone(nn.Module):
    mean_shape: Tensor

    def __init__(self, name: str, mean_shape: Tensor) -> None:
        """`name`: as torchvision has it, e.g. "resnet18"; `mean_shape`: (68, 2) mean training face in crop pixels."""
        super().__init__()
        self.register_buffer("mean_shape", mean_shape)
        self.network = get_model(name, weights=None, num_classes=2 * POINTS)
        place, colour = next((n, m) for n, m in self.network.named_modules() if isinstance(m, nn.Conv2d))
        side, stride, margin = colour.kernel_size[0], colour.stride[0], colour.kernel_size[0] // 2
        gray = nn.Conv2d(1, colour.out_channels, side, stride, margin, bias=False)
        self.network.set_submodule(place, gray)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, 1, 68, 2) keypoints in crop pixels."""
        offsets = self.network(standardize(images)).float().view(-1, 1, POINTS, 2)
        return torch.add(self.mean_shape, face_size(self.mean_shape) * offsets)

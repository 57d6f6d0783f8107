"""Training losses of keypoints."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.tensor_geometry import face_size


def wing(residuals: Tensor, width: float = 10.0, curvature: float = 2.0) -> Tensor:
    """Wing loss of each residual: logarithmic within `width`, linear beyond (Feng et al., CVPR 2018, equation 5)."""
    size = residuals.abs()
    offset = width - width * math.log1p(width / curvature)
    return torch.where(size < width, width * torch.log1p(size / curvature), size - offset)


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": torch.abs,
    "smooth_l1": lambda r: functional.smooth_l1_loss(r, torch.zeros_like(r), reduction="none"),
    "mse": torch.square,
    "wing": wing,
}
"""Name -> losses of residuals."""

UNITS: dict[str, Callable[[Tensor], Tensor]] = {
    "face_size": lambda truth: face_size(truth) / 100,
    "50_px": lambda truth: truth.new_full(truth.shape[:-2], 50.0),
}
"""Name -> pixels of one unit of the residuals for (B, 68, 2) true keypoints: (B,)."""


def keypoint_loss(name: str, unit: str, estimates: Tensor, truth: Tensor) -> Tensor:
    """Scalar mean loss of (B, E, 68, 2) successive estimates of (B, 68, 2) true keypoints, both in pixels.

    `unit` face_size: residuals in percent of the true face's size, so that big and small faces count alike. 50_px: as
    the course has it, where labels are (p - 100) / 50; SmoothL1 is nearly half a squared error then.
    """
    pixels = UNITS[unit](truth.detach())[:, None, None, None]  # a learned truth must not pay by growing
    return LOSSES[name]((estimates - truth[:, None]) / pixels).mean()

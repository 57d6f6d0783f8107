"""Training losses of keypoints, in percent of each face's size, so that big and small faces count alike."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.geometry import face_size


def wing(residuals: Tensor, width: float = 10.0, curvature: float = 2.0) -> Tensor:
    """Wing loss of each residual: logarithmic within `width`, linear beyond (Feng et al., CVPR 2018, equation 5)."""
    size = residuals.abs()
    offset = width - width * math.log1p(width / curvature)
    return torch.where(size < width, width * torch.log1p(size / curvature), size - offset)


LOSSES = {
    "l1": torch.abs,
    "smooth_l1": lambda r: functional.smooth_l1_loss(r, torch.zeros_like(r), reduction="none"),
    "mse": torch.square,
    "wing": wing,
}


def keypoint_loss(name: str, estimates: Tensor, truth: Tensor) -> Tensor:
    """Scalar mean loss of (B, E, 68, 2) successive estimates of (B, 68, 2) true keypoints, both in pixels.

    Residuals are in percent of the true face's size (geometry.face_size).
    """
    size = face_size(truth.detach())[:, None, None, None]  # a learned truth must not pay by growing
    return LOSSES[name](100 * (estimates - truth[:, None]) / size).mean()

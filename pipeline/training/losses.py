"""Training losses of keypoints. To add one: a function of residuals here and a line in LOSSES, which params.yaml names.

PyTorch is imported where it is needed, as the names alone must not load it.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def absolute(residuals: "Tensor") -> "Tensor":
    """Absolute value of each residual (L1)."""
    return residuals.abs()


def smooth_l1(residuals: "Tensor") -> "Tensor":
    """Half the square within 1, linear beyond (Girshick, "Fast R-CNN", ICCV 2015, equation 3)."""
    from torch.nn import functional

    return functional.smooth_l1_loss(residuals, residuals.new_zeros(residuals.shape), reduction="none")


def squared(residuals: "Tensor") -> "Tensor":
    """Square of each residual."""
    return residuals.square()


def wing(residuals: "Tensor", width: float = 10.0, curvature: float = 2.0) -> "Tensor":
    """Wing loss of each residual: logarithmic within `width`, linear beyond (Feng et al., CVPR 2018, equation 5)."""
    size = residuals.abs()
    offset = width - width * math.log1p(width / curvature)
    return (width * (size / curvature).log1p()).where(size < width, size - offset)


LOSSES: "dict[str, Callable[[Tensor], Tensor]]" = {
    "l1": absolute,
    "smooth_l1": smooth_l1,
    "mse": squared,
    "wing": wing,
}
"""Name in params.yaml -> losses of residuals, each of their shape."""


def hundredth_of_the_face(truth: "Tensor") -> "Tensor":
    """Percent of each face's size in pixels, (B,), so that big and small faces count alike."""
    from pipeline.models.tensor_geometry import face_size

    return face_size(truth) / 100


def fifty_pixels(truth: "Tensor") -> "Tensor":
    """The unit of labels (p - 100) / 50, as the course has it, (B,); SmoothL1 is nearly half a squared error then."""
    return truth.new_full(truth.shape[:-2], 50.0)


UNITS: "dict[str, Callable[[Tensor], Tensor]]" = {"face_size": hundredth_of_the_face, "50_px": fifty_pixels}
"""Name in params.yaml -> pixels of one unit of the residuals, (B,), for (B, K, 2) true keypoints."""


def keypoint_loss(
    name: str, unit: str, estimates: "Tensor", truth: "Tensor", spread: "Tensor | None" = None
) -> "Tensor":
    """Scalar mean loss `name` of (B, E, K, 2) successive estimates of (B, K, 2) true keypoints, both in pixels.

    A true point that is NaN is not labelled: each face counts by the mean over its labelled points, and nothing is
    learned of the others. Where those lie matters for the size of a face alone; for that they are where the last
    estimate has them. With the (B, E, K) `spread` of the estimates, in pixels, it is the negative logarithm of their
    likelihood: that of a Laplace distribution where the loss is l1.
    """
    missing = truth.isnan()
    whole = truth.where(~missing, estimates[:, -1].detach())
    pixels = UNITS[unit](whole.detach())[:, None, None, None]  # a learned truth must not pay by growing
    losses = LOSSES[name]((estimates - whole[:, None]) / pixels)
    if spread is not None:
        units = spread[..., None] / pixels
        losses = losses / units + units.log()
    return _mean_of_labelled(losses, missing) if missing.any() else losses.mean()


def _mean_of_labelled(losses: "Tensor", missing: "Tensor") -> "Tensor":
    """Mean over faces of the mean of (B, E, K, 2) losses over the points that (B, K, 2) does not call missing."""
    labelled = losses.masked_fill(missing[:, None], 0).sum((1, 2, 3))
    return (labelled / ((~missing).sum((1, 2)) * losses.shape[1])).mean()

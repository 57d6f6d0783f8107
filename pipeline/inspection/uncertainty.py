"""How certain the network is of each point: the spread of its predictions over slightly different views of a face.

Views are rotated, scaled and shifted, not mirrored: where labels lie to one side of what they name, predictions for a
mirrored view are off by that, and rightly so.
"""

from dataclasses import dataclass

import numpy as np
import torch

from pipeline.models.forward import unit_images
from pipeline.models.network import KeypointNetwork
from pipeline.models.tensor_geometry import apply_affine, invert_affine, similarity_about_centre, warp

_ROTATION_DEG, _LOG_SCALE, _SHIFT_FRAC = 6.0, 0.06, 0.02
"""Standard deviations of the changes between views: about those of a face that a detector finds a second time."""
_BATCH = 16
WITHIN_95 = 2.4477
"""Standard deviations of a normal distribution in the plane that hold 95 % of it: sqrt(-2 ln 0.05)."""


@dataclass(frozen=True)
class Spread:
    """Mean and covariance of the predictions for one face."""

    mean: np.ndarray
    """(K, 2) crop px."""
    covariance: np.ndarray
    """(K, 2, 2) crop px squared."""
    views: int

    @property
    def sigma_px(self) -> np.ndarray:
        """(K,) root of the mean of the variances of x and y, crop px."""
        return np.asarray(np.sqrt(np.trace(self.covariance, axis1=1, axis2=2) / 2))


@torch.inference_mode()
def spread(network: KeypointNetwork, crop: np.ndarray, *, views: int, seed: int) -> Spread:
    """The spread of the predictions for `views` views of an (S, S) uint8 frame; `seed` draws their changes."""
    generator = torch.Generator().manual_seed(seed)
    side = len(crop)
    view_from_crop = similarity_about_centre(
        side,
        turn_rad=torch.deg2rad(_ROTATION_DEG * torch.randn(views, generator=generator)),
        scale=torch.exp(_LOG_SCALE * torch.randn(views, generator=generator)),
        shift_px=_SHIFT_FRAC * side * torch.randn((views, 2), generator=generator),
    )
    image = unit_images(crop[None], torch.device("cpu"))
    parts = []
    for start in range(0, views, _BATCH):
        matrix = view_from_crop[start : start + _BATCH]
        seen = network.keypoints(warp(image.expand(len(matrix), 1, side, side), matrix, side))
        parts.append(apply_affine(invert_affine(matrix), seen))
    return spread_of(torch.cat(parts).double().numpy())


def spread_of(points: np.ndarray) -> Spread:
    """The spread of (V, K, 2) predictions for V views, all brought back to crop px."""
    mean = points.mean(0)
    off = points - mean
    return Spread(mean, np.einsum("vki,vkj->kij", off, off) / (len(points) - 1), len(points))


def ellipse_axes(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ellipses that hold 95 % of normal distributions with (K, 2, 2) covariances.

    Returns (K,) angles of the long axes in radians, clockwise from x in a picture, and (K, 2) half axes, long first.
    """
    values, vectors = np.linalg.eigh(covariance)
    long = vectors[..., :, 1]
    return np.arctan2(long[..., 1], long[..., 0]), WITHIN_95 * np.sqrt(np.clip(values[..., ::-1], 0, None))

"""How sure the network is of each point: the spread of its answers over slightly turned, scaled and shifted views.

Views are not mirrored: where labels lie to one side of what they name, a mirrored view is off by that on purpose.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pipeline.models.tensor_geometry import apply_affine, invert_affine, similarity_about_centre, warp

_TURN_DEG, _LOG_SCALE, _SHIFT_FRAC = 6.0, 0.06, 0.02
"""Standard deviations of what the views are changed by: as a face found a second time would be framed."""
_BATCH = 16
WITHIN_95 = 2.4477
"""Standard deviations of a normal distribution in the plane that hold 95 % of it: sqrt(-2 ln 0.05)."""


@dataclass(frozen=True)
class Spread:
    mean: np.ndarray
    """(68, 2) crop px."""
    covariance: np.ndarray
    """(68, 2, 2) crop px squared."""
    views: int

    @property
    def sigma_px(self) -> np.ndarray:
        """(68,) root of the mean variance of x and y, crop px."""
        return np.asarray(np.sqrt(np.trace(self.covariance, axis1=1, axis2=2) / 2))


@torch.inference_mode()
def spread(network: nn.Module, crop: np.ndarray, *, views: int, seed: int) -> Spread:
    """Of an (S, S) uint8 frame."""
    generator = torch.Generator().manual_seed(seed)
    side = len(crop)
    view_from_crop = similarity_about_centre(
        side,
        turn_rad=torch.deg2rad(_TURN_DEG * torch.randn(views, generator=generator)),
        scale=torch.exp(_LOG_SCALE * torch.randn(views, generator=generator)),
        shift_px=_SHIFT_FRAC * side * torch.randn((views, 2), generator=generator),
    )
    image = torch.from_numpy(crop.astype(np.float32) / 255)[None, None]
    parts = []
    for start in range(0, views, _BATCH):
        matrix = view_from_crop[start : start + _BATCH]
        seen = network(warp(image.expand(len(matrix), 1, side, side), matrix, side))[:, -1]
        parts.append(apply_affine(invert_affine(matrix), seen))
    return spread_of(torch.cat(parts).double().numpy())


def spread_of(points: np.ndarray) -> Spread:
    """Of (V, 68, 2) answers to V views, all in one frame."""
    mean = points.mean(0)
    off = points - mean
    return Spread(mean, np.einsum("vki,vkj->kij", off, off) / (len(points) - 1), len(points))


def ellipse_axes(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) turns in radians of the long axes and (K, 2) half axes, long first, that hold 95 % of (K, 2, 2) spreads."""
    values, vectors = np.linalg.eigh(covariance)
    long = vectors[..., :, 1]
    return np.arctan2(long[..., 1], long[..., 0]), WITHIN_95 * np.sqrt(np.clip(values[..., ::-1], 0, None))

"""Frames together with their mirror images: what a network tells of the 2 B, the latter last, brought together.

The label of a point may lie to one side of what it names, and in the mirrored frame to the same side. So the places of
labels and of their mirror images differ, by the shift of `tensor_geometry.mirror_keypoints`.
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.models.tensor_geometry import consistent_mirror_shift, face_size, mirror_keypoints


def with_mirrored(images: Tensor) -> Tensor:
    """(2 B, C, S, S) images and their mirror images, of (B, C, S, S)."""
    return torch.cat([images, images.flip(-1)])


def halves(told: Tensor) -> tuple[Tensor, Tensor]:
    """(B, ...) of the images, and (B, ...) of their mirror images, of (2 B, ...)."""
    straight, mirrored = told.reshape(2, -1, *told.shape[1:])  # `chunk` would fix the size of batches in exported files
    return straight, mirrored


def mirrored_back(placed: Tensor, side: int, flip_index: np.ndarray) -> Tensor:
    """(B, K, 2 or 3) points, perhaps with their spread, of mirrored images `side` pixels wide -> of the images."""
    points = mirror_keypoints(placed[..., :2], side, flip_index)
    return torch.cat([points, placed[:, torch.from_numpy(flip_index), 2:]], -1)


def agreed(placed: Tensor, side: int, flip_index: np.ndarray, shift: Tensor) -> Tensor:
    """Where labels lie by the mean of what was placed in the images and in their mirror images.

    Args:
        placed: (2 B, K, 2 or 3) pixels, perhaps with the spread of each point.
        side: width of the images in pixels.
        flip_index: as `Scheme.flip_index`.
        shift: (K, 2) as `tensor_geometry.mirror_keypoints` takes it.

    Returns:
        (2 B, K, 2 or 3) as `placed`. For mirrored images it is the same, the halves exchanged.
    """
    straight, mirrored = halves(placed)
    symmetric = (straight + mirrored_back(mirrored, side, flip_index)) / 2
    aside = _shift_px(symmetric[..., :2], flip_index, shift) / 2
    both = torch.cat([symmetric, mirrored_back(symmetric, side, flip_index)])
    return torch.cat([both[..., :2] + torch.cat([aside, aside]), both[..., 2:]], -1)


def in_mirror(points: Tensor, side: int, flip_index: np.ndarray, shift: Tensor) -> Tensor:
    """Where labels lie in mirrored images, (B, K, 2) pixels, by where they lie in the images; see `agreed`."""
    return mirror_keypoints(points, side, flip_index) + _shift_px(points, flip_index, shift)


def _shift_px(points: Tensor, flip_index: np.ndarray, shift: Tensor) -> Tensor:
    """(B, K, 2) by how much labels of the mirrored images lie aside, in pixels.

    In this order the shift itself stays in exported files: of it alone, exporters would keep the consistent part.
    """
    return consistent_mirror_shift(shift * face_size(points)[:, None, None], flip_index)


def exchanged(told: Tensor, exchange: Tensor) -> Tensor:
    """(2 B, ...) with the halves exchanged where (B,) `exchange` says so; doing so twice changes nothing."""
    straight, mirrored = halves(told)
    which = exchange.view(-1, *[1] * (told.ndim - 1))
    return torch.cat([torch.where(which, mirrored, straight), torch.where(which, straight, mirrored)])


def mirrored_first(placed: Tensor) -> Tensor:
    """(B,) bool: whether the mirror image comes first, by (2 B, K, 2) points of which the latter are the mirrored ones.

    That is whose x coordinates are the more skewed: of a frame and of its mirror image it holds for one, so that the
    same of both is looked at first, whichever is given.
    """
    straight, mirrored = halves(placed[..., 0])
    return _skewness(mirrored) > _skewness(straight)


def _skewness(values: Tensor) -> Tensor:
    return (values - values.mean(1, keepdim=True)).pow(3).mean(1)


def of_both(told: Tensor, side: int, flip_index: np.ndarray) -> Tensor:
    """(B, 2, K, 2) points of images and, mirrored back, those of their mirror images, of (2 B, K, 2)."""
    straight, mirrored = halves(told)
    return torch.stack([straight, mirrored_back(mirrored, side, flip_index)], 1)

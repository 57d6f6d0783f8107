"""Random changes of whole batches by tensor operations; whatever moves pixels moves the keypoints with them."""

import math

import numpy as np
import torch
from torch import Tensor

from facial_keypoints.core.geometry import mirror_matrix
from pipeline.models.tensor_geometry import apply_affine, mirror_keypoints, similarity_about_centre, warp
from pipeline.training.settings import Augment


def augment(
    images: Tensor,
    keypoints_crop: Tensor,
    amounts: Augment,
    generator: torch.Generator,
    *,
    flip_index: np.ndarray,
    mirror_shift: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Randomly changed copies of images and their keypoints.

    Args:
        images: (B, 1, S, S) float32, 0..1.
        keypoints_crop: (B, K, 2) crop pixels.
        amounts: the largest amount of each change.
        generator: lives on the CPU, so that every device sees the same draws.
        flip_index: (K,), as `tensor_geometry.mirror_keypoints` takes it.
        mirror_shift: (K, 2) in face sizes or None, the `shift` of `mirror_keypoints`.

    Returns:
        Images and keypoints of the same shapes and units.
    """
    count, side = len(images), images.shape[-1]
    mirrored = (torch.rand(count, generator=generator) < amounts.mirror_prob).to(images.device)[:, None, None]
    mirror = torch.from_numpy(mirror_matrix(side)).to(images)
    moved_from_mirrored = random_similarity(count, side, amounts, generator).to(images)
    matrix = torch.where(mirrored, moved_from_mirrored @ mirror, moved_from_mirrored)
    keypoints = torch.where(mirrored, mirror_keypoints(keypoints_crop, side, flip_index, mirror_shift), keypoints_crop)
    changed = change_tone(warp(images, matrix, side), amounts, generator)
    return occlude(changed, amounts, generator), apply_affine(moved_from_mirrored, keypoints)


def random_similarity(count: int, side: int, amounts: Augment, generator: torch.Generator) -> Tensor:
    """(count, 3, 3) random rotations and scales about the centre of `side` pixels, followed by shifts."""
    return similarity_about_centre(
        side,
        turn_rad=torch.deg2rad(amounts.rotation_deg * _uniform(count, generator)),
        scale=torch.exp(math.log(amounts.scale_max) * _uniform(count, generator)),
        shift_px=amounts.shift_frac * side * _uniform((count, 2), generator),
    )


def change_tone(images: Tensor, amounts: Augment, generator: torch.Generator) -> Tensor:
    """Change the contrast of (B, 1, S, S) images about the mean of each, then the brightness; levels stay in 0..1."""
    contrast = 1 + amounts.contrast * _uniform((len(images), 1, 1, 1), generator).to(images)
    brightness = amounts.brightness * _uniform((len(images), 1, 1, 1), generator).to(images)
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * contrast + (mean + brightness)).clamp_(0, 1)


def occlude(images: Tensor, amounts: Augment, generator: torch.Generator) -> Tensor:
    """Cover a rectangle by one gray level in a share `occlusion_prob` of (B, 1, S, S) images."""
    count, side = len(images), images.shape[-1]
    covered = torch.rand(count, generator=generator) < amounts.occlusion_prob
    half = amounts.occlusion_max_frac * side / 2 * torch.rand((count, 2), generator=generator)
    centre = side * torch.rand((count, 2), generator=generator)
    gray = torch.rand((count, 1, 1, 1), generator=generator).to(images)
    reach = torch.where(covered[:, None], half, -1.0)
    pixel = torch.arange(side)
    columns, rows = ((pixel - centre[:, axis, None]).abs() <= reach[:, axis, None] for axis in (0, 1))
    patch = (rows[:, None, :, None] & columns[:, None, None, :]).to(images.device)
    return torch.where(patch, gray, images)


def _uniform(size: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draws from the uniform distribution over -1..1, on the CPU."""
    return 2 * torch.rand(size, generator=generator) - 1

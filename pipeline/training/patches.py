"""Things in front of faces: pieces of the other pictures of a batch and plain grays, as ellipses and rectangles."""

import math

import torch
from torch import Tensor

from pipeline.models.some_frames import some_frames
from pipeline.training.settings import Cover


def cover(images: Tensor, keypoints: Tensor, amounts: Cover, generator: torch.Generator) -> Tensor:
    """Put a patch in front of the face in a share `prob` of images, in place, as `some_frames` draws it.

    Args:
        images: (B, 1, S, S), levels in 0..1.
        keypoints: (B, K, 2) pixels; patches lie within the box round them.
        amounts: how many and how large.
        generator: lives on the CPU.
    """
    chosen = some_frames(len(images), amounts.prob, generator).to(images.device)
    if not len(chosen):
        return images
    inside = _shapes(keypoints[chosen], images.shape[-1], amounts.max_frac, generator)
    texture = images[chosen - 1].roll(_shift(images.shape[-1], generator), (-2, -1))
    plain, strength = torch.rand((2, len(chosen), 1, 1, 1), generator=generator).to(images)
    return images.index_copy_(0, chosen, torch.where(inside, plain.lerp(texture, strength), images[chosen]))


def _shift(side: int, generator: torch.Generator) -> tuple[int, int]:
    down, across = (side * torch.rand(2, generator=generator)).long().tolist()
    return down, across


def _shapes(keypoints: Tensor, side: int, max_frac: float, generator: torch.Generator) -> Tensor:
    """(B, 1, S, S) bool: a rotated ellipse or rectangle in the box of each face, its sides up to `max_frac` of it.

    The sides are drawn so that large patches are as likely as small ones by their area.
    """
    low, high = keypoints.amin(1), keypoints.amax(1)
    at, half, turn, kind = _draws(len(keypoints), keypoints, generator)
    centre = torch.lerp(low, high, at)[..., None, None]
    half = ((high - low) * max_frac / 2 * half.sqrt()).clamp_min(1.0)[..., None, None]
    pixel = torch.arange(side, dtype=keypoints.dtype, device=keypoints.device)
    x, y = pixel - centre[:, 0], pixel[:, None] - centre[:, 1]
    cos, sin = (math.pi * turn).cos(), (math.pi * turn).sin()
    u, v = (cos * x + sin * y) / half[:, 0], (cos * y - sin * x) / half[:, 1]
    round_ones = u.square() + v.square() < 1
    return torch.where(kind < 0.5, round_ones, torch.maximum(u.abs(), v.abs()) < 1)[:, None]


def _draws(count: int, like: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Places (B, 2), half sides (B, 2), turns (B, 1, 1) and kinds (B, 1, 1) in 0..1."""
    sizes: list[tuple[int, ...]] = [(count, 2), (count, 2), (count, 1, 1), (count, 1, 1)]
    return [torch.rand(size, generator=generator).to(like) for size in sizes]

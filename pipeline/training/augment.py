"""Random changes of whole batches by tensor operations; whatever moves pixels moves the keypoints with them."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from facial_keypoints.core.geometry import mirror_matrix
from pipeline.models.tensor_geometry import apply_affine, mirror_keypoints, similarity_about_centre, to_3x3, warp
from pipeline.training.degrade import degrade
from pipeline.training.patches import cover
from pipeline.training.settings import Augment

_LEFT_AT_THE_END = 0.2
"""Share of the covered and worsened frames that is left in the last step of a training in which they become few."""


def amounts_after(done_frac: float, amounts: Augment) -> Augment:
    """The amounts after a share of the steps: within the last `fade_frac`, ever fewer frames are covered or worsened.

    A network of this size cannot fit bad frames without losing on good ones. So it learns both while the rate is high,
    and settles on good ones.
    """
    if not amounts.fade_frac:
        return amounts
    left = min(1.0, (1 - done_frac) / amounts.fade_frac)
    share = _LEFT_AT_THE_END + (1 - _LEFT_AT_THE_END) * left
    return replace(
        amounts,
        cover=replace(amounts.cover, prob=share * amounts.cover.prob),
        degrade=replace(amounts.degrade, prob=share * amounts.degrade.prob),
    )


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

    A change whose amount is none draws no random number, unless it always did: else every training would change.

    Args:
        images: (B, 1, S, S) float32, 0..1.
        keypoints_crop: (B, K, 2) crop pixels, NaN where a point is not labelled.
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
    if amounts.stretch_max > 1:
        moved_from_mirrored = (
            random_stretch(count, side, amounts.stretch_max, generator).to(images) @ moved_from_mirrored
        )
    bend = Bend(count, side, amounts.bend_frac, generator, images) if amounts.bend_frac else None
    matrix = torch.where(mirrored, moved_from_mirrored @ mirror, moved_from_mirrored)
    placed, missing = in_the_middle(keypoints_crop)
    keypoints = torch.where(mirrored, mirror_keypoints(placed, side, flip_index, mirror_shift), placed)
    moved = apply_affine(moved_from_mirrored, keypoints)
    if bend is not None:
        moved = bend.points(moved)
    changed = change_tone(warp(images, matrix, side, None if bend is None else bend.offsets()), amounts, generator)
    changed = cover(occlude(changed, amounts, generator), moved, amounts.cover, generator)
    missing = torch.where(mirrored, missing[:, torch.from_numpy(flip_index)], missing)
    return degrade(changed, amounts.degrade, generator), moved.masked_fill(missing, math.nan)


def in_the_middle(keypoints: Tensor) -> tuple[Tensor, Tensor]:
    """(B, K, 2) keypoints, those that are NaN put in the middle of the others, and (B, K, 1) bool which these are.

    There they change no box round the points, and no gradient that passes through them is NaN.
    """
    missing = keypoints.isnan().any(-1, keepdim=True)
    return torch.where(missing, keypoints.nanmean(1, keepdim=True), keypoints), missing


def random_similarity(count: int, side: int, amounts: Augment, generator: torch.Generator) -> Tensor:
    """(count, 3, 3) random rotations and scales about the centre of `side` pixels, followed by shifts."""
    turn_deg = amounts.rotation_deg * _uniform(count, generator)
    return similarity_about_centre(
        side,
        turn_rad=torch.deg2rad(turn_deg),
        scale=torch.exp(math.log(amounts.scale_max) * _uniform(count, generator)),
        shift_px=amounts.shift_frac * side * _uniform((count, 2), generator),
    )


def random_stretch(count: int, side: int, most: float, generator: torch.Generator) -> Tensor:
    """(count, 3, 3) random changes of the aspect ratio by up to `most` about the centre of `side` pixels."""
    half = torch.exp(math.log(most) / 2 * _uniform(count, generator))
    linear = torch.diag_embed(torch.stack([half, 1 / half], -1))
    centre = torch.full((2,), (side - 1) / 2)
    return to_3x3(torch.cat([linear, (centre - linear @ centre)[..., None]], -1))


class Bend:
    """Random smooth waves: every row is moved sideways and every column up or down.

    Moving whole rows and columns costs no operation per pixel, see `tensor_geometry.warp`.
    """

    def __init__(self, count: int, side: int, most_frac: float, generator: torch.Generator, like: Tensor) -> None:
        """Waves of up to `most_frac` of `side` pixels for `count` images; tensors are as `like`."""
        self.side = side
        self.height = (most_frac * side * _uniform((count, 2, 1), generator)).to(like)
        self.waves = (0.5 + torch.rand((count, 2, 1), generator=generator)).to(like) * (2 * math.pi / side)
        self.phase = (2 * math.pi * torch.rand((count, 2, 1), generator=generator)).to(like)

    def offsets(self) -> Tensor:
        """(B, 2, S) the `bend` of `tensor_geometry.warp`."""
        return self._at(torch.arange(self.side, dtype=self.height.dtype, device=self.height.device).expand(1, 2, -1))

    def points(self, points: Tensor) -> Tensor:
        """(B, K, 2) where points go: t with t + bend(t) = the given one, found by iteration.

        A step leaves less than a third of the error of the last one.
        """
        found = points
        for _ in range(6):
            found = points - self._at(found.flip(-1).transpose(1, 2)).transpose(1, 2)
        return found

    def _at(self, places: Tensor) -> Tensor:
        """(B, 2, N) offsets in x at rows `places[:, 0]` and in y at columns `places[:, 1]`."""
        return self.height * torch.sin(self.waves * places + self.phase)


def change_tone(images: Tensor, amounts: Augment, generator: torch.Generator) -> Tensor:
    """Change the contrast of (B, 1, S, S) images about the mean of each, then the brightness; levels stay in 0..1."""
    contrast = 1 + amounts.contrast * _uniform((len(images), 1, 1, 1), generator).to(images)
    brightness = amounts.brightness * _uniform((len(images), 1, 1, 1), generator).to(images)
    mean = images.mean((1, 2, 3), keepdim=True)
    return (images - mean).mul_(contrast).add_(mean + brightness).clamp_(0, 1)


def occlude(images: Tensor, amounts: Augment, generator: torch.Generator) -> Tensor:
    """Cover a rectangle by one gray level in a share `occlusion_prob` of (B, 1, S, S) images, in place."""
    count, side = len(images), images.shape[-1]
    covered = torch.rand(count, generator=generator) < amounts.occlusion_prob
    half = amounts.occlusion_max_frac * side / 2 * torch.rand((count, 2), generator=generator)
    centre = side * torch.rand((count, 2), generator=generator)
    gray = torch.rand((count, 1, 1, 1), generator=generator)[covered].to(images)
    pixel = torch.arange(side)
    inside = (pixel - centre[covered][..., None]).abs() <= half[covered][..., None]
    patch = (inside[:, 1, :, None] & inside[:, 0, None, :])[:, None].to(images.device)
    chosen = covered.nonzero()[:, 0].to(images.device)
    return images.index_copy_(0, chosen, torch.where(patch, gray, images[chosen]))


def _uniform(size: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draws from the uniform distribution over -1..1, on the CPU."""
    return 2 * torch.rand(size, generator=generator) - 1

"""Make pictures worse as small, blurred, dark, noisy and strongly compressed ones are; keypoints stay where they are.

A share of each batch is worsened and the rest left alone, so that a network sees both in every step. What all frames of
a group share (a size, a blur, a quality) is drawn once a step, so that the group is one tensor operation.
"""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.some_frames import some_frames
from pipeline.training.settings import Degrade

Change = Callable[[Tensor, Degrade, torch.Generator], Tensor]
"""(B, 1, S, S) images, by how much, and the draws -> changed images."""

_BLOCK = 8
"""Side of JPEG's blocks in pixels."""
_MIDDLE = 128 / 255
"""The level that JPEG subtracts."""
_QUANTIZATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Luminance steps of quality 50, in gray levels of 0..255 (ITU-T T.81, table K.1)."""


def degrade(images: Tensor, amounts: Degrade, generator: torch.Generator) -> Tensor:
    """Worsen a share `prob` of (B, 1, S, S) images in 0..1, in place, as `some_frames` draws it.

    Every worsened frame loses sharpness: a half of them resolution, a quarter by a blur, a quarter by motion. A half
    get another gamma, a half noise and a third the blocks of JPEG, each drawn apart from the others. All of these
    shares are met on average, so that a batch with a single worsened frame misses no way.
    """
    chosen = some_frames(len(images), amounts.prob, generator).to(images.device)
    if not len(chosen):
        return images
    worse = _less_sharp(images[chosen], amounts, generator)
    worse = _of_share(worse, 1 / 2, _other_gamma, amounts, generator)
    worse = _of_share(worse, 1 / 2, _noisy, amounts, generator)
    worse = _of_share(worse, 1 / 3, _in_blocks, amounts, generator)
    return images.index_copy_(0, chosen, worse)


def shrink(images: Tensor, size: int) -> Tensor:
    """(B, 1, S, S) images averaged down to `size` pixels a side and enlarged again."""
    small = functional.interpolate(images, size=(size, size), mode="area")
    return functional.interpolate(small, size=images.shape[-2:], mode="bilinear", align_corners=False)


def blur(images: Tensor, sigma_px: Tensor) -> Tensor:
    """Gaussian blur of (B, 1, S, S) images by (B,) standard deviations; the weights within the image sum to 1.

    As a product with a matrix from each side, whose time does not grow with the blur.
    """
    pixel = torch.arange(images.shape[-1], dtype=images.dtype, device=images.device)
    apart = (pixel[:, None] - pixel).square()
    weights = torch.exp(-apart / (2 * sigma_px.clamp_min(0.1).square()[:, None, None]))
    rows = weights / weights.sum(-1, keepdim=True)
    return (rows @ images[:, 0] @ rows.transpose(1, 2))[:, None]


def move(images: Tensor, length_px: float, angle_rad: float) -> Tensor:
    """Mean of (B, 1, S, S) images moved along a line `length_px` long: the blur of a camera or head in motion."""
    steps = max(1, round(length_px))
    reach = math.ceil(length_px / 2) + 1
    side = images.shape[-1]
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    total = torch.zeros_like(images)
    for step in range(steps):
        along = (step - (steps - 1) / 2) * length_px / steps
        x, y = reach + round(along * math.cos(angle_rad)), reach + round(along * math.sin(angle_rad))
        total += padded[..., y : y + side, x : x + side]
    return total / steps


def compress(images: Tensor, quality: float) -> Tensor:
    """(B, 1, S, S) images after JPEG's quantization of the cosine transform of blocks of 8 pixels, levels within 0..1.

    `quality` 1..50, as libjpeg counts.
    """
    side = images.shape[-1]
    room = -side % _BLOCK
    padded = functional.pad(images, (0, room, 0, room), mode="replicate") if room else images
    cosines, steps = (table.to(images) for table in _tables())
    steps = steps * (50 / quality) / 255
    count = padded.shape[-1] // _BLOCK
    blocks = (padded - _MIDDLE).view(len(images), count, _BLOCK, count, _BLOCK).transpose(2, 3)
    kept = ((cosines @ blocks @ cosines.T) / steps).round_() * steps
    back = (cosines.T @ kept @ cosines).transpose(2, 3).reshape(padded.shape)
    return torch.add(back[..., :side, :side], _MIDDLE).clamp_(0, 1)


@cache
def _tables() -> tuple[Tensor, Tensor]:
    """(8, 8) orthonormal cosine transform and (8, 8) steps of quality 50."""
    place = torch.arange(_BLOCK)
    cosines = torch.cos(math.pi * (2 * place + 1) * place[:, None] / (2 * _BLOCK)) * math.sqrt(2 / _BLOCK)
    cosines[0] = 1 / math.sqrt(_BLOCK)
    return cosines, torch.tensor(_QUANTIZATION, dtype=torch.float32)


def _less_sharp(images: Tensor, amounts: Degrade, generator: torch.Generator) -> Tensor:
    """Deal the images, which are in random order, to the four ways in turn, beginning with any of them."""
    first = int(torch.randint(len(_WAYS), (), generator=generator))
    worse = images.clone()
    for place in range(min(len(_WAYS), len(images))):
        way = _WAYS[(first + place) % len(_WAYS)]
        worse[place :: len(_WAYS)] = way(images[place :: len(_WAYS)], amounts, generator)
    return worse


def _of_share(worse: Tensor, share: float, change: Change, amounts: Degrade, generator: torch.Generator) -> Tensor:
    """Change a share of the frames, which of them being drawn."""
    chosen = some_frames(len(worse), share, generator).to(worse.device)
    return worse.index_copy(0, chosen, change(worse[chosen], amounts, generator)) if len(chosen) else worse


def _small(images: Tensor, amounts: Degrade, generator: torch.Generator) -> Tensor:
    return shrink(images, round(images.shape[-1] / amounts.shrink_max ** _draw(generator)))


def _blurred(images: Tensor, amounts: Degrade, generator: torch.Generator) -> Tensor:
    return blur(images, (amounts.blur_px * torch.rand(len(images), generator=generator)).to(images))


def _moved(images: Tensor, amounts: Degrade, generator: torch.Generator) -> Tensor:
    return move(images, 1 + amounts.motion_px * _draw(generator), math.pi * _draw(generator))


_WAYS: tuple[Change, ...] = (_small, _small, _blurred, _moved)
"""How frames lose sharpness, each as often; resolution is there twice, so that a batch has two of it."""


def _other_gamma(images: Tensor, amounts: Degrade, generator: torch.Generator) -> Tensor:
    powers = math.log(amounts.gamma_max) * (2 * torch.rand((len(images), 1, 1, 1), generator=generator) - 1)
    return images.pow(powers.exp().to(images))


def _noisy(images: Tensor, amounts: Degrade, generator: torch.Generator) -> Tensor:
    """All frames get the same noise, as to draw it takes most of the time, each in a strength of its own."""
    noise = torch.randn(images.shape[-2:], generator=generator).to(images)
    deviation = amounts.noise * torch.rand((len(images), 1, 1, 1), generator=generator)
    return torch.addcmul(images, noise, deviation.to(images)).clamp_(0, 1)


def _in_blocks(images: Tensor, amounts: Degrade, generator: torch.Generator) -> Tensor:
    return compress(images, 50 * (amounts.jpeg_quality / 50) ** _draw(generator))


def _draw(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))

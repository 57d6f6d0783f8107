"""Another person beside the face, as in pictures of two: a network learns from them that the face in the middle is
meant, however clear the other one is."""

import math

import torch
from torch import Tensor

from pipeline.models.some_frames import some_frames
from pipeline.models.tensor_geometry import to_3x3, warp

_NEAREST, _FARTHEST = 0.85, 1.25
"""How far the centres of both faces are apart, over the mean of their longer extents."""
_MOST_SIZE_RATIO = 1.4
_MOSTLY_BESIDE = 0.6
"""Rise over run of the direction from one face to the other is multiplied by this: few people stand on others."""
_HEAD_WIDTH, _HEAD_HEIGHT, _HEAD_RISE = 0.62, 0.95, 0.25
"""Half axes of the ellipse round a head, over the extents of the points, and how far its centre lies above theirs."""
_FACE = 0.56
"""Half axes of the ellipse of a face over the extents of its points: nothing is put there."""


def put_beside(images: Tensor, keypoints: Tensor, prob: float) -> Tensor:
    """Put the head of another picture of the batch beside the face in a share `prob` of (B, 1, S, S) images.

    Drawn as `some_frames` does from torch's own generator on the CPU, so that every device sees the same; nothing for a
    batch of one, which has no other.

    Args:
        images: levels in 0..1.
        keypoints: (B, K, 2) pixels, NaN where a point is not labelled.
        prob: share of the images, 0..1.
    """
    if len(images) < 2:
        return images
    chosen, side = some_frames(len(images), prob).to(images.device), images.shape[-1]
    if not len(chosen):
        return images
    others = (chosen + 1) % len(images)
    (centre, extents), (other_centre, other_extents) = (_box(keypoints.detach()[rows]) for rows in (chosen, others))
    scale, place = _placed(centre, extents, other_extents)
    offset = (place - scale * other_centre)[..., None]
    linear = torch.eye(2).to(images) * scale[..., None]
    pasted = warp(images[others], to_3x3(torch.cat([linear, offset], -1)), side)
    head_centre = place - scale * other_extents * place.new_tensor([0.0, _HEAD_RISE])
    head_axes = scale * other_extents * place.new_tensor([_HEAD_WIDTH, _HEAD_HEIGHT])
    shown = _in_ellipse(head_centre, head_axes, side) & ~_in_ellipse(centre, _FACE * extents, side)
    return images.index_copy(0, chosen, torch.where(shown, pasted, images[chosen]))


def _box(keypoints: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2) centres and (B, 2) extents, at least a pixel, of the boxes round the labelled of (B, K, 2) points."""
    low, high = keypoints.nan_to_num(math.inf).amin(1), keypoints.nan_to_num(-math.inf).amax(1)
    return (low + high) / 2, (high - low).clamp_min(1.0)


def _placed(centre: Tensor, extents: Tensor, other_extents: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 1) scale of the other face and (B, 2) pixels where its centre goes, drawn evenly."""
    drawn = torch.rand((3, len(centre), 1)).to(centre)
    longer, other_longer = extents.amax(1, keepdim=True), other_extents.amax(1, keepdim=True)
    scale = longer / other_longer * torch.exp(math.log(_MOST_SIZE_RATIO) * (2 * drawn[0] - 1))
    angle = 2 * math.pi * drawn[1]
    direction = torch.nn.functional.normalize(torch.cat([angle.cos(), _MOSTLY_BESIDE * angle.sin()], 1))
    apart = torch.lerp(drawn.new_tensor(_NEAREST), drawn.new_tensor(_FARTHEST), drawn[2])
    return scale, centre + direction * apart * (longer + scale * other_longer) / 2


def _in_ellipse(centre: Tensor, axes: Tensor, side: int) -> Tensor:
    """(B, 1, S, S) bool: pixels inside of upright ellipses with (B, 2) centres and half axes."""
    pixel = torch.arange(side, dtype=centre.dtype, device=centre.device)
    x, y = ((pixel - centre[..., None]) / axes[..., None]).square().unbind(1)
    return (x[:, None, :] + y[:, :, None] < 1)[:, None]

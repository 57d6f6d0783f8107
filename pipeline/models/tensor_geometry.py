"""The geometry of `facial_keypoints.core.geometry` on tensors, whole batches at once and differentiably."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facial_keypoints.core.geometry import mirror_matrix


def apply_affine(matrix: Tensor, points: Tensor) -> Tensor:
    """Apply (..., 3, 3) or (..., 2, 3) affine matrices to (..., K, 2) points, differentiably."""
    return points @ matrix[..., :2, :2].transpose(-1, -2) + matrix[..., None, :2, 2]


def face_size(keypoints: Tensor) -> Tensor:
    """(...) size of (..., K, 2) faces: the square root of the area of the box round the points, in their unit.

    `facial_keypoints.core.geometry.face_size` for tensors, differentiably.
    """
    return (keypoints.amax(-2) - keypoints.amin(-2)).prod(-1).sqrt()


def similarity_between(source: Tensor, target: Tensor) -> Tensor:
    """(B, 3, 3) `target_from_source`: the similarity that brings (B, K, 2) source nearest to (B, K, 2) target points.

    Least squares over rotation, scale and shift without mirroring, in closed form: with the points as complex numbers
    and both sets centred, the factor is sum(conj(s) t) / sum(|s|^2) (Umeyama, PAMI 1991, for two dimensions).
    """
    source_mean, target_mean = source.mean(1), target.mean(1)
    s, t = source - source_mean[:, None], target - target_mean[:, None]
    size = (s * s).sum((1, 2)).clamp_min(1e-6)
    a = (s * t).sum((1, 2)) / size
    b = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(1) / size
    rotation = torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2)
    shift = target_mean - (rotation @ source_mean[..., None])[..., 0]
    return to_3x3(torch.cat([rotation, shift[..., None]], -1))


def similarity_about_centre(side: int, *, turn_rad: Tensor, scale: Tensor, shift_px: Tensor) -> Tensor:
    """(B, 3, 3) matrices that rotate and scale about the centre of images `side` pixels wide, then shift.

    Args:
        side: width and height of the images in pixels.
        turn_rad: (B,); positive rotations bring the x axis towards the y axis, clockwise as seen on the screen.
        scale: (B,); above 1 enlarges.
        shift_px: (B, 2).
    """
    cos, sin = scale * turn_rad.cos(), scale * turn_rad.sin()
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    centre = shift_px.new_full((2,), (side - 1) / 2)
    return to_3x3(torch.cat([linear, (centre + shift_px - linear @ centre)[..., None]], -1))


def mirror_keypoints(keypoints: Tensor, side: int, flip_index: np.ndarray, shift: Tensor | None = None) -> Tensor:
    """Keypoints of mirrored images from those of the images.

    Args:
        keypoints: (B, K, 2) pixels.
        side: width of the images in pixels.
        flip_index: (K,) permutation that gives each mirrored point its own number, as `Scheme.flip_index`.
        shift: (K, 2), in face sizes, what labels of mirrored images differ by from mirrored labels; None for 0. It is
            not 0 where labels lie to one side of what they name, as those made on a coarse grid do.

    Returns:
        (B, K, 2) pixels of the mirrored images.
    """
    mirror = torch.from_numpy(mirror_matrix(side)).to(keypoints)
    mirrored = apply_affine(mirror[None], keypoints)[:, torch.from_numpy(flip_index)]
    return mirrored if shift is None else mirrored + shift * face_size(keypoints)[:, None, None]


def consistent_mirror_shift(shift: Tensor, flip_index: np.ndarray) -> Tensor:
    """(..., K, 2) the part of a (..., K, 2) shift of `mirror_keypoints` that two mirrors in a row undo.

    That of true labels has no other: half of it is what they differ by from points that lie as well in the mirror.
    """
    in_mirror = shift[..., torch.from_numpy(flip_index), :] * shift.new_tensor([-1.0, 1.0])
    return (shift - in_mirror) / 2


def to_3x3(matrix: Tensor) -> Tensor:
    """(B, 2, 3) affine matrices as (B, 3, 3) with the last row (0, 0, 1)."""
    count = matrix.shape[0]  # len() would fix the size of batches in exported files
    last = matrix.new_tensor([0.0, 0.0, 1.0]).expand(count, 1, 3)
    return torch.cat([matrix, last], 1)


def invert_affine(matrix: Tensor) -> Tensor:
    """Inverse of (B, 3, 3) affine matrices, in closed form (faster on small batches than a general solver)."""
    a, b, c, d = matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 1, 1]
    determinant = a * d - b * c
    linear = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2) / determinant[:, None, None]
    shift = -(linear @ matrix[:, :2, 2:])
    return to_3x3(torch.cat([linear, shift], -1))


def warp(images: Tensor, target_from_source: Tensor, side: int, bend: Tensor | None = None) -> Tensor:
    """Resample (B, C, H, W) images to (B, C, side, side) by (B, 3, 3) matrices, bilinearly and differentiably.

    Outside of the source its border repeats. `bend` (B, 2, side) moves what the matrices gave in the target: a point at
    (x, y) shows what would be at (x + bend[0, y], y + bend[1, x]) without it, in pixels.
    """
    height, width = images.shape[-2:]
    unit_from_pixels = images.new_tensor([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    matrix = (unit_from_pixels @ invert_affine(target_from_source))[:, :2, :, None, None]
    pixel = torch.arange(side, dtype=images.dtype, device=images.device)
    # A sum of a row and a column takes far less time than `affine_grid`, which multiplies every pixel by a matrix, and
    # all x before all y less than pairs of them.
    across, down = matrix[:, :, 0] * pixel, matrix[:, :, 1] * pixel[:, None] + matrix[:, :, 2]
    if bend is not None:
        across = across + matrix[:, :, 1] * bend[:, 1, None, None]
        down = down + matrix[:, :, 0] * bend[:, 0, None, :, None]
    places = (across + down).permute(0, 2, 3, 1)
    return functional.grid_sample(images, places, mode="bilinear", padding_mode="border", align_corners=False)

"""Find the face on a small view, cut it out upright, place the points there.

The face covers a seventh of a frame, so a network that works on the whole frame wastes its time on background. Here a
small network looks at a reduced view and guesses the points; the similarity that brings this guess to the mean face
cuts an upright face of one size from the frame, and a larger network with a feature pyramid (Lin et al., "Feature
Pyramid Networks", CVPR 2017) places each point there as the mean of a heatmap (Sun et al., "Integral Human Pose
Regression", ECCV 2018). The cut-out is the idea of "Deep Alignment Network" (Kowalski et al., CVPRW 2017).

Two refinements follow the training. The mirrored frame is looked at as well: the mean of both guesses says where to cut
out each, and the mean of what is placed in both cut-outs counts. All of that is done alike for either side, so that the
same run tells symmetric points: those of the mirrored frame are their mirror image. And a linear map, fitted on the
training frames, corrects each point by what the shape as a whole tells about it.
"""

import itertools
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facial_keypoints.core.prediction import Prediction
from pipeline.models.both_sides import agreed, exchanged, halves, in_mirror, mirrored_first, of_both, with_mirrored
from pipeline.models.coarse_network import CoarseNetwork
from pipeline.models.fine_network import FineNetwork, FineNetworks
from pipeline.models.layers import standardize
from pipeline.models.neighbours import put_beside
from pipeline.models.network import HALF_WITHIN, Batches, Each, KeypointNetwork
from pipeline.models.ridge_regression import ridge_regression
from pipeline.models.shape_correction import features_count, shape_features
from pipeline.models.tensor_geometry import (
    apply_affine,
    face_size,
    invert_affine,
    similarity_about_centre,
    similarity_between,
    warp,
)

_MOST_GROWTH = 2.0
"""How many times larger the second cut-out may show a face."""
_FAR_LOG_SCALE = 0.5
_FAR_SHIFT_FRAC = 0.15
"""How much more than the frame the view of the coarse network is scaled, and moved over its side, where it is far off.
"""
_HEAD = re.compile(r"coarse\.(offsets|log_spread)\.|fine\.\d+\.(heatmaps|spread)\.")
"""How the tensors begin that have values for each point."""
_JITTER_TURN_RAD = 0.1
_JITTER_LOG_SCALE = 0.1
_JITTER_SHIFT_FRAC = 0.04
"""Standard deviations of what moves the cut-outs in training, the shift over their side.

They are 1.5 to 1.8 times the errors of the trained coarse network on validation frames, whose root mean squares are
0.057 rad, 0.068 and 0.023.
"""


def build(
    name: str, options: Mapping[str, Any], *, side: int, mean_shape: Tensor, flip_index: np.ndarray
) -> KeypointNetwork:
    """See `pipeline.models.build_network`; `options` as `CoarseToFine` takes them."""
    return CoarseToFine(mean_shape, flip_index, **options)


class CoarseToFine(KeypointNetwork):
    """A coarse network on the whole frame and one or more fine networks on the face cut out by its guess."""

    finds_face = True
    mean_shape: Tensor
    correction: Tensor

    def __init__(
        self,
        mean_shape: Tensor,
        flip_index: np.ndarray,
        *,
        coarse_px: int,
        coarse_width: int,
        coarse_blocks: int,
        coarse_far_prob: float,
        coarse_far_deg: float,
        coarse_neighbour_prob: float,
        fine_neighbour_prob: float,
        fine_px: int,
        fine_margin_frac: float,
        fine_width: int,
        fine_pyramid: int,
        fine_networks: int,
        mirrored_view: bool,
        correction_ridge: float,
        spread: bool,
    ) -> None:
        """Build a network with new weights.

        Args:
            mean_shape: (K, 2) mean face of the training frames in crop pixels.
            flip_index: (K,) permutation that gives each point of a mirrored face its own number.
            coarse_px: side of the reduced view on which the face is found.
            coarse_width: channels after its first convolution.
            coarse_blocks: its residual blocks at each level but the first.
            coarse_far_prob: share of its views that are rotated, scaled and moved far in training. The fine networks
                see the frame as it was, as they will see such faces upright.
            coarse_far_deg: such views are rotated by up to this, either way.
            coarse_neighbour_prob: share of its views that show another person beside the face in training.
            fine_neighbour_prob: the same of the cut-outs, drawn anew.
            fine_px: side P of the cut-out.
            fine_margin_frac: room on each side of the mean face in the cut-out, over the face's longer extent.
            fine_width: channels after the first convolution of a fine network.
            fine_pyramid: channels of its feature pyramid.
            fine_networks: how many fine networks place the points, of which the mean counts.
            mirrored_view: whether the refinement looks at the mirrored cut-out as well.
            correction_ridge: penalty on the entries of the linear correction; above 0.
            spread: whether it tells how far each point may be off, see `with_spread`.
        """
        super().__init__(len(mean_shape))
        self.flip_index = flip_index
        self.refined = True
        self.coarse_far_prob, self.coarse_far_rad = coarse_far_prob, math.radians(coarse_far_deg)
        self.coarse_neighbour_prob, self.fine_neighbour_prob = coarse_neighbour_prob, fine_neighbour_prob
        self.coarse_px, self.fine_px, self.fine_margin_frac = coarse_px, fine_px, fine_margin_frac
        self.mirrored_view, self.correction_ridge, self.has_spread = mirrored_view, correction_ridge, spread
        self.register_buffer("mean_shape", mean_shape)
        self.register_buffer("correction", torch.zeros(features_count(self.points), 2 * self.points))
        self.mirror_shift = nn.Parameter(torch.zeros(self.points, 2))
        if spread:
            self.register_buffer("half_within", torch.tensor(HALF_WITHIN))
        self.coarse = CoarseNetwork(coarse_px, coarse_width, coarse_blocks, self.points, spread)
        self.fine = FineNetworks(
            FineNetwork(fine_width, fine_pyramid, self.points, spread) for _ in range(fine_networks)
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images in 0..1 -> (B, E, K, 2) keypoints in crop pixels: the coarse ones, then the fine ones.

        In training the fine ones are those of every fine network, each of which looks at a cut-out of its own;
        otherwise there is one fine estimate, their mean.
        """
        return self._predicted(images)[0][..., :2]

    def with_spread(self, images: Tensor, truth: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        estimates, _ = self._predicted(images, truth)
        return estimates[..., :2], estimates[..., 2] if self.has_spread else None

    def predict(self, images: Tensor) -> Prediction[Tensor]:
        estimates, views = self._predicted(images)
        radii = self.half_within * estimates[:, -1, :, 2] if self.has_spread else None
        return Prediction(estimates[..., :2], radii, views)

    def _predicted(self, images: Tensor, truth: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The estimates and `Prediction.views`, all in crop pixels.

        The former are (B, E, K, 2) as `forward` gives them, or (B, E, K, 3) with the spread of each point as a third
        coordinate: inside of the network the spread goes with its point, in the same pixels.
        """
        if self.training:
            coarse = self._found_in_training(images, truth)
            upright_from_crop = self._upright_from(coarse)
            if truth is not None:
                images = put_beside(images, truth, self.fine_neighbour_prob)
            each = [self._placed_in_jittered_cut_out(network, images, upright_from_crop) for network in self.fine]
            return torch.stack([coarse, *each], 1), None
        side = images.shape[-1]
        found, coarse, fine, upright_from_crop = self._placed(images)
        with torch.autocast(images.device.type, enabled=False):
            placed = self._agreed(fine, side)
            if self.refined:
                placed = self._corrected(placed, upright_from_crop)
            estimates = torch.stack([found, placed], 1)
            if not self._looks_at_both_sides:
                return estimates, None
            by_coarse, by_fine, common = (
                of_both(told[..., :2], side, self.flip_index) for told in (coarse, fine, placed)
            )
            by_fine = by_fine + (common.mean(1) - by_fine.mean(1))[:, None]
            return halves(estimates)[0], torch.stack([by_coarse, by_fine], 2)

    def learned_mirror_shift(self) -> nn.Parameter:
        return self.mirror_shift

    def skip_refinement(self, skip: bool) -> None:
        """Leave out the mirrored frames and the correction."""
        self.refined = not skip

    @property
    def _looks_at_both_sides(self) -> bool:
        return self.refined and self.mirrored_view and not self.training

    @torch.inference_mode()
    def fit_refinement(self, batches: Batches, each: Each = itertools.starmap) -> None:
        """Fit the correction: ridge regression of the error that is left on the shape that was placed.

        Both are in pixels of the cut-out. Each point is fitted on the frames that label it; one that none does stays
        as it is.
        """
        self.correction.copy_(ridge_regression(each(self._features_and_errors, batches), self.correction_ridge))

    def _features_and_errors(self, images: Tensor, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F) `_shape_features` and (B, 2 K) errors that are left, both float64 on the CPU."""
        looks = self._placed(images)
        placed = self._agreed(looks.fine, images.shape[-1])
        points, upright_from_crop = (part[: len(images)] for part in (placed, looks.upright_from_crop))
        placed = apply_affine(upright_from_crop, points[..., :2])
        error = (apply_affine(upright_from_crop, keypoints) - placed).flatten(1).double().cpu()
        return self._shape_features(placed, upright_from_crop).double().cpu(), error

    def label_tensors(self) -> set[str]:
        return {"mean_shape", "mirror_shift", "correction"} | ({"half_within"} if self.has_spread else set())

    def head_tensors(self) -> set[str]:
        return {name for name in self.state_dict() if _HEAD.match(name)}

    def crop_from_part(self, part: str, seen_hw: tuple[int, int], side: int, estimates: Tensor) -> np.ndarray:
        """The fine networks see the cut-out, which the first estimate places; the coarse one sees the whole frame."""
        if part != "fine":
            return super().crop_from_part(part, seen_hw, side, estimates)
        upright = upright_shape(self.mean_shape, self.fine_px, self.fine_margin_frac)
        return invert_affine(similarity_between(estimates[:1], upright[None]))[0].double().numpy()

    def _found(self, images: Tensor) -> Tensor:
        """(B, K, 2 or 3) coarse keypoints in crop pixels."""
        return self._guessed(self._reduced(images))

    def _found_in_training(self, images: Tensor, truth: Tensor | None) -> Tensor:
        """(B, K, 2 or 3) what `_found` gives of views made harder, by the (B, K, 2) true keypoints where known."""
        if truth is not None:
            # In the frames: heads put into the reduced views are known by their edges and their blur.
            images = put_beside(images, truth, self.coarse_neighbour_prob)
        small = self._reduced(images)
        return self._guessed_from_far(small, images.shape[-1]) if self.coarse_far_prob else self._guessed(small)

    def _reduced(self, images: Tensor) -> Tensor:
        """(B, 1, C, C) views of the coarse network, of (B, 1, S, S) images."""
        return functional.interpolate(images, size=(self.coarse_px, self.coarse_px), mode="area")

    def _guessed(self, small: Tensor) -> Tensor:
        """(B, K, 2 or 3) coarse keypoints in crop pixels, of reduced views."""
        offsets = self.coarse(standardize(small))
        with torch.autocast(small.device.type, enabled=False):  # in bfloat16 points would be off by a pixel
            size = face_size(self.mean_shape)
            return torch.cat([self.mean_shape + size * offsets[..., :2], size * offsets[..., 2:]], -1)

    def _guessed_from_far(self, small: Tensor, side: int) -> Tensor:
        """(B, K, 2 or 3) what `_guessed` gives, after a share of the views was moved far, and the points back."""
        with torch.autocast(small.device.type, enabled=False):
            far = torch.rand(len(small)) < self.coarse_far_prob
            turn, log_scale, *shift = torch.where(far, 2 * torch.rand(4, len(small)) - 1, 0.0)
            far_from_small, far_from_crop = (
                similarity_about_centre(
                    pixels,
                    turn_rad=self.coarse_far_rad * turn,
                    scale=torch.exp(_FAR_LOG_SCALE * log_scale),
                    shift_px=_FAR_SHIFT_FRAC * pixels * torch.stack(shift, -1),
                ).to(small)
                for pixels in (self.coarse_px, side)
            )
            moved = warp(small, far_from_small, self.coarse_px)
        return _in_crop(self._guessed(moved), far_from_crop)

    def _upright_from(self, points: Tensor) -> Tensor:
        """(B, 3, 3) pixels of frames with these (B, K, 2 or 3) points -> of their cut-outs, without a gradient."""
        upright = upright_shape(self.mean_shape, self.fine_px, self.fine_margin_frac)
        with torch.autocast(points.device.type, enabled=False):
            points = points[..., :2].detach()
            return similarity_between(points, upright.expand_as(points))

    def _cut_out(self, images: Tensor, upright_from_crop: Tensor) -> Tensor:
        """(B, 1, P, P) upright faces of (B, 1, S, S) images."""
        with torch.autocast(images.device.type, enabled=False):
            return warp(images, upright_from_crop, self.fine_px)

    def _placed_in_jittered_cut_out(self, network: nn.Module, images: Tensor, upright_from_crop: Tensor) -> Tensor:
        """(B, K, 2 or 3) crop pixels, placed by one fine network in a randomly moved cut-out of its own.

        The network learns to place points where the coarse guess errs, and the more the networks differ in what they
        see, the more their errors cancel in the mean.
        """
        with torch.autocast(images.device.type, enabled=False):
            jittered_from_upright = random_similarity(len(images), self.fine_px).to(upright_from_crop)
            jittered_from_crop = jittered_from_upright @ upright_from_crop
        return _in_crop(network(standardize(self._cut_out(images, jittered_from_crop))), jittered_from_crop)

    def _placed(self, images: Tensor) -> "_Looks":
        """What both networks place.

        Where the mirrored frames are looked at as well, one side of each is cut out by the coarse points, and the other
        by where that look placed the points, which is nearer.
        """
        if not self._looks_at_both_sides:
            coarse = self._found(images)
            cut_outs = self._upright_from(coarse)
            return _Looks(coarse, coarse, self._placed_in(images, cut_outs), cut_outs)
        images, side = with_mirrored(images), images.shape[-1]
        coarse = self._found(images)
        with torch.autocast(images.device.type, enabled=False):
            found = self._agreed(coarse, side)
        exchange = mirrored_first(found[..., :2])
        one, other = halves(exchanged(images, exchange))
        cut_out, other_cut_out = halves(exchanged(self._upright_from(found), exchange))
        first = self._placed_in(one, cut_out)
        with torch.autocast(images.device.type, enabled=False):
            in_other = in_mirror(first[..., :2], side, self.flip_index, self.mirror_shift)
            cut_out, other_cut_out = self._anew(first, cut_out), self._anew(in_other, other_cut_out)
        second = self._placed_in(other, other_cut_out)
        fine, cut_outs = torch.cat([first, second]), torch.cat([cut_out, other_cut_out])
        return _Looks(found, coarse, exchanged(fine, exchange), exchanged(cut_outs, exchange))

    def _placed_in(self, images: Tensor, upright_from_crop: Tensor) -> Tensor:
        """(B, K, 2 or 3) points in crop pixels: the mean of what the fine networks place in a cut-out."""
        placed: Tensor = self.fine(standardize(self._cut_out(images, upright_from_crop))).mean(1)
        return _in_crop(placed, upright_from_crop)

    def _anew(self, points: Tensor, upright_from_crop: Tensor) -> Tensor:
        """(B, 3, 3) cut-outs in which (B, K, 2 or 3) points in crop pixels lie upright and in full size.

        Points that are no face, all in one place, leave theirs as they are.
        """
        better = self._upright_from(points)
        size, before = (torch.linalg.vector_norm(matrix[:, :2, 0], dim=1) for matrix in (better, upright_from_crop))
        return torch.where((size < _MOST_GROWTH * before)[:, None, None], better, upright_from_crop)

    def _agreed(self, placed: Tensor, side: int) -> Tensor:
        """(B, K, 2 or 3) points in crop pixels as they are, or those on which both halves of the frames agree."""
        return agreed(placed, side, self.flip_index, self.mirror_shift) if self._looks_at_both_sides else placed

    def _corrected(self, placed: Tensor, upright_from_crop: Tensor) -> Tensor:
        """(B, K, 2 or 3) points in crop pixels after the linear correction in those of their cut-outs."""
        points = apply_affine(upright_from_crop, placed[..., :2])
        points = points + (self._shape_features(points, upright_from_crop) @ self.correction).view_as(points)
        return torch.cat([apply_affine(invert_affine(upright_from_crop), points), placed[..., 2:]], -1)

    def _shape_features(self, placed: Tensor, upright_from_crop: Tensor) -> Tensor:
        upright = upright_shape(self.mean_shape, self.fine_px, self.fine_margin_frac)
        return shape_features(placed, upright_from_crop, upright, face_size(self.mean_shape))


class _Looks(NamedTuple):
    """What was placed in frames, in crop pixels; of 2 B, the mirrored ones last, where those are looked at as well."""

    found: Tensor
    """(B, K, 2 or 3) coarse points, those on which both sides agree."""
    coarse: Tensor
    """(B, K, 2 or 3) coarse points of each side."""
    fine: Tensor
    """(B, K, 2 or 3) points of each side."""
    upright_from_crop: Tensor
    """(B, 3, 3) cut-outs in which the fine points lie upright."""


def _in_crop(placed: Tensor, upright_from_crop: Tensor) -> Tensor:
    """(B, K, 2 or 3) points in pixels of a cut-out or moved view -> in crop pixels."""
    with torch.autocast(placed.device.type, enabled=False):
        return _moved(placed, invert_affine(upright_from_crop))


def _moved(placed: Tensor, matrix: Tensor) -> Tensor:
    """(B, K, 2 or 3) points, perhaps with their spread, moved by (B, 3, 3) similarities."""
    scale = torch.linalg.vector_norm(matrix[:, :2, 0], dim=1)[:, None, None]
    return torch.cat([apply_affine(matrix, placed[..., :2]), placed[..., 2:] * scale], -1)


def upright_shape(mean_shape: Tensor, side: int, margin_frac: float) -> Tensor:
    """(K, 2) mean shape scaled and centred so that its longer extent and a margin on both sides fill `side` pixels.

    `margin_frac` is the margin on each side over the longer extent.
    """
    low, high = mean_shape.amin(0), mean_shape.amax(0)
    scale = side / ((high - low).amax() * (1 + 2 * margin_frac))
    return (mean_shape - (low + high) / 2) * scale + (side - 1) / 2


def random_similarity(count: int, side: int) -> Tensor:
    """(count, 3, 3) small random rotations, scales and shifts about the centre of `side` pixels.

    Drawn from torch's own generator on the CPU, so that every device sees the same.
    """
    return similarity_about_centre(
        side,
        turn_rad=_JITTER_TURN_RAD * torch.randn(count),
        scale=torch.exp(_JITTER_LOG_SCALE * torch.randn(count)),
        shift_px=_JITTER_SHIFT_FRAC * side * torch.randn(count, 2),
    )

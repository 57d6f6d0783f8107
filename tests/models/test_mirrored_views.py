"""One run of the network sees the face and its mirror image, and tells points that a mirrored frame has mirrored."""

import numpy as np
import torch

from facial_keypoints.core.scheme import IBUG_68
from pipeline.models.coarse_to_fine import random_similarity, upright_shape
from pipeline.models.fine_network import FineNetworks
from pipeline.models.shape_correction import both_conventions
from pipeline.models.tensor_geometry import (
    apply_affine,
    consistent_mirror_shift,
    face_size,
    mirror_keypoints,
    mirrored_offsets,
)
from tests.models.test_models import MEAN_SHAPE, Always, Spot, network

FLIP, PAIR = IBUG_68.flip_index, np.array([1, 0])


def mirrored(points: torch.Tensor, side: int) -> torch.Tensor:
    return mirror_keypoints(points, side, FLIP)


def test_a_shift_is_consistent_where_two_mirrors_undo_it():
    """Of a pair: both 4 to the right and one off by 1; one 3 down and the other up, and both off by 1."""
    pair = torch.tensor([[5.0, 4.0], [3.0, -2.0]])
    assert consistent_mirror_shift(pair, PAIR).tolist() == [[4.0, 3.0], [4.0, -3.0]]
    assert mirrored_offsets(pair, PAIR).tolist() == [[-3.0, -2.0], [-5.0, 4.0]]


def test_labels_of_a_face_and_of_its_mirror_image_lie_half_of_the_shift_from_symmetric_points():
    """A face of size 4 about the middle of 11 px, its labels 0.5 face sizes further right in the mirror."""
    face = torch.tensor([[[3.0, 3.0], [7.0, 7.0]]])
    here, there = both_conventions(face, 11, PAIR, torch.tensor([[0.5, 0.0], [0.5, 0.0]]))
    assert here.tolist() == [[[4.0, 3.0], [8.0, 7.0]]]
    assert there.tolist() == [[[4.0, 7.0], [8.0, 3.0]]]


def test_the_correction_of_symmetric_points_is_mirrored_for_the_mirrored_face():
    net, generator = network(), torch.Generator().manual_seed(1)
    net.mirror_shift.data = 0.1 * torch.randn(68, 2, generator=generator)
    net.correction = 0.5 * torch.randn(net.correction.shape, generator=generator)
    side, upright = net.fine_px, upright_shape(MEAN_SHAPE, net.fine_px, net.fine_margin_frac)
    straight, back = (upright + 3 * torch.randn(5, 68, 2, generator=generator) for _ in range(2))
    upright_from_crop = random_similarity(5, 224)
    mirror_of = [torch.tensor([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) for width in (side, 224)]
    in_mirror = mirror_of[0] @ upright_from_crop @ mirror_of[1]
    _, views = net._corrected(straight, (straight, back), upright_from_crop)
    _, of_mirrored = net._corrected(straight, (mirrored(back, side), mirrored(straight, side)), in_mirror)
    assert not torch.allclose(sum(views), straight + back, atol=1)
    assert torch.allclose(sum(of_mirrored) / 2, mirrored(sum(views) / 2, side), atol=1e-3)


def test_one_run_tells_where_labels_lie_and_symmetric_points():
    """Labels lie 3 px of the cut-out to the right of a symmetric face, in the mirror as well."""
    net = network().requires_grad_(False)
    upright = upright_shape(MEAN_SHAPE, net.fine_px, net.fine_margin_frac)
    face = (upright + mirrored(upright[None], net.fine_px)[0]) / 2
    net.coarse = Always(torch.zeros(68, 2))
    net.fine = FineNetworks([Always(face + torch.tensor([3.0, 0.0]))])
    net._better_cut_out = lambda placed: torch.eye(3).expand(len(placed), 3, 3)
    net.mirror_shift[:, 0] = 6 / face_size(face)
    estimates, _, views = net.predict(torch.rand(2, 1, 224, 224))
    upright_from_crop = net._find(torch.rand(2, 1, 224, 224))[1]
    in_cut_out = [apply_affine(upright_from_crop, points) - face for points in (estimates[:, -1], *views.unbind(1))]
    for points, x in zip(in_cut_out, (3.0, 3.0, -3.0), strict=True):
        assert torch.allclose(points, torch.tensor([x, 0.0]).expand(2, 68, 2), atol=1e-3)


class Aside(Spot):
    """Guesses 4 px to the right of the spot."""

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return super().forward(views) + torch.tensor([4.0, 0.0]) / face_size(MEAN_SHAPE)


def test_the_face_is_looked_for_in_the_mirror_too():
    net, at = network(), torch.tensor([130.0, 100.0])
    net.coarse, pixel = Aside(), torch.arange(224)
    spot = torch.exp(-((pixel - at[0]) ** 2 + (pixel[:, None] - at[1]) ** 2) / 128).expand(2, 1, 224, 224)
    assert torch.allclose(net._find(spot)[0], at.expand(2, 68, 2), atol=0.5)
    net.skip_refinement(True)
    assert torch.allclose(net._find(spot)[0], (at + torch.tensor([4.0, 0.0])).expand(2, 68, 2), atol=0.5)
    assert net.predict(spot).views is None

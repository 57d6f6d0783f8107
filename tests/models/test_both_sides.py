"""One run of the network sees the frame and its mirror image, and tells points that a mirrored frame has mirrored."""

from typing import Any

import numpy as np
import torch

from facial_keypoints.core.scheme import IBUG_68
from pipeline.models.both_sides import agreed, exchanged, mirrored_first, of_both
from pipeline.models.coarse_to_fine import upright_shape
from pipeline.models.fine_network import FineNetworks
from pipeline.models.tensor_geometry import apply_affine, consistent_mirror_shift, face_size, mirror_keypoints
from tests.discs import FACE
from tests.models.test_models import MEAN_SHAPE, Always, Spot, network

FLIP, PAIR = IBUG_68.flip_index, np.array([1, 0])
SYMMETRIC = torch.from_numpy(100 * FACE + 111.5).float()
MOVED = SYMMETRIC @ torch.tensor([[0.9, 0.3], [-0.3, 0.9]]) * 0.9 + torch.tensor([7.0, -4.0])
"""A symmetric face in the middle of a frame, and what a coarse network may take it for."""


def test_a_shift_is_consistent_where_two_mirrors_undo_it():
    """Of a pair: both 4 to the right and one off by 1; one 3 down and the other up, and both off by 1."""
    pair = torch.tensor([[5.0, 4.0], [3.0, -2.0]])
    assert consistent_mirror_shift(pair, PAIR).tolist() == [[4.0, 3.0], [4.0, -3.0]]


def test_both_sides_agree_on_the_mean_and_labels_lie_half_of_the_shift_from_it():
    """A face of size 4 about the middle of 11 px, seen 1 px higher and lower; labels 0.5 sizes further right there."""
    face, lower = torch.tensor([[3.0, 3.0], [7.0, 7.0]]), torch.tensor([0.0, 1.0])
    in_mirror = torch.tensor([[3.0, 7.0], [7.0, 3.0]])
    own = torch.stack([face + lower, in_mirror - lower])
    both = agreed(own, 11, PAIR, torch.tensor([[0.5, 0.0], [0.5, 0.0]]))
    assert both.tolist() == [[[4.0, 3.0], [8.0, 7.0]], [[4.0, 7.0], [8.0, 3.0]]]
    assert of_both(own, 11, PAIR).tolist() == [[(face + lower).tolist(), (face - lower).tolist()]]


def test_of_a_frame_and_its_mirror_image_the_same_goes_first():
    points = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [9.0, 0.0]], [[1.0, 0.0], [8.0, 0.0], [9.0, 0.0]]])
    both = torch.cat([points, 10 - points])
    first = mirrored_first(both)
    assert first.tolist() == [False, True]
    assert mirrored_first(both.roll(2, 0)).tolist() == [True, False]
    assert exchanged(both, first)[:2, :, 0].tolist() == [[1.0, 2.0, 9.0], [9.0, 2.0, 1.0]]
    assert torch.equal(exchanged(exchanged(both, first), first), both)


def shaken() -> Any:
    """A network with a shift of mirrored labels and a correction, both at random."""
    net, generator = network().requires_grad_(False), torch.Generator().manual_seed(1)
    net.mean_shape.copy_(SYMMETRIC)
    net.coarse.offsets.weight.copy_(0.05 * torch.randn(net.coarse.offsets.weight.shape, generator=generator))
    net.mirror_shift.copy_(0.02 * torch.randn(68, 2, generator=generator))
    net.correction.copy_(0.2 * torch.randn(net.correction.shape, generator=generator))
    return net


def test_a_mirrored_frame_has_mirrored_views():
    net = shaken()
    images = torch.rand(3, 1, 224, 224, generator=torch.Generator().manual_seed(2))
    (estimates, _, seen), (_, _, of_mirrored) = net.predict(images), net.predict(images.flip(-1))
    straight, back = (mirror_keypoints(view, 224, FLIP) for view in of_mirrored[:, :, -1].unbind(1))
    assert torch.allclose(seen[:, :, -1], torch.stack([back, straight], 1), atol=0.01)
    assert not torch.allclose(seen[:, :, -1].mean(1), estimates[:, -1], atol=0.5)
    net.correction.zero_()
    assert not torch.allclose(net.predict(images).views, seen, atol=0.5)


def test_one_run_tells_where_labels_lie_and_symmetric_points():
    """Labels lie 3 px to the right of a symmetric face in the middle of the frame, and in the mirror as well."""
    net = network().requires_grad_(False)
    upright, margin = upright_shape(MEAN_SHAPE, net.fine_px, net.fine_margin_frac), (223 - (net.fine_px - 1)) / 2
    face = (upright + mirror_keypoints(upright[None], net.fine_px, FLIP)[0]) / 2
    middle_of_frame = torch.tensor([[[1.0, 0.0, -margin], [0.0, 1.0, -margin], [0.0, 0.0, 1.0]]])
    net._upright_from = lambda points: middle_of_frame.expand(len(points), 3, 3)
    net.coarse = Always(torch.zeros(68, 2))
    net.fine = FineNetworks([Always(face + torch.tensor([3.0, 0.0]))])
    net.mirror_shift[:, 0] = 6 / face_size(face)
    estimates, _, seen = net.predict(torch.rand(2, 1, 224, 224))
    for points, x in ((estimates[:, -1], 3.0), (seen[:, 0, -1], 3.0), (seen[:, 1, -1], -3.0)):
        assert torch.allclose(points - margin - face, torch.tensor([x, 0.0]).expand(2, 68, 2), atol=1e-3)


class Aside(Spot):
    """Guesses 4 px to the right of the spot."""

    def forward(self, small: torch.Tensor) -> torch.Tensor:
        return super().forward(small) + torch.tensor([4.0, 0.0]) / face_size(MEAN_SHAPE)


def test_the_face_is_looked_for_in_the_mirror_too():
    net, at = network(), torch.tensor([130.0, 100.0])
    net.coarse, pixel = Aside(), torch.arange(224)
    spot = torch.exp(-((pixel - at[0]) ** 2 + (pixel[:, None] - at[1]) ** 2) / 128).expand(2, 1, 224, 224)
    estimates, _, seen = net.predict(spot)
    assert torch.allclose(estimates[:, 0], at.expand(2, 68, 2), atol=0.5)
    for side, x in ((0, 4.0), (1, -4.0)):
        assert torch.allclose(seen[:, side, 0], (at + torch.tensor([x, 0.0])).expand(2, 68, 2), atol=0.5)
    net.skip_refinement(True)
    assert torch.allclose(net._found(spot), (at + torch.tensor([4.0, 0.0])).expand(2, 68, 2), atol=0.5)
    assert net.predict(spot).views is None


def test_the_other_side_is_cut_out_by_where_the_first_look_put_the_points():
    """The coarse guess is off by a rotation and a shift; in what is cut out by the first look the face lies upright."""
    net = network()
    net.mean_shape.copy_(SYMMETRIC)
    upright = upright_shape(SYMMETRIC, net.fine_px, net.fine_margin_frac)
    net.coarse = Always((MOVED - SYMMETRIC) / face_size(SYMMETRIC))
    net._placed_in = lambda images, upright_from_crop: (SYMMETRIC + 5).expand(len(images), -1, -1)
    *_, cut_outs = net._placed(torch.rand(1, 1, 224, 224))
    in_mirror = mirror_keypoints(SYMMETRIC[None] + 5, 224, FLIP)[0]
    assert torch.allclose(apply_affine(cut_outs[0], SYMMETRIC + 5), upright, atol=1e-3)
    assert torch.allclose(apply_affine(cut_outs[1], in_mirror), upright, atol=1e-3)
    by_the_guess = net._upright_from(MOVED[None])
    assert not torch.allclose(apply_affine(by_the_guess[0], SYMMETRIC + 5), upright, atol=1)


def test_points_all_in_one_place_are_not_looked_at_more_closely():
    net, before = network(), torch.eye(3)[None]
    assert torch.equal(net._anew(111.5 + 0.01 * MEAN_SHAPE[None], before), before)
    assert not torch.equal(net._anew(MEAN_SHAPE[None], before), before)

import math

import pytest
import torch

from pipeline.training.losses import LOSSES, keypoint_loss, wing


def face(size: float) -> torch.Tensor:
    """(1, 68, 2) points whose box is `size` by `size`."""
    points = torch.full((1, 68, 2), size / 2)
    points[0, 0], points[0, 1] = 0.0, size
    return points


@pytest.mark.parametrize(("name", "expected"), [("l1", 5.0), ("mse", 25.0), ("smooth_l1", 4.5)])
def test_a_shift_by_five_percent_by_hand(name, expected):
    truth = face(80.0)
    assert keypoint_loss(name, "face_size", truth[:, None] + 4.0, truth).item() == pytest.approx(expected, rel=1e-5)


def test_with_a_spread_it_is_the_likelihood_of_a_laplace_distribution():
    """4 px are 5 % of the face's size, 1.6 px 2 %: 5 / 2 + log 2 along both axes, but for the constant log 2."""
    truth = face(80.0)
    spread = torch.full((1, 1, 68), 1.6)
    loss = keypoint_loss("l1", "face_size", truth[:, None] + 4.0, truth, spread)
    assert loss.item() == pytest.approx(2.5 + math.log(2), rel=1e-5)


def test_the_best_spread_is_the_mean_error():
    truth = face(80.0)
    losses = [
        keypoint_loss("l1", "face_size", truth[:, None] + 4.0, truth, torch.full((1, 1, 68), s)) for s in (3, 4, 5.0)
    ]
    assert losses[1] < min(losses[0], losses[2])


def test_wing_by_hand():
    inside, outside = wing(torch.tensor([2.0, 15.0]))
    assert inside.item() == pytest.approx(10 * math.log(2))
    assert outside.item() == pytest.approx(15 - (10 - 10 * math.log(6)))


def test_wing_has_no_jump_at_its_width():
    below, above = wing(torch.tensor([9.9999, 10.0001], dtype=torch.float64))
    assert (above - below).abs().item() < 1e-3


@pytest.mark.parametrize("name", LOSSES)
def test_losses_do_not_depend_on_the_size_of_the_face(name):
    small, large = (keypoint_loss(name, "face_size", face(s)[:, None] * 1.1, face(s)) for s in (10.0, 150.0))
    assert small.item() == pytest.approx(large.item(), rel=1e-4)


def test_in_the_units_of_the_course_smooth_l1_is_half_a_squared_error():
    truth = face(80.0)
    assert keypoint_loss("smooth_l1", "50_px", truth[:, None] + 5.0, truth).item() == pytest.approx(0.5 * 0.1**2)


def test_every_estimate_counts():
    truth = face(100.0)
    estimates = torch.stack([truth + 2, truth], 1)
    assert keypoint_loss("l1", "face_size", estimates, truth).item() == pytest.approx(1.0)


def test_a_learned_truth_cannot_lower_the_loss_by_growing():
    truth = face(100.0).requires_grad_()
    keypoint_loss("l1", "face_size", truth.detach()[:, None] + 1, truth).backward()
    assert truth.grad is not None
    assert torch.allclose(truth.grad, torch.full_like(truth, -100 / 100 / (68 * 2)))


@pytest.mark.parametrize("spread", [None, torch.full((2, 1, 68), 1.6)])
@pytest.mark.parametrize("name", LOSSES)
def test_a_face_counts_by_its_labelled_points_and_nothing_is_learned_of_the_others(name, spread):
    """Whatever the network says of a missing point within the box of the others."""
    whole = torch.cat([face(80.0), face(80.0)])
    partly = whole.clone()
    partly[1, 3:] = math.nan
    estimates = (whole[:, None] + 4.0).requires_grad_()
    given = None if spread is None else spread.clone().requires_grad_()
    loss = keypoint_loss(name, "face_size", estimates, partly, given)
    assert loss.item() == pytest.approx(keypoint_loss(name, "face_size", estimates, whole, spread).item(), rel=0.03)
    loss.backward()
    for gradient in [estimates.grad, *([] if given is None else [given.grad])]:
        assert gradient is not None
        assert gradient.isfinite().all()
        assert (gradient[1, :, 3:] == 0).all()
        assert (gradient[1, :, :3] != 0).all()


def test_each_face_has_the_same_weight_by_hand():
    """Misses of 2 px in one face and of 8 px in the single labelled point of another, both of 100 px: 2 and 8 %."""
    truth = torch.cat([face(100.0), face(100.0)])
    truth[1, 1:] = math.nan
    estimates = torch.stack([face(100.0)[0] + 2, face(100.0)[0] + 8])[:, None]
    estimates[1, 0, 1] -= 8  # the last estimate of the missing points makes a box of 100 px with the labelled one
    estimates[1, 0, 0] = face(100.0)[0, 0] - 8
    assert keypoint_loss("l1", "face_size", estimates, truth).item() == pytest.approx((2 + 8) / 2, rel=1e-4)

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facial_keypoints.core.scheme import IBUG_68
from pipeline.models.tensor_geometry import apply_affine
from pipeline.training.augment import Bend, amounts_after, augment, random_stretch
from pipeline.training.settings import Augment, Cover, Degrade

NOTHING = Augment(
    rotation_deg=0,
    scale_max=1,
    shift_frac=0,
    mirror_prob=0,
    brightness=0,
    contrast=0,
    occlusion_prob=0,
    occlusion_max_frac=0,
    fade_frac=0,
    stretch_max=1,
    bend_frac=0,
    cover=Cover(prob=0, max_frac=0),
    degrade=Degrade(prob=0, shrink_max=1, blur_px=0, motion_px=0, gamma_max=1, noise=0, jpeg_quality=50),
)
EVERYTHING = dataclasses.replace(
    NOTHING,
    rotation_deg=30,
    scale_max=1.25,
    shift_frac=0.1,
    mirror_prob=0.5,
    brightness=0.2,
    contrast=0.3,
    occlusion_prob=0.5,
    occlusion_max_frac=0.3,
    fade_frac=0.5,
    stretch_max=1.1,
    bend_frac=0.02,
    cover=dataclasses.replace(NOTHING.cover, prob=0.5, max_frac=0.5),
    degrade=dataclasses.replace(
        NOTHING.degrade, prob=0.5, shrink_max=3, blur_px=2, motion_px=8, gamma_max=2, noise=0.1, jpeg_quality=10
    ),
)
NOTHING_DRAWS, EVERYTHING_DRAWS = 0.20997126434913482, 0.19436416712486448
"""The next random number after a batch was changed: it tells how many were drawn, and decides all that follow."""
SIDE = 64


def spots(points: torch.Tensor) -> torch.Tensor:
    """(B, 1, S, S): a bright round spot at the first of each sample's keypoints."""
    pixel = torch.arange(SIDE)
    x, y = points[:, 0, 0, None, None], points[:, 0, 1, None, None]
    return torch.exp(-((pixel[None, None] - x) ** 2 + (pixel[None, :, None] - y) ** 2) / 18)[:, None]


def batch(count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    points = 24 + 16 * torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(5))
    return spots(points), points


def spot_positions(images: torch.Tensor) -> torch.Tensor:
    weights = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
    pixel = torch.arange(SIDE).float()
    return torch.stack([weights.sum(1) @ pixel, weights.sum(2) @ pixel], -1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_amounts_of_zero_change_nothing():
    images, points = batch()
    changed, moved = augment(images, points, NOTHING, seeded(), flip_index=IBUG_68.flip_index)
    assert torch.allclose(changed, images, atol=1e-5)
    assert torch.allclose(moved, points, atol=1e-4)


@given(st.integers(0, 2**31))
def test_keypoints_move_with_the_image(seed):
    images, points = batch()
    amounts = dataclasses.replace(
        NOTHING, rotation_deg=180, scale_max=1.2, shift_frac=0.05, stretch_max=1.1, bend_frac=0.01
    )
    changed, moved = augment(images, points, amounts, seeded(seed), flip_index=IBUG_68.flip_index)
    assert torch.allclose(spot_positions(changed), moved[:, 0], atol=0.15)
    assert not torch.allclose(moved, points, atol=1)


@pytest.mark.parametrize(("done", "left"), [(0, 1), (0.5, 1), (0.75, 0.6), (1, 0.2)])
def test_covered_and_worsened_frames_become_few_towards_the_end(done, left):
    amounts = dataclasses.replace(
        NOTHING,
        fade_frac=0.5,
        cover=dataclasses.replace(NOTHING.cover, prob=0.1),
        degrade=dataclasses.replace(NOTHING.degrade, prob=0.4),
    )
    then = amounts_after(done, amounts)
    assert (then.cover.prob, then.degrade.prob) == pytest.approx((0.1 * left, 0.4 * left))
    assert amounts_after(done, dataclasses.replace(amounts, fade_frac=0)).degrade.prob == 0.4


def test_waves_move_points_to_where_the_picture_shows_them():
    bend = Bend(20, SIDE, 0.05, seeded(), torch.zeros(()))
    points = batch(20)[1]
    moved = bend.points(points)
    rows, columns = (offsets[:, :, None] for offsets in bend.offsets().unbind(1))
    assert rows.abs().amax() > 0.03 * SIDE
    # What a pixel shows lies at its place plus the offsets of its row and column: between whole pixels, linearly so.
    for axis, offsets in ((0, rows), (1, columns)):
        place = moved[..., 1 - axis]
        below = place.floor().long()
        low, high = (offsets[..., 0].gather(1, below + step) for step in (0, 1))
        shown = moved[..., axis] + torch.lerp(low, high, place - below)
        assert torch.allclose(shown, points[..., axis], atol=0.01)


def test_a_stretch_changes_the_aspect_ratio_about_the_middle():
    middle = torch.full((2,), (SIDE - 1) / 2)
    around = middle + torch.tensor([[-10.0, 0], [10, 0], [0, -10], [0, 10]])
    stretched = apply_affine(random_stretch(200, SIDE, 1.21, seeded()), around.expand(200, 4, 2))
    assert torch.allclose(stretched.mean(1), middle.expand(200, 2), atol=1e-4)
    ratio = (stretched[:, 1, 0] - stretched[:, 0, 0]) / (stretched[:, 3, 1] - stretched[:, 2, 1])
    assert 1 / 1.21 - 1e-4 <= ratio.min() < 0.85
    assert 1.18 < ratio.max() <= 1.21 + 1e-4


def test_mirroring_moves_points_and_swaps_their_numbers():
    images, points = batch()
    changed, moved = augment(
        images, points, dataclasses.replace(NOTHING, mirror_prob=1), seeded(), flip_index=IBUG_68.flip_index
    )
    assert torch.allclose(changed, images.flip(-1), atol=1e-5)
    by_hand = points[:, IBUG_68.flip_index.tolist()].clone()
    by_hand[..., 0] = SIDE - 1 - by_hand[..., 0]
    assert torch.allclose(moved, by_hand, atol=1e-4)


def test_points_without_a_label_stay_without_and_the_others_move_as_ever():
    images, points = batch()
    amounts = dataclasses.replace(NOTHING, mirror_prob=0.5, rotation_deg=90, bend_frac=0.02, cover=Cover(0.5, 0.8))
    few = points.clone()
    few[:, [0, 40]] = torch.nan
    shift = torch.zeros(68, 2, requires_grad=True)
    moved, whole = (
        augment(images, given, amounts, seeded(), flip_index=IBUG_68.flip_index, mirror_shift=shift)[1]
        for given in (few, points)
    )
    known = ~moved.isnan()
    mirrored = moved[:, 16, 0].isnan()
    assert 0 < mirrored.sum() < len(points)
    expected = torch.ones(len(points), 68, dtype=torch.bool)
    for frame, is_mirrored in enumerate(mirrored):
        expected[frame, [16, 47] if is_mirrored else [0, 40]] = False
    assert torch.equal(known.all(-1), expected)
    assert torch.equal(moved[known], whole[known])
    torch.autograd.backward(moved[known].sum())
    assert shift.grad is not None
    assert shift.grad.isfinite().all()


def test_mirroring_a_share_of_the_frames():
    images, points = batch(400)
    changed, _ = augment(
        images, points, dataclasses.replace(NOTHING, mirror_prob=0.25), seeded(), flip_index=IBUG_68.flip_index
    )
    share = 1 - torch.isclose(changed, images, atol=1e-4).flatten(1).all(1).float().mean()
    assert share == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize(
    ("amount", "bound"),
    [({"rotation_deg": 20.0}, 1.0), ({"scale_max": 1.5}, 1.5), ({"shift_frac": 0.2}, 1.0)],
)
def test_amounts_are_bounds(amount, bound):
    images, points = batch(200)
    _, moved = augment(images, points, dataclasses.replace(NOTHING, **amount), seeded(), flip_index=IBUG_68.flip_index)
    before, after = (p - p.mean(1, keepdim=True) for p in (points, moved))
    scale = after.norm(dim=(1, 2)) / before.norm(dim=(1, 2))
    assert scale.max() <= bound + 1e-4
    assert scale.min() >= 1 / bound - 1e-4
    turn = torch.rad2deg(torch.acos(((before * after).sum((1, 2)) / before.norm(dim=(1, 2)) ** 2 / scale).clamp(-1, 1)))
    assert turn.max() <= amount.get("rotation_deg", 0) + 0.1
    centre = (SIDE - 1) / 2
    if "shift_frac" in amount:
        shift = (moved - points).mean(1).abs()
        assert 0.15 * SIDE < shift.max() <= 0.2 * SIDE + 1e-3
    if "rotation_deg" in amount:
        assert turn.max() > 15
        radius = [(p - centre).norm(dim=-1) for p in (points, moved)]
        assert torch.allclose(radius[0], radius[1], atol=1e-3)


def test_brightness_and_contrast_change_gray_levels_only():
    images, points = batch()
    images = 0.3 + 0.2 * images
    brighter, moved = augment(
        images, points, dataclasses.replace(NOTHING, brightness=0.1), seeded(), flip_index=IBUG_68.flip_index
    )
    difference = (brighter - images).flatten(1)
    assert difference.std(1).max() < 1e-5
    assert 0.02 < difference.abs().max() <= 0.1 + 1e-5
    contrasted, _ = augment(
        images, points, dataclasses.replace(NOTHING, contrast=0.5), seeded(), flip_index=IBUG_68.flip_index
    )
    ratio = contrasted.flatten(1).std(1) / images.flatten(1).std(1)
    assert ratio.min() >= 0.5 - 1e-4
    assert 1.1 < ratio.max() <= 1.5 + 1e-4
    assert torch.allclose(contrasted.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-3)
    assert torch.allclose(moved, points, atol=1e-4)


def test_gray_levels_stay_in_range():
    images, points = batch()
    changed, _ = augment(
        images,
        points,
        dataclasses.replace(NOTHING, brightness=1, contrast=0.9),
        seeded(),
        flip_index=IBUG_68.flip_index,
    )
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_a_patch_covers_a_bounded_rectangle_of_one_gray_level():
    images = torch.rand(100, 1, SIDE, SIDE, generator=seeded(3))
    amounts = dataclasses.replace(NOTHING, occlusion_prob=0.5, occlusion_max_frac=0.4)
    covered, _ = augment(images, batch(100)[1], amounts, seeded(), flip_index=IBUG_68.flip_index)
    hidden = ~torch.isclose(covered, images, atol=1e-4)[:, 0]
    assert hidden.flatten(1).any(1).float().mean() == pytest.approx(0.5, abs=0.15)
    for image, mask in zip(covered[:, 0], hidden, strict=True):
        if mask.any():
            rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
            assert max(len(rows), len(columns)) <= 0.4 * SIDE + 1
            patch = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert patch.max() - patch.min() < 1e-6


def test_one_seed_gives_one_result():
    images, points = batch()
    first, second = (augment(images, points, EVERYTHING, seeded(7), flip_index=IBUG_68.flip_index) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("amounts", "draws"), [(NOTHING, NOTHING_DRAWS), (EVERYTHING, EVERYTHING_DRAWS)])
def test_no_training_of_before_sees_other_random_numbers(amounts, draws):
    generator = seeded(7)
    augment(*batch(), amounts, generator, flip_index=IBUG_68.flip_index)
    drawn = torch.rand(1, generator=generator, dtype=torch.float64).item()
    assert drawn == draws, "a new change of frames may draw nothing where its amount is none"

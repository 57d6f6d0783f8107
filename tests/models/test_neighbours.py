"""Another person beside the face."""

import pytest
import torch

from pipeline.models.neighbours import put_beside

SIDE = 64
FACE = torch.tensor([[24.0, 24.0], [40.0, 24.0], [24.0, 40.0], [40.0, 40.0]])
"""Its box has its centre at (32, 32) and extents of 16 px: a neighbour's centre lies 11.6 to 24 px away."""
NEAREST, FARTHEST = 0.85 * 16 * (1 + 1 / 1.4) / 2, 1.25 * 16 * (1 + 1.4) / 2


def levels(count: int) -> torch.Tensor:
    """Pictures with a gray level of their own each."""
    return torch.linspace(0.1, 0.9, count)[:, None, None, None].expand(count, 1, SIDE, SIDE)


def test_a_share_of_the_pictures_shows_a_piece_of_the_next_one():
    pictures = levels(40)
    torch.manual_seed(0)
    changed = put_beside(pictures, FACE.expand(40, 4, 2), 0.25)
    differs = (changed != pictures).flatten(1).any(1)
    assert differs.sum() == 10
    for index in differs.nonzero()[:, 0].tolist():
        shown = changed[index][changed[index] != pictures[index]]
        assert torch.allclose(shown, levels(40)[(index + 1) % 40, 0, 0, 0])


def test_it_lies_beside_the_face_and_never_on_it():
    pictures = levels(200)
    torch.manual_seed(1)
    put = put_beside(pictures, FACE.expand(200, 4, 2), 1.0) != pictures
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    apart = ((x - 32) ** 2 + (y - 32) ** 2).sqrt()
    assert not put[:, 0, apart < 0.56 * 16 - 1].any()
    assert put[:, 0].flatten(1).any(1).all()
    highest_half_axis = 0.95 * 16 * 1.4
    assert not put[:, 0, apart > FARTHEST + 0.25 * 16 * 1.4 + highest_half_axis + 1].any()


def test_the_face_of_the_other_picture_is_where_the_neighbour_is():
    """A bright dot in the middle of the other face shows between the nearest and the farthest distance."""
    pictures = torch.zeros(2, 1, SIDE, SIDE)
    pictures[1, 0, 31:34, 31:34] = 1
    distances = []
    for seed in range(60):
        torch.manual_seed(seed)
        changed = put_beside(pictures, FACE.expand(2, 4, 2), 1.0)[0, 0]
        if changed.max() < 0.5:  # out of the picture, or where the face is
            continue
        weight = changed / changed.sum()
        at = torch.arange(SIDE, dtype=torch.float32)
        distances.append(torch.hypot((weight.sum(0) * at).sum() - 32, (weight.sum(1) * at).sum() - 32).item())
    assert len(distances) > 30
    assert min(distances) >= NEAREST - 1
    assert max(distances) <= FARTHEST + 1


def test_none_draw_nothing():
    pictures, before = levels(4), torch.get_rng_state()
    assert put_beside(pictures, FACE.expand(4, 4, 2), 0.0) is pictures
    assert torch.equal(torch.get_rng_state(), before)


def test_a_share_of_less_than_a_picture_is_met_on_average():
    pictures = levels(4)
    torch.manual_seed(4)
    changed = [put_beside(pictures, FACE.expand(4, 4, 2), 0.1) is not pictures for _ in range(500)]
    assert 150 < sum(changed) < 250


def test_a_picture_alone_is_not_its_own_neighbour():
    (picture,), before = levels(1), torch.get_rng_state()
    assert torch.equal(put_beside(picture[None], FACE[None], 1.0), picture[None])
    assert torch.equal(torch.get_rng_state(), before)


def test_points_that_are_not_labelled_do_not_count():
    pictures, torn = levels(6), FACE.repeat(6, 2, 1)
    torn[:, 4:] = torch.nan
    torch.manual_seed(2)
    whole = put_beside(pictures, FACE.expand(6, 4, 2), 1.0)
    torch.manual_seed(2)
    assert torch.equal(put_beside(pictures, torn, 1.0), whole)


@pytest.mark.parametrize("points", [1, 2])
def test_points_without_extent_are_no_trouble(points):
    keypoints = torch.full((8, points, 2), 30.0, requires_grad=True)
    changed = put_beside(levels(8), keypoints, 1.0)
    assert changed.isfinite().all()
    assert not changed.requires_grad

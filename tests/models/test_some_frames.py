"""Shares of a batch, by the mean over many draws."""

import pytest
import torch

from pipeline.models.some_frames import some_frames

DRAWS = 4000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("count", "share"), [(64, 0.1), (6, 0.1), (1, 0.06), (3, 0.5), (6, 0.25), (7, 0.9)])
def test_the_mean_over_batches_is_the_share(count, share):
    generator = seeded()
    sizes = torch.tensor([len(some_frames(count, share, generator)) for _ in range(DRAWS)]).float()
    expected = count * share
    assert sizes.min() >= int(expected)
    assert sizes.max() <= int(expected) + 1
    assert sizes.mean() == pytest.approx(expected, abs=4 * 0.5 / DRAWS**0.5)


def test_a_whole_number_is_met_in_every_batch():
    assert {len(some_frames(16, 0.5, seeded(seed))) for seed in range(50)} == {8}
    assert {len(some_frames(5, 1.0, seeded(seed))) for seed in range(50)} == {5}


def test_every_frame_is_drawn_as_often_and_never_twice():
    generator, times = seeded(1), torch.zeros(5)
    for _ in range(DRAWS):
        chosen = some_frames(5, 0.5, generator)
        assert len(chosen.unique()) == len(chosen)
        times[chosen] += 1
    assert (times / DRAWS - 0.5).abs().max() < 4 * 0.5 / DRAWS**0.5


@pytest.mark.parametrize(("count", "share"), [(8, 0.0), (0, 0.5)])
def test_none_draw_nothing(count, share):
    generator = seeded(2)
    assert not len(some_frames(count, share, generator))
    assert torch.equal(generator.get_state(), seeded(2).get_state())


def test_without_a_generator_torchs_own_is_drawn_from():
    torch.manual_seed(5)
    own = some_frames(64, 0.1)
    assert torch.equal(own, some_frames(64, 0.1, seeded(5)))

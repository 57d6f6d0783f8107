from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import nn

from facial_keypoints.core.scheme import IBUG_68
from pipeline.experiments.params import load_params
from pipeline.models import build_network
from pipeline.models.layers import PointMaps
from pipeline.training import optim
from pipeline.training.optim import MuonAdamW, WeightAverage, inner_kernels, make_optimizer, orthogonal
from pipeline.training.schedules import constant, one_cycle
from tests.architecture import ROOT


def test_one_cycle_by_hand():
    factors = [one_cycle(step, 100, 0.1) for step in (0, 10, 55, 100)]
    assert factors == pytest.approx([0.04, 1.0, 0.5, 0.0], abs=1e-9)


def test_a_constant_rate_stays():
    assert {constant(step, 9, 0.5) for step in range(9)} == {1.0}


@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (16, 16)])
def test_orthogonal_keeps_the_directions_and_levels_the_singular_values(monkeypatch, shape, bfloat16):
    monkeypatch.setattr(optim, "has_bfloat16", lambda _device: bfloat16)
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    answer = orthogonal(matrix)
    values = torch.diagonal(left.T @ answer @ right.T)
    assert answer.shape == matrix.shape
    assert values.min() > 0.5  # of a random matrix; the worst may lag a little behind
    assert values.max() < 1.3
    # nothing but these directions: Frobenius norms agree
    assert answer.norm().item() == pytest.approx(values.norm().item(), rel=0.02)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6), PointMaps(6, IBUG_68.count, 1))


def test_inner_kernels_leave_out_the_first_layer_and_the_answering_one():
    net = network()
    assert [id(kernel) for kernel in inner_kernels(net)] == [id(net[1].weight)]


@pytest.mark.parametrize("options", [{"fine_pyramid": IBUG_68.count}, {"fine_width": IBUG_68.count // 2}])
def test_a_layer_that_happens_to_have_as_many_channels_as_points_is_inner(options):
    assert len(inner_kernels(coarse_to_fine(options))) == len(inner_kernels(coarse_to_fine({})))


def coarse_to_fine(options: dict) -> nn.Module:
    section = asdict(load_params(ROOT / "params.yaml").model)
    section["coarse_to_fine"] |= options
    return build_network(
        section, side=224, mean_shape=torch.rand(IBUG_68.count, 2) * 100 + 50, flip_index=IBUG_68.flip_index
    )


def shift() -> nn.Parameter:
    return nn.Parameter(torch.zeros(IBUG_68.count, 2))


def one_step(name: str) -> tuple[Any, Any]:
    """A network before and after one step."""
    net, old = network(), network()
    optimizer = make_optimizer(name, net, shift(), lr=0.01, weight_decay=0.0)
    images = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    net(images).square().mean().backward()
    optimizer.step()
    return old, net


def test_muon_steps_are_orthogonal_and_of_the_promised_size():
    old, new = one_step("muon")
    step = (old[1].weight - new[1].weight).detach().flatten(1)  # (6, 72)
    values = torch.linalg.svdvals(step) / (0.01 * 0.4 * 72**0.5)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_the_other_parameters_take_adamws_step():
    (_, muon), (_, adamw) = one_step("muon"), one_step("adamw")
    for index in (0, 3):
        assert torch.equal(muon[index].weight, adamw[index].weight)
    assert not torch.equal(muon[1].weight, adamw[1].weight)


def test_every_parameter_is_in_one_group():
    net, mirror = network(), shift()
    optimizer = make_optimizer("muon", net, mirror, lr=0.01, weight_decay=0.1)
    assert isinstance(optimizer, MuonAdamW)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(map(id, [*net.parameters(), mirror]))
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decays[id(net[2].weight)] == 0
    assert decays[id(net[1].weight)] == 0.1


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_the_trunk_has_a_rate_of_its_own(name):
    net, mirror = network(), shift()
    head = {"3.weight", "3.bias"}
    optimizer = make_optimizer(name, net, mirror, lr=0.01, weight_decay=0.1, head=head, trunk_lr_factor=0.25)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    named = dict(net.named_parameters())
    assert {rates[id(named[key])] for key in head} == {0.01}
    assert {rates[id(p)] for key, p in named.items() if key not in head} == {0.0025}
    assert rates[id(mirror)] == 0.01 / 20
    assert optimizer.param_groups[0]["lr"] == 0.01  # the one that is told
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(named) + 1


def test_at_the_same_rate_the_groups_are_those_of_a_network_without_a_head():
    net = network()
    plain, named = (
        make_optimizer("muon", net, shift(), lr=0.01, weight_decay=0.1, head=head) for head in ((), {"3.weight"})
    )
    ids = [[[id(p) for p in group["params"][:2]] for group in one.param_groups[:2]] for one in (plain, named)]
    assert ids[0] == ids[1]


def test_the_average_by_hand():
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(1.0)
    average = WeightAverage(net, decay=0.25)
    net.weight.data.fill_(5.0)
    average.update(net)  # decay is min(0.25, 2 / 11)
    assert average.network.weight.item() == pytest.approx(1 * 2 / 11 + 5 * 9 / 11)
    average.update(net)  # min(0.25, 3 / 12)
    assert average.network.weight.item() == pytest.approx(0.25 * (1 * 2 / 11 + 5 * 9 / 11) + 0.75 * 5)


def test_an_average_moves_quickly_at_first_and_slowly_later():
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = WeightAverage(net, 0.9)
    nn.init.ones_(net.weight)
    average.update(net)  # decay 2/11
    assert average.network.weight.item() == pytest.approx(9 / 11)
    for _ in range(200):
        average.update(net)
    nn.init.zeros_(net.weight)
    average.update(net)
    assert average.network.weight.item() == pytest.approx(0.9, abs=1e-4)

"""The contract of networks: what holds of each of them, and what a hook does where none has it."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import nn

from facial_keypoints.core.scheme import IBUG_68
from pipeline.experiments.params import load_params
from pipeline.models import NETWORKS, build_network
from pipeline.models.network import HALF_WITHIN, KeypointNetwork, last_estimate, to_unit
from pipeline.models.ridge_regression import ridge_regression
from pipeline.models.window import Window
from tests.architecture import ROOT
from tests.core.test_scheme import FIVE

SIDE = 96
_DRAWN = torch.Generator().manual_seed(0)
SHAPES = {
    scheme.name: (torch.rand(scheme.count, 2, generator=_DRAWN) * SIDE / 2 + SIDE / 4, scheme)
    for scheme in (IBUG_68, FIVE)
}


def network(name: str, scheme: str = IBUG_68.name, window_frac: float = 1.0) -> KeypointNetwork:
    section = asdict(load_params(ROOT / "params.yaml").model) | {"name": name, "window_frac": window_frac}
    section["coarse_to_fine"] |= {"coarse_px": 32, "fine_px": 64, "fine_width": 8, "fine_pyramid": 8}
    mean_shape, kind = SHAPES[scheme]
    return build_network(section, side=SIDE, mean_shape=mean_shape, flip_index=kind.flip_index).eval()


class Middle(KeypointNetwork):
    """The least that a network has to offer: here, every point in the middle."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        middle = (images.shape[-1] - 1) / 2
        return torch.full((len(images), 1, self.points, 2), middle)


class Hooked(Middle):
    """Overrides every hook and keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(2)
        self.shift = nn.Parameter(torch.zeros(2, 2))
        self.told: dict = {}

    def load_pretrained(self) -> None:
        self.told["pretrained"] = True

    def learned_mirror_shift(self) -> nn.Parameter:
        return self.shift

    def skip_refinement(self, skip: bool) -> None:
        self.told["skip"] = skip

    def fit_refinement(self, batches, each=None) -> None:
        self.told["batches"] = list(batches)

    def label_tensors(self) -> set[str]:
        return {"shift"}


@pytest.mark.parametrize("scheme", SHAPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_places_the_points_of_any_scheme(name, scheme):
    count = SHAPES[scheme][1].count
    net = network(name, scheme)
    images = torch.rand(3, 1, SIDE, SIDE)
    with torch.inference_mode():
        estimates = net(images)
        assert net.points == count
        assert estimates.shape[0] == 3
        assert estimates.shape[2:] == (count, 2)
        assert torch.equal(net.keypoints(images), estimates[:, -1])


@pytest.mark.parametrize("scheme", SHAPES)
def test_a_refinement_is_fitted_for_any_number_of_points(scheme):
    torch.manual_seed(0)
    net = network("coarse_to_fine", scheme)
    truth = SHAPES[scheme][0].expand(2, -1, -1)
    images = torch.rand(2, 1, SIDE, SIDE)
    before = (net.keypoints(images) - truth).square().mean()
    net.fit_refinement([(images, truth)])
    assert (net.keypoints(images) - truth).square().mean() < before


def test_a_target_is_fitted_on_the_rows_that_have_it():
    generator = torch.Generator().manual_seed(0)
    parts = [(torch.rand(5, 3, generator=generator).double(), torch.rand(5, 4).double()) for _ in range(2)]
    whole = ridge_regression(parts, 0.1)
    parts[0][1][:, 1] = torch.nan
    parts[1][1][2:, 2] = torch.nan
    for part in parts:
        part[1][:, 3] = torch.nan
    weights = ridge_regression(parts, 0.1)
    torch.testing.assert_close(weights[:, 0], whole[:, 0], rtol=1e-12, atol=0)  # matrix products of other shapes
    assert torch.allclose(weights[:, 1], ridge_regression([(parts[1][0], parts[1][1][:, 1:2])], 0.1)[:, 0])
    rows = [parts[0], (parts[1][0][:2], parts[1][1][:2])]
    assert torch.allclose(weights[:, 2], ridge_regression([(f, t[:, 2:3]) for f, t in rows], 0.1)[:, 0])
    assert (weights[:, 3] == 0).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_what_tells_of_labels_is_part_of_the_network(name):
    net = network(name)
    assert net.label_tensors() < set(net.state_dict())


def test_a_windows_names_of_what_tells_of_labels_are_its_own():
    net = network("mobilenet_v3_small", window_frac=0.9)
    assert net.label_tensors() == {"network.mean_shape"}
    assert net.label_tensors() < set(net.state_dict())


def test_hooks_do_nothing_where_a_network_has_none():
    net = Middle(2).eval()
    images = torch.rand(1, 1, 8, 8)
    before = net.keypoints(images)
    net.skip_refinement(True)
    net.fit_refinement([(images, before)])
    net.calibrate([(images, before)])
    assert torch.equal(net.keypoints(images), before)
    assert net.predict(images).radii is None
    assert net.learned_mirror_shift() is None
    assert net.label_tensors() == set()
    assert net.crop_from_part("any", (4, 4), 8, before) == pytest.approx(
        np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    )
    with pytest.raises(ValueError, match=r"it has no pretrained weights; set model\.weights to scratch"):
        net.load_pretrained()
    with pytest.raises(TypeError, match=r"abstract method '?forward"):
        KeypointNetwork(2)  # type: ignore[abstract]


class Unsure(Middle):
    """Its points may be off by 2 px."""

    has_spread = True
    half_within = torch.tensor(HALF_WITHIN)

    def with_spread(self, images, truth=None):
        estimates = self(images)
        return estimates, torch.full(estimates.shape[:-1], 2.0)


def test_radii_are_such_that_half_of_the_points_lie_within():
    """Points that lie 1, 2 and 6 px off, one spread being 2 px: half lie within one spread."""
    net = Unsure(2).eval()
    images = torch.rand(2, 1, 8, 8)
    truth = net.keypoints(images).detach()
    truth += torch.tensor([[[1.0, 0.0], [0.0, -2.0]], [[6.0, 0.0], [torch.nan, torch.nan]]])
    assert net.predict(images).radii.tolist() == [[pytest.approx(2.7)] * 2] * 2
    net.calibrate([(images[:1], truth[:1]), (images[1:], truth[1:])])
    assert net.predict(images).radii.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    net.calibrate([])


def test_a_window_passes_every_hook_on():
    inner = Hooked()
    window = Window(inner, 0.5).eval()
    window.load_pretrained()
    window.skip_refinement(True)
    assert inner.told == {"pretrained": True, "skip": True}
    assert window.learned_mirror_shift() is inner.shift
    assert window.label_tensors() == {"network.shift"}


def test_a_refinement_behind_a_window_is_fitted_in_its_pixels():
    """Half of 8 px: the window spans 2..5 of the frame; its pixel 0 lies at 1.75, and its pixels are half as wide."""
    inner = Hooked()
    image = torch.zeros(1, 1, 8, 8)
    image[..., 2:6, 2:6] = 1
    Window(inner, 0.5).eval().fit_refinement([(image, torch.tensor([[[1.75, 1.75], [3.5, 3.5]]]))])
    ((seen, keypoints),) = inner.told["batches"]
    assert seen[..., 1:-1, 1:-1].min() == 1
    assert keypoints[0].tolist() == pytest.approx(np.array([[0.0, 0.0], [3.5, 3.5]]))


def test_a_window_in_front_of_a_network_that_finds_the_face_is_refused():
    with pytest.raises(ValueError, match=r"it finds the face itself; set model\.window_frac to 1"):
        network("coarse_to_fine", window_frac=0.9)


def test_what_a_window_sees_lies_in_the_middle_of_the_frame():
    """Half of 8 px shown on 8 px: pixel 0 of the window lies at 1.75, pixel 7 at 5.25."""
    crop_from_seen = Window(Middle(2), 0.5).crop_from_part("network", (8, 8), 8, torch.zeros(1, 2, 2))
    assert crop_from_seen == pytest.approx(np.array([[0.5, 0, 1.75], [0, 0.5, 1.75], [0, 0, 1]]))


def test_gray_levels_become_fractions_of_255():
    unit = to_unit(torch.tensor([[[0, 51], [204, 255]]], dtype=torch.uint8))
    assert unit.dtype == torch.float32
    assert unit.tolist() == [[[[0.0, pytest.approx(0.2)], [pytest.approx(0.8), 1.0]]]]


def test_the_last_estimate_is_the_result():
    estimates = torch.arange(12.0).view(1, 3, 2, 2)
    assert last_estimate(estimates).tolist() == [[[8.0, 9.0], [10.0, 11.0]]]

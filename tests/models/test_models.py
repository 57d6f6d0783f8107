import json
from dataclasses import asdict
from itertools import pairwise
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from facial_keypoints.core.errors import ConfigError, DataError, ModelError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.experiments.params import load_params
from pipeline.models import NETWORKS, build_network, coarse_to_fine, count_parameters
from pipeline.models.coarse_to_fine import upright_shape
from pipeline.models.fine_network import FineNetworks, log_width, mean_position, spatial_softmax
from pipeline.models.forward import predict_crops, predict_faces
from pipeline.models.model_file import checked_description, load_model, read_description, save_model
from pipeline.models.network import KeypointNetwork
from pipeline.models.tensor_geometry import face_size, similarity_about_centre
from pipeline.models.window import Window
from pipeline.training.initial_weights import refuse_small_parts
from tests.architecture import ROOT
from tests.dataset import face_points

MEAN_SHAPE = torch.from_numpy(face_points(224, 224)).float()
NAMES = list(NETWORKS)


def model_section(name: str = "coarse_to_fine") -> dict:
    section = asdict(load_params(ROOT / "params.yaml").model) | {"name": name}
    section["coarse_to_fine"] |= {"fine_width": 8, "spread": False, "coarse_blocks": 0, "coarse_far_prob": 0.0}
    return section


def network(name: str = "coarse_to_fine", spread: bool = False) -> Any:
    torch.manual_seed(0)
    section = model_section(name)
    section["coarse_to_fine"] |= {"spread": spread}
    return build_network(section, side=224, mean_shape=MEAN_SHAPE, flip_index=IBUG_68.flip_index).eval()


def description(name: str = "coarse_to_fine") -> dict:
    return {"model": model_section(name), "preprocess": {"size_px": 224, "fit": "pad"}}


@pytest.mark.parametrize("name", NAMES)
def test_a_network_keeps_the_contract(name):
    estimates = network(name)(torch.rand(3, 1, 224, 224))
    assert estimates.shape[0] == 3
    assert estimates.shape[2:] == (68, 2)
    assert estimates.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_a_face_does_not_depend_on_the_others_of_its_batch(name):
    images = torch.rand(3, 1, 224, 224, generator=torch.Generator().manual_seed(0))
    net = network(name)
    with torch.inference_mode():
        assert torch.allclose(net(images)[1], net(images[1:2])[0], atol=1e-3)


# As their authors give them: channels and kernel of each convolution, then inputs of each fully connected layer.
COURSE_LAYERS = {
    "udacity_5conv": ([(32, 5), (64, 3), (128, 3), (256, 3), (512, 3)], [12800, 1024, 512]),
    "udacity_4conv": ([(32, 5), (64, 4), (128, 3), (256, 2)], [36864, 1000]),
    "naimishnet_bn": ([(32, 5), (64, 5), (128, 3), (256, 3)], [30976, 2048, 2048]),
    "naimishnet": ([(32, 4), (64, 3), (128, 2), (256, 1)], [43264, 1000, 1000]),
}


@pytest.mark.parametrize("name", COURSE_LAYERS)
def test_a_course_network_has_its_authors_layers(name):
    convolutions, inputs = COURSE_LAYERS[name]
    modules = list(network(name).modules())
    found = [(m.in_channels, m.out_channels, m.kernel_size) for m in modules if isinstance(m, torch.nn.Conv2d)]
    channels = [1, *(c for c, _ in convolutions)]
    assert found == [(channels[i], c, (k, k)) for i, (c, k) in enumerate(convolutions)]
    dense = [(m.in_features, m.out_features) for m in modules if isinstance(m, torch.nn.Linear)]
    assert dense == list(pairwise([*inputs, 136]))
    assert sum(isinstance(m, torch.nn.MaxPool2d) for m in modules) == len(convolutions)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("udacity_5conv", 832 + 18_496 + 73_856 + 295_168 + 1_180_160 + 13_108_224 + 524_800 + 69_768),
        ("udacity_4conv", 832 + 32_832 + 73_856 + 131_328 + 36_865_000 + 136_136),
        ("naimishnet_bn", 832 + 51_264 + 73_856 + 295_168 + 2 * 480 + 2 * 4096 + 63_440_896 + 4_196_352 + 278_664),
        ("naimishnet", 544 + 18_496 + 32_896 + 33_024 + 43_265_000 + 1_001_000 + 136_136),
    ],
)
def test_a_course_network_has_its_authors_size(name, count):
    """Sum over layers of (inputs x kernel + 1) x outputs; two per channel for batch norm."""
    assert count_parameters(network(name)) == count


@pytest.mark.parametrize("name", COURSE_LAYERS)
@pytest.mark.slow
def test_pooling_before_the_nonlinearity_is_pooling_after_it(name):
    """As authors write it: convolution, batch norm, ReLU or ELU, pooling; gradients included."""
    ours = network(name).trunk.train()
    theirs: list[torch.nn.Module] = []
    for index, module in enumerate(list(ours)):
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        theirs.insert(-1 if isinstance(ours[index - 1], torch.nn.MaxPool2d) else len(theirs), module)
    images = torch.rand(2, 1, 224, 224, generator=torch.Generator().manual_seed(0))
    answers, gradients = [], []
    for trunk in (ours, torch.nn.Sequential(*theirs)):
        trunk.zero_grad()
        answers.append(trunk(images))
        answers[-1].square().sum().backward()
        gradients.append(ours[0].weight.grad.clone())
    assert [type(module) for module in theirs].index(torch.nn.MaxPool2d) == (3 if name == "naimishnet_bn" else 2)
    torch.testing.assert_close(*answers)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_step_of_one_face_is_refused_where_it_cannot_be_normalized():
    refuse_small_parts(network("naimishnet_bn"), 2, 1, "naimishnet_bn")
    refuse_small_parts(network(), 4, 4, "coarse_to_fine")
    with pytest.raises(
        ConfigError, match=r"learns from 2 or more faces in a step, and there are 1; raise train\.batch"
    ):
        refuse_small_parts(network("naimishnet_bn"), 1, 1, "naimishnet_bn")
    with pytest.raises(ConfigError, match=r"1 or more faces in each of 8 parts.*there are 0;.*or lower train\.shards"):
        refuse_small_parts(network(), 7, 8, "coarse_to_fine")


def test_the_published_naimishnet_drops_ever_more():
    dropouts = [m.p for m in network("naimishnet").modules() if isinstance(m, torch.nn.Dropout)]
    assert dropouts == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def test_the_published_naimishnet_flattens_to_6400_on_its_own_frames():
    net = build_network(model_section("naimishnet"), side=96, mean_shape=MEAN_SHAPE, flip_index=IBUG_68.flip_index)
    assert next(m.in_features for m in net.modules() if isinstance(m, torch.nn.Linear)) == 6400


@pytest.mark.parametrize("name", COURSE_LAYERS)
def test_a_frame_too_small_for_a_course_network_is_refused(name):
    with pytest.raises(ValueError, match="leave nothing"):
        build_network(model_section(name), side=16, mean_shape=MEAN_SHAPE, flip_index=IBUG_68.flip_index)


def test_a_window_in_the_middle_answers_in_the_pixels_of_the_frame():
    """A network that always answers the centre of the window and its corner, seen at share 1/2."""
    corner = torch.tensor([[111.5, 111.5], [-0.5, -0.5]]).repeat(34, 1)
    points = Window(Always(corner[None]), 0.5).eval()(torch.rand(2, 1, 224, 224))
    assert points[0, 0, :2].tolist() == [[111.5, 111.5], pytest.approx([55.5, 55.5], abs=1e-3)]


def test_a_window_shows_the_middle_enlarged():
    seen = []
    window = Window(Always(MEAN_SHAPE[None]), 0.5)
    window.network.register_forward_hook(
        lambda module, inputs, output: seen.append(inputs[0]) or MEAN_SHAPE[None, None]
    )
    image = torch.zeros(1, 1, 224, 224)
    image[..., 56:168, 56:168] = 1
    window.eval()(image)
    assert seen[0][..., 2:-2, 2:-2].min().item() == 1


def test_windows_of_training_lie_anywhere_within_the_frame():
    torch.manual_seed(0)
    window = Window(Always(torch.tensor([[-0.5, -0.5]]).expand(1, 68, 2)), 0.75).train()
    corners = torch.cat([window(torch.rand(1, 1, 200, 200))[0, 0, :1] for _ in range(200)])
    assert corners.min() >= -0.5 - 1e-3
    assert corners.max() <= 50 - 0.5 + 1e-3
    assert corners.amax(0).min() > 45
    assert corners.amin(0).max() < 5


def test_pretrained_weights_are_those_of_imagenet_but_for_colours_and_answer(tmp_path, monkeypatch):
    """A file as torchvision offers it, here with random values, lies where torch.hub keeps it."""
    reference = torchvision.models.get_model("mobilenet_v3_small", weights=None)
    path = tmp_path / "hub" / "checkpoints" / "mobilenet_v3_small-047dcff4.pth"
    path.parent.mkdir(parents=True)
    torch.save(reference.state_dict(), path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    section = model_section("mobilenet_v3_small") | {"weights": "pretrained"}
    net = build_network(section, side=224, mean_shape=MEAN_SHAPE, load_pretrained=True, flip_index=IBUG_68.flip_index)
    gray, answer = net.network.features[0][0].weight, net.network.classifier[3].weight
    assert torch.equal(gray, reference.features[0][0].weight.sum(1, keepdim=True))
    assert torch.equal(net.network.features[1].block[0][0].weight, reference.features[1].block[0][0].weight)
    assert answer.shape[0] == 136


def test_pretrained_weights_that_cannot_be_had_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", _unreachable)
    section = model_section("resnet18") | {"weights": "pretrained"}
    with pytest.raises(ValueError, match=r"cannot be had from https://\S*resnet18.*set model.weights to scratch"):
        build_network(section, side=224, mean_shape=MEAN_SHAPE, load_pretrained=True, flip_index=IBUG_68.flip_index)


def _unreachable(*args, **kwargs):
    raise URLError("no route")


def test_networks_without_pretrained_weights_say_so():
    section = model_section("udacity_5conv") | {"weights": "pretrained"}
    with pytest.raises(ValueError, match=r"it has no pretrained weights; set model.weights to scratch"):
        build_network(section, side=224, mean_shape=MEAN_SHAPE, load_pretrained=True, flip_index=IBUG_68.flip_index)


def test_a_backbone_is_torchvisions_but_for_gray_input_and_its_answer():
    # Published: 11,689,512 parameters with 3 input channels and 1,000 classes of 512 features each.
    assert count_parameters(network("resnet18")) == 11_689_512 - 2 * 64 * 7 * 7 - (512 + 1) * (1000 - 136)


def test_an_untrained_coarse_guess_is_the_mean_shape():
    net = network()
    net.skip_refinement(True)
    assert torch.allclose(net(torch.rand(2, 1, 224, 224))[:, 0], MEAN_SHAPE.expand(2, -1, -1), atol=1e-3)


def test_the_upright_shape_fills_the_cut_out_up_to_its_margin():
    shape = upright_shape(MEAN_SHAPE, 112, 0.25)
    low, high = shape.amin(0), shape.amax(0)
    assert (high - low).amax().item() == pytest.approx(112 / 1.5, rel=1e-5)
    assert ((low + high) / 2).tolist() == pytest.approx([55.5, 55.5], abs=1e-4)


def cut_from(guess: torch.Tensor) -> torch.Tensor:
    """(3, 3): how the cut-out is made where the coarse network guesses these (68, 2) points."""
    net = network()
    net.skip_refinement(True)
    net.coarse = Always((guess - MEAN_SHAPE) / face_size(MEAN_SHAPE))
    looks = net._placed(torch.rand(1, 1, 224, 224))
    assert torch.allclose(looks.coarse[0], guess, atol=1e-3)
    return looks.upright_from_crop[0]


def moved_mean_shape() -> torch.Tensor:
    """(68, 2) the mean shape rotated, made smaller and shifted."""
    angle = 0.3
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).float()
    return (MEAN_SHAPE - 111.5) @ turn.T * 0.9 + 111.5 + torch.tensor([7.0, -4.0])


def test_the_fine_stage_sees_one_view_of_a_moved_face():
    """Move the face and the coarse guess alike: the cut-out, and so the answer in its frame, stays the same."""
    moved = moved_mean_shape()
    points = torch.cat([moved, torch.ones(68, 1)], 1), torch.cat([MEAN_SHAPE, torch.ones(68, 1)], 1)
    assert torch.allclose(points[0] @ cut_from(moved).T, points[1] @ cut_from(MEAN_SHAPE).T, atol=1e-3)


class Always(KeypointNetwork):
    """The same points for every picture."""

    def __init__(self, points: torch.Tensor) -> None:
        super().__init__(points.shape[-2])
        self.result = points

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.result.expand(len(images), *self.result.shape)


@pytest.mark.slow
def test_mixed_precision_leaves_the_geometry_exact():
    """Two bfloat16 digits are worth a pixel: with the same points placed, the answer must not change."""
    net = network()
    net.fine = FineNetworks([Always(MEAN_SHAPE / 2.5)])
    net.coarse = Always(torch.full((68, 2), 0.1))
    images = torch.rand(2, 1, 224, 224)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = net(images)
    assert torch.allclose(mixed, net(images), atol=1e-3)


@pytest.fixture
def upright(monkeypatch):
    """Cut-outs are not turned, scaled and shifted in training."""
    monkeypatch.setattr(coarse_to_fine, "random_similarity", lambda count, side: torch.eye(3).repeat(count, 1, 1))


def test_several_fine_networks_answer_apart_in_training_and_with_their_mean_after(upright):
    section = model_section()
    section["coarse_to_fine"] |= {"fine_networks": 3, "mirrored_view": False}
    net = build_network(section, side=224, mean_shape=MEAN_SHAPE, flip_index=IBUG_68.flip_index)
    offsets = torch.tensor([-1.0, 0.0, 4.0])
    net.fine = FineNetworks(Always(MEAN_SHAPE / 2.5 + offset) for offset in offsets)
    images = torch.rand(2, 1, 224, 224)
    apart = net.train()(images)
    assert apart.shape == (2, 4, 68, 2)
    steps = torch.linalg.vector_norm(apart[:, 2:] - apart[:, 1:2], dim=-1)
    assert torch.allclose(steps[:, 1], 5 * steps[:, 0], rtol=1e-3)  # 1 and 5 pixels of the cut-out away from the first
    net.fine = FineNetworks([Always(MEAN_SHAPE / 2.5 + 1), Always(MEAN_SHAPE / 2.5 - 1)])
    mean = net.eval()(images)
    net.fine = FineNetworks([Always(MEAN_SHAPE / 2.5)])
    assert mean.shape == (2, 2, 68, 2)
    assert torch.allclose(mean, net(images), atol=1e-3)


class Seen(torch.nn.Module):
    """Remembers what it was shown."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.images = images
        return torch.full((len(images), 68, 2), 48.0)


def test_every_fine_network_has_cut_outs_of_its_own_in_training_and_the_same_after():
    net = network()
    net.mirrored_view = False
    net.fine = FineNetworks([Seen(), Seen()])
    images = torch.rand(2, 1, 224, 224)
    in_training = net.train()(images)
    first, second = (seen.images for seen in net.fine)
    assert not torch.allclose(first, second, atol=0.1)
    assert not torch.allclose(in_training[:, 1], in_training[:, 2], atol=0.1)  # each led back by its own cut-out
    net.eval()(images)
    first, second = (seen.images for seen in net.fine)
    assert torch.equal(first, second)


class Brightest(torch.nn.Module):
    """Places every point on the bright spot."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return mean_position(spatial_softmax(5 * images), images.shape[-1]).expand(-1, 68, -1)


def test_a_point_seen_in_a_cut_out_that_is_askew_is_led_back_to_its_place():
    net = network().train()
    net.coarse = Always(torch.zeros(68, 2))
    net.fine = FineNetworks([Brightest()])
    x, y = centre = (MEAN_SHAPE.amin(0) + MEAN_SHAPE.amax(0)) / 2
    pixel = torch.arange(224)
    spot = torch.exp(-((pixel - x) ** 2 + (pixel[:, None] - y) ** 2) / 50)
    found = net(spot.expand(4, 1, 224, 224))[:, 1]
    assert torch.allclose(found, centre.expand(4, 68, 2), atol=0.5)


def test_soft_argmax_of_a_peak_is_the_centre_of_its_cell():
    heatmaps = torch.full((1, 1, 28, 28), -1e4)
    heatmaps[0, 0, 3, 10] = 1e4
    # A cell is 4 pixels wide: cell 10 covers pixels 40..43, whose middle is 41.5.
    assert mean_position(spatial_softmax(heatmaps), 112)[0, 0].tolist() == pytest.approx([41.5, 13.5])


def test_soft_argmax_of_a_flat_map_is_the_middle():
    flat = spatial_softmax(torch.zeros(1, 1, 28, 28))
    assert mean_position(flat, 112)[0, 0].tolist() == pytest.approx([55.5, 55.5], abs=1e-4)


def test_the_width_of_a_heatmap_is_the_standard_deviation_of_its_weights():
    weights = torch.zeros(1, 1, 9, 9)
    weights[0, 0, 4, 2] = weights[0, 0, 4, 8] = 0.5  # three cells to either side of the middle
    assert log_width(weights).item() == pytest.approx(np.log(3))


def test_the_spread_is_in_pixels_of_the_frame_and_changes_no_point():
    plain, net = network(), network(spread=True)
    images = torch.rand(2, 1, 224, 224, generator=torch.Generator().manual_seed(0))
    assert plain.with_spread(images)[1] is None
    missing, unexpected = net.load_state_dict(plain.state_dict(), strict=False)
    assert {name.split(".")[-2] for name in missing if name != "half_within"} <= {"spread", "log_spread"}
    assert not unexpected
    estimates, spread = net.with_spread(images)
    assert torch.allclose(estimates, plain(images), atol=1e-3)
    # As they start: 0.05 of the face's size, and 0.01 of the cut-out's side, which is the face and 0.15 on either side.
    low, high = MEAN_SHAPE.amin(0), MEAN_SHAPE.amax(0)
    at_start = [0.05 * face_size(MEAN_SHAPE), 0.01 * 1.3 * (high - low).amax()]
    assert torch.allclose(spread, torch.stack(at_start)[None, :, None].expand(2, 2, 68), rtol=0.01)


class Spot(torch.nn.Module):
    """Guesses every point at the bright spot of a view of 56 pixels of a frame of 224."""

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        self.at = mean_position((views.clamp_min(1) - 1) / (views.clamp_min(1) - 1).sum((2, 3), keepdim=True), 224)
        return (self.at - MEAN_SHAPE) / face_size(MEAN_SHAPE)


def test_views_moved_far_in_training_lead_back_to_the_frame():
    net = network().train()
    net.coarse, net.coarse_far_prob, net.coarse_far_rad = Spot(), 0.5, 1.2
    pixel = torch.arange(224)
    at = torch.tensor([130.0, 100.0])
    spot = torch.exp(-((pixel - at[0]) ** 2 + (pixel[:, None] - at[1]) ** 2) / 128).expand(40, 1, 224, 224)
    points = net._found_in_training(spot, None)
    assert torch.allclose(points, at.expand(40, 68, 2), atol=0.5)
    moved = torch.linalg.vector_norm(net.coarse.at[:, 0] - at, dim=1) > 1
    assert 10 <= moved.sum() <= 30
    net.eval()._found(spot)
    assert torch.allclose(net.coarse.at[:, 0], at.expand(40, 2), atol=0.5)


@pytest.mark.parametrize(("coarse", "fine"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_both_networks_see_other_people_in_training_each_in_its_own_share(coarse, fine):
    net, seen = network().train(), []
    net.coarse_far_prob, net.coarse_neighbour_prob, net.fine_neighbour_prob = 0.0, coarse, fine
    net.coarse.register_forward_pre_hook(lambda _, views: seen.append(views[0]))
    net._cut_out = lambda images, matrix: seen.append(images) or torch.zeros(len(images), 1, 96, 96)
    frames = torch.rand(6, 1, 224, 224)
    net.with_spread(frames, MEAN_SHAPE.expand(6, 68, 2))
    net.with_spread(frames)
    views, cut_from, plain_views, plain_cut_from = seen
    assert ((views != plain_views).flatten(1).any(1) == bool(coarse)).all()
    assert ((cut_from != frames).flatten(1).any(1) == bool(fine)).all()
    assert torch.equal(plain_cut_from, frames)


def test_the_correction_takes_a_face_rotated_far_for_one_rotated_a_little():
    net, face = network(), MEAN_SHAPE[None]
    usual = face_size(upright_shape(MEAN_SHAPE, net.fine_px, net.fine_margin_frac)) / face_size(MEAN_SHAPE)
    near, far, farther = (
        net._shape_features(face, similarity_about_centre(224, turn_rad=turn, scale=size, shift_px=torch.zeros(1, 2)))
        for turn, size in ((torch.tensor([t]), usual[None] * s) for t, s in ((0.1, 0.9), (0.5, 3.0), (0.9, 4.0)))
    )
    assert torch.equal(far, farther)
    assert not torch.allclose(near, far)
    assert near[0, -4:].tolist() == pytest.approx([np.cos(0.1), np.sin(0.1), (0.9 * usual).log().item(), 1], abs=1e-5)


def test_a_file_of_before_is_read_whatever_options_networks_have_got_since():
    model = {
        "name": "coarse_to_fine",
        "weights": "scratch",
        "window_frac": 1.0,
        "coarse_to_fine": {
            "coarse_px": 56,
            "fine_px": 96,
            "fine_margin_frac": 0.15,
            "fine_width": 32,
            "fine_pyramid": 96,
            "fine_networks": 1,
            "mirrored_view": True,
            "correction_ridge": 1.0,
        },
    }
    described = {"model": model, "preprocess": {"size_px": 224, "fit": "pad"}}
    try:
        assert checked_description(described).model.coarse_to_fine.spread is False
    except ValueError as error:
        pytest.fail(f"{error}: give what files of before had in _LATER_OPTIONS of pipeline/models/model_file.py")


def test_files_from_before_there_was_a_spread_are_read(tmp_path):
    before = description()
    for later in (
        "spread",
        "coarse_width",
        "coarse_blocks",
        "coarse_far_prob",
        "coarse_far_deg",
        "coarse_neighbour_prob",
        "fine_neighbour_prob",
    ):
        del before["model"]["coarse_to_fine"][later]
    save_model(tmp_path / "m.safetensors", network(), before)
    assert not read_description(tmp_path / "m.safetensors").model.coarse_to_fine.spread
    load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_a_saved_model_predicts_the_same(tmp_path, name):
    net = network(name)
    save_model(tmp_path / "m.safetensors", net, description(name))
    images = np.random.default_rng(0).integers(0, 255, (3, 224, 224), np.uint8)
    again = load_model(tmp_path / "m.safetensors")
    assert not again.training
    assert np.array_equal(predict_crops(net, images), predict_crops(again, images))
    told = read_description(tmp_path / "m.safetensors")
    assert {"model": asdict(told.model), "preprocess": asdict(told.preprocess)} == description(name)
    assert told.scheme == IBUG_68


def test_pictures_of_any_size_get_keypoints_in_their_own_pixels(tmp_path):
    """With the mean face as the only answer, a picture twice as large has points twice as far."""

    small, large = predict_faces(
        Always(MEAN_SHAPE[None]),
        [np.zeros((100, 80), np.uint8), np.zeros((200, 160), np.uint8)],
        size_px=224,
        fit="pad",
    )
    assert large + 0.5 == pytest.approx(2 * (small + 0.5), abs=1e-3)


@pytest.mark.parametrize("picture", [None, np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9)), np.zeros((0, 9), np.uint8)])
def test_what_is_no_gray_picture_is_named(picture):
    with pytest.raises(DataError, match=r"picture 1 is .* but should be a gray uint8 array"):
        predict_faces(network(), [np.zeros((9, 9), np.uint8), picture], size_px=224, fit="pad")


def test_no_pictures_give_no_keypoints():
    assert predict_faces(network(), [], size_px=224, fit="pad").shape == (0, 68, 2)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "is missing; train a model with"),
        (lambda path: path.write_bytes(b""), "is damaged or no model"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is damaged or no model"),
        (lambda path: path.write_bytes(b"\x80\x04pickle"), "is damaged or no model"),
        (lambda path: save_file({"a": torch.zeros(1)}, path), "is damaged or no model"),
        (lambda path: _relabel(path, "nobody"), "in its description model.name is 'nobody'"),
        (lambda path: _relabel(path, "udacity_5conv"), "no model of this project .it has a tensor 'a'"),
    ],
)
def test_a_spoilt_model_is_named_with_the_remedy(tmp_path, spoil, message):
    path = tmp_path / "m.safetensors"
    save_model(path, network(), description())
    spoil(path)
    with pytest.raises(ModelError, match=message):
        load_model(path)


def _relabel(path, name):
    text = json.dumps(description() | {"model": description()["model"] | {"name": name}})
    save_file({"a": torch.zeros(1)}, path, metadata={"facial_keypoints": text})

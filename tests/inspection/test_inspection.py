import base64
import re
from dataclasses import replace
from html import escape

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from facial_keypoints.core.errors import DataError, ModelError
from facial_keypoints.core.geometry import resize_matrix
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.text import printable
from facial_keypoints.inputs.first_picture import first_picture
from facial_keypoints.mean_face.shape import mean_points
from facial_keypoints.outputs.output_folder import OutputFolder
from pipeline.inspection.attention import PLACES, attention
from pipeline.inspection.choice import point_groups
from pipeline.inspection.layer_figures import activity
from pipeline.inspection.layers import Layer, choose, convolutions, layer_outputs
from pipeline.inspection.page import Picture, Section, page
from pipeline.inspection.point_figures import uncertainty_figure
from pipeline.inspection.report import Subject, write_report
from pipeline.inspection.uncertainty import ellipse_axes, spread, spread_of
from pipeline.models import NETWORKS, build_network
from pipeline.models.network import KeypointNetwork
from tests.core.test_scheme import FIVE
from tests.faces import drawn_face
from tests.inputs.test_kinds import encoded

SIDE = 96
MEAN_SHAPE = torch.from_numpy(mean_points()[:, :2] * 0.25 + (48, 42)).float()
SMALL = {
    "coarse_px": 32,
    "coarse_width": 16,
    "coarse_blocks": 0,
    "coarse_far_prob": 0.0,
    "coarse_far_deg": 0.0,
    "coarse_neighbour_prob": 0.0,
    "fine_neighbour_prob": 0.0,
    "fine_px": 32,
    "fine_margin_frac": 0.15,
    "fine_width": 8,
    "fine_pyramid": 16,
    "fine_networks": 1,
}
SMALL |= {"mirrored_view": True, "correction_ridge": 1.0, "spread": False}


def network_called(name: str, window_frac: float = 1.0) -> KeypointNetwork:
    torch.manual_seed(0)
    model = {"name": name, "window_frac": window_frac, "weights": "scratch", "coarse_to_fine": SMALL}
    return build_network(model, side=SIDE, mean_shape=MEAN_SHAPE, flip_index=IBUG_68.flip_index).eval()


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    image, _ = drawn_face()
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


class BrightestPlace(KeypointNetwork):
    """Puts every point on the centre of light of the frame, so that it moves with whatever is in it."""

    def forward(self, images: Tensor) -> Tensor:
        light = images[:, 0].clamp_min(1e-6) ** 4
        along = torch.arange(images.shape[-1], dtype=images.dtype)
        total = light.sum((1, 2))
        point = torch.stack([(light.sum(1) @ along) / total, (light.sum(2) @ along) / total], -1)
        return point[:, None, None].expand(-1, 1, 68, 2)


class Corner(KeypointNetwork):
    """Looks at the top left of the frame only, and lets the points move as it darkens."""

    def forward(self, images: Tensor) -> Tensor:
        lit = images[:, 0, 20:30, 20:30].mean((1, 2))
        return 40 * lit[:, None, None, None] + MEAN_SHAPE


def blob(x: float, y: float) -> np.ndarray:
    down, across = np.mgrid[:SIDE, :SIDE]
    return np.rint(255 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / 50)).astype(np.uint8)


# Layers


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_layers_to_show(name, crop):
    chosen = choose(layer_outputs(network_called(name), crop), [])
    sizes = [layer.maps.shape[-1] for layer in chosen]
    assert 4 <= len(chosen) <= 14
    assert max(sizes) >= 8 * min(sizes) or name == "coarse_to_fine"
    assert all(np.isfinite(layer.maps).all() for layer in chosen)


def test_by_default_the_last_of_each_size_is_shown(crop):
    chosen = [layer.name for layer in choose(layer_outputs(network_called("coarse_to_fine"), crop), [])]
    assert chosen == [
        *("coarse.trunk.0", "coarse.trunk.1", "coarse.trunk.2", "coarse.trunk"),
        *("fine.0.stem", "fine.0.stages.0", "fine.0.stages.1", "fine.0.stages.2", "fine.0.laterals.1", "fine.0.smooth"),
        "fine.0.heatmaps",
    ]


def test_a_layer_answers_as_the_network_ran_it(crop):
    network = network_called("udacity_5conv")
    layer = next(layer for layer in layer_outputs(network, crop) if layer.name == "trunk.0")
    with torch.inference_mode():
        expected = network.trunk[0](torch.from_numpy(crop / 255).float()[None, None])[0]
    np.testing.assert_allclose(layer.maps, expected.numpy(), atol=1e-6)  # not what the ReLU in place left of it


def test_the_cut_out_is_found_where_it_was_taken(crop):
    """What the fine stage was shown, brought back by its matrix, is the frame again."""
    network = network_called("coarse_to_fine")
    with torch.no_grad():  # a guess that is turned, larger and to one side
        network.coarse.offsets.bias.copy_(0.2 * torch.randn(136, generator=torch.Generator().manual_seed(1)))
        network.coarse.offsets.bias.view(68, 2)[:, 0] += 0.2 * (MEAN_SHAPE[:, 1] - 48) / 48
    layer = next(layer for layer in layer_outputs(network, crop) if layer.name == "fine.0.stem")
    assert abs(layer.crop_from_seen[0, 1]) > 0.01
    back = cv2.warpAffine(layer.seen, layer.crop_from_seen[:2], (SIDE, SIDE), borderValue=np.nan)
    inside = np.isfinite(back)
    assert inside.sum() > 500
    assert np.corrcoef(back[inside], crop[inside])[0, 1] > 0.97


def test_a_part_that_sees_a_smaller_view_sees_all_of_the_frame(crop):
    layer = next(
        layer for layer in layer_outputs(network_called("coarse_to_fine"), crop) if layer.name == "coarse.trunk.0"
    )
    np.testing.assert_allclose(layer.crop_from_seen, resize_matrix((32, 32), (SIDE, SIDE)))
    np.testing.assert_allclose(layer.crop_from_maps, resize_matrix((16, 16), (SIDE, SIDE)))


def test_a_window_is_found_in_the_middle_of_the_frame(crop):
    layer = layer_outputs(network_called("udacity_5conv", 0.8), crop)[0]
    back = cv2.warpAffine(layer.seen, layer.crop_from_seen[:2], (SIDE, SIDE), borderValue=np.nan)
    inside = np.isfinite(back)
    assert inside.mean() == pytest.approx(0.64, abs=0.04)
    assert np.corrcoef(back[inside], crop[inside])[0, 1] > 0.99


def test_a_layer_that_is_not_there_is_told_with_those_like_it(crop):
    layers = layer_outputs(network_called("coarse_to_fine"), crop)
    with pytest.raises(ModelError, match=r"'fine\.0\.sten'; try fine\.0\.stem"):
        choose(layers, ["fine.0.sten"])
    assert [layer.name for layer in choose(layers, ["fine.0.stem"])] == ["fine.0.stem"]


def test_kernels_by_default_are_of_the_layers_that_see_gray():
    assert list(convolutions(network_called("coarse_to_fine"), [])) == ["coarse.trunk.0.0", "fine.0.stem.0"]
    found = convolutions(network_called("coarse_to_fine"), ["fine.0.stages.0"])
    assert [kernels.shape for kernels in found.values()] == [(16, 8, 3, 3), (16, 16, 3, 3), (16, 16, 3, 3)]


def test_activity_of_heatmaps_is_the_sum_of_the_softmax_of_all_points():
    maps = np.zeros((68, 3, 4), np.float32)
    maps[:, 1, 2] = 50
    heatmaps = Layer("heatmaps", maps, maps[0], np.eye(3), heatmaps=True)
    np.testing.assert_allclose(activity(heatmaps), 68 * (maps[0] > 0), atol=1e-6)
    np.testing.assert_allclose(activity(replace(heatmaps, maps=-maps, heatmaps=False)), 50 * (maps[0] > 0))


# Attention


def test_a_network_attends_to_what_it_looks_at():
    bright = np.full((SIDE, SIDE), 30, np.uint8)
    bright[16:34, 16:34] = 220
    seen = attention(Corner(68).eval(), bright, MEAN_SHAPE.numpy() * 0.9)
    row, column = np.unravel_index(seen.moved_px[30].argmax(), (PLACES, PLACES))
    place = seen.crop_from_places @ (column, row, 1)
    assert np.abs(place[:2] - 24.5).max() < 8
    assert seen.moved_px.shape == (68, PLACES, PLACES)


def test_places_are_spread_evenly_over_the_face():
    seen = attention(Corner(68).eval(), np.zeros((SIDE, SIDE), np.uint8), MEAN_SHAPE.numpy())
    assert not seen.moved_px.any()
    middle = seen.crop_from_places @ ((PLACES - 1) / 2, (PLACES - 1) / 2, 1)
    low, high = MEAN_SHAPE.numpy().min(0), MEAN_SHAPE.numpy().max(0)
    np.testing.assert_allclose(middle[:2], (low + high) / 2, atol=1e-4)


# Certainty


def test_spread_by_hand():
    points = np.zeros((2, 68, 2))
    points[0, 0], points[1, 0] = (1, 5), (3, 5)
    found = spread_of(points)
    np.testing.assert_allclose(found.mean[0], (2, 5))
    np.testing.assert_allclose(found.covariance[0], [[2, 0], [0, 0]])
    assert found.sigma_px[0] == 1
    assert not found.covariance[1:].any()


def test_an_ellipse_lies_along_the_spread():
    turn = np.radians(30)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    angles, axes = ellipse_axes((rotation @ np.diag([4.0, 1.0]) @ rotation.T)[None])
    assert np.tan(angles[0]) == pytest.approx(np.tan(turn))
    np.testing.assert_allclose(axes[0], [2 * np.sqrt(5.991), np.sqrt(5.991)], rtol=1e-3)


def test_a_point_that_moves_with_the_picture_is_certain():
    image = blob(55, 45)
    certain = spread(BrightestPlace(68).eval(), image, views=16, seed=0)
    np.testing.assert_allclose(certain.mean[0], (55, 45), atol=0.1)
    assert certain.sigma_px.max() < 0.1


def test_a_point_that_stays_whatever_is_shown_is_uncertain():
    fixed = Corner(68).eval()
    assert spread(fixed, np.zeros((SIDE, SIDE), np.uint8), views=16, seed=0).sigma_px.min() > 0.5


def test_the_same_seed_gives_the_same_spread(crop):
    network = network_called("coarse_to_fine")
    first, second = (spread(network, crop, views=4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.covariance, second.covariance)


# The choice of points


def test_points_are_chosen_by_number_range_and_name():
    assert point_groups("30, 36-38,mouth", IBUG_68) == {"30": [30], "36-38": [36, 37, 38], "mouth": list(range(48, 68))}
    assert list(point_groups(None, IBUG_68)) == ["8", "19", "30", "36", "48", "jaw"]
    assert point_groups("4,eyes", FIVE) == {"4": [4], "eyes": [0, 1]}


def test_without_a_choice_every_region_of_another_scheme_is_asked_about():
    assert point_groups(None, FIVE) == {"eyes": [0, 1], "nose": [2], "mouth": [3, 4]}


@pytest.mark.parametrize("text", ["", "68", "40-36", "-3", "ear", "1,,2", "0-68", "1.5", "1_0", "\u0663", "1-2-3"])
def test_what_names_no_points_is_told(text):
    with pytest.raises(DataError, match="names no points"):
        point_groups(text, IBUG_68)


@pytest.mark.parametrize("text", ["9" * 5000, f"0-{'9' * 5000}", "\x1b" * 5000])
def test_of_what_names_no_points_little_is_shown(text):
    with pytest.raises(DataError, match="names no points") as told:
        point_groups(text, IBUG_68)
    assert len(str(told.value)) < 400


def test_too_many_groups_are_told():
    with pytest.raises(DataError, match="13 groups"):
        point_groups(",".join(map(str, range(13))), IBUG_68)


# The page


def test_a_page_needs_nothing_else():
    html = page(
        "<Face> & co",
        {"picture": '"x"<b>'},
        [Section("One & two", "Text <i>", [Picture("A <b>", "& more", b"\x89PNG")])],
    )
    assert "&lt;Face&gt; &amp; co" in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert re.findall(r'(?:src|href)="([^"]{0,22})', html) == ["#part0", "data:image/png;base64,"]
    assert "url(" not in html
    assert "<script" not in html


@pytest.mark.slow
def test_a_report_holds_a_figure_for_each_layer_and_question(tmp_path, crop):
    network = network_called("coarse_to_fine")
    written = write_report(
        network,
        Subject("me.png", crop),
        OutputFolder(tmp_path / "out"),
        layers=["fine.0.stem"],
        groups=point_groups("30,jaw", IBUG_68),
        facts={"network": "small"},
    )
    names = sorted(path.name for path in written.parent.glob("*.png"))
    assert names == ["attention.png", "certainty.png", "kernels_fine_0_stem_0.png", "maps_fine_0_stem.png"]
    html = written.read_text()
    assert html.count("data:image/png;base64,") == 4
    assert "me.png" in html


@pytest.mark.slow
def test_captions_of_the_page_are_text_that_wraps_and_the_pictures_there_have_no_heading(tmp_path, crop):
    written = write_report(
        network_called("coarse_to_fine"),
        Subject("me.png", crop),
        OutputFolder(tmp_path),
        layers=["fine.0.stem"],
        groups=point_groups("30", IBUG_68),
        facts={},
    )
    html = written.read_text()
    captions = re.findall("<figcaption><strong>(.*?)</strong>(.*?)</figcaption>", html)
    assert [title for title, _ in captions] == [
        "How certain is the network of each point?",
        "Where does the network look?",
        "Maps of fine.0.stem",
        "Kernels of fine.0.stem.0",
    ]
    assert all(detail for _, detail in captions)
    shown = [
        cv2.imdecode(np.frombuffer(base64.b64decode(png), np.uint8), 1) for png in re.findall('base64,(.*?)"', html)
    ]
    files = [cv2.imread(str(tmp_path / f"{name}.png")) for name in ("certainty", "attention", "maps_fine_0_stem")]
    for picture, file in zip(shown, files, strict=False):
        heading = len(file) - len(picture)
        assert 60 < heading < 120  # title and one line, at 150 dots per inch
        assert np.array_equal(picture, file[heading:])
        assert (file[heading - 8 : heading] == 255).all()  # nothing of the heading is left in the page


@pytest.mark.slow
def test_a_picture_of_any_name_is_reported_on(tmp_path, crop):
    name = r"a$\frac$_{%<b>" + "caf\udce9\x1b[31m漢" + "x" * 4000
    written = write_report(
        network_called("coarse_to_fine"),
        Subject(name, crop),
        OutputFolder(tmp_path / "out"),
        layers=["fine.0.stem"],
        groups=point_groups("30", IBUG_68),
        facts={"picture": name},
    )
    html = written.read_text(encoding="utf-8")
    assert html.count(escape(printable(name))) == 3
    assert "\x1b" not in html


def test_a_wrong_layer_leaves_no_page(tmp_path, crop):
    with pytest.raises(ModelError, match="no layer"):
        write_report(
            network_called("coarse_to_fine"),
            Subject("me.png", crop),
            OutputFolder(tmp_path / "out"),
            layers=["nothing"],
            groups={"30": [30]},
            facts={},
        )
    assert not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize("name", ["index.html", "certainty.png"])
@pytest.mark.slow
def test_a_file_of_the_user_is_left_alone_and_nothing_is_written(tmp_path, crop, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match=rf"{name} is here already"):
        write_report(
            network_called("coarse_to_fine"),
            Subject("me.png", crop),
            OutputFolder(tmp_path),
            layers=["fine.0.stem"],
            groups={"30": [30]},
            facts={},
        )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_of_several_pictures_the_first_is_looked_at_and_that_is_said(tmp_path):
    for form, name in [("GIF", "a.gif"), ("TIFF", "caf\udce9.tif"), ("PNG", "one.png")]:
        frames = 1 if name == "one.png" else 3
        (tmp_path / name).write_bytes(encoded(form, frames))
        picture, unseen = first_picture(tmp_path / name)
        assert picture.shape == (8, 8, 3)
        assert unseen == (
            "" if frames == 1 else f"{printable(str(tmp_path / name))} holds several pictures; the first is looked at"
        )


def test_figures_of_another_scheme_name_its_unit():
    grid = np.random.default_rng(0).uniform(20, 70, (6, 5, 2))
    drawing = uncertainty_figure(np.zeros((96, 96), np.uint8), spread_of(grid), FIVE, picture="me.png")
    labels = [axes.get_xlabel() for axes in drawing.figure.axes]
    assert "standard deviation (% of the size of the box round the points)" in labels

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import nn

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import paths
from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.json_files import read_json, write_json
from pipeline.core.labels import write_keypoints_csv
from pipeline.core.samples import SAMPLE_COLUMNS, read_samples
from pipeline.core.settings import Preprocess
from pipeline.core.tables import write_table
from pipeline.evaluation import breakdowns, curves, grids, style
from pipeline.evaluation.metrics_file import write_metrics
from pipeline.evaluation.model_card import _seen_before, model_card
from pipeline.evaluation.reliability_figure import reliability_figure
from pipeline.evaluation.settings import Render
from pipeline.experiments import comparison_figures
from pipeline.experiments.params import load_params
from pipeline.experiments.sweeps.figure import sweep_figure
from pipeline.models import build_network
from pipeline.stages import render
from tests.architecture import ROOT
from tests.metrics import group, measured

SIDE = 64
RENDER = Render(faces_per_row=3, random_rows=2, seed=0)


def run(pretrained: int = 0, start: str = "scratch") -> None:
    params = load_params(ROOT / "params.yaml")
    pretrain = replace(params.pretrain, epochs=pretrained)
    render.run(pretrain=pretrain, train=replace(params.train, start=start), render=RENDER)


class FirstThenShape(nn.Module):
    """One small convolution, and points whatever it says."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 5, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.first(images).relu_()
        return torch.zeros(len(images), 1, IBUG_68.count, 2)


def faces_of(count: int) -> np.ndarray:
    """(count, 68, 2) points in source pixels, the outer eye corners 20 apart."""
    generator = np.random.default_rng(0)
    points = generator.uniform(20, 40, (count, IBUG_68.count, 2))
    points[:, 36], points[:, 45] = (20, 25), (40, 25)
    return points.astype(np.float32)


def texts(figure: Figure) -> str:
    """Everything a reader can read."""
    found = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    return "\n".join(found)


def write_inputs(labelled: int = 6, *, unseen: bool = False) -> None:
    """What the stages before render leave behind, for `labelled` test faces and one without labels."""
    count = labelled + 1
    truth = faces_of(count)
    crop_from_source = np.tile(np.diag([1.0, 1.0, 1.0]), (count, 1, 1)).astype(np.float32)
    crop_from_source[:, 0, 2] = 3
    test = paths.PROCESSED / "test"
    test.mkdir(parents=True)
    keypoints = transform_points(crop_from_source, truth)
    keypoints[labelled:] = np.nan
    np.save(test / "images.npy", np.random.default_rng(1).integers(0, 255, (count, SIDE, SIDE), np.uint8))
    np.save(test / "keypoints.npy", keypoints.astype(np.float32))
    np.save(test / "crop_from_source.npy", crop_from_source)
    rows = [
        [f"test/P_{i}", f"P_{i}.jpg", "test", "P", 0, i, i < labelled, "test", not (unseen and i == 0)]
        for i in range(count)
    ]
    samples = pd.DataFrame(rows, columns=SAMPLE_COLUMNS)
    samples.to_csv(test / "samples.csv", index=False)
    paths.SAMPLES.parent.mkdir(parents=True)
    samples.to_csv(paths.SAMPLES, index=False)
    names = samples["file"].tolist()[::-1]  # matched by name, not by row
    write_keypoints_csv(paths.TEST_PREDICTIONS, names, (truth + np.array([1, 0]))[::-1])
    unseen_faces = 1 if unseen else 0
    known = group(labelled - unseen_faces)
    write_metrics(measured(test=group(labelled), test_known_people=known, test_unseen_people=group(unseen_faces)))
    faces = samples[samples["labelled"]][["sample_id", "split", "known"]]
    faces = faces.assign(nme_percent=5.0, worst_point=0, normalizing_length_px=20.0)
    write_table(paths.PER_FRAME, faces)
    np.save(paths.TEST_ERRORS, np.full((labelled, IBUG_68.count), 5.0))
    write_scheme(IBUG_68)
    write_json(paths.DATASET, {"dataset": "synthetic", "revision": "synthetic", "files": 9, "sha256": "ab" * 32})
    paths.HISTORY.write_text("epoch,lr,train_loss,val_loss,val_nme_percent\n1,0.001,2.5,,\n")
    paths.CED.write_text("nme_percent,model_percent,mean_shape_percent\n0,0,0\n8,75,10\n16,100,20\n")
    paths.RELIABILITY.write_text("split,measure,told_percent,found_percent\n")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(render, "load_model", lambda path: FirstThenShape())
    prepared = Preprocess(size_px=SIDE, fit="pad")
    described = SimpleNamespace(preprocess=prepared, model=SimpleNamespace(weights="scratch"))
    monkeypatch.setattr(render, "read_description", lambda path: described)
    monkeypatch.setattr(render, "save", lambda figure, path, dpi: style.save(figure, path, dpi / 5))  # quick
    return tmp_path


def drawn_files() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path("reports/figures").iterdir()}


@pytest.mark.long
def test_render_writes_the_same_bytes_twice_whatever_the_users_style(workspace: Path) -> None:
    write_inputs()
    run()
    first = drawn_files()
    card = paths.MODEL_CARD.read_bytes()
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "savefig.dpi": 30}):
        run()
    assert drawn_files() == first
    assert paths.MODEL_CARD.read_bytes() == card
    assert set(first) == set(paths.FIGURES)
    assert all(content.startswith(b"\x89PNG") and b"Software" not in content for content in first.values())


@pytest.mark.parametrize("labelled", [1, 2, 25])
@pytest.mark.slow
def test_render_works_on_very_few_faces_with_and_without_unseen_people(workspace: Path, labelled: int) -> None:
    write_inputs(labelled, unseen=labelled > 1)
    run()
    assert set(drawn_files()) == set(paths.FIGURES)


@pytest.mark.slow
def test_errors_on_the_figures_are_those_that_evaluate_wrote(workspace: Path) -> None:
    write_inputs()
    names = [path.name for path in paths.FIGURES]
    drawn = dict(zip(names, render._figures(render._read_measured(), RENDER), strict=True))
    assert "The jaw is hardest: 5.0 %, the right brow easiest: 4.0 %" in texts(drawn["error_by_point.png"])
    assert "5.0 %  known" in texts(drawn["faces.png"])
    assert "20 to 30\nn = 6" in texts(drawn["error_by_group.png"])


@pytest.mark.slow
def test_the_card_tells_people_results_and_limits(workspace: Path) -> None:
    write_inputs(unseen=True)
    run()
    card = paths.MODEL_CARD.read_text()
    assert "**5.00 %** on 6 labelled test frames of synthetic, **5.00 %** on people it never saw" in card
    assert "| test | 6 | 5.00 % | 4.00 % to 6.00 % | 40.0 % | 25.0 % |" in card
    assert "| test | 7 | 6 | 1 |" in card
    assert "| of these, people never seen | 1 | 1 | 1 |" in card
    assert "| 20 to 30 px | 6 | 5.00 % |" in card
    assert "| right brow | 4.00 % |" in card
    assert "| `train.seed` | `0` |" in card
    assert f"| `preprocess.size_px` | `{SIDE}` |" in card  # as the model's own file has it
    assert "1 people, none of them real" in card
    assert "is the honest one" in card


@pytest.mark.slow
def test_the_card_tells_what_the_network_saw_before_where_there_was_something(workspace: Path) -> None:
    write_inputs()
    run()
    card = paths.MODEL_CARD.read_text()
    assert "pretrain" not in card
    assert "started from" not in card
    run(start="runs:/abc/model")
    assert "It started from a trained model, `runs:/abc/model`" in paths.MODEL_CARD.read_text()
    run(pretrained=14)
    card = paths.MODEL_CARD.read_text()
    assert "Before these the network was trained on 6,000 synthetic faces." in card
    assert "| `pretrain.epochs` | `14` |" in card


@pytest.mark.slow
def test_the_card_leaves_out_people_never_seen_where_there_are_none(workspace: Path) -> None:
    write_inputs()
    run()
    card = " ".join(paths.MODEL_CARD.read_text().split())
    assert card.count("of these, people never seen |") == 1  # how many frames, no error
    assert "people it never saw" not in card
    assert "no error on people never seen is known" in card


def test_the_card_of_real_frames_names_their_origin_and_licence(workspace: Path) -> None:
    write_inputs()
    dataset = read_json(paths.DATASET) | {"dataset": "youtube-faces"}
    samples, sizes = read_samples(paths.SAMPLES), {"20 to 30": np.array([5.0])}
    card = model_card(measured(), dataset, IBUG_68, samples, settings={}, sizes=sizes)
    assert "all of them public figures" in card
    assert "YouTube Faces" in card.split("## Licence")[1]


def test_the_card_says_where_weights_came_from():
    assert _seen_before({}) == ""
    assert "was trained on ImageNet (torchvision's weights)" in _seen_before({"model.weights": "pretrained"})
    assert "started from a trained model, `a.safetensors`" in _seen_before({"train.start": "a.safetensors"})


def test_the_card_of_other_datasets_names_each_with_its_licence_and_error(workspace: Path) -> None:
    write_inputs()
    facts = {"title": "paws", "origin": "the garden", "revision": "3"}
    parts = [{"dataset": name, "licence": f"licence {name}", **facts} for name in ("a", "b.c")]
    samples, sizes = read_samples(paths.SAMPLES), {"20 to 30": np.array([5.0])}
    merged = replace(measured(), test_by_dataset={part["dataset"]: measured().test for part in parts})
    card = model_card(merged, read_json(paths.DATASET) | {"parts": parts}, IBUG_68, samples, settings={}, sizes=sizes)
    assert "- `a`, revision `3`: paws. From: the garden\n- `b.c`, revision" in card
    assert card.split("## Licence")[1].strip().endswith("- `a`: licence a\n- `b.c`: licence b.c")
    assert card.count("| test of b.c | 6 | 5.00 %") == 1
    assert "YouTube" not in card
    assert "Of the measured test frames 5 show some of those that also train, 1 such" in card


def test_a_frame_without_prediction_is_named(workspace: Path) -> None:
    write_inputs()
    write_keypoints_csv(paths.TEST_PREDICTIONS, ["P_0.jpg"], faces_of(1))
    with pytest.raises(DataError, match=r"test_frames_keypoints.csv lacks P_1.jpg; make it again"):
        run()


def test_errors_of_other_faces_than_the_prepared_ones_are_refused(workspace: Path) -> None:
    write_inputs()
    lines = paths.PER_FRAME.read_text().splitlines()
    paths.PER_FRAME.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    with pytest.raises(DataError, match=r"per_frame\.csv: its test faces are not those of the prepared.*-fs evaluate"):
        run()


@pytest.mark.parametrize("errors", [np.full((5, 68), 5.0), np.full((6, 5), 5.0), np.full((6, 68), np.nan), b"no array"])
def test_point_errors_of_another_form_are_refused(workspace: Path, errors: np.ndarray | bytes) -> None:
    write_inputs()
    if isinstance(errors, bytes):
        paths.TEST_ERRORS.write_bytes(errors)
    else:
        np.save(paths.TEST_ERRORS, errors)
    with pytest.raises(DataError, match=r"test_errors_percent\.npy: .*; make it again with: dvc repro -fs evaluate"):
        run()


def test_a_missing_report_is_named(workspace: Path) -> None:
    write_inputs()
    paths.CED.unlink()
    with pytest.raises(DataError, match=r"reports/ced.csv.*make it again"):
        run()


def test_test_frames_without_any_label_are_refused(workspace: Path) -> None:
    write_inputs(0)
    with pytest.raises(DataError, match="no test frame has labels"):
        run()


def test_the_last_bits_of_a_solved_layout_are_not_seen(tmp_path: Path) -> None:
    """The solver's order of sums depends on where things lie in memory; here its result is nudged by as much."""
    contents = set()
    for nudge in (0.0, -1e-13, 1e-13):
        with style.style():
            figure = style.new_figure(3, title="t", detail="d", dataset="synthetic")
            axes = figure.subplots()
            figure.colorbar(axes.imshow(np.eye(3)), ax=axes, location="bottom")
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            for part in figure.axes:
                low, high = part.get_position(original=True).get_points()
                part.set_position((*(low + nudge), *(high - low)))
            style.save(figure, tmp_path / "figure.png")
        contents.add((tmp_path / "figure.png").read_bytes())
        assert all((position := part.get_position(original=True).x0) == round(position, 6) for part in figure.axes)
    assert len(contents) == 1


@pytest.mark.slow
def test_synthetic_faces_are_called_so_loudly_in_every_figure(workspace: Path) -> None:
    write_inputs()
    for figure in render._figures(render._read_measured(), RENDER):
        name = next(text for text in figure.texts if text.get_text() == "SYNTHETIC faces")
        assert name.get_color() == style.PALETTE["warning"]


def test_real_faces_are_named_by_their_dataset() -> None:
    figure = style.new_figure(3, title="A title", detail="7 faces", dataset="youtube-faces")
    assert [text.get_text() for text in figure.texts] == ["A title", "youtube-faces", "  ·  7 faces"]


HOSTILE_NAMES = {
    "mathematics": "a$b$c",
    "half of it": "cost 5$.jpg",
    "no mathematics": r"$\frac$ \alpha_1^2 {%} #&~",
    "chinese": "你好.jpg",
    "arabic and hebrew": "مرحبا שלום",
    "emoji": "👩‍👧🦄\ufe0f.png",
    "combining": "e\u0301" + "\u0323" * 50,
    "bytes": "caf\udce9.jpg",
    "control": "a\x1b[31m\n\t\x00\x9b\u202e\u2028.jpg",
    "no character": "\uffff\ufdd0\ue000\U0010ffff\ud800",
    "long": "W" * 4000,
    "empty": "",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.slow
def test_any_name_is_drawn_as_it_is(tmp_path: Path, name: str) -> None:
    """Nothing is taken for mathematics, nothing makes Matplotlib fail or warn, which would be an error here."""
    text = HOSTILE_NAMES[name]
    nme = pd.Series(np.linspace(1, 10, 6), [f"test/A_{face}" for face in range(6)])
    points = faces_of(2)
    faces = grids.Faces(np.zeros((2, SIDE, SIDE), np.uint8), points, points, np.ones(2), np.ones(2, bool))
    names = (f"A: {text}", f"B: {text}")
    table = pd.DataFrame({"model.name": ["a", "b"], "val_nme_percent": [3, 4], "seeds": 1, "significant": "no"})
    table["model.name"] = pd.Series([text, f"{text}2"], dtype=object)
    with style.style():
        drawn = [
            comparison_figures.ced_pair_figure(nme, nme, names, title="No difference", detail="6 faces", dataset=text),
            comparison_figures.face_pairs_figure(faces, faces, names, dataset=text, scheme=IBUG_68, split="val"),
            sweep_figure(table, table, ["model.name"]),
        ]
        for number, figure in enumerate(drawn):
            style.save(figure, tmp_path / f"{number}.png", 40)
    assert max(map(len, texts(drawn[0]).splitlines())) < 120
    assert "2 labelled val faces" in texts(drawn[1])
    if "$" in text:
        assert f"A: {style.label(text)}" in texts(drawn[0])


def test_a_label_shows_what_the_font_has_and_boxes_for_the_rest() -> None:
    shown = {name: style.label(text) for name, text in HOSTILE_NAMES.items()}
    assert shown["mathematics"] == "a$b$c"
    assert shown["chinese"] == "□□.jpg"
    assert shown["arabic and hebrew"] == HOSTILE_NAMES["arabic and hebrew"]
    assert shown["bytes"] == r"caf\udce9.jpg"
    assert shown["control"] == r"a\x1b[31m\n\t\x00\x9b\u202e\u2028.jpg"
    assert shown["long"] == "W" * 20 + "…" + "W" * 19


def test_a_long_name_leaves_room_for_what_is_said_beside_it() -> None:
    for detail in ("7 faces", "a rather long sentence on what can be seen below, as some of the figures have it"):
        with style.style():
            figure = style.new_figure(3, title="A title", detail=detail, dataset="some_picture_of_mine_" * 10)
        assert figure.texts[-1].get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.parametrize("length", [30, 120, 255])
@pytest.mark.parametrize("detail", ["7 faces", "a sentence on what is seen below, " * 5])
def test_a_heading_wraps_and_nothing_of_it_is_cut(length: int, detail: str) -> None:
    name = "IMG_2026 of me "[: length % 15] + "IMG_2026 of me " * (length // 15)
    with style.style():
        figure = style.new_figure(3, title="A title", detail=detail, dataset=name.strip())
    text = " ".join(" ".join(part.get_text() for part in figure.texts).replace("·", "").split())
    assert text == f"A title {name.strip()} {detail.strip()}"
    extents = [part.get_window_extent() for part in figure.texts]
    assert max(extent.x1 for extent in extents) <= figure.bbox.x1
    assert extents[0].y0 > extents[1].y1
    assert len(figure.texts[2].get_text().splitlines()) == 1 or extents[1].y0 >= extents[2].y1


@pytest.mark.slow
def test_of_a_large_sweep_the_best_settings_are_drawn(tmp_path: Path) -> None:
    """A row for each of thousands would be a picture that cannot be written."""
    rates = [f"{number / 1000:.3f}" for number in range(2000)]
    table = pd.DataFrame({"train.lr": rates, "val_nme_percent": np.linspace(3, 5, 2000)})
    table = table.assign(seeds=1, significant="no")
    with style.style():
        figure = sweep_figure(table, table, ["train.lr"])
        style.save(figure, tmp_path / "sweep.png")
    assert "the best 60 of 2000 settings, 2000 trainings" in texts(figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][:2] == ["lr 0.000", "lr 0.001"]


def test_heading_lines_do_not_overlap() -> None:
    figure = style.new_figure(3, title="A title", detail="7 faces", dataset="synthetic")
    title, name, detail = (text.get_window_extent() for text in figure.texts)
    assert title.y0 > name.y1
    assert name.x1 <= detail.x0 + 1


def test_baseline_of_the_ced_is_measured_on_its_curve() -> None:
    nme = np.linspace(0, 16, 321)
    # Up to an error of 16 % the share rises evenly to all: at 8 % half of the faces, area 8 * 50 / 2 over 8.
    area, failures = curves._area_and_failures(nme, 100 * nme / 16)
    assert area == pytest.approx(25)
    assert failures == pytest.approx(50)


def test_ced_reads_area_and_failures_from_the_metrics() -> None:
    ced = pd.DataFrame({"nme_percent": [0, 8, 16], "model_percent": [0, 75, 100], "mean_shape_percent": [0, 0, 0]})
    drawn = texts(curves.ced_figure(ced, group(4), IBUG_68, dataset="youtube-faces"))
    assert "model: AUC@8% = 40.0 %, failures 25.0 %" in drawn
    assert "75.0 % of the faces" in drawn
    assert "mean shape: AUC@8% = 0.0 %, failures 100.0 %" in drawn


@pytest.mark.parametrize("epochs", [1, 2, 40])
def test_learning_curves_show_validation_only_where_there_is_one(epochs: int) -> None:
    history = pd.DataFrame({"epoch": np.arange(1, epochs + 1), "lr": 0.1, "train_loss": np.linspace(9, 1, epochs)})
    validated = history.assign(val_loss=2.0, val_nme_percent=4.3)
    blind = history.assign(val_loss=np.nan, val_nme_percent=np.nan)
    with_val = curves.learning_curves_figure(
        validated, train_faces=10, val_faces=2, dataset="youtube-faces", scheme=IBUG_68
    )
    without = curves.learning_curves_figure(blind, train_faces=10, val_faces=0, dataset="youtube-faces", scheme=IBUG_68)
    assert len(with_val.axes) == 3
    assert "Validation NME 4.30 % after" in texts(with_val)
    assert len(without.axes) == 2
    assert "alidation" not in texts(without)


def test_a_loss_that_falls_below_0_is_drawn_on_a_linear_scale() -> None:
    """As the negative logarithm of a likelihood may."""
    history = pd.DataFrame({"epoch": [1, 2], "lr": 0.1, "train_loss": [9.0, 2.0], "val_loss": [8.0, -0.5]})
    for last, scale, title in ((-0.5, "linear", "Loss"), (0.5, "log", "Loss, log scale")):
        history.loc[1, "val_loss"] = last
        figure = curves.learning_curves_figure(
            history.assign(val_nme_percent=4.3), train_faces=10, val_faces=2, dataset="mine", scheme=IBUG_68
        )
        assert [axes.get_yscale() for axes in figure.axes] == [scale, "log", "linear"]
        assert [axes.get_title() for axes in figure.axes] == [title, "Validation NME (%), log scale", "Learning rate"]


def test_a_mean_face_and_errors_of_some_points_leave_the_others_out() -> None:
    faces = faces_of(3)
    faces[0, 5] = np.nan
    whole = breakdowns.mean_face(faces[1:], IBUG_68)
    assert breakdowns.mean_face(faces, IBUG_68) == pytest.approx(whole)
    faces[:, 7] = np.nan
    mean = breakdowns.mean_face(faces, IBUG_68)
    assert np.flatnonzero(np.isnan(mean).any(-1)).tolist() == [7]
    errors = np.full((3, IBUG_68.count), 3.0)
    errors[0, 5] = errors[:, 7] = np.nan
    errors[1, 20] = 9.0
    figure = breakdowns.error_by_point_figure(mean, errors, {"jaw": 3.0}, IBUG_68, dataset="mine")
    with style.style():
        assert style.png(figure).startswith(b"\x89PNG")
    told = texts(figure).splitlines()
    assert "20" in told
    assert "7" not in told
    assert "Mean error of the 68 points: 3.0 %" in told


def test_mean_face_is_free_of_place_and_size() -> None:
    face = faces_of(1)
    alone = breakdowns.mean_face(face, IBUG_68)
    assert breakdowns.mean_face(np.concatenate([face, 3 * face + 100]), IBUG_68) == pytest.approx(alone, abs=1e-5)
    assert np.linalg.norm(np.subtract(*alone[[36, 45]])) == pytest.approx(1)


def test_worst_points_carry_their_numbers() -> None:
    errors = np.full((3, IBUG_68.count), 2.0)
    worst = [8, 30, 57, 60, 66]
    errors[:, worst] = 20
    mean_face = breakdowns.mean_face(faces_of(3), IBUG_68)
    figure = breakdowns.error_by_point_figure(mean_face, errors, {"jaw": 3.0}, IBUG_68, dataset="youtube-faces")
    numbers = {text.get_text() for text in figure.axes[0].texts if text.get_text().isdigit()}
    assert numbers == {str(point) for point in worst}


def test_size_bins_hold_each_face_once_and_no_bin_is_empty() -> None:
    nme = np.arange(6.0)
    bins = breakdowns.by_size(nme, np.array([19.9, 20, 29, 45, 90, 500]))
    assert {label: errors.tolist() for label, errors in bins.items()} == {
        "< 20": [0],
        "20 to 30": [1, 2],
        "40 to 60": [3],
        "≥ 90": [4, 5],
    }


def test_groups_without_faces_are_left_out() -> None:
    report = measured(test_known_people=group(6), test_unseen_people=group(0))
    nme, size_px = np.full(6, 5.0), np.full(6, 25.0)
    figure = breakdowns.error_by_group_figure(report, nme, size_px, IBUG_68, dataset="youtube-faces")
    assert "unseen" not in texts(figure)
    assert "Mean error: known people 5.00 %" in texts(figure)


TOLD = pd.DataFrame(
    [("test", "share", 50, 45), ("test", "share", 90, 88), ("test", "radius", 1, 2), ("test", "radius", 4, 3)],
    columns=["split", "measure", "told_percent", "found_percent"],
)
"""What one network tells of its certainty, and what is found."""
KNOWING = measured(test=group(6, coverage_50_percent=45.0, coverage_90_percent=88.0))


def test_what_is_found_of_radii_is_drawn_against_what_is_told() -> None:
    both = pd.concat([TOLD, TOLD.assign(split="val", found_percent=TOLD["told_percent"])])
    figure = reliability_figure(both, KNOWING, IBUG_68, dataset="youtube-faces")
    shares, radii = figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in shares.lines}
    assert drawn == {"as told": [[0, 0], [100, 100]], "val": [[50, 50], [90, 90]], "test": [[50, 45], [90, 88]]}
    assert {line.get_label(): line.get_xydata().tolist() for line in radii.lines}["test"] == [[1, 2], [4, 3]]
    assert radii.get_xlim() == radii.get_ylim() == pytest.approx((0, 4.2))
    assert "On the test, radii for 50 % and 90 % of the true points hold 45.0 % and 88.0 %" in texts(figure)
    alone = reliability_figure(TOLD, replace(KNOWING, val=group(0)), IBUG_68, dataset="youtube-faces")
    assert "val" not in texts(alone)


def test_of_a_network_that_tells_no_radii_the_figure_says_so() -> None:
    figure = reliability_figure(TOLD[:0], measured(), IBUG_68, dataset="youtube-faces")
    assert not figure.axes
    assert "does not tell how certain" in texts(figure)


def test_the_card_tells_how_many_points_lie_inside_the_radii_of_a_network_that_tells_them(workspace: Path) -> None:
    write_inputs()
    samples, sizes = read_samples(paths.SAMPLES), {"20 to 30": np.array([5.0])}
    told, untold = (
        model_card(report, read_json(paths.DATASET), IBUG_68, samples, settings={}, sizes=sizes)
        for report in (KNOWING, measured())
    )
    assert "| test | 45.0 % | 88.0 % |" in told
    assert "and 1.84 times that radius in nine of ten" in told
    assert "radius" not in untold


def test_rows_are_the_best_the_median_and_the_worst() -> None:
    nme = np.array([5, 1, 9, 3, 7, 2, 8, 4, 6])
    rows = grids.choose_faces(nme, per_row=3, random_rows=2, seed=0)
    shown = [(label, nme[indices].tolist()) for label, indices in rows]
    assert shown[:3] == [("best", [1, 2, 3]), ("median", [4, 5, 6]), ("worst", [9, 8, 7])]
    drawn = np.concatenate([indices for label, indices in rows if label == "random"])
    assert len(drawn) == len(set(drawn)) == 6


def test_random_faces_follow_the_seed() -> None:
    nme = np.linspace(0, 1, 50)
    first, again, other = (
        grids.choose_faces(nme, per_row=6, random_rows=1, seed=seed)[-1][1].tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_few_faces_are_in_one_of_the_first_rows_only() -> None:
    rows = grids.choose_faces(np.linspace(0, 1, 5), per_row=6, random_rows=2, seed=0)
    assert [len(indices) for _, indices in rows] == [1, 1, 1, 5]


def test_window_holds_the_points_and_stays_on_the_image() -> None:
    left, top, size = grids.face_window(np.array([[40.0, 50], [60, 60]]), 224)
    assert (left, top, size) == pytest.approx((37.6, 42.6, 24.8))
    assert grids.face_window(np.array([[-30.0, 0], [10, 5]]), 224)[:2] == (-0.5, -0.5)
    assert grids.face_window(np.array([[-500.0, 0], [700, 5]]), 224) == (-0.5, -0.5, 224)


def test_truth_and_prediction_are_drawn_on_their_own_pixels() -> None:
    points = faces_of(1)
    images = np.zeros((1, SIDE, SIDE), np.uint8)
    faces = grids.Faces(images, points, points + 2, np.array([10.0]), np.array([False]))
    figure = grids.faces_figure(faces, [("best", np.array([0]))], dataset="youtube-faces")
    axes = figure.axes[0]
    by_color = {line.get_color(): line.get_xydata() for line in axes.lines if line.get_marker() == "."}
    assert np.array_equal(by_color[style.PALETTE["truth"]], points[0])
    assert np.array_equal(by_color[style.PALETTE["prediction"]], points[0] + 2)
    # The centre of the first pixel is (0, 0).
    assert axes.images[0].get_extent() == pytest.approx((-0.5, SIDE - 0.5, SIDE - 0.5, -0.5))
    assert "unseen" in axes.get_xlabel()


def test_first_layer_is_what_the_first_convolution_computes() -> None:
    network, image = FirstThenShape(), np.arange(SIDE * SIDE, dtype=np.uint32).reshape(SIDE, SIDE).astype(np.uint8)
    layer = grids.first_layer(network, image)
    assert layer.seen == pytest.approx(image / 255, abs=1e-6)
    assert np.array_equal(layer.kernels, network.first.weight.detach()[:, 0])
    channel = int(layer.responses[:, 10, 20].argmin())
    by_hand = (layer.kernels[channel] * layer.seen[10:13, 20:23]).sum() + float(network.first.bias.detach()[channel])
    assert by_hand < 0  # seen before the activation, which works in place
    assert layer.responses[channel, 10, 20] == pytest.approx(by_hand, abs=1e-5)
    assert not network.first._forward_hooks


@pytest.mark.parametrize("name", ["coarse_to_fine", "udacity_5conv"])
@pytest.mark.slow
def test_first_layer_of_each_network_can_be_drawn(tmp_path: Path, name: str) -> None:
    section = {**asdict(load_params().model), "name": name}
    network = build_network(
        section, side=224, mean_shape=torch.randn(IBUG_68.count, 2) * 30 + 112, flip_index=IBUG_68.flip_index
    )
    layer = grids.first_layer(network.eval(), np.zeros((224, 224), np.uint8))
    figure = grids.first_layer_figure(layer, dataset="youtube-faces", scheme=IBUG_68)
    assert f"{len(layer.kernels)} kernels" in texts(figure)
    figure.savefig(tmp_path / "first_layer.png", dpi=20)

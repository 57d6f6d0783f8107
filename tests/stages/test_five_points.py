"""A dataset whose faces have five points goes through every stage as one of 68 does."""

import csv
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from facial_keypoints.core.errors import ConfigError, DataError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import KeypointDetector
from facial_keypoints.finding.windows import FACE_CENTRE, FACE_FRAC
from facial_keypoints.prediction.tracks import KnownFaces
from pipeline.cli import app
from pipeline.core import paths
from pipeline.core.labels import LABELS, read_keypoints_csv, write_keypoints_csv
from pipeline.core.settings import Preprocess, Split
from pipeline.experiments.params import load_params
from pipeline.experiments.tracking import mlflow_store
from pipeline.export.formats import describe_export
from pipeline.models import build_network
from pipeline.models.model_file import open_model_file, save_model
from pipeline.stages import evaluate, preprocess, pretrain, render, split, track, train
from pipeline.training.initial_weights import write_weights
from tests.architecture import ROOT
from tests.core.test_scheme import FIVE
from tests.dataset import face_points, write_frame, write_raw

PARAMS = load_params(ROOT / "params.yaml")
SQUARES = Preprocess(size_px=64, fit="pad")
COURSE = replace(PARAMS.model, name="naimishnet")
SECTIONS: dict[str, Any] = {
    "split": Split(val_people_frac=0.25, drop_test_copies=False, seed=0),
    "preprocess": SQUARES,
    "model": COURSE,
    "augment": PARAMS.augment,
    "train": replace(PARAMS.train, epochs=1, batch_size=4),
    "evaluate": replace(PARAMS.evaluate, bootstrap_samples=10),
    "render": PARAMS.render,
    "pretrain": PARAMS.pretrain,
    "fetch": PARAMS.fetch,
}


@pytest.fixture
def five(workspace: Path) -> Path:
    """A workspace with raw frames of five points each, as fetch leaves them; some points are hidden, some missing."""
    write_raw(workspace / "data" / "raw", scheme=FIVE)
    for table in LABELS.values():
        names, points = read_keypoints_csv(paths.RAW / table)
        points[1, 2:4] = points[2:, 4] = np.nan
        flags = np.where(np.isnan(points).any(-1), 0, 2)
        flags[0, 0] = 1
        write_keypoints_csv(paths.RAW / table, names, points, flags)
    known = {"dataset": "five", "revision": "1", "files": 1, "sha256": "0" * 64}
    paths.DATASET.write_text(json.dumps(known))
    write_weights(paths.PRETRAINED, {})
    return workspace


def run(stage: str) -> None:
    module = {"split": split, "preprocess": preprocess, "train": train, "evaluate": evaluate, "render": render}[stage]
    names = module.run.__kwdefaults__ or module.run.__annotations__
    module.run(**{name: SECTIONS[name] for name in names if name != "return"})


@pytest.mark.long
def test_five_points_go_through_all_stages(five: Path, empty_store: Path) -> None:
    shutil.copy(empty_store, "mlflow.db")
    for stage in ("split", "preprocess", "train", "evaluate", "render"):
        run(stage)
    track.run(**SECTIONS)
    assert np.load(paths.PROCESSED / "train" / "keypoints.npy").shape[1:] == (5, 2)
    description, _ = open_model_file(paths.MODEL)
    assert description.scheme == FIVE
    with paths.TEST_PREDICTIONS.open() as table:
        assert next(csv.reader(table)) == ["", *map(str, range(10))]
    measured = json.loads(paths.METRICS.read_text())
    assert set(measured["test_regions_nme_percent"]) == set(FIVE.regions)
    assert (measured["test"]["faces"], measured["test"]["nme_hidden_points_percent"] > 0) == (4, True)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths.FIGURES)
    card = paths.MODEL_CARD.read_text()
    assert FIVE.title in card
    assert "points that are seen have" in card
    assert "the search that comes along is for faces, and for models of the 68 points of iBUG alone" in card
    store = mlflow_store.open_store()
    (latest,) = store.client.search_runs([store.experiment_id], "attributes.status = 'FINISHED'")
    assert latest.data.metrics


def test_a_model_of_other_points_than_the_dataset_is_refused(five: Path) -> None:
    for stage in ("split", "preprocess"):
        run(stage)
    model = asdict(COURSE)
    network = build_network(model, side=64, mean_shape=torch.rand(68, 2) * 64, flip_index=IBUG_68.flip_index)
    paths.MODEL.parent.mkdir(parents=True)
    save_model(paths.MODEL, network, {"model": model, "preprocess": asdict(SQUARES)})
    with pytest.raises(DataError, match="has 68 points of the iBUG 300-W scheme and the dataset 5 points; train again"):
        run("evaluate")


def test_synthetic_faces_have_68_points(five: Path) -> None:
    sections = {name: SECTIONS[name] for name in ("preprocess", "model", "augment", "train")}
    with pytest.raises(ConfigError, match="synthetic faces have 68 points of the iBUG 300-W scheme, not 5 points"):
        pretrain.run(**sections, pretrain=replace(PARAMS.pretrain, epochs=1))


def test_labels_of_another_number_of_points_are_refused(five: Path) -> None:
    run("split")
    (five / "data/scheme.json").write_text(
        json.dumps(replace(FIVE, count=6, regions={"all": tuple(range(6))}).as_data())
    )
    with pytest.raises(DataError, match="line 1: the header should be an empty name and the columns 0 to 11"):
        run("preprocess")


def test_the_points_of_a_frame_are_those_of_its_label(five: Path) -> None:
    run("split")
    run("preprocess")
    crops = np.load(paths.PROCESSED / "train" / "keypoints.npy")
    matrices = np.load(paths.PROCESSED / "train" / "crop_from_source.npy")
    expected = face_points(90, 110, 5) @ matrices[0, :2, :2].T + matrices[0, :2, 2]
    np.testing.assert_allclose(crops[0], expected, atol=1e-3)


@pytest.fixture
def five_point_model(tmp_path: Path) -> Path:
    """A model file of a new network of five points."""
    network = build_network(asdict(COURSE), side=64, mean_shape=torch.rand(5, 2) * 64, flip_index=FIVE.flip_index)
    described = {"model": asdict(COURSE), "preprocess": asdict(SQUARES)}
    save_model(tmp_path / "five.safetensors", network, described, FIVE)
    return tmp_path / "five.safetensors"


def test_a_model_of_five_points_predicts_on_whole_pictures(five_point_model: Path, workspace: Path) -> None:
    write_frame(workspace / "me.jpg")
    done = CliRunner().invoke(
        app, ["predict", "me.jpg", "--model", str(five_point_model), "--whole", "--format", "csv"]
    )
    assert done.exit_code == 0, done.output
    header, row = (workspace / "predicted/me.csv").read_text().splitlines()
    assert header.endswith("roll_deg,x0,y0,x1,y1,x2,y2,x3,y3,x4,y4")
    assert len(row.split(",")) == len(header.split(","))
    assert (workspace / "predicted/me.jpg").exists()


def test_a_model_of_other_points_predicts_in_boxes_as_in_whole_pictures(five_point_model: Path) -> None:
    """Whose frame is the window of the box: nothing is framed again, nothing mirrored."""
    detector = KeypointDetector.load(five_point_model, detector="haar")
    picture = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    side = FACE_FRAC * 64
    left, top = np.array(FACE_CENTRE) * 64 - side / 2 - 0.5
    (face,) = detector(picture, np.array([[left, top, side, side]]))
    assert face.keypoints == pytest.approx(detector.whole(picture).keypoints, abs=1e-3)
    assert (face.scheme, face.rotation_deg) == (FIVE, None)


def test_videos_of_other_points_are_predicted_in_boxes(five_point_model: Path, workspace: Path) -> None:
    frames = [np.full((64, 64, 3), 100 + shade, np.uint8) for shade in range(2)]
    detector = KeypointDetector.load(five_point_model, detector="haar")
    known = KnownFaces(lambda image: detector(image, np.array([[10, 10, 30, 30]])), smooth=True)
    assert [known(frame, second / 25)[1].scheme for second, frame in enumerate(frames)] == [FIVE, FIVE]


def test_a_model_of_another_thing_calls_it_by_its_name(tmp_path: Path, workspace: Path) -> None:
    paw = replace(FIVE, thing="paw", title="5 points of a paw")
    network = build_network(asdict(COURSE), side=64, mean_shape=torch.rand(5, 2) * 64, flip_index=paw.flip_index)
    save_model(tmp_path / "paw.safetensors", network, {"model": asdict(COURSE), "preprocess": asdict(SQUARES)}, paw)
    write_frame(workspace / "me.jpg")
    command = ["predict", "me.jpg", "--model", str(tmp_path / "paw.safetensors"), "--format", "coco"]
    done = CliRunner().invoke(app, [*command, "--box", "20,20,50,60", "--box", "30,30,40,40"])
    assert done.exit_code == 0, done.output
    assert "2 paws in 1 picture" in done.output
    written = json.loads((workspace / "predicted/keypoints.coco.json").read_text())
    assert written["categories"][0]["name"] == "paw"
    assert written["info"]["convention"] == "dataset"
    assert [len(found["keypoints"]) for found in written["annotations"]] == [15, 15]
    done = CliRunner().invoke(app, command)
    assert (
        "say where each paw is with --box (boxes in Python), or give pictures of one each with --whole" in done.stderr
    )


@pytest.mark.parametrize("command", [["predict"], ["inspect"]])
def test_faces_of_five_points_are_not_searched(five_point_model: Path, workspace: Path, command: list[str]) -> None:
    write_frame(workspace / "me.jpg")
    done = CliRunner().invoke(app, [*command, "me.jpg", "--model", str(five_point_model)])
    assert done.exit_code == 1
    assert (
        "faces are searched for models of 68 points of the iBUG 300-W scheme, and this one has 5 points" in done.stderr
    )
    assert done.stderr.count("\n") == 1


def test_filters_say_which_points_they_need(five_point_model: Path, workspace: Path) -> None:
    write_frame(workspace / "me.jpg")
    done = CliRunner().invoke(app, ["filter", "--name", "hat", "me.jpg", "--model", str(five_point_model)])
    assert done.exit_code == 1
    needed = "error: --name hat needs 68 points of the iBUG 300-W scheme, and this model has 5 points; choose another"
    assert done.stderr == f"{needed} with --model\n"


def test_the_exported_model_names_its_points(five_point_model: Path) -> None:
    told = describe_export(five_point_model)
    assert told["points"].startswith("5 points, counted from 0")
    assert told["points"].endswith("eyes 0-1, nose 2, mouth 3-4")
    assert told["output"].startswith("keypoints: float32 (batch, 5, 2)")

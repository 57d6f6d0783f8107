"""A dataset whose faces have five points goes through every stage as one of 68 does."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facial_keypoints.core.errors import ConfigError, DataError
from pipeline.core import paths
from pipeline.core.settings import Preprocess, Split
from pipeline.experiments.params import load_params
from pipeline.experiments.tracking import mlflow_store
from pipeline.models.model_file import open_model_file
from pipeline.stages import evaluate, preprocess, pretrain, render, split, track, train
from pipeline.training.initial_weights import write_weights
from tests.architecture import ROOT
from tests.core.test_scheme import FIVE
from tests.dataset import face_points, write_raw

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
    """A workspace with raw frames of five points each, as fetch leaves them."""
    write_raw(workspace / "data" / "raw", scheme=FIVE)
    known = {"dataset": "five", "revision": "1", "files": 1, "sha256": "0" * 64}
    paths.DATASET.write_text(json.dumps(known))
    write_weights(paths.PRETRAINED, {})
    return workspace


def run(stage: str) -> None:
    module = {"split": split, "preprocess": preprocess, "train": train, "evaluate": evaluate, "render": render}[stage]
    names = module.run.__kwdefaults__ or module.run.__annotations__
    module.run(**{name: SECTIONS[name] for name in names if name != "return"})


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
    assert set(json.loads(paths.METRICS.read_text())["test_regions_nme_percent"]) == set(FIVE.regions)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths.FIGURES)
    assert FIVE.title in paths.MODEL_CARD.read_text()
    store = mlflow_store.open_store()
    (latest,) = store.client.search_runs([store.experiment_id], "attributes.status = 'FINISHED'")
    assert latest.data.metrics


def test_a_model_of_other_points_than_the_dataset_is_refused(five: Path) -> None:
    for stage in ("split", "preprocess"):
        run(stage)
    shutil.copyfile(ROOT / paths.MODEL, paths.MODEL) if (ROOT / paths.MODEL).exists() else pytest.skip("no model")
    with pytest.raises(DataError, match="5 points"):
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

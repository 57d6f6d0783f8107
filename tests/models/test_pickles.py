"""No pickle is loaded, wherever one is planted; one in place of a checkpoint: test_resume.py."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_model_weights
from typer.testing import CliRunner

from facial_keypoints.core.errors import DataError, ModelError
from pipeline.cli import app
from pipeline.core import paths
from pipeline.core.arrays import load_arrays
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.model_location import open_model
from pipeline.models.backbone import Backbone
from pipeline.models.model_file import load_model
from tests.architecture import PACKAGES, ROOT, imported_modules
from tests.dataset import write_frame
from tests.payload import MARK, PLANTS, plant_torch_archive, plant_torch_legacy

plants = pytest.mark.parametrize("plant", PLANTS)


def payload_ran(folder: Path) -> bool:
    return any(folder.rglob(MARK))


@plants
def test_what_is_planted_works(tmp_path, plant):
    """A payload that cannot run would prove nothing."""
    plant(tmp_path / "file")
    with (tmp_path / "file").open("rb") as file:
        if plant in {plant_torch_archive, plant_torch_legacy}:
            torch.load(file, weights_only=False)
        else:
            np.load(file, allow_pickle=True)  # takes a bare pickle too
    assert payload_ran(tmp_path)


@plants
def test_as_weights(workspace, plant):
    path = workspace / paths.MODEL
    path.parent.mkdir(parents=True)
    plant(path)
    for load in (load_model, open_model):
        with pytest.raises(ModelError):
            load(path)
    write_frame(workspace / "picture.png", seed=0)
    for command in ("predict picture.png", "inspect picture.png", "export --format pt2 --output model.pt2"):
        result = CliRunner().invoke(app, [*command.split(), "--model", str(path)])
        assert result.exit_code == 1, result.output
        assert result.stderr.startswith(f"error: {path} is damaged or no model")
    assert not payload_ran(workspace)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # NumPy refuses with the file left open
@plants
@pytest.mark.parametrize("name", ["images.npy", "keypoints.npy", "crop_from_source.npy", "samples.csv"])
@pytest.mark.slow
def test_as_prepared_arrays(raw, plant, name):
    (paths.workspace_root() / paths.PARAMS).write_text((ROOT / "params.yaml").read_text())
    for stage in ("split", "preprocess"):
        assert CliRunner().invoke(app, [stage]).exit_code == 0
    plant(paths.PROCESSED / "train" / name)
    with pytest.raises(DataError):
        load_arrays(paths.PROCESSED / "train")
    result = CliRunner().invoke(app, ["train"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert not payload_ran(raw.parents[1])


@plants
def test_as_pretrained_weights_in_the_cache(tmp_path, monkeypatch, plant):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / get_model_weights("mobilenet_v3_small").DEFAULT.url.rpartition("/")[2]
    cached.parent.mkdir(parents=True)
    plant(cached)
    with pytest.raises(ValueError, match=r"^its pretrained weights cannot be had from https://\S*mobilenet_v3_small"):
        Backbone("mobilenet_v3_small", torch.rand(68, 2)).load_pretrained()
    assert not payload_ran(tmp_path)


@plants
@pytest.mark.parametrize("name", ["model.safetensors", "python_model.pkl", "data/model.pth"])
@pytest.mark.slow
def test_in_a_model_of_mlflow(workspace, stored, plant, name):
    model = workspace / "downloaded" / "model"
    (model / name).parent.mkdir(parents=True)
    plant(model / name)
    (model / "MLmodel").write_text(json.dumps({"flavors": {"pytorch": {"model_data": "data"}}}))
    store = mlflow_store.open_store()
    run = store.client.create_run(store.experiment_id)
    store.client.log_artifacts(run.info.run_id, str(model), "model")
    with pytest.raises(ModelError):
        open_model(f"runs:/{run.info.run_id}/model")
    assert not payload_ran(workspace)


def test_the_code_has_no_reader_of_pickles():
    readers = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    for path in [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]:
        found = {name for name in imported_modules(path) if name.split(".")[0] in readers}
        assert found <= {"pickle", "pickle.UnpicklingError"}, path  # the error that refusing one raises
        source = path.read_text(encoding="utf-8")
        assert source.count("np.load(") == source.count("allow_pickle=False"), path
        assert "torch.load(" not in source, path

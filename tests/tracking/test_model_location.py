import os

import pytest

from facial_keypoints.core.errors import ModelError
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.model_location import locate_model, locate_weights


def test_a_model_of_a_run_is_brought_from_mlflow(stored, tmp_path):
    (stored / "model.safetensors").write_bytes(b"weights")
    store = mlflow_store.open_store()
    run = store.client.create_run(store.experiment_id)
    store.client.log_artifact(run.info.run_id, str(stored / "model.safetensors"), "model/artifacts")
    brought = locate_model(f"runs:/{run.info.run_id}/model", tmp_path / "here")
    assert brought.read_bytes() == b"weights"
    assert tmp_path / "here" in brought.parents
    assert "MLFLOW_TRACKING_URI" not in os.environ  # a program that asks for a model may have a store of its own


def test_a_run_that_is_not_there_is_one_line(stored, tmp_path):
    mlflow_store.open_store()
    with pytest.raises(ModelError, match=r"cannot be had from MLflow .* keypoints runs"):
        locate_model("runs:/0123456789abcdef0123456789abcdef/model", tmp_path)


def test_an_address_that_is_not_of_the_store_does_not_blame_it(stored, tmp_path):
    with pytest.raises(ModelError, match=r"^http://127\.0\.0\.1:9/y\.onnx cannot be fetched \(.*; fetch it, and name"):
        locate_model("http://127.0.0.1:9/y.onnx", tmp_path)


def test_the_exported_network_of_a_run_predicts_and_its_weights_are_looked_into(stored, tmp_path):
    store = mlflow_store.open_store()
    run = store.client.create_run(store.experiment_id)
    for name in ("model.safetensors", "keypoints.onnx"):
        (stored / name).touch()
        store.client.log_artifact(run.info.run_id, str(stored / name), "model/artifacts")
    uri = f"runs:/{run.info.run_id}/model"
    assert locate_model(uri, tmp_path / "a").name == "keypoints.onnx"
    assert locate_weights(uri, tmp_path / "b").name == "model.safetensors"


def test_a_run_from_before_the_estimates_were_exported_predicts_by_its_weights(stored, tmp_path):
    store = mlflow_store.open_store()
    run = store.client.create_run(store.experiment_id)
    for name in ("model.safetensors", "model.onnx"):
        (stored / name).touch()
        store.client.log_artifact(run.info.run_id, str(stored / name), "model/artifacts")
    assert locate_model(f"runs:/{run.info.run_id}/model", tmp_path / "here").name == "model.safetensors"


def test_the_model_of_the_workspace_is_the_default_where_there_is_one(workspace):
    own = workspace / "data/model/model.safetensors"
    assert (locate_model(None, workspace), locate_weights(None, workspace)) == (None, own)
    own.parent.mkdir(parents=True)
    own.touch()
    assert locate_model(None, workspace) == own

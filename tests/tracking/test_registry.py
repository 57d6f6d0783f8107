"""The registry's champion changes hands only for a model that is better beyond chance."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import LoggedModelOutput
from typer.testing import CliRunner

from facial_keypoints import KeypointDetector
from pipeline.cli import app
from pipeline.core import paths
from pipeline.experiments.tracking import mlflow_store, registry
from pipeline.experiments.tracking.store_location import store_uri
from tests.experiments.test_comparison import nme
from tests.tracking.test_tracking import run_track, workspace, write_outputs  # noqa: F401 (fixtures)


def record(shift: float, rows: slice = slice(None), split: str = "val") -> None:
    """A finished run in MLflow whose faces, those of `split`, err by `shift` points of a percent more than at 0."""
    write_outputs(4 + shift)
    values = nme(shift)[rows]
    table = pd.DataFrame({"sample_id": values.index, "split": split, "nme_percent": values.to_numpy(), "known": True})
    table.to_csv(paths.PER_FRAME, index=False)
    run_track()


def register(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["register", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def newest() -> str:
    store = mlflow_store.open_store()
    return str(store.client.search_runs([store.experiment_id], max_results=1)[0].info.run_id)


@pytest.mark.long
def test_the_alias_goes_to_the_first_then_only_to_a_better_model(workspace: Path) -> None:  # noqa: F811
    record(0.0)
    first = newest()
    assert "version 1 (coarse_to_fine val 4.00 %) is the first champion" in register(first)
    assert "version 1 (coarse_to_fine val 4.00 %) is the champion already" in register(first)
    record(0.2)
    told = register(newest())
    assert "version 2" in told
    assert "does not become champion: NME on val +0.20 points, 95 % interval +0.20 to +0.20, against version 1" in told
    assert registry.champion() == registry.Version("1", first)
    record(-0.2)
    assert "version 3 (coarse_to_fine val 3.80 %) is the new champion: NME on val -0.20 points" in register(
        "coarse_to_fine val 3.80 %"
    )
    assert registry.champion() == registry.Version("3", newest())


@pytest.mark.long
def test_a_model_that_was_interrupted_is_not_the_one_registered(workspace: Path) -> None:  # noqa: F811
    record(0.0)
    store, run = mlflow_store.open_store(), newest()
    for _ in range(5):  # MLflow lists them in no order
        begun = store.client.create_logged_model(store.experiment_id, "model", source_run_id=run)
        store.client.log_outputs(run, [LoggedModelOutput(begun.model_id, step=0)])
        store.client.delete_logged_model(begun.model_id)
    assert "is the first champion" in register(run)


def test_without_a_name_the_model_of_the_workspace_is_registered(workspace: Path) -> None:  # noqa: F811
    record(0.0)
    assert "is the first champion" in register()


@pytest.mark.long
def test_a_run_is_registered_and_its_model_had_from_a_folder_within_the_workspace(
    workspace: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record(0.0)
    here = workspace / "photos"
    here.mkdir()
    monkeypatch.chdir(here)
    assert "is the first champion" in register(newest())
    for model in (f"runs:/{newest()}/model", f"models:/{registry.REGISTERED}@{registry.CHAMPION}"):
        KeypointDetector.load(model)
    assert list(here.iterdir()) == []


def test_a_run_that_is_not_there_is_one_line(workspace: Path) -> None:  # noqa: F811
    done = CliRunner().invoke(app, ["register", "nobody's"])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "no finished run of MLflow is called nobody's; see them with: keypoints runs" in done.stderr
    assert "no run of MLflow has the model data/model/model.safetensors" in CliRunner().invoke(app, ["register"]).stderr


@pytest.mark.long
def test_models_measured_on_other_frames_do_not_compete(workspace: Path) -> None:  # noqa: F811
    record(0.0, slice(0, 18))
    register()
    record(-1, slice(18, None))
    done = CliRunner().invoke(app, ["register", newest()])
    assert done.exit_code == 0
    assert "does not become champion: version 1, which is, was measured on other frames" in done.stdout


PICTURES = [np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8) for size in ((301, 199), (64, 91))]
CHAMPION = """
import sys, mlflow, numpy as np
model = mlflow.pyfunc.load_model("models:/facial-keypoints@champion")
for path in sys.argv[1:]:
    np.save(path, model.predict(np.load(path)[None]))
"""


@pytest.mark.long
def test_the_champion_answers_pictures_of_any_size_as_predict_whole(workspace: Path) -> None:  # noqa: F811
    record(0.0)
    register()
    environment = os.environ | {"MLFLOW_TRACKING_URI": store_uri(), "PYTHONWARNINGS": "ignore"}
    files = [workspace / f"{index}.npy" for index, _ in enumerate(PICTURES)]
    for path, picture in zip(files, PICTURES, strict=True):
        np.save(path, picture)
    command = [sys.executable, "-P", "-c", CHAMPION, *map(str, files)]
    subprocess.run(command, cwd=workspace, env=environment, check=True, capture_output=True)
    detector = KeypointDetector.load(paths.MODEL)
    for path, picture in zip(files, PICTURES, strict=True):
        np.testing.assert_allclose(np.load(path)[0], detector.whole(picture).keypoints, atol=0.01)


@pytest.mark.long
def test_two_runs_of_mlflow_compare_by_name(workspace: Path) -> None:  # noqa: F811
    record(0.0)
    record(-0.2)
    done = CliRunner().invoke(app, ["compare", "coarse_to_fine val 4.00 %", newest()], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    names = done.stdout.splitlines()[0].strip().split("  ")
    assert names == ["A: coarse_to_fine val 4.00 %", "B: coarse_to_fine val 3.80 %"]
    assert "over 36 faces of 12 people: B is better" in done.output


def test_a_run_of_a_shared_store_may_be_called_anything(workspace: Path) -> None:  # noqa: F811
    """Its name comes from whoever made it; on a terminal it is text, never a command."""
    record(0.0)
    store, first = mlflow_store.open_store(), newest()
    store.client.update_run(first, name="\x1b[2J\nbest")
    told = register(first)
    assert r"version 1 (\x1b[2J\nbest) is the first champion" in told
    assert "\x1b" not in told


def test_names_that_no_run_can_have_are_looked_for_in_vain(workspace: Path) -> None:  # noqa: F811
    for name in ("caf\udce9", "a' or '1'='1", 'a"b`c%d\\e', "\x1b[2J", "x" * 5000):
        done = CliRunner().invoke(app, ["register", name])
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
        assert "no finished run of MLflow is called" in done.stderr
        assert "\x1b" not in done.stderr

"""The address of MLflow's store, from whatever MLFLOW_TRACKING_URI says and in folders of whatever name."""

import os
import re
import shlex
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from facial_keypoints.core.errors import ModelError, TrackingError
from pipeline.experiments.tracking import mlflow_store, ui
from pipeline.experiments.tracking.live_run import training_run
from pipeline.experiments.tracking.model_location import locate_model
from pipeline.experiments.tracking.store_location import store_for_shell, store_location, store_uri

NAMES = [
    "my work",
    "p%20q",
    "100%",
    "a?b=c&d",
    "a#b",
    "it's",
    'say "so"',
    "ünï 日本",
    "a\\b",
    "new\nline",
    "a;b, [c] {d}",
    "12:30 :x",
    "me@home",
    "+$~!",
]
"""Folder names that mean something in addresses, in SQL or in shells."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, empty_store: Path) -> Path:
    """A workspace of that name with a fresh store, alone in its folder."""
    folder = tmp_path / "alone" / request.param
    (folder / ".dvc").mkdir(parents=True)
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.chdir(folder / ".dvc")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("root", NAMES, indirect=True)
def test_a_workspace_of_any_name_keeps_and_gives_back_files(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = mlflow_store.open_store()
    run = store.client.create_run(store.experiment_id).info.run_id
    model = store.client.create_logged_model(store.experiment_id, "model", source_run_id=run).model_id
    weights = tmp_path / "given" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    store.client.log_artifact(run, str(weights), "other/artifacts")
    store.client.log_model_artifacts(model, str(weights.parent))
    for number, place in enumerate([f"runs:/{run}/other", f"runs:/{run}/model", f"models:/{model}"]):
        assert locate_model(place, tmp_path / str(number)).read_bytes() == b"weights"
    served: dict[str, str] = {}
    monkeypatch.setattr(ui, "_run_server", lambda uri, files, port: served.update(uri=uri, files=files))
    ui.serve(59999)
    assert make_url(served["uri"]).database == str(root / "mlflow.db")
    assert served["files"] == (root / "mlartifacts").as_uri()
    assert [path.name for path in root.parent.iterdir()] == [root.name]
    assert {path.name for path in root.iterdir()} == {".dvc", "mlartifacts", "mlflow.db", "mlflow.db.lock"}
    assert not list((root / ".dvc").iterdir())


@pytest.mark.slow
def test_a_store_is_made_in_a_folder_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "alone" / 'it\'s "p%20q" a?b#c :x\\\nü'
    (folder / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client = mlflow_store.open_store().client
    assert {experiment.artifact_location for experiment in client.search_experiments()} == {
        (folder / "mlartifacts").as_uri(),
        (folder / "mlartifacts" / "0").as_uri(),
    }
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert {path.name for path in folder.iterdir()} <= {".dvc", "mlflow.db", "mlflow.db.lock"}


def test_a_folder_whose_name_mlflow_cannot_take_is_named_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    with pytest.raises(TrackingError, match=r"caf.* is not UTF-8.*rename that folder.*MLFLOW_TRACKING_URI"):
        mlflow_store.open_store()
    assert list(folder.iterdir()) == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere.db")
    assert store_location().database == tmp_path / "elsewhere.db"


@pytest.mark.parametrize(
    ("named", "database"),
    [
        ("sqlite:///runs.db", "runs.db"),
        ("sqlite:///./runs.db", "runs.db"),
        ("sqlite:///kept/runs.db", "kept/runs.db"),
        ("sqlite:///../runs.db", "../runs.db"),
        ("sqlite:///my%20runs%2525.db", "my runs%25.db"),
        ("sqlite+pysqlite:///runs.db", "runs.db"),
        ("sqlite:///runs.db?timeout=30", "runs.db"),
        ("sqlite:///file:runs%2525.db?uri=true&mode=rwc", "runs%.db"),
        (" sqlite:///runs.db\n", "runs.db"),
        ("", "mlflow.db"),
        ("  ", "mlflow.db"),
    ],
)
def test_a_relative_database_lies_in_the_main_workspace_and_its_files_beside_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, named: str, database: str
) -> None:
    temporary = workspace / ".dvc/tmp/exps/one"
    temporary.mkdir(parents=True)
    monkeypatch.chdir(temporary)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    store = store_location()
    assert store.database == (workspace / database).resolve()
    assert store.artifacts == store.database.parent / "mlartifacts"
    assert make_url(store.uri).query == {**make_url(named.strip() or "sqlite://").query}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert store_location() == store


@pytest.mark.parametrize("named", ["sqlite:///runs.db", "sqlite:///file:kept/runs.db?uri=true&mode=rw"])
@pytest.mark.slow
def test_a_run_of_a_temporary_experiment_is_in_the_relative_database_of_the_workspace(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    temporary = workspace / ".dvc/tmp/exps/one"
    temporary.mkdir(parents=True)
    monkeypatch.chdir(temporary)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    store = mlflow_store.open_store()
    run = store.client.create_run(store.experiment_id)
    store.client.log_dict(run.info.run_id, {}, "kept.json")
    assert list(temporary.iterdir()) == []
    monkeypatch.chdir(workspace)
    again = mlflow_store.open_store()
    assert [found.info.run_id for found in again.client.search_runs([again.experiment_id])] == [run.info.run_id]
    assert (store_location().artifacts / run.info.run_id / "artifacts/kept.json").exists()


@pytest.mark.parametrize("named", ["mlruns", "./mlruns", "/data/mlruns", "file:///data/mlruns", "file:mlruns", "C:\\x"])
def test_a_folder_as_store_is_one_line_with_the_remedy(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    with pytest.raises(TrackingError, match=r"names the folder .*; name a database, e\.g\. sqlite:///mlflow\.db"):
        mlflow_store.open_store()
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("named", ["http://[::1", "http://b0b:s3cret@[::1/x", "sqlite://h:abc/x", "postgresql://[::1"])
def test_what_is_no_address_is_one_line_and_ends_no_training(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    with pytest.raises(TrackingError) as error, mlflow_store.mlflow_errors():
        mlflow_store.open_store()
    assert re.search(r"no address|names no file", str(error.value))
    assert "s3cret" not in str(error.value)
    with training_run({"train.lr": 0.1}, "ab" * 32) as run:
        run.log({1: {"train_loss": 1.0}})
    assert capsys.readouterr().err.endswith("training goes on without live curves\n")


@pytest.mark.parametrize(
    ("named", "shown"), [("", "sqlite"), ("postgresql://b0b:s3cret@h/x", '"$MLFLOW_TRACKING_URI"')]
)
def test_the_store_is_named_to_commands_as_they_take_it_and_without_a_password(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, named: str, shown: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    assert store_for_shell().startswith(shown)
    assert "s3cret" not in store_for_shell()
    if not named:
        assert store_for_shell() == shlex.quote(store_uri())


@pytest.mark.parametrize(
    "named", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://runs.db", "sqlite:runs.db"]
)
def test_an_address_without_a_file_loses_no_run(workspace: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    with pytest.raises(TrackingError, match=r"names no file to keep runs in; write e\.g\. sqlite:///runs\.db"):
        mlflow_store.open_store()


def test_the_experiment_that_another_host_makes_in_the_same_moment_is_used(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = mlflow_store.open_store()
    answers, by_name = [None, None], type(made.client).get_experiment_by_name
    monkeypatch.setattr(
        type(made.client), "get_experiment_by_name", lambda *asked: answers.pop() if answers else by_name(*asked)
    )
    assert mlflow_store.open_store().experiment_id == made.experiment_id
    assert not answers


def test_asking_for_a_model_makes_no_store(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(ModelError, match=r"cannot be had from MLflow .*no run has been recorded there"):
        locate_model("runs:/0123456789abcdef0123456789abcdef/model", tmp_path_factory.mktemp("brought"))
    assert list(workspace.iterdir()) == []

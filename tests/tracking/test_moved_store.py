"""A workspace that is moved or copied keeps its runs, and writes nowhere else."""

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from facial_keypoints.core.atomic_files import file_sha256
from pipeline.core.paths import METRICS
from pipeline.experiments.tracking import mlflow_store, registry, run_search
from pipeline.experiments.tracking.local_store import prepare
from pipeline.experiments.tracking.model_location import locate_model
from pipeline.experiments.tracking.store_location import store_location

Enter = Callable[[Path], Path]


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Go on in the workspace of this folder."""

    def go(folder: Path) -> Path:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DVC_ROOT", str(folder))
        return folder

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return go


@pytest.fixture
def first(tmp_path: Path, enter: Enter, empty_store: Path) -> Path:
    """A workspace with an empty store."""
    folder = tmp_path / "my first"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    return enter(folder)


def record() -> str:
    """Id of a new finished run with a report and a model."""
    store = mlflow_store.open_store()
    client = store.client
    run = client.create_run(store.experiment_id).info.run_id
    client.log_dict(run, {}, str(METRICS))
    model = client.create_logged_model(store.experiment_id, "model", source_run_id=run).model_id
    given = Path("given", run)
    given.mkdir(parents=True)
    (given / "model.safetensors").write_text(run)
    client.log_model_artifacts(model, str(given))
    client.finalize_logged_model(model, "READY")
    client.set_terminated(run, "FINISHED")
    return str(run)


def is_complete(run: str, brought: Path) -> bool:
    """Whether report and model are there, by run and by registry, and listed as MLflow's pages do."""
    found = run_search.find_run(run)
    version = registry.add_version(found)
    places = (f"runs:/{run}/model", f"models:/{registry.REGISTERED}/{version.number}")
    models = {locate_model(model, brought / run / str(n)).read_text() for n, model in enumerate(places)}
    listed = [file.path for file in mlflow_store.open_store().client.list_artifacts(run)]
    return run_search.read_artifact(found, METRICS) == b"{}" and models == {run} and listed == ["reports"]


def locations(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        rows = database.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id > 0 UNION ALL "
            "SELECT artifact_uri FROM runs UNION ALL SELECT artifact_location FROM logged_models UNION ALL "
            "SELECT storage_location FROM model_versions"
        )
        return [location for (location,) in rows]


def change(folder: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        database.execute(statement, values)


def digests(folder: Path) -> dict[Path, str]:
    return {path: file_sha256(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_moved_workspace_keeps_its_runs_and_leaves_the_old_place_alone(
    first: Path, tmp_path: Path, enter: Enter
) -> None:
    run = record()
    assert is_complete(run, tmp_path / "before")
    second = enter(first.rename(tmp_path / "p%20q second"))
    assert is_complete(run, tmp_path / "after")
    newer = record()
    assert is_complete(newer, tmp_path / "newer")
    assert not first.exists()
    assert all(location.startswith(f"{second.as_uri()}/mlartifacts") for location in locations(second))
    enter(second.rename(first))
    assert is_complete(run, tmp_path / "back")
    assert is_complete(newer, tmp_path / "newer back")
    assert not second.exists()


@pytest.mark.slow
def test_a_copy_and_its_original_are_two_stores(first: Path, tmp_path: Path, enter: Enter) -> None:
    run = record()
    assert is_complete(run, tmp_path / "before")
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    before = digests(first)
    enter(copy)
    mine = record()
    assert is_complete(mine, tmp_path / "mine")
    assert is_complete(run, tmp_path / "copied")
    assert digests(first) == before
    enter(first)
    before = digests(copy)
    theirs = record()
    assert is_complete(theirs, tmp_path / "theirs")
    assert is_complete(run, tmp_path / "original")
    assert run_search.find_run(mine) is None
    assert digests(copy) == before


@pytest.mark.slow
def test_a_temporary_experiment_mends_the_main_workspace(
    first: Path, tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record()
    second = enter(first.rename(tmp_path / "second"))
    temporary = second / ".dvc/tmp/exps/one"
    temporary.mkdir(parents=True)
    monkeypatch.chdir(temporary)
    assert is_complete(record(), tmp_path / "new")
    assert is_complete(run, tmp_path / "old")
    assert [path.name for path in temporary.iterdir()] == ["given"]


def test_a_training_without_files_yet_goes_on_in_the_copy(first: Path, tmp_path: Path, enter: Enter) -> None:
    store = mlflow_store.open_store()
    run = store.client.create_run(store.experiment_id).info.run_id
    copy = enter(Path(shutil.copytree(first, tmp_path / "copy")))
    mlflow_store.open_store().client.log_dict(run, {}, "late.json")
    assert not (first / "mlartifacts").exists()
    assert (copy / "mlartifacts" / run / "artifacts/late.json").exists()


def test_a_store_that_was_moved_unopened_and_wrote_to_two_old_places_is_mended(
    first: Path, tmp_path: Path, enter: Enter
) -> None:
    runs = [record(), record()]
    change(
        first, "UPDATE runs SET artifact_uri = replace(artifact_uri, 'my%20first', 'gone') WHERE run_uuid = ?", runs[0]
    )
    enter(first.rename(tmp_path / "second"))
    assert all(is_complete(run, tmp_path / run) for run in runs)


def test_what_lies_where_the_user_put_it_stays_there(first: Path, tmp_path: Path, enter: Enter) -> None:
    record()
    client = mlflow_store.open_store().client
    own = ["s3://bucket/mlartifacts", f"{(tmp_path / 'disk/mlartifacts').as_uri()}", "mlflow-artifacts:/mlartifacts"]
    for number, place in enumerate(own):
        client.create_run(client.create_experiment(f"mine {number}", place))
    kept = [location for location in locations(first) if location.startswith(tuple(own))]
    assert len(kept) == 6
    second = enter(first.rename(tmp_path / "second"))
    mlflow_store.open_store()
    assert [location for location in locations(second) if not location.startswith(second.as_uri())] == kept


def test_an_experiment_that_the_user_keeps_elsewhere_stays_there(first: Path, tmp_path: Path, enter: Enter) -> None:
    client = mlflow_store.open_store().client
    elsewhere = (tmp_path / "disk").as_uri()
    change(first, "UPDATE experiments SET artifact_location = ? WHERE experiment_id > 0", elsewhere)
    run = record()
    enter(first.rename(tmp_path / "second"))
    assert is_complete(run, tmp_path / "brought")
    assert client.get_run(run).info.artifact_uri.startswith(elsewhere)


def test_files_that_were_left_behind_are_read_there_and_new_ones_written_here(
    first: Path, tmp_path: Path, enter: Enter
) -> None:
    run = record()
    second = tmp_path / "second"
    second.mkdir()
    (first / "mlflow.db").rename(second / "mlflow.db")
    left = digests(first)
    enter(second)
    assert is_complete(run, tmp_path / "old")
    assert is_complete(record(), tmp_path / "new")
    assert digests(first) == left


def test_a_store_that_did_not_move_is_only_read(first: Path) -> None:
    record()
    (first / "mlflow.db.lock").unlink()
    before = digests(first)
    prepare(store_location())
    assert digests(first) == before


def test_several_processes_open_a_moved_store_at_once(first: Path, tmp_path: Path, enter: Enter) -> None:
    run = record()
    enter(first.rename(tmp_path / "second"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(prepare, [store_location()] * 16))
    assert is_complete(run, tmp_path / "brought")


def test_a_database_of_another_make_is_left_as_it_is(first: Path, tmp_path: Path, enter: Enter) -> None:
    record()
    change(first, "ALTER TABLE model_versions DROP COLUMN storage_location")
    second = enter(first.rename(tmp_path / "second"))
    before = digests(second)
    prepare(store_location())
    assert digests(second) == before


def test_a_relative_store_of_the_users_moves_along(
    first: Path, tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///kept/runs.db")
    (first / "kept").mkdir()
    (first / "mlflow.db").rename(first / "kept/runs.db")
    run = record()
    second = enter(first.rename(tmp_path / "second"))
    assert is_complete(run, tmp_path / "brought")
    assert (second / "kept/mlartifacts" / run).is_dir()
    assert not first.exists()

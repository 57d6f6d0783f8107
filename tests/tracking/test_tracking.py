import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest
import torch
from typer.testing import CliRunner

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import DataError, TrackingError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.cli import app
from pipeline.core import paths
from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.params import flatten
from pipeline.core.redaction import gist
from pipeline.evaluation.metrics_file import read_metrics, write_metrics
from pipeline.experiments.params import load_params
from pipeline.experiments.tracking import mlflow_store, runs_page, ui
from pipeline.experiments.tracking.live_run import LAUNCH, training_run
from pipeline.experiments.tracking.run_process import process_tags, start_of
from pipeline.experiments.tracking.runs_page import OLDER_COLUMNS, START_VIEW, describe_experiment
from pipeline.experiments.tracking.store_location import EXPERIMENT
from pipeline.export import formats
from pipeline.models import build_network
from pipeline.models.model_file import save_model
from pipeline.stages import track
from tests.architecture import ROOT
from tests.metrics import group, measured

PARAMS = load_params()
TRAIN_PARAMS = flatten(PARAMS.train, "train.") | flatten(PARAMS.model, "model.")
EPOCHS = {
    1: {"lr": 0.002, "train_loss": 9.5, "val_loss": 8.5, "val_nme_percent": 20.0},
    2: {"lr": 0.001, "train_loss": 4.25, "val_loss": 4.5, "val_nme_percent": 12.5},
}
KEY = "ab" * 32


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Path:
    """A workspace after `render`, with a fresh store; its path has a space, as users' paths do."""
    folder = tmp_path / "my work"
    (folder / ".dvc").mkdir(parents=True)
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setattr(formats, "export_model", export_once)
    write_outputs()
    return folder


EXPORT_MODEL, EXPORTED = formats.export_model, dict[str, bytes]()


def export_once(model: Path, network: torch.nn.Module, path: Path, **options: Any) -> float:
    """The same for the same model: these tests log it again and again, and exporting takes seconds."""
    digest = file_sha256(model)
    if digest not in EXPORTED:
        EXPORT_MODEL(model, network, path, **options)
        EXPORTED[digest] = path.read_bytes()
    path.write_bytes(EXPORTED[digest])
    return 0.0


COVERAGE = {"coverage_50_percent": 48.5, "coverage_90_percent": 89.25}


def write_outputs(nme: float = 3.71) -> None:
    torch.manual_seed(0)
    section = asdict(PARAMS.model)
    section["coarse_to_fine"] |= {"coarse_px": 32, "fine_px": 64, "fine_width": 8, "mirrored_view": False}
    section["coarse_to_fine"] |= {"spread": False}
    network = build_network(section, side=64, mean_shape=torch.rand(68, 2) * 40 + 12, flip_index=IBUG_68.flip_index)
    save_model(paths.MODEL, network, {"model": section, "preprocess": {"size_px": 64, "fit": "pad"}})
    dataset = {"dataset": "synthetic", "revision": "synthetic", "files": 12, "sha256": "ab" * 32}
    test = group(770, nme_percent=nme, nme_ci95_low_percent=3.62, **COVERAGE)
    metrics = measured(
        val=replace(test, faces=345), test=test, test_known_people=test, test_unseen_people=replace(test, faces=70)
    )
    for path in paths.FIGURES:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    paths.DATASET.write_text(json.dumps(dataset))
    write_metrics(metrics)
    write_scheme(IBUG_68)
    rows = [",".join(map(str, [epoch, *values.values()])) for epoch, values in EPOCHS.items()]
    paths.HISTORY.write_text("\n".join(["epoch,lr,train_loss,val_loss,val_nme_percent", *rows]) + "\n")
    paths.CED.write_text("nme_percent,model_percent,mean_shape_percent\n0.0,0.0,0.0\n")
    paths.PER_FRAME.write_text("sample_id,split,nme_percent,known,worst_point,normalizing_length_px\n")
    paths.RELIABILITY.write_text("split,measure,told_percent,found_percent\n")
    paths.MODEL_CARD.write_text("# Model card\n")
    paths.LOCK.write_text("schema: '2.0'\n")


def train_live() -> None:
    with training_run(TRAIN_PARAMS, KEY) as run:
        run.log(EPOCHS)
        run.finish(file_sha256(paths.MODEL))


def run_track() -> None:
    track.run(**vars(PARAMS))


def runs() -> list[Any]:
    """All runs of the store, newest first."""
    store = mlflow_store.open_store()
    return list(store.client.search_runs([store.experiment_id]))


def curve(run: Any, name: str) -> list[tuple[int, float]]:
    history = mlflow_store.open_store().client.get_metric_history(run.info.run_id, name)
    return [(point.step, point.value) for point in history]


def artifacts(run: Any, folder: str = "") -> list[str]:
    return [file.path for file in mlflow_store.open_store().client.list_artifacts(run.info.run_id, folder)]


@pytest.mark.slow
def test_live_training_then_track_is_one_complete_run(workspace: Path) -> None:
    train_live()
    run_track()
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "coarse_to_fine val 3.71 %"
    assert run.data.params["train.lr"] == str(PARAMS.train.lr)
    assert run.data.params["split.drop_test_copies"] == "true"
    assert set(run.data.params) == set(flatten(PARAMS))
    assert curve(run, "curves/train_loss") == [(1, 9.5), (2, 4.25)]
    assert curve(run, "test/nme_percent") == [(0, 3.71)]
    assert run.data.metrics["test/nme_ci95_low_percent"] == 3.62
    assert run.data.metrics["val/coverage_90_percent"] == 89.25
    assert run.data.metrics["test_regions_nme_percent/jaw"] == 5.0
    assert run.data.metrics["model/parameters"] == 12345
    assert run.data.tags["dataset"] == "synthetic"
    assert run.data.tags["dataset_digest"] == "ab" * 32
    assert run.inputs.dataset_inputs[0].dataset.name == "synthetic"
    assert set(artifacts(run, "figures")) == {f"figures/{path.name}" for path in paths.FIGURES}
    assert {"dvc.lock", "reports"} <= set(artifacts(run))
    assert len(artifacts(run, "reports")) == 6


def test_a_run_keeps_what_is_told_of_certainty_where_the_network_tells_it() -> None:
    without, told = (set(track._artifacts(measured(test=group(1, **shares)))) for shares in ({}, COVERAGE))
    assert told - without == {paths.RELIABILITY, Path("reports/figures/reliability.png")}


def test_everything_lies_in_the_main_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = workspace / ".dvc/tmp/exps/one"
    temporary.mkdir(parents=True)
    monkeypatch.chdir(temporary)
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    monkeypatch.setenv("DVC_EXP_NAME", "bold-idea")
    write_outputs()
    run_track()
    (run,) = runs()
    assert run.info.run_name == "bold-idea val 3.71 %"
    assert (workspace / "mlartifacts" / run.info.run_id / "artifacts/dvc.lock").exists()
    assert not list(temporary.glob("ml*"))


def test_the_curves_are_the_first_section_of_the_pages(workspace: Path) -> None:
    """MLflow sorts sections by what stands before a slash, and puts what has none at the end."""
    train_live()
    run_track()
    (run,) = runs()
    sections = [name.split("/") for name in run.data.metrics]
    assert all(len(parts) == 2 for parts in sections)
    assert min(parts[0] for parts in sections) == "curves"
    assert {name for section, name in sections if section == "curves"} == set(EPOCHS[1])


def test_cached_training_is_backfilled_with_every_epoch(workspace: Path) -> None:
    run_track()
    (run,) = runs()
    assert curve(run, "curves/val_nme_percent") == [(1, 20.0), (2, 12.5)]
    assert curve(run, "curves/lr") == [(1, 0.002), (2, 0.001)]


def test_epochs_that_the_live_run_missed_are_filled_in(workspace: Path) -> None:
    with training_run(TRAIN_PARAMS, KEY) as run:
        run.log({2: EPOCHS[2]})
        run.finish(file_sha256(paths.MODEL))
    run_track()
    assert sorted(curve(runs()[0], "curves/train_loss")) == [(1, 9.5), (2, 4.25)]


def test_tracking_twice_changes_nothing(workspace: Path) -> None:
    run_track()
    before = [run.to_dictionary() for run in runs()]
    paths.MODEL_CARD.write_text("# Model card\n")
    paths.LOCK.write_text("schema: '2.0'\nstages: {}\n")
    run_track()
    assert [run.to_dictionary() for run in runs()] == before


@pytest.mark.slow
def test_the_same_training_again_leaves_one_run(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_live()
    run_track()
    before = [run.to_dictionary() for run in runs()]
    train_live()
    assert [run.to_dictionary() for run in runs()] == before
    run_track()
    assert [run.to_dictionary() for run in runs()] == before
    assert "warning: MLflow" not in capsys.readouterr().err


def test_the_same_training_with_another_evaluation_is_a_second_complete_run(workspace: Path) -> None:
    train_live()
    run_track()
    train_live()
    write_outputs(nme=5.0)
    run_track()
    assert [run.data.metrics["test/nme_percent"] for run in runs()] == [5.0, 3.71]
    assert [curve(run, "curves/train_loss") for run in runs()] == [[(1, 9.5), (2, 4.25)]] * 2


def test_a_changed_evaluation_is_a_second_run(workspace: Path) -> None:
    train_live()
    run_track()
    write_outputs(nme=5.0)
    run_track()
    newer, older = runs()
    assert [run.data.metrics["test/nme_percent"] for run in (newer, older)] == [5.0, 3.71]
    assert curve(newer, "curves/train_loss") == [(1, 9.5), (2, 4.25)]


def test_a_track_that_failed_midway_is_continued(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_live()
    with monkeypatch.context() as broken:
        broken.setattr("mlflow.pyfunc.save_model", Mock(side_effect=OSError("disk full")))
        with pytest.raises(TrackingError, match=r"disk full.*dvc repro"):
            run_track()
    assert [run.info.status for run in runs()] == ["FAILED"]
    run_track()
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert curve(run, "test/nme_percent") == [(0, 3.71)]
    store = mlflow_store.open_store()
    assert [model.status for model in store.client.search_logged_models([store.experiment_id])] == ["READY"]


def test_outputs_that_are_links_out_of_their_folder_are_tracked_as_files(workspace: Path, tmp_path: Path) -> None:
    cache = tmp_path / "another disk"
    cache.mkdir()
    given = [paths.MODEL, paths.DATASET, paths.METRICS, paths.MODEL_CARD, paths.LOCK, *paths.FIGURES]
    for number, path in enumerate(given):
        path.rename(cache / str(number))
        path.symlink_to(cache / str(number))
        (cache / str(number)).chmod(0o444)
    train_live()
    run_track()
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert {"dvc.lock", "reports", "figures"} <= set(artifacts(run))
    stored = [path for path in (workspace / "mlartifacts").rglob("*") if not path.is_dir()]
    assert not [path for path in stored if path.is_symlink()]
    assert {file_sha256(path) for path in map(Path, given)} - {file_sha256(paths.DATASET)} <= set(
        map(file_sha256, stored)
    )
    before = len(runs())
    run_track()
    assert len(runs()) == before


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "The following failures occurred:\n##### File a.png #####\nInvalid path",
            "The following failures occurred: File a.png Invalid path",
        ),
        (
            "(raised as a result of Query)\n(sqlite3.OperationalError) locked\n[SQL: x]",
            "(sqlite3.OperationalError) locked",
        ),
        ("\n\n  two words  \nmore", "two words"),
        ("", "ValueError"),
        ("is:", "is:"),
        ("long " * 200, "long " * 79 + "..."),
    ],
)
def test_the_gist_of_an_error_is_its_first_line_or_what_that_announces(said: str, told: str) -> None:
    assert gist(ValueError(said)) == told


SECRETS = ("b0b", "s3cr/t", "s3cr%2Ft", "t0ken")


@pytest.mark.parametrize(
    "address",
    [
        "http://b0b:s3cr%2Ft@127.0.0.1:9",
        "http://127.0.0.1:9/?token=t0ken",
        "postgresql://b0b:s3cr%2Ft@127.0.0.1:9/runs?password=t0ken",
        "mysql+pymysql://b0b:s3cr%2Ft@127.0.0.1:9/runs",
        "nothing://b0b:s3cr%2Ft@127.0.0.1:9/runs",
        "sqlite://b0b:s3cr%2Ft@/runs.db",
    ],
)
@pytest.mark.slow
def test_no_command_shows_the_credentials_of_the_store(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], address: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    told = ""
    for arguments in (
        ["track"],
        ["register"],
        ["ui"],
        ["compare", "one"],
        ["predict", "a.png", "--model", "runs:/a/model"],
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        told += done.output
    train_live()
    captured = capfd.readouterr()
    told += captured.out + captured.err
    assert told.count("127.0.0.1:9") >= 5 or "sqlite:" in told
    assert not [secret for secret in SECRETS if secret in told]


def test_a_store_with_credentials_is_recorded_without_them(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db?timeout=9&token=t0ken")
    run_track()
    assert f"recorded in MLflow at {workspace}/mlflow.db;" in (told := capsys.readouterr().out)
    assert "t0ken" not in told
    written = [path for path in workspace.rglob("*") if path.is_file()]
    assert not [path for path in written if b"t0ken" in path.read_bytes()]


def test_the_commit_is_dirty_only_when_what_the_run_does_not_keep_has_changed(workspace: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)

    (workspace / "code.py").write_text("1")
    (workspace / "params.yaml").write_text("a: 1")
    git("init", "-q")
    git("add", "code.py", "params.yaml", "dvc.lock", "reports")
    git("commit", "-qm", "first")
    (workspace / "params.yaml").write_text("a: 2")
    write_outputs(nme=6.0)
    run_track()
    (workspace / "code.py").write_text("2")
    write_outputs(nme=5.0)
    run_track()
    newer, older = runs()
    assert (newer.data.tags["git_dirty"], older.data.tags["git_dirty"]) == ("true", "false")
    assert len(newer.data.tags["git_commit"]) == 40


@pytest.mark.slow
def test_the_pages_are_served_from_the_store_of_the_workspace(workspace: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "ui", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert f"http://127.0.0.1:{port}/" in (told := server.stdout.readline())
            assert f"viewStateShareKey={START_VIEW}" in told
            assert "<title>MLflow" in answer(server, f"http://127.0.0.1:{port}/")
            assert psutil.Process(server.pid).children(recursive=True) == []  # it is one process, which saves memory
            found = answer(server, f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow/experiments/search?max_results=9")
        finally:
            server.send_signal(signal.SIGINT)
        served = next(e for e in json.loads(found)["experiments"] if e["name"] == EXPERIMENT)
        assert served["artifact_location"] == (workspace / "mlartifacts").as_uri()
        assert server.stdout.read() == ""  # neither warnings when it starts nor a traceback when it ends
    assert server.returncode == 0


def answer(server: "subprocess.Popen[str]", url: str) -> str:
    """What a server answers that may still be starting."""
    while server.poll() is None:
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=60) as response:
            return response.read().decode()
        time.sleep(0.1)
    raise AssertionError("the server has ended")


def test_the_note_of_a_run_tells_whether_the_test_shows_people_never_seen(workspace: Path) -> None:
    report = read_metrics()
    assert "labelled test faces, 3.71 % on the 70 of people the network never saw." in track.describe(report)
    assert "**3.71 %** on the 345 faces of val, by which one chooses." in track.describe(report)
    report = replace(report, val=group(0), test_unseen_people=group(0))
    assert "unknown on val, as nobody was held out." in track.describe(report)
    assert "labelled test faces, none of which shows people the network never saw." in track.describe(report)


def test_the_columns_that_the_pages_show_are_there(workspace: Path) -> None:
    store = mlflow_store.open_store()
    describe_experiment(store)
    view = store.client.get_experiment(store.experiment_id).tags[f"mlflow.sharedViewState.{START_VIEW}"]
    columns = [column.rstrip("`").split(".`") for column in json.loads(view)["selectedColumns"]]
    params = flatten(load_params(ROOT / "params.yaml"))
    logged = {mlflow_store.metric_name(name) for name in measured(val=group(4, **COVERAGE)).flat()}
    assert {name for kind, name in columns if kind == "params"} <= set(params)
    assert {name for kind, name in columns if kind == "metrics"} <= logged | set(OLDER_COLUMNS)


def test_a_taken_port_is_named_with_the_remedy(workspace: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match=rf"port {port} is taken.*--port {port + 1}"):
            ui.serve(port)


def test_a_server_of_the_user_is_named_and_not_served_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    ui.serve(5000)
    assert "http://mlflow.example:5000" in capsys.readouterr().out


def test_track_names_the_store_it_cannot_use_and_the_remedy(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9 failed.*MLFLOW_TRACKING_URI.*dvc repro"):
        run_track()


def test_track_names_a_missing_report(workspace: Path) -> None:
    paths.HISTORY.unlink()
    with pytest.raises(DataError, match=r"history\.csv.*dvc repro"):
        run_track()


def test_track_names_what_the_metrics_lack(workspace: Path) -> None:
    paths.METRICS.write_text(json.dumps({"model": {"name": "coarse_to_fine"}}))
    with pytest.raises(DataError, match=r"metrics\.json lacks dataset; make it again with: dvc repro -fs evaluate"):
        run_track()


def test_a_training_that_was_interrupted_goes_on_in_its_run(workspace: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), training_run(TRAIN_PARAMS, KEY) as run:
        run.log({1: EPOCHS[1]})
        raise KeyboardInterrupt
    assert [run.info.status for run in runs()] == ["KILLED"]
    train_live()
    run_track()
    (whole,) = runs()
    assert whole.info.status == "FINISHED"
    assert sorted(curve(whole, "curves/train_loss")) == [(1, 9.5), (2, 4.25)]


@pytest.mark.parametrize(("launch", "count"), [("this", 1), ("another", 2)])
def test_workers_that_torchrun_starts_anew_on_another_host_go_on_in_the_run(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, launch: str, count: int
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "this")
    store = mlflow_store.open_store()
    tags = process_tags() | {"host": "cut off", mlflow_store.TRAINING_KEY: KEY, LAUNCH: launch}
    store.client.create_run(store.experiment_id, tags=tags)
    train_live()
    assert len(runs()) == count


def test_another_training_does_not_go_on_in_the_run_of_one_that_was_interrupted(workspace: Path) -> None:
    with pytest.raises(KeyboardInterrupt), training_run(TRAIN_PARAMS, "other"):
        raise KeyboardInterrupt
    train_live()
    assert sorted(run.info.status for run in runs()) == ["FINISHED", "KILLED"]


def test_the_same_weights_trained_again_before_they_are_evaluated_are_one_run(workspace: Path) -> None:
    train_live()
    train_live()
    run_track()
    (run,) = runs()
    assert curve(run, "test/nme_percent") == [(0, 3.71)]


@pytest.mark.slow
def test_training_outlives_a_store_that_breaks(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with training_run(TRAIN_PARAMS, KEY) as run:
        run.log({1: EPOCHS[1]})
        (workspace / "mlflow.db").write_bytes(b"no database")
        run.log({2: EPOCHS[2]})
        run.log({3: EPOCHS[2]})
        run.finish("0" * 64)
    assert capsys.readouterr().err.count("warning: MLflow") == 1


def test_a_store_that_recovers_ends_with_one_complete_run(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with training_run(TRAIN_PARAMS, KEY) as run:
        with monkeypatch.context() as broken:
            broken.setattr("mlflow.MlflowClient.log_batch", Mock(side_effect=OSError("no answer")))
            run.log({1: EPOCHS[1]})
        run.log({2: EPOCHS[2]})
        run.finish(file_sha256(paths.MODEL))
    assert capsys.readouterr().err.count("warning: MLflow") == 1
    assert [run.info.status for run in runs()] == ["FINISHED"]
    run_track()
    (complete,) = runs()
    assert complete.info.status == "FINISHED"
    assert curve(complete, "curves/train_loss") == [(1, 9.5), (2, 4.25)]
    assert curve(complete, "test/nme_percent") == [(0, 3.71)]


def test_training_outlives_a_store_that_never_was(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with training_run(TRAIN_PARAMS, KEY) as run:
        run.log({1: EPOCHS[1]})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow at http://127.0.0.1:9 failed")


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")])
def test_a_training_that_stops_closes_its_run(workspace: Path, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), training_run(TRAIN_PARAMS, KEY):
        raise error
    assert [run.info.status for run in runs()] == [status]


def test_an_interrupt_while_mlflow_works_ends_the_training(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("the connection was left open")

    monkeypatch.setattr(mlflow_store, "log_epochs", interrupted)
    with pytest.raises(RuntimeError, match="left open"), training_run(TRAIN_PARAMS, KEY) as run:
        run.log({1: EPOCHS[1]})
    assert [run.info.status for run in runs()] == ["KILLED"]


def test_runs_of_dead_processes_are_closed_and_those_of_living_ones_are_not(workspace: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    parent = {"pid": str(os.getppid())}
    begun = start_of(os.getppid())
    processes = {
        "dead": ({"pid": str(dead.pid)}, "KILLED"),
        "zombie": ({"pid": str(zombie.pid)}, "KILLED"),
        "another with its number": (parent | {"process_start": "0 of another boot"}, "KILLED"),
        "alive": (parent | {"process_start": begun}, "RUNNING"),
        "elsewhere": ({"pid": str(dead.pid), "host": "other"}, "RUNNING"),
    }
    store = mlflow_store.open_store()
    for name, (tags, _) in processes.items():
        store.client.create_run(store.experiment_id, tags=process_tags() | tags, run_name=name)
    train_live()
    status = {run.info.run_name: run.info.status for run in runs() if run.info.run_name in processes}
    assert status == {name: expected for name, (_, expected) in processes.items()}
    zombie.wait()


def test_a_run_of_before_is_known_by_the_number_of_its_process_alone(workspace: Path) -> None:
    store = mlflow_store.open_store()
    tags = {"host": process_tags()["host"], "pid": str(os.getppid())}
    store.client.create_run(store.experiment_id, tags=tags)
    mlflow_store.close_dead_runs(store)
    assert [run.info.status for run in runs()] == ["RUNNING"]


@pytest.mark.long
def test_two_processes_may_open_a_fresh_store_at_once(workspace: Path) -> None:
    (workspace / "mlflow.db").unlink()
    code = "from pipeline.experiments.tracking import mlflow_store; mlflow_store.open_store()"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[1] for process in both] == [b"", b""]
    assert [process.returncode for process in both] == [0, 0]
    assert runs() == []


def refused(code: str) -> Mock:
    """A call of MLflow's client that the database refuses, as long as nobody takes away the side effect."""
    from mlflow import MlflowException
    from mlflow.protos.databricks_pb2 import ErrorCode

    return Mock(side_effect=[MlflowException("UniqueViolation", ErrorCode.Value(code)), None])


def test_what_another_host_adds_at_the_same_moment_is_tried_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tags of the experiment, which both write, and the dataset, which both name."""
    tag, dataset = refused("BAD_REQUEST"), refused("BAD_REQUEST")
    monkeypatch.setattr(runs_page, "_EXPERIMENT_TAGS", {"mlflow.note.content": "other words"})
    monkeypatch.setattr("mlflow.MlflowClient.set_experiment_tag", tag)
    monkeypatch.setattr("mlflow.MlflowClient.log_inputs", dataset)
    run_track()
    assert (tag.call_count, dataset.call_count) == (2, 2)
    assert [run.info.status for run in runs()] == ["FINISHED"]


def test_a_server_that_does_not_answer_is_not_asked_twice_for_a_tag(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = refused("INTERNAL_ERROR")
    monkeypatch.setattr("mlflow.MlflowClient.set_experiment_tag", tag)
    with pytest.raises(TrackingError, match="UniqueViolation"):
        run_track()
    assert tag.call_count == 1


def test_a_deleted_experiment_comes_back(workspace: Path) -> None:
    store = mlflow_store.open_store()
    store.client.delete_experiment(store.experiment_id)
    run_track()
    assert len(runs()) == 1

"""An MLflow store that goes away while a network trains, or that cannot be used at all."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest.mock import Mock

import pytest

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import TrackingError
from facial_keypoints.network import OnnxNetwork
from pipeline.core import paths
from pipeline.experiments.tracking import local_store, mlflow_store, run_search
from pipeline.experiments.tracking.live_run import training_run
from tests.architecture import ROOT
from tests.commands.test_full_disk import shell
from tests.tracking.test_tracking import EPOCHS, KEY, TRAIN_PARAMS, curve, run_track, runs, workspace

__all__ = ["workspace"]  # the fixture


ReadOnly = Callable[[Path], None]


@pytest.fixture
def read_only() -> Iterator[ReadOnly]:
    """Mounts a folder on itself, read-only."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        if os.geteuid() or shell("mount", "--bind", str(folder), str(folder)):
            pytest.skip("mounting takes root")
        mounted.append(folder)
        assert shell("mount", "-o", "remount,bind,ro", str(folder)) == 0

    yield mount
    for folder in mounted:
        shell("umount", "--lazy", str(folder))


@contextmanager
def server(folder: Path, port: int) -> Iterator[None]:
    """MLflow's server on the store of a folder, killed at the end."""
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder)]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        while not answers(port):
            assert process.poll() is None, "the server ended before it answered"
            time.sleep(0.2)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def answers(port: int) -> bool:
    try:
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read())
    except OSError:
        return False


@pytest.mark.long
def test_a_server_killed_while_training_is_told_once_and_filled_in_later(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path, capfd: pytest.CaptureFixture
) -> None:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with ExitStack() as up:
        up.enter_context(server(tmp_path, port))
        with training_run(TRAIN_PARAMS, KEY) as run:
            run.log({1: EPOCHS[1]})
            up.close()
            start = time.monotonic()
            run.log({2: EPOCHS[2]})
            run.log({3: EPOCHS[2]})
            run.finish(file_sha256(paths.MODEL))
    assert time.monotonic() - start < 60
    lines = capfd.readouterr().err.splitlines()
    assert [line[:40] for line in lines] == [f"warning: MLflow at http://127.0.0.1:{port}"[:40]]
    with pytest.raises(TrackingError, match="go on with: dvc repro"):
        run_track()
    with server(tmp_path, port):
        run_track()
        (complete,) = runs()
        assert complete.info.status == "FINISHED"
        assert curve(complete, "curves/train_loss") == [(1, 9.5), (2, 4.25)]


class AsksWhoComes(BaseHTTPRequestHandler):
    """A server that knows nobody, as MLflow's with basic-auth."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b"You are not authenticated.")

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def test_a_wrong_password_is_one_line_with_the_remedy(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "knows no such user and password; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    with HTTPServer(("127.0.0.1", 0), AsksWhoComes) as asking:
        threading.Thread(target=asking.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ada:wrong@127.0.0.1:{asking.server_port}")
        with training_run(TRAIN_PARAMS, KEY) as run:
            run.log({1: EPOCHS[1]})
        with pytest.raises(TrackingError, match=f"{told}.* go on with: dvc repro") as caught:
            run_track()
        with pytest.raises(TrackingError, match=f"{told}.* give the command again"):
            run_search.run_of_model("0" * 64)
        asking.shutdown()
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert "wrong" not in line + str(caught.value)


def test_a_training_logs_what_was_missed_once_its_store_is_back(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("pipeline.experiments.tracking.live_run.time.monotonic", lambda: now[0])
    with training_run(TRAIN_PARAMS, KEY) as run:
        run.log({1: EPOCHS[1]})
        with monkeypatch.context() as away:
            away.setattr(mlflow_store, "log_epochs", Mock(side_effect=ConnectionError("away")))
            run.log({2: EPOCHS[2]})
            run.log({3: EPOCHS[2]})  # not even tried, so soon after
        now[0] += 31
        run.log({4: EPOCHS[2]})
        run.log({5: EPOCHS[2]})
    (logged,) = runs()
    assert curve(logged, "curves/train_loss") == [(1, 9.5), (2, 4.25), (3, 4.25), (4, 4.25), (5, 4.25)]
    assert capsys.readouterr().err.count("warning: ") == 1


def overwrite(content: bytes) -> Callable[[Path], object]:
    return lambda database: database.write_bytes(content)


def of_another_version(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


def a_folder(database: Path) -> None:
    database.unlink()
    database.mkdir()


def a_link_to_nothing(database: Path) -> None:
    database.unlink()
    database.symlink_to("/nowhere/mlflow.db")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (overwrite(b"these are no tables" * 9), r"not a database; restore it, or move it away.*dvc repro -fs track"),
        (overwrite(b"SQLite format 3\0" + bytes(84)), r"(malformed|not a database).*; restore it, or move it away"),
        (overwrite(b""), r"empty; restore it, or move it away and record what is here again with: dvc repro -fs track"),
        (a_folder, r"unable to open database file; let this user read and write it"),
        (a_link_to_nothing, r"unable to open database file; let this user read and write it"),
        (
            of_another_version,
            r"version of MLflow .*found version ffffffffffff.*copy of it: mlflow db upgrade 'sqlite.*\.db'",
        ),
    ],
)
def test_a_store_that_cannot_be_used_is_told_at_once_and_stays_as_it_is(
    workspace: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object], told: str
) -> None:
    database = workspace / "mlflow.db"
    damage(database)
    before = database.read_bytes() if database.is_file() else None
    with pytest.raises(TrackingError, match=told):
        run_track()
    with training_run(TRAIN_PARAMS, KEY) as run:
        run.log({1: EPOCHS[1]})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ")
    assert line.endswith("training goes on without live curves")
    assert "MLFLOW_TRACKING_URI" not in line  # it is not set: that is no remedy
    assert (database.read_bytes() if database.is_file() else None) == before


@pytest.mark.long
def test_a_store_that_another_process_holds_is_one_line(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_store, "_BUSY_S", 0.2)
    with closing(sqlite3.connect(workspace / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match=r"mlflow\.db cannot be used: database is locked; end the process"):
            run_track()
    run_track()


READ = """
import sys
from pathlib import Path
from pipeline.experiments.tracking import run_search
from pipeline.experiments.tracking.model_location import locate_model
print(run_search.find_run(sys.argv[1]).info.run_id)
print(locate_model(f"runs:/{sys.argv[1]}/model", Path(sys.argv[2])))
Path("mlflow.db").rename("other.db")
"""


@pytest.mark.long
def test_a_store_that_cannot_be_written_is_read(workspace: Path, tmp_path: Path, read_only: ReadOnly) -> None:
    run_track()
    (run,) = runs()
    (workspace / "mlflow.db.lock").unlink()
    read_only(workspace)
    command = [sys.executable, "-c", READ, run.info.run_id, str(tmp_path / "brought")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True)
    assert done.stdout.count("\n") == 2, done.stderr
    found, brought = done.stdout.split("\n", 1)
    assert found == run.info.run_id
    assert OnnxNetwork(Path(brought.strip())).trained_digest == file_sha256(paths.MODEL)
    assert "Read-only file system: 'mlflow.db'" in done.stderr


@pytest.mark.long
def test_a_store_that_cannot_be_made_or_mended_is_one_line_at_once(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: ReadOnly
) -> None:
    mlflow_store.open_store()
    moved = tmp_path / "moved"
    (moved / "empty").mkdir(parents=True)
    shutil.copy(workspace / "mlflow.db", moved)
    (moved / "mlflow.db.lock").touch()
    (moved / "empty/mlflow.db.lock").touch()
    read_only(moved)
    monkeypatch.setenv("DVC_ROOT", str(moved))
    told = "moved/mlflow.db cannot be used: .*; let this user write it and its folder, once"
    with pytest.raises(TrackingError, match=told):
        run_search.find_run("any")
    monkeypatch.setenv("DVC_ROOT", str(moved / "empty"))
    assert run_search.find_run("any") is None
    with pytest.raises(TrackingError, match="Read-only file system"), mlflow_store.mlflow_errors():
        mlflow_store.open_store()


@pytest.mark.long
def test_a_store_whose_making_was_interrupted_is_not_there(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "mlflow.db").unlink()
    (workspace / "mlflow.db.lock").touch()
    before = {path.name for path in workspace.iterdir()}
    with monkeypatch.context() as broken:
        broken.setattr("mlflow.store.db.utils._upgrade_db", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            mlflow_store.open_store()
    assert {path.name for path in workspace.iterdir()} == before
    assert mlflow_store.open_store().client.search_experiments()

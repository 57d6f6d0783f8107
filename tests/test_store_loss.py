"""An MLflow store that goes away while a network trains."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from pipeline import paths
from pipeline.errors import TrackingError
from pipeline.files import file_sha256
from pipeline.live_run import training_run
from tests.test_tracking import EPOCHS, KEY, TRAIN_PARAMS, curve, run_track, runs, workspace

__all__ = ["workspace"]  # the fixture


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


@pytest.mark.slow
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
        (complete,) = [run for run in runs() if run.info.status == "FINISHED"]
        assert curve(complete, "train_loss") == [(1, 9.5), (2, 4.25)]
        assert sorted(run.info.status for run in runs()) == ["FINISHED", "KILLED"]

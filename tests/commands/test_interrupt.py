"""Ctrl-C while a stage works: one line, status 130, and what is done is kept."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.experiments.recipe import write_values
from pipeline.experiments.tracking import mlflow_store
from tests.architecture import ROOT
from tests.signals import as_in_a_terminal
from tests.training.test_checkpoint import prepared

__all__ = ["prepared"]  # the fixture


def interrupt(stage: str, ready: Callable[[], object]) -> tuple[str, float]:
    """Send a running stage what a terminal sends on Ctrl-C; returns its standard error and the seconds it took."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", stage],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=as_in_a_terminal,
    )
    while not ready():
        assert process.poll() is None
        time.sleep(0.02)
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    return errors, time.monotonic() - start


@pytest.mark.slow
def test_ctrl_c_while_training_closes_the_run_and_keeps_the_checkpoint(prepared: Path) -> None:
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    write_values({"preprocess.size_px": 96, "train.batch_size": 4, "train.epochs": 10_000})
    checkpoints = prepared / ".checkpoints" / "train"
    errors, _ = interrupt("train", lambda: list(checkpoints.glob("*.safetensors")))
    assert errors.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in errors
    assert list(checkpoints.glob("*.safetensors"))
    store = mlflow_store.open_store()
    assert [run.info.status for run in store.client.search_runs([store.experiment_id])] == ["KILLED"]


@pytest.mark.slow
def test_ctrl_c_while_faces_are_drawn_is_one_line(workspace: Path) -> None:
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    write_values({"fetch.source": "synthetic", "fetch.synthetic.people": 1000})
    drawn = workspace / ".checkpoints" / "fetch" / "synthetic" / "training"
    errors, _ = interrupt("fetch", lambda: drawn.is_dir() and list(drawn.iterdir()))
    assert errors.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in errors
    assert not (workspace / "data" / "raw").exists()

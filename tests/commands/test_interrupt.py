"""Ctrl-C while a stage works: one line, status 130, and what is done is kept."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from facial_keypoints import cli
from facial_keypoints.cli import Terminated, errors_as_one_line
from facial_keypoints.core.errors import DataError
from pipeline.experiments.recipe import write_values
from pipeline.experiments.tracking import mlflow_store
from tests.architecture import ROOT
from tests.signals import as_in_a_terminal
from tests.training.test_checkpoint import prepared

__all__ = ["prepared"]  # the fixture

ENDING = """
import atexit, os, signal, sys
from facial_keypoints.cli import new_app, run

atexit.register(os.kill, os.getpid(), signal.Signals[sys.argv.pop()])
run(new_app())
"""
"""`keypoints`, to which a signal comes when its work is done and Python itself comes to an end."""


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
    assert process.returncode == 130, errors
    return errors, time.monotonic() - start


def fail_in_cleaning_up(stop: KeyboardInterrupt, kind: type[Exception]) -> None:
    """As tqdm does: its writing makes a lock first, and lets go of it in the end whether it is there or not."""
    try:
        raise stop
    finally:
        raise kind("tqdm has no attribute '_lock'")


@pytest.mark.parametrize(
    ("stop", "line", "status"),
    [(KeyboardInterrupt(), "error: interrupted", 130), (Terminated(), "error: terminated", 143)],
)
def test_what_a_library_raises_as_it_is_interrupted_is_the_interrupt(
    stop: KeyboardInterrupt, line: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in (AttributeError, OSError, DataError):
        with pytest.raises(typer.Exit) as ended, errors_as_one_line("train"):
            fail_in_cleaning_up(stop, kind)
        assert ended.value.exit_code == status
        assert capsys.readouterr().err.splitlines() == [line]


def test_an_interrupt_that_was_dealt_with_is_not_found_in_later_errors() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="later"), errors_as_one_line("train"):
        raise ValueError("later")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_after_the_work_ends_the_process_in_silence(name: str) -> None:
    command = [sys.executable, "-c", ENDING, "--version", name]
    ended = subprocess.run(command, capture_output=True, text=True, preexec_fn=as_in_a_terminal)
    assert ended.stdout.startswith("facial-keypoints ")
    assert (ended.returncode, ended.stderr) == (-signal.Signals[name], "")


def test_ctrl_c_while_commands_are_loaded_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "command_extensions", interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "error: interrupted\n"


@pytest.mark.long
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


@pytest.mark.long
def test_ctrl_c_while_faces_are_drawn_is_one_line(workspace: Path) -> None:
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    write_values({"fetch.source": "synthetic", "fetch.synthetic.people": 1000})
    drawn = workspace / ".checkpoints" / "fetch" / "synthetic" / "training"
    errors, _ = interrupt("fetch", lambda: drawn.is_dir() and list(drawn.iterdir()))
    assert errors.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in errors
    assert not (workspace / "data" / "raw").exists()

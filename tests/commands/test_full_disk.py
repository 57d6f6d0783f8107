"""Disks that are full or read-only: small ones, mounted in memory, which takes root."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from facial_keypoints.cli import errors_as_one_line
from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import TrackingError
from pipeline.core import paths
from pipeline.core.settings import Preprocess, Split
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.live_run import training_run
from pipeline.stages import preprocess, split
from tests.tracking.test_tracking import EPOCHS, KEY, TRAIN_PARAMS, curve, run_track, runs, write_outputs
from tests.training.test_checkpoint import prepared, run_stage

__all__ = ["prepared"]  # the fixture

Mount = Callable[[Path, str], None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts a disk of a size such as 64k on a folder."""
    mounted: list[Path] = []

    def mount_small(folder: Path, size: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() or shell("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)):
            pytest.skip("mounting takes root")
        mounted.append(folder)

    yield mount_small
    for folder in mounted:
        shell("umount", "--lazy", str(folder))


def shell(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


def fill(folder: Path) -> Path:
    """A file that leaves no byte of the disk."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(folder).free == 0
    return filler


def error_line(capsys: pytest.CaptureFixture[str], work: Callable[[], None]) -> str:
    """The line on stderr with which the work ends, as it does from the command line; before it, only progress."""
    capsys.readouterr()
    with pytest.raises(typer.Exit), errors_as_one_line():
        work()
    *progress, line = capsys.readouterr().err.splitlines()
    assert not [other for other in progress if not re.match(r"\w+: \d+/\d+ ", other)]
    return line


def run_split() -> None:
    split.run(split=Split(val_people_frac=0.25, drop_test_copies=False, seed=0))


def run_preprocess() -> None:
    preprocess.run(preprocess=Preprocess(size_px=96, fit="pad"))


@pytest.mark.parametrize(
    ("folder", "stage", "result"),
    [
        (paths.SAMPLES.parent, run_split, paths.SAMPLES),
        (paths.PROCESSED, run_preprocess, paths.PROCESSED / "train" / "images.npy"),
    ],
)
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_takes_nothing_is_one_line_and_leaves_what_was_there(
    raw: Path, mount: Mount, capsys: pytest.CaptureFixture[str], folder: Path, stage, result: Path, fault: str
) -> None:
    run_split()
    contents = shutil.copytree(folder, "before") if folder.exists() else None
    mount(folder, "1m")
    if contents:
        shutil.copytree(contents, folder, dirs_exist_ok=True)
    stage()
    before = result.read_bytes()
    if fault == "full":
        fill(folder)
    else:
        shell("mount", "-o", "remount,ro", str(folder))
    line = error_line(capsys, stage)
    assert line.startswith(f"error: {folder.as_posix()}")
    remedies = ("free or mend that place", "make that place writable, or work in a copy,")
    assert line.endswith(tuple(f"; {remedy} and run again" for remedy in remedies))
    assert result.read_bytes() == before
    if fault == "full":
        (folder / "filler").unlink()
    else:
        shell("mount", "-o", "remount,rw", str(folder))
    stage()
    assert result.read_bytes() == before
    assert not list(folder.rglob("*.partial"))


def test_a_model_that_found_no_space_needs_no_second_training(
    prepared: Path, mount: Mount, capsys: pytest.CaptureFixture[str]
) -> None:
    mount(paths.MODEL.parent, "64k")
    filler = fill(paths.MODEL.parent)
    assert "No space left on device" in error_line(capsys, run_stage)
    filler.unlink()
    shell("mount", "-o", "remount,size=100m", str(paths.MODEL.parent))
    run_stage()
    assert "going on after epoch 3" in capsys.readouterr().out
    assert paths.MODEL.exists()


@pytest.mark.long
def test_a_full_store_does_not_end_a_training_and_is_filled_in_later(
    workspace: Path,
    mount: Mount,
    empty_store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_outputs()
    mount(workspace / "store", "16m")  # its artifacts lie beside it
    shutil.copy(empty_store, "store/mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace}/store/mlflow.db")
    with training_run(TRAIN_PARAMS, KEY) as run:
        run.log({1: EPOCHS[1]})
        filler = fill(workspace / "store")
        run.log({2: EPOCHS[2]})
        run.finish(file_sha256(paths.MODEL))
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "MLflow at /" in line]
    assert line.startswith("warning: ")
    assert line.endswith("database or disk is full; training goes on without live curves")
    with pytest.raises(TrackingError, match="go on with: dvc repro"):
        run_track()
    filler.unlink()
    run_track()
    (complete,) = [run for run in runs() if run.info.status == "FINISHED"]
    assert sorted(curve(complete, "curves/train_loss")) == [(1, 9.5), (2, 4.25)]
    assert mlflow_store.open_store().client.get_run(complete.info.run_id).data.metrics["test/nme_percent"] == 3.71

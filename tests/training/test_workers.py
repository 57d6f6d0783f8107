"""Several workers train as one does: gloo on this machine, few tiny frames."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.cli import app
from pipeline.core import paths
from pipeline.core.settings import Preprocess, Split
from pipeline.experiments.recipe import write_values
from pipeline.experiments.tracking import mlflow_store
from pipeline.stages import preprocess, split
from pipeline.training.frames import LabelledFrames
from pipeline.training.initial_weights import write_weights
from pipeline.training.launch import launched
from pipeline.training.parts import part_seed, sum_over_parts
from pipeline.training.workers import ALONE, LAUNCHER, Workers, _timeout, refuse_uneven, threads_each
from tests.architecture import ROOT
from tests.dataset import write_raw

SMALL = {
    "preprocess.size_px": 96,
    "model.coarse_to_fine.coarse_px": 32,
    "model.coarse_to_fine.coarse_width": 8,
    "model.coarse_to_fine.fine_px": 64,
    "model.coarse_to_fine.fine_width": 8,
    "model.coarse_to_fine.fine_pyramid": 8,
    "train.epochs": 3,
    "train.batch_size": 6,  # 9 frames: a step an epoch, in parts of 2, 2, 1 and 1
    "train.shards": 4,
}
DIES_IN_EPOCH_3 = """
import os
import signal

if os.environ.get("RANK") == "1":
    from pipeline.training.trainer import Training

    step = Training.step

    def dying(self, *batch):
        if self.average.updates == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *batch)

    Training.step = dying
"""


def test_parts_of_a_batch_are_dealt_evenly_and_in_order():
    assert [list(Workers(number, 2).parts(4)) for number in (0, 1)] == [[0, 1], [2, 3]]
    assert list(ALONE.parts(3)) == [0, 1, 2]


def test_parts_are_added_in_their_order():
    parts = torch.tensor([[1e8], [1.0], [-1e8]])
    assert ALONE.sum_in_order(parts).tolist() == [0.0]
    assert ALONE.sum_in_order(parts[[0, 2, 1]]).tolist() == [1.0]


def test_what_workers_share_comes_in_the_order_of_the_batches(monkeypatch):
    of_first, read = iter([[0], [2], [4]]), []
    frames = LabelledFrames(torch.zeros(9, 8, 8, dtype=torch.uint8), torch.arange(9.0).view(9, 1, 1), IBUG_68)

    def number(_, keypoints):
        read.append(int(keypoints[0]) // 2)
        return read[-1]

    monkeypatch.setattr(Workers, "_of_all", lambda _, own: [next(of_first), own])
    own, each = Workers(1, 2).share(frames, 2)
    assert [(found, len(read)) for found in each(number, own)] == [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2)]
    assert read == [1, 3]  # those of the other worker are not read, and none is held in memory
    own, each = ALONE.share(frames, 2)
    monkeypatch.undo()
    assert list(each(number, own)) == [0, 1, 2, 3, 4]


def test_workers_that_would_train_something_else_are_named(monkeypatch):
    monkeypatch.setattr(Workers, "_of_all", lambda *_: ["key", "key", "other"])
    with pytest.raises(ConfigError, match="workers 2 of 3 would train something else than worker 0"):
        Workers(0, 3).refuse_differing("key")


def test_other_stages_than_train_refuse_torchrun():
    told = CliRunner().invoke(app, ["split"], env={"TORCHELASTIC_RUN_ID": "some"})
    assert told.exit_code == 1
    assert "error: split is work for one process; start it without torchrun" in told.output


def test_every_part_of_every_step_draws_for_itself():
    seeds = [part_seed(seed, step, part) for seed in (0, 1) for step in range(10) for part in range(4)]
    assert len(set(seeds)) == len(seeds)
    assert part_seed(0, 3, 1) == part_seed(0, 3, 1)


def test_gradients_are_those_of_the_batch_and_running_statistics_move_by_the_mean_by_hand():
    norm = nn.BatchNorm1d(1, affine=False, momentum=0.5)
    weight = nn.Parameter(torch.tensor([2.0]))
    batch = torch.tensor([[1.0], [3.0], [10.0], [20.0]])

    def backward(part: int) -> torch.Tensor:
        norm(batch[2 * part : 2 * part + 2])
        loss = (weight * batch[2 * part : 2 * part + 2]).mean() / 2
        loss.backward()
        return loss.detach()

    loss = sum_over_parts(backward, norm, [weight], shards=2, workers=ALONE)
    assert loss.item() == 2 * (1 + 3 + 10 + 20) / 4
    assert weight.grad is not None
    assert weight.grad.item() == (1 + 3 + 10 + 20) / 4
    assert norm.running_mean is not None
    assert norm.running_mean.item() == (0.5 * 2 + 0.5 * 15) / 2  # means of the parts 2 and 15, from 0
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize(("shards", "count"), [(1, 2), (4, 3), (2, 4)])
def test_parts_that_cannot_be_dealt_evenly_are_refused_with_the_remedy(shards, count):
    with pytest.raises(ConfigError, match=rf"train\.shards is {shards} and there are {count} workers.*to {count} or"):
        refuse_uneven(shards, count)


def test_threads_follow_the_parts_and_not_the_workers(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    assert [threads_each(shards) for shards in (1, 2, 4, 16)] == [8, 4, 2, 1]


def test_a_number_of_workers_that_is_none_is_named(monkeypatch):
    for wrong in ("two", "0", "-1"):
        monkeypatch.setenv("KEYPOINTS_WORKERS", wrong)
        with pytest.raises(ConfigError, match=r"KEYPOINTS_WORKERS is .* but should be a number of processes"):
            launched("train", 4)
    monkeypatch.delenv("KEYPOINTS_WORKERS")
    assert not launched("train", 4)


@pytest.mark.parametrize("wrong", ["10m", "", "0", "-5", "nan", "inf"])
def test_a_time_to_wait_that_is_none_is_named(monkeypatch, wrong):
    monkeypatch.setenv("KEYPOINTS_WORKER_TIMEOUT_S", wrong)
    with pytest.raises(ConfigError, match=r"KEYPOINTS_WORKER_TIMEOUT_S is .* but should be seconds"):
        _timeout()
    monkeypatch.setenv("KEYPOINTS_WORKER_TIMEOUT_S", "2.5")
    assert _timeout().total_seconds() == 2.5


@pytest.fixture(scope="module")
def alone(tmp_path_factory, empty_store) -> Path:
    """A workspace in which one worker trained in four parts."""
    folder: Path = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(ROOT / paths.PARAMS, folder)
        shutil.copy(empty_store, folder)
        write_values(SMALL)
        write_raw(folder / "data" / "raw")
        split.run(split=Split(val_people_frac=0.25, drop_test_copies=False, seed=0))
        preprocess.run(preprocess=Preprocess(size_px=96, fit="pad"))
        write_weights(paths.PRETRAINED, {})
    done = train(folder, [sys.executable, "-m", "pipeline", "train"])
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def prepared(alone, empty_store, tmp_path) -> Path:
    """The same workspace before it trained."""
    folder = tmp_path / "workers"
    shutil.copytree(alone, folder, ignore=shutil.ignore_patterns("model", "reports", "mlflow.db*", ".checkpoints"))
    shutil.copy(empty_store, folder)
    return folder


def train(folder: Path, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    environment = kept | {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder), "OMP_NUM_THREADS": "1"} | variables
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def results(folder: Path) -> list[bytes]:
    return [(folder / path).read_bytes() for path in (paths.MODEL, paths.HISTORY)]


def runs(folder: Path, monkeypatch) -> list[tuple[str, list[int]]]:
    """Status and logged epochs of each MLflow run."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = mlflow_store.open_store()
    found = store.client.search_runs([store.experiment_id])
    curve = f"{mlflow_store.CURVES}/train_loss"
    return [
        (run.info.status, sorted(point.step for point in store.client.get_metric_history(run.info.run_id, curve)))
        for run in found
    ]


@pytest.mark.long
def test_a_worker_ends_whose_launcher_was_gone_before_it_looked(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    waits = "import time; from pipeline.training.workers import joined\nwith joined(1): time.sleep(300)"
    started_by = {"TORCHELASTIC_RUN_ID": "some", "WORLD_SIZE": "1", LAUNCHER: str(gone.pid)}
    assert train(tmp_path, [sys.executable, "-c", waits], **started_by).returncode == 1


@pytest.mark.long
def test_four_workers_end_with_the_bits_of_one(alone, prepared):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "4"]
    done = train(prepared, [*torchrun, "-m", "pipeline", "train"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 3/3") == 1  # the first worker alone tells
    assert results(prepared) == results(alone)


@pytest.mark.long
def test_a_killed_worker_is_told_in_a_line_and_the_next_start_ends_with_the_same_bits(
    alone, prepared, tmp_path, monkeypatch
):
    (tmp_path / "sitecustomize.py").write_text(DIES_IN_EPOCH_3)
    command = [sys.executable, "-m", "pipeline", "train"]
    died = train(prepared, command, KEYPOINTS_WORKERS="2", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert died.returncode == 1
    assert "error: worker 1 was killed (SIGKILL)" in died.stderr
    assert "Traceback" not in died.stderr
    assert not (prepared / paths.MODEL).exists()
    again = train(prepared, command, KEYPOINTS_WORKERS="2")
    assert again.returncode == 0, again.stderr
    assert "going on after epoch 2" in again.stdout
    assert results(prepared) == results(alone)
    assert runs(prepared, monkeypatch) == [("FINISHED", [1, 2, 3])]

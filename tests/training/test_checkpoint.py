import contextlib
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import paths
from pipeline.core.settings import Preprocess, Split
from pipeline.experiments.breaking_off import PrunedError
from pipeline.experiments.params import load_params
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.live_run import LiveRun
from pipeline.models import build_network
from pipeline.models.settings import Model
from pipeline.stages import preprocess, split, train
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Checkpoint, resumable, resume_training, training_key
from pipeline.training.frames import LabelledFrames
from pipeline.training.initial_weights import write_weights
from pipeline.training.trainer import Epoch, fit
from tests.architecture import ROOT
from tests.payload import PLANTS
from tests.training.test_augment import NOTHING
from tests.training.test_trainer import SETTINGS, faces

THREE_EPOCHS = replace(SETTINGS, epochs=3)
PARAMS = load_params(ROOT / "params.yaml")
KEY = "ab" * 32
CPU = torch.device("cpu")


class Killed(BaseException):
    """What no code catches, as none outlives SIGKILL."""


def network_section(name: str) -> dict:
    section = asdict(PARAMS.model) | {"name": name}
    section["coarse_to_fine"] |= {"coarse_px": 32, "fine_px": 64, "fine_width": 8, "fine_pyramid": 8}
    return section


def train_with_checkpoints(name: str, path: Path, *, die_after: int | None = None):
    """Train on a few faces; returns the final state and the history."""
    torch.manual_seed(0)
    few = faces(10, shift=1.0)
    large = LabelledFrames(functional.interpolate(few.images[:, None], (96, 96))[:, 0], few.keypoints_crop, few.scheme)
    network = build_network(
        network_section(name), side=96, mean_shape=large.keypoints_crop.mean(0), flip_index=IBUG_68.flip_index
    )
    checkpoint = Checkpoint(path, KEY)
    start, history = checkpoint.read()
    final = {}

    def on_epoch(epoch, state):
        history.append(epoch)
        checkpoint.write(state, history)
        final.update(state)
        if epoch.epoch == die_after:
            raise Killed

    fit(network, large, large, settings=THREE_EPOCHS, amounts=NOTHING, on_epoch=on_epoch, resume=start)
    return final, history


@pytest.mark.parametrize("name", ["coarse_to_fine", "udacity_5conv"])
@pytest.mark.slow
def test_a_training_that_goes_on_ends_like_one_that_never_stopped(tmp_path, name):
    whole, history = train_with_checkpoints(name, tmp_path / "whole")
    for epoch in (1, 2):
        with pytest.raises(Killed):
            train_with_checkpoints(name, tmp_path / "broken", die_after=epoch)
    resumed, same_history = train_with_checkpoints(name, tmp_path / "broken")
    assert same_history == history
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert set(resumed) == set(whole)
    assert not [n for n in whole if not torch.equal(whole[n], resumed[n]) or whole[n].stride() != resumed[n].stride()]


STATE = {"weight": torch.arange(12.0).reshape(3, 4), "random.torch": torch.get_rng_state(), "updates": torch.tensor(7)}


def test_what_was_written_is_read(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", KEY)
    assert checkpoint.read() == (None, [])
    rows = [Epoch(1, 0.1 / 3, 1 / 7, None, None), Epoch(2, 1e-9, 2 / 7, 0.1, 0.2)]
    checkpoint.write(STATE, rows)
    state, history = checkpoint.read()
    assert history == rows
    assert all(torch.equal(state[name], STATE[name]) and state[name].dtype == STATE[name].dtype for name in STATE)


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def flip_one_bit(path):
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def make_foreign(path):
    Checkpoint(path, "cd" * 32).write(STATE, [])


def lose_its_label(path):
    save_file(load_file(path), path)


@pytest.mark.parametrize("damage", [cut, flip_one_bit, make_foreign, lose_its_label, *PLANTS])
def test_a_bad_checkpoint_is_set_aside_with_one_line(tmp_path, capsys, damage):
    checkpoint = Checkpoint(tmp_path / "state", KEY)
    checkpoint.write(STATE, [])
    damage(checkpoint.path)
    assert checkpoint.read() == (None, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {checkpoint.path} is no checkpoint of this training")
    assert line.endswith("it is called state.damaged now, and training starts from the beginning")
    assert [path.name for path in tmp_path.iterdir()] == ["state.damaged"]
    assert checkpoint.read() == (None, [])


def test_a_checkpoint_that_cannot_be_removed_or_set_aside_ends_no_training(tmp_path, capsys):
    """As in a folder that became read-only; here folders lie in the way, which no file replaces."""
    for name in ("state", "state.damaged"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "of somebody").touch()
    checkpoint = Checkpoint(tmp_path / "state", KEY)
    assert checkpoint.read() == (None, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("; training starts from the beginning")
    checkpoint.write(STATE, [])
    assert capsys.readouterr().err.count("no checkpoint can be kept") == 1
    checkpoint.remove()
    assert (tmp_path / "state.damaged" / "of somebody").exists()


def test_a_full_disk_is_told_once_and_leaves_the_last_checkpoint(tmp_path, capsys, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "state", KEY)
    checkpoint.write(STATE, [])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        checkpoint.write({"weight": torch.zeros(1)}, [])
        checkpoint.write({"weight": torch.zeros(1)}, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert "warning: no checkpoint can be kept" in line
    assert torch.equal(checkpoint.read()[0]["weight"], STATE["weight"])


def test_the_checkpoint_goes_when_all_is_well_and_stays_when_not(workspace):
    with contextlib.suppress(Killed), resumable(KEY) as checkpoint:
        checkpoint.write(STATE, [])
        raise Killed
    (workspace / ".checkpoints/train/.0123456789abcdef.partial").touch()  # of a process killed while it wrote
    with resumable(KEY) as checkpoint:
        assert checkpoint.read()[0] is not None
    assert not list((workspace / ".checkpoints/train").iterdir())


@pytest.mark.parametrize("epochs", [0, 2])
def test_an_interrupted_training_tells_what_is_kept(tmp_path, capsys, epochs):
    def training(on_epoch, resume):
        for number in range(1, epochs + 1):
            on_epoch(Epoch(number, 0.1, 1.0, None, None), STATE)
        raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path / "state", KEY)
    with pytest.raises(KeyboardInterrupt):
        resume_training(training, checkpoint, lambda epochs: None)
    told = "epochs 1 to 2 are kept: the same training goes on after them\n"
    assert capsys.readouterr().err == (told if epochs else "")
    assert len(checkpoint.read()[1]) == epochs


@pytest.mark.long
def test_two_processes_do_not_train_the_same_at_once(workspace):
    code = (
        f"from pipeline.training.checkpoint import resumable\nwith resumable('{KEY}'): print('in', flush=True); input()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    pipes: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    with subprocess.Popen(command, env=environment, **pipes) as first:
        assert first.stdout.readline() == "in\n"
        with subprocess.Popen(command, env=environment, **pipes) as second:
            assert second.stderr.readline().startswith("another process trains exactly this; waiting")
            first.communicate("\n")
            assert second.communicate("\n")[0] == "in\n"


@pytest.fixture
def prepared(raw, stored) -> Path:
    """A workspace with arrays to train on and an MLflow store."""
    split.run(split=Split(val_people_frac=0.25, drop_test_copies=False, seed=0))
    preprocess.run(preprocess=Preprocess(size_px=96, fit="pad"))
    write_weights(paths.PRETRAINED, {})
    return Path.cwd()


def run_stage(size_px: int = 96) -> None:
    train.run(
        preprocess=Preprocess(size_px=size_px, fit="pad"),
        model=Model(**network_section("coarse_to_fine")),
        augment=PARAMS.augment,
        train=replace(PARAMS.train, epochs=3, batch_size=4),
    )


def logged_epochs() -> list[list[int]]:
    """Of each MLflow run, the epochs of one curve."""
    store = mlflow_store.open_store()
    found = store.client.search_runs([store.experiment_id])
    curve = f"{mlflow_store.CURVES}/train_loss"
    return [sorted(p.step for p in store.client.get_metric_history(run.info.run_id, curve)) for run in found]


@pytest.mark.parametrize("last", [2, 3])
@pytest.mark.slow
def test_a_killed_stage_goes_on_with_the_same_files_in_the_same_run(prepared, monkeypatch, capsys, last):
    run_stage()
    whole = [path.read_bytes() for path in (paths.MODEL, paths.HISTORY)]
    write = Checkpoint.write

    def die(checkpoint, state, history):
        write(checkpoint, state, history)
        if len(history) == last:
            raise Killed

    with monkeypatch.context() as killer:
        killer.setattr(Checkpoint, "write", die)
        with pytest.raises(Killed):
            run_stage()
    capsys.readouterr()
    run_stage()
    assert f"going on after epoch {last}" in capsys.readouterr().out
    assert [path.read_bytes() for path in (paths.MODEL, paths.HISTORY)] == whole
    assert logged_epochs() == [[1, 2, 3]] * 2
    assert not list((prepared / ".checkpoints/train").iterdir())


@pytest.mark.slow
def test_a_training_that_its_search_broke_off_leaves_no_checkpoint(prepared, monkeypatch):
    def break_off(live, epochs):
        assert list((prepared / ".checkpoints/train").glob("*.safetensors"))
        raise PrunedError("worse than the median")

    monkeypatch.setattr(LiveRun, "log", break_off)
    with pytest.raises(PrunedError):
        run_stage()
    assert not list((prepared / ".checkpoints/train").iterdir())


def test_frames_of_another_size_than_the_parameters_say_are_named(prepared):
    with pytest.raises(DataError, match=r"train holds frames of 96 pixels where preprocess.size_px is 128.*preprocess"):
        run_stage(size_px=128)


def test_the_key_changes_with_parameters_data_and_device(tmp_path):
    (tmp_path / "images.npy").write_bytes(b"1")
    slow, fast, data = {"train.lr": 0.1}, {"train.lr": 0.2}, [tmp_path]
    keys = [training_key("train", slow, data, CPU), training_key("train", fast, data, CPU)]
    keys.append(training_key("pretrain", slow, data, CPU))
    keys.append(training_key("train", slow, data, torch.device("cuda")))
    (tmp_path / "images.npy").write_bytes(b"2")
    keys.append(training_key("train", slow, data, CPU))
    assert len(set(keys)) == 5
    assert training_key("train", slow, data, CPU) == keys[-1]
    assert training_key("train", slow, [tmp_path / "images.npy"], CPU) == keys[-1]


def test_processors_with_and_without_bfloat16_do_not_go_on_with_each_others_trainings(monkeypatch):
    """Both may call themselves AVX512 and compute otherwise: in float32 and in bfloat16."""
    keys = []
    for has_it in (False, True):
        monkeypatch.setattr(checkpoint, "has_bfloat16", lambda device, has_it=has_it: has_it)
        keys.append(training_key("train", {}, [], CPU))
    assert len(set(keys)) == 2


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A tree with a file of code in each room that a training hashes, in place of the repository's."""
    for place in {place for places in checkpoint.CODE.values() for place in places}:
        file = tmp_path / place if place.endswith(".py") else tmp_path / place / "some.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("first\n")
    monkeypatch.setattr(checkpoint, "_ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("stage", checkpoint.CODE)
def test_code_that_decides_a_training_is_part_of_its_key(code, stage):
    keys = [training_key(stage, {}, [], CPU)]
    for place in checkpoint.CODE[stage]:
        file = code / place if place.endswith(".py") else code / place / "deep" / "new.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("second\n")
        keys.append(training_key(stage, {}, [], CPU))
    assert len(set(keys)) == 1 + len(checkpoint.CODE[stage])


def test_other_code_and_compiled_files_leave_the_key_of_a_training_alone(code):
    before = training_key("train", {}, [], CPU)
    for other in (
        "pipeline/models/__pycache__/some.cpython-311.pyc",
        "pipeline/evaluation/curves.py",
        "pipeline/datasets/synthetic/some.py",
        "pipeline/stages/pretrain.py",
        "facial_keypoints/filters/hat.py",
    ):
        (code / other).parent.mkdir(parents=True, exist_ok=True)
        (code / other).write_text("second\n")
        assert training_key("train", {}, [], CPU) == before


@pytest.mark.slow
def test_workers_end_with_the_stage_that_is_killed(tmp_path):
    script = tmp_path / "draw.py"
    draw = f"write_synthetic(Path({str(tmp_path / 'raw')!r}), people=99, clips=9, frames=9, seed=0)"
    script.write_text(
        "from pathlib import Path\nfrom pipeline.datasets.synthetic_frames import write_synthetic\n"
        f"if __name__ == '__main__':\n    {draw}"
    )
    with subprocess.Popen([sys.executable, script], env=os.environ | {"PYTHONPATH": str(ROOT)}) as stage:
        while not list(tmp_path.glob("raw/training/*")):
            assert stage.poll() is None, "the stage ended before it drew a frame"
            time.sleep(0.05)
        workers = psutil.Process(stage.pid).children()
        stage.kill()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert workers
    assert not alive

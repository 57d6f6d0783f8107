"""A training that ends while MLflow is away: its run does not name its model, and `track` finds it all the same."""

from collections.abc import Collection
from pathlib import Path
from unittest.mock import Mock

import pytest

from facial_keypoints.core.atomic_files import file_sha256
from pipeline.core import paths
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.live_run import training_run
from tests.tracking.test_tracking import EPOCHS, KEY, TRAIN_PARAMS, curve, run_track, runs, train_live, workspace

__all__ = ["workspace"]  # the fixture


def train_while_it_goes_away(monkeypatch: pytest.MonkeyPatch, fails: Collection[str]) -> None:
    """Train for two epochs; after the first, MLflow's client raises where it is asked to do one of `fails`."""
    with monkeypatch.context() as away, training_run(TRAIN_PARAMS, KEY) as run:
        run.log({1: EPOCHS[1]})
        for name in fails:
            away.setattr(f"mlflow.MlflowClient.{name}", Mock(side_effect=OSError("no answer")))
        run.log({2: EPOCHS[2]})
        run.finish(file_sha256(paths.MODEL))


def notes() -> list[Path]:
    return [path for path in Path(".checkpoints").rglob("*") if path.is_file()]


@pytest.mark.parametrize("fails", [{"log_batch", "search_runs", "set_tag", "set_terminated"}, {"set_tag"}])
def test_the_run_is_completed_by_track(workspace: Path, monkeypatch: pytest.MonkeyPatch, fails: set[str]) -> None:
    train_while_it_goes_away(monkeypatch, fails)
    (begun,) = runs()
    run_track()
    (complete,) = runs()
    assert (complete.info.run_id, complete.info.status) == (begun.info.run_id, "FINISHED")
    assert sorted(curve(complete, "curves/train_loss")) == [(1, 9.5), (2, 4.25)]
    assert curve(complete, "test/nme_percent") == [(0, 3.71)]
    assert notes() == []


def test_a_training_that_mlflow_was_told_of_leaves_no_note(workspace: Path) -> None:
    train_live()
    assert notes() == []


@pytest.mark.parametrize(
    "tags",
    [
        {"host": "another"},
        {mlflow_store.TRIAL_STATE: mlflow_store.PRUNED},
        {mlflow_store.MODEL_DIGEST: "0" * 64},
        {mlflow_store.TRAINING_KEY: "another"},
    ],
)
def test_a_run_of_something_else_is_left_as_it_is(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str]
) -> None:
    train_while_it_goes_away(monkeypatch, {"set_tag", "set_terminated"})
    (begun,) = runs()
    mlflow_store.set_tags(mlflow_store.open_store(), begun.info.run_id, tags)
    run_track()
    assert len(runs()) == 2
    assert mlflow_store.TRACK_DIGEST not in {run.info.run_id: run for run in runs()}[begun.info.run_id].data.tags


@pytest.mark.parametrize("content", [b"\xff\xfe", b"' or 1 = 1", b"", b"x" * 1000])
def test_a_note_that_names_no_training_is_none(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    train_while_it_goes_away(monkeypatch, {"set_tag", "set_terminated"})
    (note,) = notes()
    note.write_bytes(content)
    run_track()
    assert sorted(run.info.status for run in runs()) == ["FINISHED", "KILLED"]


def test_where_no_note_can_be_written_track_makes_a_run(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".checkpoints").write_text("in the way")
    train_while_it_goes_away(monkeypatch, {"set_tag", "set_terminated"})
    run_track()
    assert sorted(run.info.status for run in runs()) == ["FINISHED", "KILLED"]

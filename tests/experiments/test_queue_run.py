"""Several workers of DVC's queue on a fresh MLflow store, with the whole pipeline."""

import json
import os
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.core.params import flatten
from pipeline.experiments.dvc.experiments import commit_of
from pipeline.experiments.dvc.queue import put, work_off
from pipeline.experiments.params import load_params
from pipeline.experiments.recipe import write_values
from tests.checkout import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def fresh(built: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A built checkout whose MLflow store was deleted."""
    for store in built.folder.glob("mlflow.db*"):
        store.unlink()
    shutil.rmtree(built.folder / "mlartifacts")
    monkeypatch.chdir(built.folder)
    for name in [name for name in os.environ if name.startswith(("DVC_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    for name, value in built.environment.items():
        monkeypatch.setenv(name, value)
    return built


def test_each_queued_experiment_is_one_complete_run(fresh: Checkout) -> None:
    """Four workers find no store, and two of them train."""
    settings = {
        "trained": {"train.seed": "4"},
        "faster": {"train.lr": "0.004"},
        "measured": {"evaluate.seed": "4"},  # its training comes from the run cache
        "drawn": {"render.seed": "4"},
    }
    for name, values in settings.items():
        put(name, values)
    ended = work_off(list(settings), 4, lambda *_: None)
    failed = [name for name, status in ended.items() if status != "Success"]
    assert not failed, [fresh.run("dvc", "queue", "logs", name) for name in failed]
    runs = fresh.mlflow("select name, status, run_uuid from runs where lifecycle_stage = 'active'")
    assert sorted(name.split()[0] for name, _, _ in runs) == sorted(settings)
    assert {status for _, status, _ in runs} == {"FINISHED"}
    for name, _, run in runs:
        check_complete(fresh, name.split()[0], run)


def check_complete(checkout: Checkout, experiment: str, run: str) -> None:
    """All parameters, epochs, metrics, figures and a model, as the experiment's own files have them."""
    tags = dict(checkout.mlflow(f"select key, value from tags where run_uuid = '{run}'"))
    assert tags["dvc_experiment"] == experiment
    params = dict(checkout.mlflow(f"select key, value from params where run_uuid = '{run}'"))
    assert set(params) == set(flatten(load_params(checkout.folder / "params.yaml")))
    measured = json.loads(checkout.run("git", "show", f"{commit_of(experiment)}:reports/metrics.json"))
    metrics = dict(checkout.mlflow(f"select key, value from latest_metrics where run_uuid = '{run}'"))
    assert metrics["test/nme_percent"] == measured["test"]["nme_percent"]
    curve = checkout.mlflow(
        f"select step from metrics where run_uuid = '{run}' and key = 'curves/val_nme_percent' order by step"
    )
    assert [step for (step,) in curve] == [1, 2]
    (kept,) = checkout.mlflow(f"select artifact_uri from runs where run_uuid = '{run}'")
    names = {path.name for path in Path(kept[0].removeprefix("file://")).rglob("*") if path.is_file()}
    assert {"metrics.json", "history.csv", "faces.png", "ced.png", "model_card.md", "dvc.lock"} <= names
    models = checkout.mlflow(f"select status from logged_models where source_run_id = '{run}'")
    assert len(models) == 1


def test_an_experiment_in_a_folder_of_its_own_has_the_bytes_of_the_workspace(fresh: Checkout) -> None:
    fresh.run("dvc", "exp", "run", "--temp", "--name", "apart", "-S", "train.seed=9")
    apart = fresh.run("git", "show", f"{commit_of('apart')}:dvc.lock")
    path = fresh.folder / "params.yaml"
    before = path.read_text()
    write_values({"train.seed": 9}, path)
    stages = ("pretrain", "train", "evaluate")  # forced, so that nothing comes out of DVC's run cache
    for stage in stages:
        fresh.run("dvc", "repro", "--force", "--single-item", stage)
    apart, here = (YAML(typ="safe").load(lock)["stages"] for lock in (apart, (fresh.folder / "dvc.lock").read_text()))
    for stage in stages:
        assert here[stage] == apart[stage]
    path.write_text(before)
    fresh.run("dvc", "repro")

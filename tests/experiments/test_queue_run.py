"""Several workers of DVC's queue on a fresh MLflow store, with the whole pipeline."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.core.params import flatten
from pipeline.experiments.dvc.experiments import commit_of
from pipeline.experiments.params import load_params
from pipeline.experiments.recipe import write_values
from tests.checkout import Checkout
from tests.queued import EXPERIMENTS

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def checkout(built: Checkout, queued: dict[str, str]) -> Iterator[Checkout]:
    """The built checkout with its experiments, as the present folder."""
    failed = [name for name, status in queued.items() if status != "Success"]
    assert not failed, [built.attempt("dvc", "queue", "logs", name) for name in failed]
    with built.entered():
        yield built


def test_each_queued_experiment_is_one_complete_run(checkout: Checkout) -> None:
    runs = checkout.mlflow("select name, status, run_uuid from runs where lifecycle_stage = 'active'")
    assert sorted(name.split()[0] for name, _, _ in runs) == sorted(EXPERIMENTS)
    assert {status for _, status, _ in runs} == {"FINISHED"}
    for name, _, run in runs:
        check_complete(checkout, name.split()[0], run)


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
    assert [step for (step,) in curve] == ([1] if experiment == "other" else [1, 2])
    (kept,) = checkout.mlflow(f"select artifact_uri from runs where run_uuid = '{run}'")
    names = {path.name for path in Path(kept[0].removeprefix("file://")).rglob("*") if path.is_file()}
    assert {"metrics.json", "history.csv", "faces.png", "ced.png", "model_card.md", "dvc.lock"} <= names
    models = checkout.mlflow(f"select status from logged_models where source_run_id = '{run}'")
    assert len(models) == 1


def test_an_experiment_in_a_folder_of_its_own_has_the_bytes_of_the_workspace(checkout: Checkout) -> None:
    apart = checkout.run("git", "show", f"{commit_of('trained')}:dvc.lock")
    write_values({"train.seed": 4}, checkout.folder / "params.yaml")
    stages = ("pretrain", "train", "evaluate")  # forced, so that nothing comes out of DVC's run cache
    checkout.run("dvc", "repro", "--force", "--single-item", *stages)
    apart, here = (
        YAML(typ="safe").load(lock)["stages"] for lock in (apart, (checkout.folder / "dvc.lock").read_text())
    )
    for stage in stages:
        assert here[stage] == apart[stage]
    checkout.go_back()

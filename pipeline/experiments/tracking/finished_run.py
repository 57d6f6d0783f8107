"""One finished run of the pipeline as MLflow shall keep it, and its way into the store."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import GitError
from facial_keypoints.core.terminal import tell
from pipeline.experiments.dvc import git
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.logged_model import log_model, model_files
from pipeline.experiments.tracking.mlflow_store import (
    DVC_EXPERIMENT,
    MODEL_DIGEST,
    TRACK_DIGEST,
    Curves,
    Store,
    Value,
    find_runs,
)
from pipeline.experiments.tracking.run_process import process_tags
from pipeline.experiments.tracking.runs_page import describe_experiment
from pipeline.experiments.tracking.unfinished_runs import drop_note, unfinished_runs

_THEN = "go on with: dvc repro"
"""What to do once the store is mended: the last stage runs again."""


@dataclass(frozen=True)
class RunRecord:
    """What one run of the pipeline computed, read from its files."""

    name: str
    description: str
    """Markdown."""
    model: Path
    """The model file."""
    model_digest: str
    """SHA-256 of the model file."""
    dataset: Mapping[str, Any]
    """Contents of dataset.json."""
    params: Mapping[str, Value]
    """Dotted name -> value."""
    metrics: Mapping[str, float]
    """Dotted name of metrics.json -> value."""
    curves: Curves
    """Columns of history.csv."""
    artifacts: Mapping[Path, str]
    """File -> folder among the artifacts of the run, "" for their root."""
    lock: Path
    """dvc.lock: kept, but hashes of code and of `track` itself in it do not make another run."""

    def digest(self) -> str:
        """SHA-256 over all that is recorded except `lock`: equal for equal results."""
        files = sorted((folder, path.name, file_sha256(path)) for path, folder in self.artifacts.items())
        content = [self.model_digest, dict(self.dataset), dict(self.params), dict(self.metrics), files]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def keep(record: RunRecord) -> bool:
    """Complete the run that `train` logged live, or make one from the files; False if a run holds all of it already.

    A run that was completed with other results stays as it is: another evaluation is another run.
    """
    digest = record.digest()
    with mlflow_store.mlflow_errors(_THEN):
        store = mlflow_store.open_store()
        mlflow_store.close_dead_runs(store)
        describe_experiment(store)
        begun = find_runs(store, TRACK_DIGEST, digest)
        if any(run.info.status == "FINISHED" for run in begun):
            return False
    # First, as a network that cannot be exported shall leave no run half logged.
    with model_files(record.model) as files, mlflow_store.mlflow_errors(_THEN):
        same_model = find_runs(store, MODEL_DIGEST, record.model_digest)
        live = [run for run in same_model if TRACK_DIGEST not in run.data.tags]
        run_id = _begin(store, record, begun or live or unfinished_runs(store, record.model_digest))
        try:
            mlflow_store.set_tags(store, run_id, {TRACK_DIGEST: digest, **_tags(record)})
            _fill(store, run_id, record, files)
        except BaseException:
            store.client.set_terminated(run_id, "FAILED")
            raise
        store.client.set_terminated(run_id, "FINISHED")
    drop_note(record.model_digest)
    return True


def _begin(store: Store, record: RunRecord, runs: list[Any]) -> str:
    """Id of the run to fill: the first of `runs`, opened again, or a new one.

    Others among `runs` that finished the same training are deleted.
    """
    for surplus in runs[1:]:
        if surplus.info.status == "FINISHED":
            store.client.delete_run(surplus.info.run_id)
    if not runs:
        tags = process_tags()
        return str(store.client.create_run(store.experiment_id, tags=tags, run_name=record.name).info.run_id)
    run_id = str(runs[0].info.run_id)
    store.client.update_run(run_id, status="RUNNING", name=record.name)
    return run_id


def _tags(record: RunRecord) -> dict[str, str]:
    """Tags by which the run is found again, and from what it came."""
    dataset = record.dataset
    tags = {"dataset": dataset["dataset"], "dataset_revision": dataset["revision"], "dataset_digest": dataset["sha256"]}
    tags |= {
        **process_tags(),
        MODEL_DIGEST: record.model_digest,
        "mlflow.note.content": record.description,
    }
    if name := os.environ.get("DVC_EXP_NAME"):
        tags[DVC_EXPERIMENT] = name
    try:
        tags |= _git_tags()
    except (GitError, OSError) as error:  # no run is given up for that
        tell(f"warning: the run in MLflow names no commit: {error}")
    return tags


def _git_tags() -> dict[str, str]:
    """The commit, and whether files differ from it, other than those that every run changes. Raises GitError."""
    commit = git.head()
    kept_here = [":!params.yaml", ":!dvc.lock", ":!reports"]
    changed = git.ask("status", "--porcelain", "--untracked-files=no", "--", ".", *kept_here)
    tags = {"git_commit": commit, "mlflow.source.git.commit": commit}
    tags |= {"mlflow.source.name": "dvc repro", "mlflow.source.type": "LOCAL"}
    return tags if changed is None else tags | {"git_dirty": str(bool(changed)).lower()}


def _fill(store: Store, run_id: str, record: RunRecord, model_files: Mapping[str, Path]) -> None:
    """Log all that `record` holds to a run."""
    client = store.client
    mlflow_store.log_params(store, run_id, record.params)
    curves = mlflow_store.named_curves(record.curves)
    mlflow_store.log_epochs(store, run_id, mlflow_store.missing(curves, mlflow_store.logged_points(store, run_id)))
    _log_dataset(store, run_id, record.dataset)
    for path, folder in record.artifacts.items():
        client.log_artifact(run_id, str(path), folder or None)
    if record.lock.exists():
        client.log_artifact(run_id, str(record.lock))
    model_id = log_model(store, run_id, model_files, record.model_digest)
    # Epochs count from 1; what has only a step 0, MLflow draws as a bar.
    metrics = {mlflow_store.metric_name(name): value for name, value in record.metrics.items()}
    mlflow_store.log_epochs(store, run_id, {0: metrics}, model_id)


def _log_dataset(store: Store, run_id: str, dataset: Mapping[str, Any]) -> None:
    """Name the dataset, with its digest and revision, as the input of a run."""
    from mlflow.entities import Dataset, DatasetInput

    source = json.dumps({"revision": dataset["revision"]})
    entity = Dataset(dataset["dataset"], dataset["sha256"][:12], "dvc", source)
    mlflow_store.add_shared(partial(store.client.log_inputs, run_id, [DatasetInput(entity, [])]))

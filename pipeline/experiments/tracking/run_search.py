"""Finished runs of MLflow, found by what users call them; where no run was recorded yet, nothing is made."""

import re
import tempfile
from pathlib import Path
from typing import Any

from facial_keypoints.core.errors import DataError, TrackingError
from facial_keypoints.core.text import printable
from pipeline.core.redaction import gist
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.local_store import prepare
from pipeline.experiments.tracking.mlflow_store import DVC_EXPERIMENT, PRUNED, TRACK_DIGEST, TRIAL_STATE, Store
from pipeline.experiments.tracking.store_location import EXPERIMENT, store_location

_SHORT_ID = re.compile(r"[0-9a-f]{6,31}")
"""The beginning of a run id, as `keypoints runs` shows it."""


def find_store() -> Store | None:
    """The project's experiment, for who only reads: None where no run was recorded yet, and nothing is made then.

    Raises whatever MLflow raises, and TrackingError.
    """
    with mlflow_store.quiet():
        location = store_location()
        if location.database and not location.database.exists():
            return None
        prepare(location)
        import mlflow

        client = mlflow.MlflowClient(location.uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        return Store(client, experiment.experiment_id) if experiment else None


def finished_runs(store: Store, condition: str = "") -> list[Any]:
    """Runs of MLflow that are complete and fulfil `condition`, in its filter language; newest first, all pages."""
    return _runs(store, " and ".join(filter(None, [condition, "attributes.status = 'FINISHED'"])))


def _runs(store: Store, wanted: str) -> list[Any]:
    page = store.client.search_runs([store.experiment_id], wanted)
    runs = list(page)
    while page.token:
        page = store.client.search_runs([store.experiment_id], wanted, page_token=page.token)
        runs += page
    return runs


def find_run(name: str) -> Any | None:
    """The newest finished run with this id, name or DVC experiment, or with an id that begins so; None if none has.

    Raises TrackingError, also for the beginning of several ids.
    """
    with mlflow_store.mlflow_errors():
        store = find_store()
        if store is None:
            return None
        quoted = printable(name).replace("'", "")
        for called in ("attributes.run_id", "attributes.run_name", f"tags.{DVC_EXPERIMENT}"):
            if found := finished_runs(store, f"{called} = '{quoted}'"):
                return found[0]
        return _begun_with(store, name) if _SHORT_ID.fullmatch(name) else None


def _begun_with(store: Store, beginning: str) -> Any | None:
    found = [run for run in finished_runs(store) if run.info.run_id.startswith(beginning)]
    if len(found) > 1:
        raise TrackingError(
            f"the ids of {len(found)} runs of MLflow begin with {beginning}; give more of its characters"
        )
    return found[0] if found else None


def all_runs() -> list[Any]:
    """Every finished run, newest first. Raises TrackingError."""
    with mlflow_store.mlflow_errors():
        store = find_store()
        return finished_runs(store) if store else []


def pruned_runs() -> list[Any]:
    """Every run that a search pruned, newest first. Raises TrackingError."""
    with mlflow_store.mlflow_errors():
        store = find_store()
        return _runs(store, f"tags.{TRIAL_STATE} = '{PRUNED}'") if store else []


def count_unfinished() -> int:
    """Number of runs that go on, failed or were interrupted. Raises TrackingError."""
    with mlflow_store.mlflow_errors():
        store = find_store()
        runs = _runs(store, "attributes.status != 'FINISHED'") if store else []
    return sum(run.data.tags.get(TRIAL_STATE) != PRUNED for run in runs)


def run_of_model(model_digest: str) -> Any | None:
    """The newest finished run whose model file has this SHA-256; None if none has. Raises TrackingError."""
    with mlflow_store.mlflow_errors():
        store = find_store()
        runs = mlflow_store.find_runs(store, mlflow_store.MODEL_DIGEST, model_digest) if store else []
    return next((run for run in runs if run.info.status == "FINISHED"), None)


def read_artifact(run: Any, path: Path) -> bytes:
    """A report of a run, by its path in the workspace. Raises DataError if the run does not keep it."""
    with mlflow_store.quiet(), tempfile.TemporaryDirectory() as folder:
        try:
            client = mlflow_store.open_store().client
            return Path(client.download_artifacts(run.info.run_id, str(path), folder)).read_bytes()
        except Exception as error:  # in the types of whatever store it uses
            remedy = "choose another run" if TRACK_DIGEST in run.data.tags else "complete it with: dvc repro"
            raise DataError(f"run {run.info.run_name} of MLflow keeps no {path} ({gist(error)}); {remedy}") from None

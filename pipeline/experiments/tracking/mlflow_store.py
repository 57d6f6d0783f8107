"""The project's experiment in MLflow. MLflow is a view of the runs, DVC the record.

mlflow takes seconds to import, so only functions import it. Every training depends on this file and live_run.py: what
only `track` or `ui` needs stands in finished_run.py.
"""

import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from facial_keypoints.core.errors import TrackingError
from pipeline.core.redaction import gist
from pipeline.experiments.tracking.local_store import lock, prepare
from pipeline.experiments.tracking.run_process import lives
from pipeline.experiments.tracking.store_location import (
    EXPERIMENT,
    VARIABLE,
    StoreLocation,
    remedy,
    shown_store,
    store_for_shell,
    store_location,
    store_uri,
)

MODEL_DIGEST = "model_digest"
"""Tag of a run: SHA-256 of its model.safetensors, by which `track` finds the run that `train` logged."""
TRAINING_KEY = "training_key"
"""Tag of a run: digest of all that decides what a training computes, by which a training finds the run it began."""
TRACK_DIGEST = "track_digest"
"""Tag of a run: digest over all that `track` records in it, set when it begins to."""
DVC_EXPERIMENT = "dvc_experiment"
"""Tag of a run: name of the DVC experiment that made it."""
TRIAL_STATE, PRUNED = "trial_state", "PRUNED"
"""Tag of a run that a search pruned, and its value."""

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what fails is raised; logged too, it comes with pages of traceback
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # MLflow by itself waits for many minutes when a server is gone.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_OTHER_VERSION = ("out-of-date database schema", "Can't locate revision")
_REFUSED = "failed with error code 401"

CURVES = "curves"
"""Section of MLflow's pages with what was measured after each epoch: sorted by name, it is the first of all."""
Value = bool | int | float | str
Curves = Mapping[int, Mapping[str, float | None]]
"""Epoch, from 1 -> curve -> value, None where there is none."""


@dataclass(frozen=True)
class Store:
    """An open MLflow store."""

    client: Any
    """An `mlflow.MlflowClient`."""
    experiment_id: str
    """Of the project's experiment."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep MLflow's log lines, progress bars, telemetry and Python warnings away from the user's terminal."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def mlflow_errors(then: str = "give the command again") -> Iterator[None]:
    """Turn a failure of MLflow, which comes in the types of whatever store it uses, into a TrackingError.

    `then` says what to do once it is mended.
    """
    with quiet():
        try:
            yield
        except TrackingError:
            raise
        except Exception as error:
            raise TrackingError(f"{failure(error)}; {remedy()}, then {then}") from error


def failure(error: Exception) -> str:
    """What went wrong with the store, in one line, with what helps where it is of another version or asks who comes."""
    if isinstance(error, TrackingError):
        return str(error)
    if any(words in str(error) for words in _OTHER_VERSION):
        return (
            f"the store {shown_store()} is of another version of MLflow ({gist(error).partition('. ')[0]}), which "
            f"this mends where it is an older one, once you have a copy of it: mlflow db upgrade {store_for_shell()}"
        )
    if _REFUSED in str(error):
        return (
            f"MLflow at {shown_store()} knows no such user and password; set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD"
        )
    return f"MLflow at {shown_store()} failed: {gist(error)}"


def open_store() -> Store:
    """The project's experiment, made if it is not there; raises whatever MLflow raises, and TrackingError."""
    with quiet():
        location = store_location()
        prepare(location)
        import mlflow

        client = mlflow.MlflowClient(location.uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            with lock(location):
                experiment = client.get_experiment_by_name(EXPERIMENT) or _new_experiment(client, location)
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return Store(client, experiment.experiment_id)


def _new_experiment(client: Any, location: StoreLocation) -> Any:
    from mlflow import MlflowException

    files = None if location.artifacts is None else location.artifacts.as_uri()  # else MLflow would take ./mlruns
    try:
        return client.get_experiment(client.create_experiment(EXPERIMENT, files))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return client.get_experiment_by_name(EXPERIMENT)  # another host, for which the lock is none, was faster


def add_shared(add: Callable[[], object]) -> None:
    """Add what other hosts may add at the same moment: of two, the slower one's database refuses it, once."""
    from mlflow import MlflowException

    try:
        add()
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":  # what a database refuses
            raise
        add()


@contextmanager
def process_store() -> Iterator[None]:
    """Set MLFLOW_TRACKING_URI inside: some functions of MLflow ask the process for the store, not their client."""
    own = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = store_uri()
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if own is not None:
            os.environ[VARIABLE] = own


def find_runs(store: Store, tag: str, value: str) -> list[Any]:
    """Runs of MLflow with this tag, newest first; deleted ones are left out."""
    return list(store.client.search_runs([store.experiment_id], f"tags.{tag} = '{value}'"))


def close_dead_runs(store: Store) -> None:
    """Mark as KILLED the runs that processes of this host left RUNNING when they died."""
    for run in store.client.search_runs(
        [store.experiment_id], f"attributes.status = 'RUNNING' and tags.host = '{socket.gethostname()}'"
    ):
        if not lives(run.data.tags):
            store.client.set_terminated(run.info.run_id, "KILLED")


def set_tags(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run, all in one request."""
    from mlflow.entities import RunTag

    store.client.log_batch(run_id, tags=[RunTag(*item) for item in tags.items()])


def log_params(store: Store, run_id: str, params: Mapping[str, Value]) -> None:
    """Log parameters of a run in one request, text as it is and other values as JSON."""
    from mlflow.entities import Param

    as_written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    store.client.log_batch(run_id, params=[Param(*item) for item in as_written.items()])


def metric_name(name: str) -> str:
    """The dotted name as MLflow keeps it, "test/nme_percent": its pages make a section of what precedes a slash."""
    return name.replace(".", "/", 1)


def named_curves(epochs: Curves) -> Curves:
    """The curves of history.csv under the names that MLflow keeps them by, as "curves/val_nme_percent"."""
    return {
        epoch: {metric_name(f"{CURVES}.{name}"): value for name, value in values.items()}
        for epoch, values in epochs.items()
    }


def logged_points(store: Store, run_id: str) -> set[tuple[str, int]]:
    """(curve, epoch) of every point that a run holds."""
    curves = store.client.get_run(run_id).data.metrics
    return {(name, point.step) for name in curves for point in store.client.get_metric_history(run_id, name)}


def missing(epochs: Curves, logged: set[tuple[str, int]]) -> Curves:
    """The points whose (curve, epoch) is not among those `logged`."""
    return {
        epoch: {name: value for name, value in values.items() if (name, epoch) not in logged}
        for epoch, values in epochs.items()
    }


def log_epochs(store: Store, run_id: str, epochs: Curves, model_id: str | None = None) -> None:
    """Add points to the curves of a run, and of a logged model if one is named."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    points = [
        Metric(name, value, now, epoch, model_id)
        for epoch, values in epochs.items()
        for name, value in values.items()
        if value is not None
    ]
    for start in range(0, len(points), 1000):  # MLflow's limit of one request
        store.client.log_batch(run_id, metrics=points[start : start + 1000])

"""Runs of MLflow by name, and the registry: versions of the model, of which one is the champion."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facial_keypoints.core.errors import DataError, TrackingError
from facial_keypoints.core.text import printable
from pipeline.experiments.tracking import mlflow_store

REGISTERED = "facial-keypoints"
CHAMPION = "champion"


def find_run(name: str) -> Any | None:
    """The newest finished run with this id, name or DVC experiment; None if there is none."""
    with mlflow_store.mlflow_errors():
        store = mlflow_store.open_store()
        quoted = printable(name).replace("'", "")
        for condition in (
            f"attributes.run_id = '{quoted}'",
            f"attributes.run_name = '{quoted}'",
            f"tags.dvc_experiment = '{quoted}'",
        ):
            found = store.client.search_runs(
                [store.experiment_id], f"{condition} and attributes.status = 'FINISHED'", max_results=1
            )
            if found:
                return found[0]
    return None


def run_of_model(model_digest: str) -> Any | None:
    """The newest finished run whose model has this digest."""
    with mlflow_store.mlflow_errors():
        runs = mlflow_store.find_runs(mlflow_store.open_store(), mlflow_store.MODEL_DIGEST, model_digest)
    return next((run for run in runs if run.info.status == "FINISHED"), None)


def read_artifact(run: Any, path: Path) -> bytes:
    """A report of a run, by its path in the workspace. Raises DataError if the run does not keep it."""
    with mlflow_store.quiet(), tempfile.TemporaryDirectory() as folder:
        try:
            client = mlflow_store.open_store().client
            return Path(client.download_artifacts(run.info.run_id, str(path), folder)).read_bytes()
        except Exception as error:  # in the types of whatever store it uses
            raise DataError(
                f"run {run.info.run_name} of MLflow keeps no {path} ({mlflow_store.gist(error)}); choose another run"
            ) from None


@dataclass(frozen=True)
class Version:
    number: str
    run_id: str


def champion() -> Version | None:
    """The version that carries the alias, if any."""
    with mlflow_store.mlflow_errors():
        client = mlflow_store.open_store().client
        for model in client.search_registered_models(f"name = '{REGISTERED}'"):
            if number := model.aliases.get(CHAMPION):
                return _version(client.get_model_version(REGISTERED, number))
    return None


def add_version(run: Any) -> Version:
    """The version of this run's model; made if the registry has none."""
    with mlflow_store.mlflow_errors():
        store = mlflow_store.open_store()
        client = store.client
        # A run also lists the models that were begun for it, broken off and deleted.
        begun = client.search_logged_models([store.experiment_id], f"source_run_id = '{run.info.run_id}'")
    models = [model for model in begun if model.status == "READY"]
    if not models:
        raise TrackingError(
            f"run {run.info.run_name} keeps no model; choose another, or complete the workspace's: dvc repro -fs track"
        )
    with mlflow_store.mlflow_errors(), mlflow_store.process_store():
        if not client.search_registered_models(f"name = '{REGISTERED}'"):
            client.create_registered_model(
                REGISTERED, description="68 facial keypoints of a picture of one face; see keypoints register"
            )
        for version in client.search_model_versions(f"name = '{REGISTERED}'"):
            if version.run_id == run.info.run_id:
                return _version(version)
        model_id = models[0].model_id
        return _version(
            client.create_model_version(
                REGISTERED, f"models:/{model_id}", run.info.run_id, model_id=model_id, description=run.info.run_name
            )
        )


def crown(version: Version) -> None:
    """Give the version the alias; whichever had it loses it."""
    with mlflow_store.mlflow_errors():
        mlflow_store.open_store().client.set_registered_model_alias(REGISTERED, CHAMPION, version.number)


def _version(entity: Any) -> Version:
    return Version(str(entity.version), str(entity.run_id))

"""MLflow's registry: versions of the model, of which one is the champion."""

from dataclasses import dataclass
from typing import Any

from facial_keypoints.core.errors import TrackingError
from pipeline.experiments.tracking import mlflow_store

REGISTERED = "facial-keypoints"
"""Name of the model in the registry."""
CHAMPION = "champion"
"""Alias of its best version."""


@dataclass(frozen=True)
class Version:
    """A version of the registered model, and the run that made it."""

    number: str
    run_id: str


def champion() -> Version | None:
    """The version that carries the alias, if any. Raises TrackingError."""
    with mlflow_store.mlflow_errors():
        client = mlflow_store.open_store().client
        for model in client.search_registered_models(f"name = '{REGISTERED}'"):
            if number := model.aliases.get(CHAMPION):
                return _version(client.get_model_version(REGISTERED, number))
    return None


def add_version(run: Any) -> Version:
    """The version of the model of `run`, an MLflow run; made if the registry has none. Raises TrackingError."""
    with mlflow_store.mlflow_errors():
        store = mlflow_store.open_store()
        client = store.client
        # A run also lists the models that were begun for it, interrupted and deleted.
        begun = client.search_logged_models([store.experiment_id], f"source_run_id = '{run.info.run_id}'")
    models = [model for model in begun if model.status == "READY"]
    if not models:
        raise TrackingError(
            f"run {run.info.run_name} keeps no model; choose another, or complete the workspace's: dvc repro -fs track"
        )
    with mlflow_store.mlflow_errors(), mlflow_store.process_store():
        if not client.search_registered_models(f"name = '{REGISTERED}'"):
            client.create_registered_model(
                REGISTERED,
                description="Keypoint networks; the run of each version tells of what its points are",
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
    """Give the version the alias, which the present champion loses. Raises TrackingError."""
    with mlflow_store.mlflow_errors():
        mlflow_store.open_store().client.set_registered_model_alias(REGISTERED, CHAMPION, version.number)


def _version(entity: Any) -> Version:
    return Version(str(entity.version), str(entity.run_id))

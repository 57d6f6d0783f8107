"""MLflow's web pages on the project's runs."""

import os
import socket

from facial_keypoints.core.errors import TrackingError
from facial_keypoints.core.terminal import say
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.runs_page import START_VIEW, describe_experiment
from pipeline.experiments.tracking.store_location import VARIABLE, store_location

HOST = "127.0.0.1"
"""This machine alone: MLflow's server asks nobody for a password."""


def serve(port: int) -> None:
    """Run MLflow's server on `port` of this machine until Ctrl+C; the store is made if it is not there.

    Where MLFLOW_TRACKING_URI names a server, only tells its address. Raises TrackingError.
    """
    location = store_location()
    if location.artifacts is None:
        say(f"The runs are kept by the server at {location.shown}: open that address in a browser.")
        return
    _refuse_taken(port)
    with mlflow_store.mlflow_errors():
        store = mlflow_store.open_store()
        describe_experiment(store)
    # Without the workflow, MLflow shows its pages for language models.
    view = f"workflowType=machine_learning&viewStateShareKey={START_VIEW}"
    page = f"http://{HOST}:{port}/#/experiments/{store.experiment_id}/runs?{view}"
    say(f"Up in a moment: {page} (Ctrl+C ends it)")
    _run_server(location.uri, location.artifacts.as_uri(), port)


def _run_server(uri: str, files: str, port: int) -> None:
    """Run MLflow's application in this process: `mlflow ui` would import MLflow twice more before it serves pages."""
    from mlflow.server import constants

    os.environ |= {
        VARIABLE: uri,  # parts of the server ask the process, not the store that they serve
        constants.BACKEND_STORE_URI_ENV_VAR: uri,
        constants.REGISTRY_STORE_URI_ENV_VAR: uri,
        constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: files,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    import uvicorn

    with mlflow_store.quiet():
        uvicorn.run("mlflow.server.fastapi_app:app", host=HOST, port=port, log_level="warning")


def _refuse_taken(port: int) -> None:
    """Raise TrackingError, naming another port, where something listens on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise TrackingError(f"port {port} is taken; choose another with: keypoints ui --port {port + 1}") from None

"""MLflow's web pages on the project's runs."""

import os
import socket
import sys

from pipeline import tracking
from pipeline.errors import TrackingError
from pipeline.run_record import START_VIEW, describe_experiment

HOST = "127.0.0.1"


def serve(port: int) -> None:
    """Become MLflow's server on `port` of this machine, until Ctrl+C; the store is made if it is not there.

    Where MLFLOW_TRACKING_URI names a server, only tells its address. Raises TrackingError.
    """
    uri = tracking.store_uri()
    if uri.startswith(("http://", "https://")):
        print(f"The runs are kept by the server at {uri}: open that address in a browser.")
        return
    _refuse_taken(port)
    with tracking.mlflow_errors():
        store = tracking.open_store()
        describe_experiment(store)
    # Without the workflow, MLflow shows its pages for language models.
    view = f"workflowType=machine_learning&viewStateShareKey={START_VIEW}"
    page = f"http://{HOST}:{port}/#/experiments/{store.experiment_id}/runs?{view}"
    print(f"Up in a few seconds: {page} (Ctrl+C ends it)", flush=True)
    # As it comes, MLflow starts fifteen processes and takes four times as long.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--backend-store-uri", uri]
    command += ["--host", HOST, "--port", str(port), "--uvicorn-opts", "--log-level warning"]
    with open(os.devnull, "w") as nowhere:  # MLflow's remarks on its own settings
        os.dup2(nowhere.fileno(), 1)
    os.execve(sys.executable, command, environment)


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise TrackingError(f"port {port} is taken; choose another with: keypoints ui --port {port + 1}") from None

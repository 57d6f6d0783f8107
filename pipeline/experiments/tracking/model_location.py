"""From what a user names as the model to its file, a path or a model in MLflow, and to its network in PyTorch.

The module is what the library knows as a `facial_keypoints.network.Plugin`.
"""

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import ModelError, TrackingError
from facial_keypoints.core.text import printable
from pipeline.core import paths
from pipeline.core.redaction import gist
from pipeline.experiments.tracking.local_store import prepare
from pipeline.experiments.tracking.logged_model import EXPORTED
from pipeline.experiments.tracking.mlflow_store import process_store, quiet
from pipeline.experiments.tracking.run_search import find_run
from pipeline.experiments.tracking.store_location import shown_store, store_location

if TYPE_CHECKING:  # a file is found without torch
    from pipeline.models.torch_network import TorchNetwork

_URI = re.compile(r"(models|runs|mlflow-artifacts|s3|gs|https?):/+\S+")
_RUN = re.compile(r"runs:/+([^/]+)/(.+)")
_WEIGHTS = "*.safetensors"
_OF_THE_STORE = ("models:", "runs:", "mlflow-artifacts:")


def open_model(model: Path | str | None, threads: int | None = None) -> "TorchNetwork":
    """The network, in PyTorch, of the weights that `locate_weights` finds; `threads` is set for all of the process.

    Raises ModelError, TrackingError.
    """
    import torch

    from pipeline.models.model_file import open_model_file
    from pipeline.models.torch_network import TorchNetwork

    with tempfile.TemporaryDirectory() as folder:
        path = locate_weights(model, Path(folder))
        description, module = open_model_file(path)
        digest = file_sha256(path)
    if threads:
        torch.set_num_threads(threads)
    prepared = description.preprocess
    return TorchNetwork(module, prepared.size_px, prepared.fit, digest, description.scheme)


def locate_model(model: Path | str | None, folder: Path) -> Path | None:
    """The file that predicts: as `locate_weights`, but the exported network where an MLflow model has one.

    For None it is the model of the workspace, or None where that has none.
    """
    if model is None:
        path = paths.workspace_root() / paths.MODEL
        return path if path.exists() else None
    return _located(model, folder, [EXPORTED, _WEIGHTS])


def locate_weights(model: Path | str | None, folder: Path) -> Path:
    """The file with the weights: that of the workspace for None, the file given, or the one inside an MLflow model.

    An MLflow URI reads runs:/<run>/model or models:/<name>/<version>, <run> being an id, its beginning or a DVC
    experiment; the file is brought to `folder`. Raises ModelError, and TrackingError where the store cannot be used.
    """
    return paths.workspace_root() / paths.MODEL if model is None else _located(model, folder, [_WEIGHTS])


def _located(model: Path | str, folder: Path, patterns: list[str]) -> Path:
    """The file given, or of a model in MLflow the one of the first pattern that any of its files has."""
    if isinstance(model, str) and _URI.fullmatch(model):
        return _from_mlflow(model, folder, patterns)
    path = Path(model)
    if not path.is_file():
        raise ModelError(
            f"{printable(str(path))} is no file; give a model file or an MLflow URI, or train one with: dvc repro train"
        )
    return path


def _from_mlflow(uri: str, folder: Path, patterns: list[str]) -> Path:
    with quiet():
        try:
            brought = _download(uri, folder)
        except TrackingError:
            raise
        except Exception as error:  # in the types of whatever store it uses
            told = without_credentials(uri)
            if not uri.startswith(_OF_THE_STORE):
                raise ModelError(f"{told} cannot be fetched ({gist(error)}); fetch it, and name the file") from None
            raise ModelError(
                f"{told} cannot be had from MLflow at {shown_store()} ({gist(error)}); list the runs with: keypoints "
                "runs"
            ) from None
    matches = [sorted(brought.rglob(pattern)) for pattern in patterns] if brought.is_dir() else [[brought]]
    found = next(filter(None, matches), [])
    if len(found) != 1:
        raise ModelError(
            f"{without_credentials(uri)} holds {len(found)} model files where one is expected; give "
            "runs:/<run id>/model, and keep mlartifacts beside MLflow's database"
        )
    return found[0]


def _download(uri: str, folder: Path) -> Path:
    """Copy a model, or any file, of MLflow to `folder`; returns its path. A store that is not there is not made."""
    import mlflow

    if not uri.startswith(_OF_THE_STORE):
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    store = store_location()
    if store.database and not store.database.exists():
        raise FileNotFoundError("no run has been recorded there yet")
    prepare(store)
    with process_store():
        return Path(mlflow.artifacts.download_artifacts(_by_full_id(uri), dst_path=str(folder), tracking_uri=store.uri))


def _by_full_id(uri: str) -> str:
    """The URI with the full id of the run it names, which may be named by a part of it or by its DVC experiment."""
    named = _RUN.fullmatch(uri)
    run = find_run(named[1]) if named else None
    return f"runs:/{run.info.run_id}/{named[2]}" if named and run else uri

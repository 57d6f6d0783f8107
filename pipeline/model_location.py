"""From what a user names as the model to a network: a path, or a model in MLflow."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import nn

from pipeline import config, paths
from pipeline.checkpoint import load_model, read_description
from pipeline.errors import ModelError, TrackingError
from pipeline.files import file_sha256
from pipeline.local_store import prepare
from pipeline.redaction import without_credentials
from pipeline.scheme import POINTS
from pipeline.store_location import shown_store, store_location
from pipeline.tracking import gist, process_store, quiet

_URI = re.compile(r"(models|runs|mlflow-artifacts|s3|gs|https?):/+\S+")
_OF_THE_STORE = ("models:", "runs:", "mlflow-artifacts:")


@dataclass(frozen=True)
class OpenedModel:
    network: nn.Module
    """In eval mode, on the CPU."""
    size_px: int
    fit: str
    digest: str
    """SHA-256 of the file."""


def open_model(model: Path | str | None) -> OpenedModel:
    """Load what `locate_model` finds. Raises ModelError, TrackingError."""
    with tempfile.TemporaryDirectory() as folder:
        path = locate_model(model, Path(folder))
        preparation = _checked_preparation(path)
        return OpenedModel(load_model(path), preparation.size_px, preparation.fit, file_sha256(path))


def locate_model(model: Path | str | None, folder: Path) -> Path:
    """The model file: that of the workspace for None, the file given, or the one inside an MLflow model.

    An MLflow URI reads runs:/<run id>/model or models:/<name>/<version> and is brought to `folder`. Raises ModelError,
    and TrackingError where the store cannot be used.
    """
    if model is None:
        return paths.workspace_root() / paths.MODEL
    if isinstance(model, str) and _URI.fullmatch(model):
        return _from_mlflow(model, folder)
    path = Path(model)
    if not path.is_file():
        raise ModelError(f"{path} is no file; give a model file or an MLflow URI, or train one with: dvc repro train")
    return path


def _from_mlflow(uri: str, folder: Path) -> Path:
    with quiet():
        try:
            brought = _download(uri, folder)
        except TrackingError:
            raise
        except Exception as error:  # in the types of whatever store it uses
            raise ModelError(
                f"{without_credentials(uri)} cannot be had from MLflow at {shown_store()} ({gist(error)}); list the "
                "runs with: keypoints ui"
            ) from None
    found = sorted(brought.rglob("*.safetensors")) if brought.is_dir() else [brought]
    if len(found) != 1:
        raise ModelError(
            f"{without_credentials(uri)} holds {len(found)} model files where one is expected; give "
            "runs:/<run id>/model, and keep mlartifacts beside MLflow's database"
        )
    return found[0]


def _download(uri: str, folder: Path) -> Path:
    """Bring a model, or any file, of MLflow to `folder`; a store that is not there is not made for it."""
    import mlflow

    if not uri.startswith(_OF_THE_STORE):
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    store = store_location()
    if store.database and not store.database.exists():
        raise FileNotFoundError("no run has been recorded there yet")
    prepare(store)
    with process_store():
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder), tracking_uri=store.uri))


def _checked_preparation(path: Path) -> config.Preprocess:
    """How the file says pictures are prepared, once it is plain that its network can be built in bounded memory."""
    try:
        description = read_description(path)
        options = description["model"]
        if options["name"] == "coarse_to_fine":
            config.CoarseToFine.model_validate(options["coarse_to_fine"])
        preparation = config.Preprocess.model_validate(description["preprocess"])
        _refuse_other_points(path)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
    except (KeyError, TypeError, SafetensorError) as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        return preparation
    raise ModelError(
        f"{path} is damaged or of another version ({reason}); give another, or train again: dvc repro -fs train"
    )


def _refuse_other_points(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        shapes: dict[str, Any] = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    points = shapes.get("mean_shape", [POINTS])[0]
    if points != POINTS:
        raise ModelError(f"{path} places {points} points where {POINTS} are expected; give a model of this project")

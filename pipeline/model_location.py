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
from pipeline.errors import ModelError
from pipeline.files import file_sha256
from pipeline.scheme import POINTS
from pipeline.tracking import gist, quiet, store_uri

_URI = re.compile(r"(models|runs|mlflow-artifacts|s3|gs|https?):/+\S+")


@dataclass(frozen=True)
class OpenedModel:
    network: nn.Module
    """In eval mode, on the CPU."""
    size_px: int
    fit: str
    digest: str
    """SHA-256 of the file."""


def open_model(model: Path | str | None) -> OpenedModel:
    """Load what `locate_model` finds. Raises ModelError."""
    with tempfile.TemporaryDirectory() as folder:
        path = locate_model(model, Path(folder))
        preparation = _checked_preparation(path)
        return OpenedModel(load_model(path), preparation.size_px, preparation.fit, file_sha256(path))


def locate_model(model: Path | str | None, folder: Path) -> Path:
    """The model file: that of the workspace for None, the file given, or the one inside an MLflow model.

    An MLflow URI reads runs:/<run id>/model or models:/<name>/<version> and is brought to `folder`. Raises ModelError.
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
        import mlflow

        try:
            store = store_uri()
            places = {"tracking_uri": store, "registry_uri": store}  # for this call: the process keeps its own
            brought = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder), **places))
        except Exception as error:  # in the types of whatever store it uses
            raise ModelError(
                f"{uri} cannot be had from MLflow at {store_uri()} ({gist(error)}); list the runs with: keypoints ui"
            ) from None
    found = sorted(brought.rglob("*.safetensors")) if brought.is_dir() else [brought]
    if len(found) != 1:
        raise ModelError(f"{uri} holds {len(found)} model files where one is expected; give runs:/<run id>/model")
    return found[0]


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

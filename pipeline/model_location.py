"""From what a user names as the model to a file on this machine: a path, or a model in MLflow."""

import re
import tempfile
from pathlib import Path

from pipeline import paths
from pipeline.errors import ModelError
from pipeline.tracking import gist, quiet, store_uri

_URI = re.compile(r"(models|runs|mlflow-artifacts|s3|https?)://?[^\s]+")


def locate_model(model: Path | str | None) -> Path:
    """The model file: that of the workspace for None, the file given, or the one inside an MLflow model.

    An MLflow URI reads models:/<id or name/version> or runs:/<run id>/model. Raises ModelError.
    """
    if model is None:
        return paths.workspace_root() / paths.MODEL
    if isinstance(model, str) and _URI.match(model):
        return _from_mlflow(model)
    path = Path(model)
    if not path.exists():
        raise ModelError(f"{path} is missing; give a model file or an MLflow URI, or train one with: dvc repro train")
    return path


def _from_mlflow(uri: str) -> Path:
    with quiet():
        import mlflow

        try:
            mlflow.set_tracking_uri(store_uri())
            folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=tempfile.mkdtemp()))
        except Exception as error:  # in the types of whatever store it uses
            raise ModelError(
                f"{uri} cannot be had from MLflow at {store_uri()}: {gist(error)}; see keypoints ui for the runs there"
            ) from None
    found = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else [folder]
    if len(found) != 1:
        raise ModelError(f"{uri} holds {len(found)} model files where one is expected; give runs:/<run id>/model")
    return found[0]

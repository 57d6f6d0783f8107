"""A trained network as MLflow keeps it: exported, with a script that runs it anywhere, and its weights.

`mlflow.pyfunc.load_model` runs the script, which needs the exported file alone, and so does `keypoints predict --model
runs:/…`; the weights are for `inspect` and `export`.
"""

import importlib.metadata
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.experiments.tracking.mlflow_store import MODEL_DIGEST, Store

MODEL_NAME = "model"
"""The same for every network, so that `runs:/<run id>/model` loads the model of any run."""
EXPORTED = "keypoints.onnx"
"""Name of the exported network. In older runs it is model.onnx, without the estimates that `predict` needs."""
MODEL_NEEDS = ["mlflow", "numpy", "onnxruntime", "opencv-python-headless"]
"""Packages that a logged model imports."""
_SCRIPT = Path(__file__).with_name("pyfunc_model.py")


@contextmanager
def model_files(model: Path) -> Iterator[dict[str, Path]]:
    """Export the network of a model file; yields the names and files that a logged model keeps, in a temporary folder.

    Raises ModelError where the network cannot be exported or the exported one predicts otherwise.
    """
    from pipeline.export.formats import export_model
    from pipeline.models.model_file import open_model_file

    with tempfile.TemporaryDirectory() as folder:
        files = {"onnx": Path(folder) / EXPORTED, "weights": Path(folder) / "model.safetensors"}
        description, network = open_model_file(model)
        frames = _frames(description.preprocess.size_px)
        export_model(model, network, files["onnx"], kind="onnx", frames=frames)
        shutil.copyfile(model, files["weights"])  # DVC may keep a link in its place, which MLflow refuses
        yield files


def _frames(side: int) -> np.ndarray:
    """(3, S, S) uint8 frames of light and dark squares to compare the exported network on; `track` reads no dataset."""
    fields = np.random.default_rng(0).integers(0, 256, (3, 7, 7), np.uint8)
    field_of_pixel = np.arange(side) * 7 // side
    return fields[:, field_of_pixel[:, None], field_of_pixel]


def log_model(store: Store, run_id: str, files: Mapping[str, Path], model_digest: str) -> str:
    """Log `model_files` as the model of a run; what a `track` that was cut short left of it is removed first.

    MLflow's own `log_model` is not used: it puts the model in the experiment called Default and changes
    MLFLOW_TRACKING_URI. Returns the id of the logged model.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    client = store.client
    outputs = client.get_run(run_id).outputs
    for output in outputs.model_outputs if outputs else []:
        client.delete_logged_model(output.model_id)
    model_id = str(client.create_logged_model(store.experiment_id, MODEL_NAME, source_run_id=run_id).model_id)
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        save_pyfunc(path, files, Model(run_id=run_id, model_id=model_id, metadata={MODEL_DIGEST: model_digest}))
        client.log_model_artifacts(model_id, str(path))
    client.finalize_logged_model(model_id, "READY")
    return model_id


def save_pyfunc(path: Path, files: Mapping[str, Path], model: Any) -> None:
    """Write `model_files` and the script as the folder `path`, which `mlflow.pyfunc.load_model` reads.

    `model`: an `mlflow.models.Model`, which becomes the description of the folder.
    """
    from mlflow import pyfunc

    pyfunc.save_model(
        path,
        mlflow_model=model,
        python_model=str(_SCRIPT),
        # As URIs: in a plain path MLflow reads % as an escape.
        artifacts={name: file.as_uri() for name, file in files.items()},
        pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in MODEL_NEEDS],
        signature=_signature(files["weights"]),
    )


def _signature(weights: Path) -> Any:
    """What `_SCRIPT` takes, and what it returns of the network of a model file."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from pipeline.models.model_file import open_model_file

    # Without names, the model is given an array and not a dictionary of one.
    pictures = TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))
    description, network = open_model_file(weights)
    points, kind = description.scheme.count, np.dtype(np.float32)
    if not network.has_spread:
        return ModelSignature(Schema([pictures]), Schema([TensorSpec(kind, (-1, points, 2))]))
    keypoints, radii = TensorSpec(kind, (-1, points, 2), "keypoints"), TensorSpec(kind, (-1, points), "radii")
    return ModelSignature(Schema([pictures]), Schema([keypoints, radii]))

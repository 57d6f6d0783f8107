"""The trained network as MLflow serves it: a script that MLflow copies beside the ONNX file and runs on loading.

It imports nothing of this project, so that no module of whoever loads it, nor another version loaded before, can take
the place of its code.

Input: (N, H, W, 3) uint8 RGB pictures of one face each, of any size. Output: (N, K, 2) float32 keypoints, x then y, in
the pixels of the pictures given, the centre of the top left pixel being (0, 0).

Of a network that tells how certain its points are, the output is a dictionary of these "keypoints" and of "radii", (N,
K) float32 pixels: the true point should lie within this radius of the keypoint with a probability of 50 %.
"""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read on import; without it every model opened is reported
from onnxruntime import InferenceSession

BATCH = 64
_TOLD = ("keypoints", "radii")
# libpng's whole-number weights; the shift makes OpenCV round down as libpng does, which reads the training frames.
_LUMA = np.array([[9797 / 2**15, 19234 / 2**15, 3737 / 2**15, 2**-16 - 0.5]], np.float32)


class KeypointModel(PythonModel):
    """The network as `mlflow.pyfunc` calls it."""

    # The network is kept in `context`: of two models that threads load at once, MLflow may give both the later `self`.
    def load_context(self, context: Any) -> None:
        exported, script = Path(context.artifacts["onnx"]), Path(__file__)
        if (exported.parents[1] / script.name).read_bytes() != script.read_bytes():
            raise MlflowException("MLflow took the code of a model loaded at the same moment; load this one again")
        context.network = InferenceSession(exported.read_bytes(), providers=["CPUExecutionProvider"])

    def predict(
        self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray | dict[str, np.ndarray]:
        """The keypoints, perhaps with their radii, of (N, H, W, 3) uint8 RGB pictures; see above.

        `context.network` is used; `params` are not. Raises MlflowException for anything that is not such pictures.
        """
        shape, dtype = getattr(model_input, "shape", ()), getattr(model_input, "dtype", type(model_input).__name__)
        if dtype != np.uint8 or shape[3:] != (3,) or 0 in shape[1:]:
            raise MlflowException.invalid_parameter_value(
                f"the pictures are {dtype} {shape} but should be a uint8 array (N, H, W, 3), RGB and not empty"
            )
        told = {value.name: value.shape for value in context.network.get_outputs() if value.name in _TOLD}
        parts = [{name: np.zeros((0, *shape[1:]), np.float32) for name, shape in told.items()}]
        for start in range(0, len(model_input), BATCH):
            parts.append(_predict(context.network, model_input[start : start + BATCH], list(told)))
        joined = {name: np.concatenate([part[name] for part in parts]) for name in told}
        return joined if "radii" in joined else joined["keypoints"]


def _predict(network: InferenceSession, pictures: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """These outputs, float32 in pixels of (N, H, W, 3) uint8 RGB pictures."""
    side, fit = network.get_inputs()[0].shape[1], network.get_modelmeta().custom_metadata_map["fit"]
    full_h, full_w = pictures.shape[1:3]
    height, width = _fitted_size((full_h, full_w), side, fit)
    left, top = (side - width) // 2, (side - height) // 2
    border = (top, side - height - top, left, side - width - left)
    fitted = [_resized(_to_gray(picture), height, width) for picture in pictures]
    frames = np.stack([cv2.copyMakeBorder(gray, *border, cv2.BORDER_REPLICATE) for gray in fitted])
    found = dict(zip(names, network.run(names, {"frames": frames}), strict=True))
    scale = np.array([full_w / width, full_h / height])
    found["keypoints"] = (found["keypoints"] - np.array([left, top]) + 0.5) * scale - 0.5
    if "radii" in found:
        found["radii"] = found["radii"] * np.sqrt(scale.prod())
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def _fitted_size(shape: tuple[int, int], side: int, fit: str) -> tuple[int, int]:
    """Height and width that a picture takes in the square: "pad" keeps its aspect ratio, "stretch" fills the square."""
    if fit == "stretch":
        return side, side
    height, width = (max(1, round(side * length / max(shape))) for length in shape)
    return height, width


def _to_gray(picture: np.ndarray) -> np.ndarray:
    """(H, W) uint8 luma of (H, W, 3) RGB."""
    return np.asarray(cv2.transform(picture, _LUMA), np.uint8)


def _resized(gray: np.ndarray, height: int, width: int) -> np.ndarray:
    shrinks = height * width < gray.size
    return np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


set_model(KeypointModel())

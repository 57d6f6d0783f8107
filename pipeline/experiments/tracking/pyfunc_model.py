"""The trained network as MLflow serves it: a script that MLflow copies beside the ONNX file and runs on loading.

It imports nothing of this project, so that no module of whoever loads it, nor another version loaded before, can take
the place of its code.

Input: (N, H, W, 3) uint8 RGB pictures of one face each, of any size. Output: (N, K, 2) float32 keypoints, x then y, in
the pixels of the pictures given, the centre of the top left pixel being (0, 0).
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

    def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        """(N, 68, 2) float32 keypoints in pixels of (N, H, W, 3) uint8 RGB pictures.

        `context.network` is used; `params` are not. Raises MlflowException for anything that is not such pictures.
        """
        shape, dtype = getattr(model_input, "shape", ()), getattr(model_input, "dtype", type(model_input).__name__)
        if dtype != np.uint8 or shape[3:] != (3,) or 0 in shape[1:]:
            raise MlflowException.invalid_parameter_value(
                f"the pictures are {dtype} {shape} but should be a uint8 array (N, H, W, 3), RGB and not empty"
            )
        starts = range(0, len(model_input), BATCH)
        parts = [_predict(context.network, model_input[start : start + BATCH]) for start in starts]
        points = context.network.get_outputs()[0].shape[1]
        return np.concatenate([np.zeros((0, points, 2), np.float32), *parts])


def _predict(network: InferenceSession, pictures: np.ndarray) -> np.ndarray:
    """(N, 68, 2) float32 keypoints in pixels of (N, H, W, 3) uint8 RGB pictures."""
    side, fit = network.get_inputs()[0].shape[1], network.get_modelmeta().custom_metadata_map["fit"]
    full_h, full_w = pictures.shape[1:3]
    height, width = _fitted_size((full_h, full_w), side, fit)
    left, top = (side - width) // 2, (side - height) // 2
    border = (top, side - height - top, left, side - width - left)
    fitted = [_resized(_to_gray(picture), height, width) for picture in pictures]
    frames = np.stack([cv2.copyMakeBorder(gray, *border, cv2.BORDER_REPLICATE) for gray in fitted])
    (keypoints,) = network.run(["keypoints"], {"frames": frames})
    scale = np.array([full_w / width, full_h / height])
    return np.asarray((keypoints - np.array([left, top]) + 0.5) * scale - 0.5, np.float32)


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

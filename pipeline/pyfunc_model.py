"""The trained network as MLflow serves it: a script that MLflow copies beside the weights and runs on loading.

Input: (N, H, W, 3) uint8 RGB pictures of one face each, of any size. Output: (N, 68, 2) float32 keypoints, x then y, in
the pixels of the pictures given, the centre of the top left pixel being (0, 0).
"""

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from pipeline.checkpoint import load_model, read_description
from pipeline.framing import to_gray
from pipeline.predict import predict_faces


class KeypointModel(PythonModel):
    def load_context(self, context: Any) -> None:
        path = Path(context.artifacts["model"])
        self.network = load_model(path)
        self.fitting = read_description(path)["preprocess"]

    def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        grays = [to_gray(picture) for picture in model_input]
        return predict_faces(self.network, grays, size_px=self.fitting["size_px"], fit=self.fitting["fit"])


set_model(KeypointModel())

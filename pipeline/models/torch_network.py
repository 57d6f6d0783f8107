"""A PyTorch network as the library's detector wants it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facial_keypoints.core.prediction import Prediction
from facial_keypoints.core.scheme import IBUG_68, Scheme
from pipeline.models.device import best_device
from pipeline.models.forward import BATCH, unit_images
from pipeline.models.network import KeypointNetwork


@dataclass
class TorchNetwork:
    """A `facial_keypoints.network.Network`; it moves `module` to the best device of this machine, in eval mode."""

    module: KeypointNetwork
    size_px: int
    fit: str
    digest: str = ""
    scheme: Scheme = IBUG_68

    def __post_init__(self) -> None:
        self.device = best_device()
        self.module = self.module.to(self.device).eval()
        self.tells_radii = self.module.has_spread

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Successive estimates (N, E, K, 2) float64 in crop pixels of (N, S, S) uint8 crops."""
        return self.predict(crops).estimates

    def predict(self, crops: np.ndarray) -> Prediction[np.ndarray]:
        """The estimates, and what else the network tells of (N, S, S) uint8 crops."""
        if not len(crops):
            return Prediction(np.zeros((0, 1, self.module.points, 2)), None, None)
        with torch.inference_mode():
            batches = (crops[start : start + BATCH] for start in range(0, len(crops), BATCH))
            parts = [self.module.predict(unit_images(batch, self.device)) for batch in batches]
        estimates, radii, views = zip(*parts, strict=True)
        return Prediction(_joined(estimates), *(None if told[0] is None else _joined(told) for told in (radii, views)))


def _joined(parts: Sequence[Tensor]) -> np.ndarray:
    """Float64 on the CPU."""
    return torch.cat(list(parts)).double().cpu().numpy()

"""A PyTorch network as the library's detector wants it."""

from dataclasses import dataclass

import numpy as np
import torch

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

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Successive estimates (N, E, K, 2) float64 in crop pixels of (N, S, S) uint8 crops."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(crops), BATCH):
                parts.append(self.module(unit_images(crops[start : start + BATCH], self.device)).double().cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros((0, 1, self.module.points, 2))

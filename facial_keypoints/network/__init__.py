"""A trained network, whatever runs it: the detector asks for points and knows nothing of PyTorch or ONNX.

Who can run one registers a function `(model: Path | str | None) -> Network` as an entry point of the group
`facial_keypoints.networks`; the pipeline does so for its PyTorch models.
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.extensions import extensions
from facial_keypoints.core.scheme import Scheme

_GROUP = "facial_keypoints.networks"


class Network(Protocol):
    """A trained network and how its pictures are prepared; thread-safe."""

    size_px: int
    """Side S of the square crops that it takes."""
    fit: str
    """How a whole picture becomes such a square, "pad" or "stretch": see `core.geometry.fit_square`."""
    digest: str
    """SHA-256 of the model file; names the model in what is written."""
    scheme: Scheme
    """What its K points are."""

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Successive estimates (N, E, K, 2) float64 in crop pixels of (N, S, S) uint8 crops; the last is the result."""


def open_network(model: Path | str | None) -> Network:
    """The network of a model file, of an MLflow URI, or for None that of the workspace.

    Raises ModelError where nothing is installed that can run one, and whatever that raises for the model.
    """
    found = extensions(_GROUP)
    if not found:
        raise ModelError("nothing is installed that runs a network; install the pipeline: make install")
    network: Network = found[0].load()(model)
    return network

"""A trained network, whatever runs it: the detector asks for points and knows nothing of PyTorch or ONNX.

`open_network` alone decides what runs a model. ONNX files run in ONNX Runtime. What else there is, a plugin knows: a
module with what `Plugin` says, installed as an entry point of the group `facial_keypoints.networks`; the pipeline is
one, for its PyTorch models and those in MLflow.
"""

import importlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.extensions import extensions
from facial_keypoints.core.prediction import Prediction
from facial_keypoints.core.scheme import Scheme
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import printable, shortened
from facial_keypoints.network.onnx import SHIPPED, OnnxNetwork

__all__ = ["SHIPPED", "Network", "OnnxNetwork", "Plugin", "is_onnx", "open_network", "tell_model"]
_GROUP = "facial_keypoints.networks"
_NAME_MOST = 120
"""Characters of a name in a message: the system refuses names of more than 255, and people write them by accident."""
_ADDRESS = re.compile(r"[a-z0-9-]+:/")
"""Begins what lies elsewhere, in MLflow or at an address, though it may end in .onnx."""


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

    @property
    def tells_radii(self) -> bool:
        """Whether it knows how certain its points are."""

    def predict(self, crops: np.ndarray) -> Prediction[np.ndarray]:
        """The estimates, and what else it tells, as float64."""


class Plugin(Protocol):
    """What knows of models that are no ONNX files."""

    def locate_model(self, model: Path | str | None, folder: Path) -> Path | None:
        """The file of the model that a user names, brought to `folder` if it lies elsewhere.

        For None it is that of the workspace, or None where the workspace has none.
        """

    def open_model(self, model: Path | str | None, threads: int | None = None) -> Network:
        """The network of a file that is no ONNX."""


def open_network(model: Path | str | None = None, threads: int | None = None) -> Network:
    """The network of a model.

    Args:
        model: an ONNX file of `keypoints export`, a PyTorch model file, an MLflow URI, or None for the model of the
            workspace. Where that is missing, or is the one that the shipped file was exported from, the shipped file
            predicts.
        threads: with how many threads it computes; see `detector.KeypointDetector.load`.

    Raises:
        ModelError: the model is missing, damaged or foreign, or what runs it is not installed.
    """
    if model is None:
        return _own_or_shipped(threads)
    with _in_one_line(model):
        if is_onnx(Path(model)) and (Path(model).is_file() or not _ADDRESS.match(str(model))):
            return OnnxNetwork(Path(model), threads)
    with _in_one_line(model), tempfile.TemporaryDirectory() as folder:
        plugin = _plugin()
        path = plugin.locate_model(model, Path(folder)) or Path(model)
        return OnnxNetwork(path, threads) if is_onnx(path) else plugin.open_model(path, threads)


def _own_or_shipped(threads: int | None) -> Network:
    shipped = OnnxNetwork(SHIPPED, threads)
    try:
        plugin = _plugin()
    except ImportError:
        return shipped
    own = plugin.locate_model(None, Path())
    if own is None or file_sha256(own) == shipped.trained_digest:
        return shipped
    with _in_one_line(own):
        return plugin.open_model(own, threads)


def is_onnx(path: Path) -> bool:
    """Whether a file is for ONNX Runtime: it is called .onnx, or begins as those do and not as safetensors."""
    if path.suffix == ".onnx" or not path.is_file():
        return path.suffix == ".onnx"
    with path.open("rb") as file:
        head = file.read(9)
    return head.startswith(b"\x08") and not head.endswith(b"{")  # which opens the header after 8 bytes of its length


def tell_model(network: Network) -> None:
    """Tell the user, who named no model, in one line which predicts: that of the package or of the workspace."""
    shipped = isinstance(network, OnnxNetwork) and network.path == SHIPPED
    which = f"{SHIPPED.name}, which comes with the package" if shipped else "that of the workspace"
    tell(f"model: {which}; SHA-256 {network.digest[:12]}")


def _plugin() -> Plugin:
    """The plugin that is installed, the first by name. Raises ImportError where there is none."""
    found = extensions(_GROUP)
    if not found:
        raise ImportError("no plugin is installed")
    return cast(Plugin, importlib.import_module(found[0].module))


@contextmanager
def _in_one_line(model: Path | str) -> Iterator[None]:
    """Turn a file that the system refuses, and the lack of a plugin or of a package it needs, into a ModelError."""
    try:
        yield
    except OSError as error:
        if error.filename != str(model):
            raise
        where = shortened(printable(str(model)), _NAME_MOST)
        raise ModelError(f"{where} cannot be read ({error.strerror}); look at the name, or give another") from None
    except ImportError as error:
        lacking = error.name or "the pipeline"
        raise ModelError(
            f"{model} is no ONNX file here, and {lacking}, which other models need, is not installed; give a file of "
            "keypoints export, or install the pipeline in a checkout: make install"
        ) from None

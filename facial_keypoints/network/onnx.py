"""A network as an ONNX file of `keypoints export`, run by ONNX Runtime.

A file may come from anywhere: its size, its inputs and outputs and what it says of itself are checked before it
predicts. It is a program all the same, which may compute as long as it likes.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.onnx_runtime import open_session, run_session
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.scheme import Scheme, scheme_from
from facial_keypoints.core.text import brief, shown

SHIPPED = Path(__file__).with_name("ibug68.onnx")
"""The model that comes with the package; `keypoints ship` makes it."""

_BATCH = 16
"""Crops that are computed together: more are no faster, and 64 take 270 MB where 16 take 120."""
_MOST_BYTES = 500_000_000
"""More than twice the largest network there is."""
_SIDES_PX = range(64, 513)
_MOST_ESTIMATES = 16


class OnnxNetwork:
    """A `facial_keypoints.network.Network` of an ONNX file; thread-safe."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open a file of `keypoints export`.

        Args:
            path: the file.
            threads: with how many threads it computes; None for as many as `default_threads` says.

        Raises:
            ModelError: the file is missing, damaged or foreign, or ONNX Runtime is not installed.
        """
        self.path = path
        with self._in_one_line():
            content = read_plain(path, _MOST_BYTES)
            self._session = open_session(content, threads)
            self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
            self.size_px = _side(self._session.get_inputs())
            self.fit, self.scheme = _fit(self.metadata), _scheme(self.metadata)
            self._shape = _estimates_shape(self._session.get_outputs(), self.scheme)
        self.digest = hashlib.sha256(content).hexdigest()

    @property
    def trained_digest(self) -> str:
        """SHA-256 of the model file that training made and this one was exported from, as this one says."""
        return self.metadata.get("model_digest", "")

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Successive estimates (N, E, K, 2) float64 in crop pixels of (N, S, S) uint8 crops."""
        parts = [np.zeros((0, *self._shape))]
        with self._in_one_line():
            for start in range(0, len(crops), _BATCH):
                parts.append(self._estimates(np.ascontiguousarray(crops[start : start + _BATCH])))
        return np.concatenate(parts)

    def _estimates(self, crops: np.ndarray) -> np.ndarray:
        estimates: np.ndarray = run_session(self._session, ["estimates"], {"frames": crops})[0]
        if estimates.shape != (len(crops), *self._shape):
            raise ValueError(f"it answers {shown(estimates.shape)} where {(len(crops), *self._shape)} was promised")
        return estimates.astype(np.float64)

    @contextmanager
    def _in_one_line(self) -> Iterator[None]:
        """Turn what is wrong with the file into a ModelError of one line with the remedy."""
        remedy = "give a file of keypoints export"
        if self.path == SHIPPED:
            remedy = "install the package anew, or in a checkout: git checkout facial_keypoints/network"
        try:
            yield
        except FileNotFoundError:
            raise ModelError(f"{self.path} is missing; {remedy}") from None
        except (OSError, ValueError) as error:
            raise ModelError(f"{self.path} is damaged or no model of this project ({error}); {remedy}") from None


def _side(inputs: list[Any]) -> int:
    """S of the only input, `frames`. Raises ValueError for others."""
    found = [(value.name, value.type, value.shape) for value in inputs]
    if len(found) == 1 and found[0][:2] == ("frames", "tensor(uint8)"):
        match found[0][2]:
            case [str(), int(height), int(width)] if height == width and height in _SIDES_PX:
                return height
    expected = f"frames, tensor(uint8), [batch, S, S] with S from {_SIDES_PX[0]} to {_SIDES_PX[-1]},"
    raise ValueError(f"its inputs are {shown(found)} where {expected} is expected")


def _estimates_shape(outputs: list[Any], scheme: Scheme) -> tuple[int, int, int]:
    """(E, K, 2) of the output `estimates`; what else there is, is for others. Raises ValueError where it has none."""
    found = {value.name: (value.type, value.shape) for value in outputs}
    match found.get("estimates"):
        case ("tensor(float)", [str(), int(estimates), scheme.count, 2]) if 1 <= estimates <= _MOST_ESTIMATES:
            return estimates, scheme.count, 2
    expected = f"estimates, tensor(float), [batch, E, {scheme.count}, 2] is expected; it may be of an older version"
    raise ValueError(f"its outputs are {shown(found)} where {expected}")


def _fit(metadata: dict[str, str]) -> str:
    if (fit := metadata.get("fit")) not in ("pad", "stretch"):
        raise ValueError(f"its fit is {shown(fit)} where pad or stretch is expected")
    return fit


def _scheme(metadata: dict[str, str]) -> Scheme:
    if "scheme" not in metadata:
        raise ValueError("it does not say what its points are, as of an older version; export it again")
    try:
        return scheme_from(json.loads(metadata["scheme"]))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"what it says of its points is wrong: {brief(str(error), 120)}") from None

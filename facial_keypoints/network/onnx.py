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
from facial_keypoints.core.onnx_runtime import MOST_BYTES, Session
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.prediction import Prediction
from facial_keypoints.core.scheme import Scheme, scheme_from
from facial_keypoints.core.text import brief, shown

SHIPPED = Path(__file__).with_name("ibug68.onnx")
"""The model that comes with the package; `keypoints ship` makes it."""

_BATCH = 16
"""Crops that are computed together: more are no faster, and 64 take 270 MB where 16 take 120."""
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
            content = read_plain(path, MOST_BYTES)
            self._session = Session(content, threads)
            self.metadata = self._session.metadata
            self.size_px = _side(self._session.inputs)
            self.fit, self.scheme = _fit(self.metadata), _scheme(self.metadata)
            self._shapes = _shapes(self._session.outputs, self.scheme)
        self.digest = hashlib.sha256(content).hexdigest()

    @property
    def trained_digest(self) -> str:
        """SHA-256 of the model file that training made and this one was exported from, as this one says."""
        return self.metadata.get("model_digest", "")

    @property
    def tells_radii(self) -> bool:
        """Whether the file has them."""
        return "radii" in self._shapes

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Successive estimates (N, E, K, 2) float64 in crop pixels of (N, S, S) uint8 crops."""
        return self.predict(crops).estimates

    def predict(self, crops: np.ndarray) -> Prediction[np.ndarray]:
        """The estimates, and what else the file tells of (N, S, S) uint8 crops; see `Prediction`."""
        parts = [[np.zeros((0, *shape)) for shape in self._shapes.values()]]
        with self._in_one_line():
            for start in range(0, len(crops), _BATCH):
                parts.append(self._run(np.ascontiguousarray(crops[start : start + _BATCH])))
        joined = (np.concatenate(part) for part in zip(*parts, strict=True))
        told = dict(zip(self._shapes, joined, strict=True))
        return Prediction(told["estimates"], told.get("radii"), told.get("views"))

    def _run(self, crops: np.ndarray) -> list[np.ndarray]:
        """The outputs of `self._shapes`, float64."""
        found: list[np.ndarray] = self._session.run(list(self._shapes), {"frames": crops})
        for part, shape in zip(found, self._shapes.values(), strict=True):
            if part.shape != (len(crops), *shape):
                raise ValueError(f"it answers {shown(part.shape)} where {(len(crops), *shape)} was promised")
        return [part.astype(np.float64) for part in found]

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


def _shapes(outputs: list[Any], scheme: Scheme) -> dict[str, tuple[int, ...]]:
    """By the names of outputs: (E, K, 2) of `estimates`, and what there is of (K,) `radii` and (2, E, K, 2) `views`.

    Other outputs are for others. Raises ValueError where there are no estimates, or one of these has another form.
    """
    found = {value.name: (value.type, value.shape) for value in outputs}
    match found.get("estimates"):
        case ("tensor(float)", [str(), int(estimates), scheme.count, 2]) if 1 <= estimates <= _MOST_ESTIMATES:
            shapes: dict[str, tuple[int, ...]] = {"estimates": (estimates, scheme.count, 2)}
        case _:
            expected = f"estimates, tensor(float), [batch, E, {scheme.count}, 2] is expected"
            raise ValueError(f"its outputs are {shown(found)} where {expected}; it may be of an older version")
    for name, shape in {"radii": (scheme.count,), "views": (2, *shapes["estimates"])}.items():
        match found.get(name):
            case None:
                continue
            case ("tensor(float)", [str(), *promised]) if tuple(promised) == shape:
                shapes[name] = shape
            case _:
                expected = f"{name}, if any, should be tensor(float), [batch, {', '.join(map(str, shape))}]"
                raise ValueError(f"its outputs are {shown(found)}; {expected}")
    return shapes


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

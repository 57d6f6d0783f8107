"""Find the faces of any picture and their 68 keypoints.

from pipeline import KeypointDetector

detector = KeypointDetector.load()
for face in detector(rgb):
    print(face.box, face.score, face.keypoints)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipeline.checkpoint import load_model, read_description
from pipeline.detect import DetectorName, HaarDetector, YuNetDetector
from pipeline.device import best_device
from pipeline.errors import DataError, ModelError
from pipeline.files import file_sha256
from pipeline.framing import cut, to_gray, windows_of_boxes, windows_of_points
from pipeline.geometry import fit_square, transform_points
from pipeline.head_turn import Turn, head_turn
from pipeline.model_location import locate_model
from pipeline.predict import BATCH, to_unit
from pipeline.scheme import POINTS


@dataclass(frozen=True)
class Face:
    """A face in pixels of the picture, the centre of the top left pixel being (0, 0)."""

    box: tuple[float, float, float, float]
    """x, y, width, height of the box round the points."""
    score: float
    """0..1, how much the points look like a face."""
    keypoints: np.ndarray
    """(68, 2) float32, x then y."""
    turn_deg: Turn
    """yaw, pitch, roll: an estimate."""


class KeypointDetector:
    """Finds faces and their keypoints; thread-safe."""

    def __init__(
        self, network: nn.Module, *, size_px: int, fit: str, boxes: HaarDetector | YuNetDetector, digest: str = ""
    ) -> None:
        """`network` takes frames of `size_px`, prepared by `fit`; `boxes` proposes where faces may be."""
        self.device = best_device()
        self.network = network.to(self.device).eval()
        self.size_px, self.fit, self.digest = size_px, fit, digest
        self._boxes = boxes

    @classmethod
    def load(
        cls,
        model: Path | str | None = None,
        *,
        detector: DetectorName = "haar",
        detector_model: Path | str | None = None,
    ) -> "KeypointDetector":
        """`model`: a file, an MLflow URI such as runs:/<run id>/model, or None for the model of the workspace.

        `detector_model`: the file that detector "yunet" needs. Raises ModelError.
        """
        path = locate_model(model)
        description = read_description(path)
        return cls(
            load_model(path),
            **description["preprocess"],
            boxes=_box_detector(detector, detector_model),
            digest=file_sha256(path),
        )

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> list[Face]:
        """Faces of an (H, W, 3) RGB or (H, W) gray uint8 picture, from left to right.

        `boxes` (K, 4) x, y, width, height: look there instead of searching; a face is answered for each box.
        """
        return self.many([image], None if boxes is None else [boxes])[0]

    def many(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Face]]:
        """The same for several pictures of any sizes; the faces of all go through the network together."""
        grays = [to_gray(_checked(image)) for image in images]
        places = boxes or [self._boxes(image, gray) for image, gray in zip(images, grays, strict=True)]
        owner = np.repeat(np.arange(len(images)), [len(found) for found in places])
        windows = windows_of_boxes(np.concatenate([np.zeros((0, 4)), *places]))
        points = self._points(grays, owner, windows)
        points = self._points(grays, owner, windows_of_points(points))
        faces = [_face(one, 1.0) for one in points]
        return [[faces[row] for row in np.flatnonzero(owner == index)] for index in range(len(images))]

    def whole(self, image: np.ndarray) -> Face:
        """The one face of a picture that is framed like those of the dataset, which is not searched for it."""
        square, crop_from_picture = fit_square(to_gray(_checked(image)), self.size_px, self.fit)
        points = self._estimates(square[None])[:, -1]
        return _face(transform_points(np.linalg.inv(crop_from_picture), points[0].astype(np.float64)), 1.0)

    def _points(self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray) -> np.ndarray:
        """(K, 68, 2) float64 keypoints in pictures, seen through (K, 3) windows of the pictures `owner` (K,)."""
        if not len(windows):
            return np.zeros((0, POINTS, 2))
        cuts = [cut(grays[index], window, self.size_px) for index, window in zip(owner, windows, strict=True)]
        points = self._estimates(np.stack([square for square, _ in cuts]))[:, -1].astype(np.float64)
        return transform_points(np.linalg.inv(np.stack([matrix for _, matrix in cuts])), points)

    def _estimates(self, crops: np.ndarray) -> np.ndarray:
        """(K, E, 68, 2) float32 successive estimates in crop pixels for (K, S, S) uint8."""
        with torch.inference_mode():
            batches = (crops[start : start + BATCH] for start in range(0, len(crops), BATCH))
            parts = [self.network(to_unit(batch, self.device)).float().cpu().numpy() for batch in batches]
        return np.concatenate(parts)


def _box_detector(name: str, file: Path | str | None) -> HaarDetector | YuNetDetector:
    if name == "haar":
        return HaarDetector()
    if name == "yunet":
        if file is None:
            raise ModelError("detector yunet needs its model file; name it with --detector-model (detector_model)")
        return YuNetDetector(Path(file))
    raise ModelError(f"no detector is called {name!r}; there are haar and yunet")


def _checked(image: np.ndarray) -> np.ndarray:
    shaped = isinstance(image, np.ndarray) and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3))
    if not shaped or image.dtype != np.uint8 or not image.size:
        shown = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(image)[:40]
        raise DataError(f"the picture is {shown} but should be uint8 (H, W, 3) RGB or (H, W) gray; convert it")
    return image


def _face(points: np.ndarray, score: float) -> Face:
    low, high = points.min(0), points.max(0)
    x, y, width, height = (float(value) for value in (*low, *(high - low)))
    return Face((x, y, width, height), score, points.astype(np.float32), head_turn(points))

"""Find the faces of any picture and their 68 keypoints.

from facial_keypoints import KeypointDetector

detector = KeypointDetector.load()
for face in detector(rgb):
    print(face.box, face.score, face.keypoints)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facial_keypoints.core.boxes import boxes_of_points, distinct
from facial_keypoints.core.errors import DataError, ModelError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.finding.box_detectors import (
    DetectorName,
    HaarDetector,
    YuNetDetector,
    box_detector,
    check_boxes,
    tilted_windows,
)
from facial_keypoints.finding.head_rotation import Turn, head_turn
from facial_keypoints.finding.scores import doubts_of, scores_of
from facial_keypoints.finding.windows import cut, to_gray, windows_of_boxes, windows_of_points
from facial_keypoints.network import Network, open_network

MIN_SCORE = 0.5
SAME_FACE = 0.4
"""Overlap from which two faces are one."""


@dataclass(frozen=True)
class Face:
    """A face in pixels of the picture, the centre of the top left pixel being (0, 0)."""

    box: tuple[float, float, float, float]
    """x, y, width, height of the box round the points."""
    score: float
    """0..1, how sure the network is of a face: how well its estimates agree, and those of the mirrored picture."""
    keypoints: np.ndarray
    """(68, 2) float32, x then y."""
    turn_deg: Turn
    """yaw, pitch, roll: an estimate."""


class KeypointDetector:
    """Finds faces and their keypoints; thread-safe."""

    def __init__(
        self,
        network: Network,
        find_boxes: HaarDetector | YuNetDetector,
        *,
        min_score: float = MIN_SCORE,
    ) -> None:
        """`min_score`: from which a face counts as found, 0..1."""
        self.network, self.find_boxes, self.min_score = network, find_boxes, min_score

    @classmethod
    def load(
        cls,
        model: Path | str | None = None,
        *,
        detector: DetectorName = "haar",
        detector_model: Path | str | None = None,
        min_score: float | None = None,
    ) -> "KeypointDetector":
        """`model`: a file, an MLflow URI such as runs:/<run id>/model, or None for the model of the workspace.

        `detector_model`: the file that detector "yunet" needs; `min_score`: from which a face counts as found, 0..1,
        MIN_SCORE unless given. Raises ModelError.
        """
        network = open_network(model)
        boxes = box_detector(detector, detector_model)
        return cls(network, boxes, min_score=MIN_SCORE if min_score is None else min_score)

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> list[Face]:
        """Faces of an (H, W, 3) RGB or (H, W) gray uint8 picture, from left to right.

        `boxes`: (K, 4) x, y, width, height round faces that are known; then a face is answered for each, in order.
        """
        return self.many([image], None if boxes is None else [boxes])[0]

    def many(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Face]]:
        """The same for several pictures of any sizes; the faces of all go through the network together."""
        grays = [to_gray(_checked(image)) for image in images]
        if boxes is not None:
            checked = [check_boxes(given, gray.shape) for given, gray in zip(boxes, grays, strict=True)]
            return self.faces_in(grays, [windows_of_boxes(part) for part in checked])
        found = [self.find_boxes(image, gray) for image, gray in zip(images, grays, strict=True)]
        answers = self._found(grays, [windows_of_boxes(part) for part in found])
        empty = [index for index, faces in enumerate(answers) if not faces]
        tilted = [tilted_windows(self.find_boxes, images[index]) for index in empty]
        for index, faces in zip(empty, self._found([grays[index] for index in empty], tilted), strict=True):
            answers[index] = faces
        return answers

    def whole(self, image: np.ndarray) -> Face:
        """The face of a picture that shows one face as the dataset's frames do; the picture is not searched."""
        square, crop_from_picture = fit_square(to_gray(_checked(image)), self.network.size_px, self.network.fit)
        points, doubts = self._points_and_doubts(square[None])
        return make_face(transform_points(np.linalg.inv(crop_from_picture), points[0]), float(scores_of(doubts)[0]))

    def _found(self, grays: Sequence[np.ndarray], windows: Sequence[np.ndarray]) -> list[list[Face]]:
        """Of the faces in (K, 4) windows of each picture those that score enough, each once, from left to right."""
        return [self._distinct(faces) for faces in self.faces_in(grays, windows)]

    def faces_in(self, grays: Sequence[np.ndarray], windows: Sequence[np.ndarray]) -> list[list[Face]]:
        """A face for each of (K, 4) windows of each gray picture, in their order; seen twice, then upright."""
        owner = np.repeat(np.arange(len(grays)), [len(part) for part in windows])
        first = self._points(grays, owner, np.concatenate([np.zeros((0, 4)), *windows]))
        # Now each face is in its place, at its size and upright.
        points, scores = self.points_and_scores(grays, owner, windows_of_points(first))
        faces = [make_face(*pair) for pair in zip(points, scores, strict=True)]
        return [[faces[row] for row in np.flatnonzero(owner == index)] for index in range(len(grays))]

    def _points(self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray) -> np.ndarray:
        """(K, 68, 2) float64 keypoints in pictures, seen through (K, 4) windows of the pictures `owner` (K,)."""
        crops, picture_from_crop = self._cut(grays, owner, windows)
        return transform_points(picture_from_crop, self._estimates(crops)[:, -1])

    def points_and_scores(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same and (K,) scores 0..1."""
        crops, picture_from_crop = self._cut(grays, owner, windows)
        points, doubts = self._points_and_doubts(crops)
        return transform_points(picture_from_crop, points), scores_of(doubts)

    def _cut(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        crops = np.empty((len(windows), self.network.size_px, self.network.size_px), np.uint8)
        crop_from_picture = np.empty((len(windows), 3, 3))
        for row, (index, window) in enumerate(zip(owner, windows, strict=True)):
            crops[row], crop_from_picture[row] = cut(grays[index], window, self.network.size_px)
        return crops, np.linalg.inv(crop_from_picture)

    def _points_and_doubts(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(K, 68, 2) keypoints in crop pixels of (K, S, S) uint8, and (K,) doubts that there are faces."""
        estimates = self._estimates(crops)
        mirrored = self._estimates(np.ascontiguousarray(crops[:, :, ::-1]))[:, -1, IBUG_68.flip_index]
        mirrored[..., 0] = self.network.size_px - 1 - mirrored[..., 0]
        return estimates[:, -1], doubts_of(estimates, mirrored)

    def _estimates(self, crops: np.ndarray) -> np.ndarray:
        """(K, E, 68, 2) float64 successive keypoints in crop pixels of (K, S, S) uint8; the last are the answer."""
        estimates = self.network(crops)
        if not np.isfinite(estimates).all():
            raise ModelError("the model answers points that are no numbers; train again: dvc repro -fs train")
        return estimates

    def _distinct(self, candidates: list[Face]) -> list[Face]:
        faces = [face for face in candidates if face.score >= self.min_score]
        boxes, scores = np.array([face.box for face in faces]), np.array([face.score for face in faces])
        kept = distinct(boxes.reshape(-1, 4), scores, SAME_FACE)
        return sorted((faces[row] for row in kept), key=lambda face: face.box[:2])


def make_face(keypoints: np.ndarray, score: float) -> Face:
    """A face of (68, 2) keypoints in pixels of the picture."""
    x, y, width, height = (float(value) for value in boxes_of_points(keypoints[None])[0])
    return Face((x, y, width, height), float(score), keypoints.astype(np.float32), head_turn(keypoints))


def _checked(image: np.ndarray) -> np.ndarray:
    shaped = isinstance(image, np.ndarray) and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3))
    if not shaped or image.dtype != np.uint8 or not image.size:
        shown = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(image)[:40]
        raise DataError(f"the picture is {shown} but should be uint8 (H, W, 3) RGB or (H, W) gray; convert it")
    return image

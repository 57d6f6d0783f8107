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
from facial_keypoints.core.scheme import IBUG_68, Scheme
from facial_keypoints.finding.box_detector import BoxDetector, DetectorName, box_detector, check_boxes
from facial_keypoints.finding.head_rotation import HeadRotation, head_rotation
from facial_keypoints.finding.scores import disagreement, scores_of
from facial_keypoints.finding.tilted import tilted_windows
from facial_keypoints.finding.windows import cut, to_gray, windows_of_boxes, windows_of_points
from facial_keypoints.network import Network, open_network

MIN_SCORE = 0.5
"""Score from which a face counts as found, unless another is given."""
SAME_FACE = 0.4
"""Overlap from which two faces are one."""


@dataclass(frozen=True)
class Face:
    """A face in pixels of the picture, the centre of the top left pixel being (0, 0)."""

    box: tuple[float, float, float, float]
    """x, y, width, height of the box round the points."""
    score: float
    """Confidence 0..1 that this is a face: how well successive estimates of the network agree, in the mirror too."""
    keypoints: np.ndarray
    """(K, 2) float32, x then y."""
    turn_deg: HeadRotation | None
    """Rotation of the head in degrees, yaw, pitch and roll: an estimate. None for points of another scheme than 68."""
    scheme: Scheme = IBUG_68
    """What the K points are."""


class KeypointDetector:
    """Finds faces and their keypoints; thread-safe."""

    def __init__(
        self,
        network: Network,
        find_boxes: BoxDetector,
        *,
        min_score: float = MIN_SCORE,
    ) -> None:
        """Bring a network together with what proposes boxes for it.

        Args:
            network: predicts keypoints in gray crops.
            find_boxes: proposes boxes that may hold a face.
            min_score: score 0..1 from which a face counts as found.
        """
        self.network, self.find_boxes, self.min_score = network, find_boxes, min_score

    @classmethod
    def load(
        cls,
        model: Path | str | None = None,
        *,
        detector: DetectorName = "haar",
        detector_model: Path | str | None = None,
        min_score: float | None = None,
        threads: int | None = None,
    ) -> "KeypointDetector":
        """A detector with the network of a model file.

        Args:
            model: a file, an MLflow URI such as runs:/<run id>/model, or None for the model of the workspace, or the
                one that comes with the package where the workspace has none.
            detector: what proposes boxes, "haar" or "yunet".
            detector_model: the model file that "yunet" needs.
            min_score: score 0..1 from which a face counts as found; MIN_SCORE unless given.
            threads: with how many threads the network computes, e.g. 1 where the caller has threads of its own; unless
                given OMP_NUM_THREADS, or as many as there are cores. A PyTorch model sets it for all of the process.

        Raises:
            ModelError: the model or the detector's file is missing, damaged or of another kind.
        """
        network = open_network(model, threads)
        boxes = box_detector(detector, detector_model)
        return cls(network, boxes, min_score=MIN_SCORE if min_score is None else min_score)

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> list[Face]:
        """Find the faces of a picture.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
            boxes: (K, 4) x, y, width, height round faces whose places are known, px; then nothing is searched.

        Returns:
            Faces from left to right, or one for each of `boxes`, in their order.

        Raises:
            DataError: the picture has another shape or type, or a box lies outside it.
            ModelError: the network predicts points that are no numbers.
        """
        return self.many([image], None if boxes is None else [boxes])[0]

    def many(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Face]]:
        """As for one picture, for several of any sizes: the faces of all go through the network in one batch.

        Where the upright search finds no face, tilted ones are searched for.
        """
        self.check_search()
        grays = [to_gray(_checked(image)) for image in images]
        if boxes is not None:
            checked = [check_boxes(given, gray.shape) for given, gray in zip(boxes, grays, strict=True)]
            return self.faces_in(grays, [windows_of_boxes(part) for part in checked])
        found = [self.find_boxes(image, gray) for image, gray in zip(images, grays, strict=True)]
        faces_of = self._found(grays, [windows_of_boxes(part) for part in found])
        empty = [index for index, faces in enumerate(faces_of) if not faces]
        tilted = [tilted_windows(self.find_boxes, images[index]) for index in empty]
        for index, faces in zip(empty, self._found([grays[index] for index in empty], tilted), strict=True):
            faces_of[index] = faces
        return faces_of

    def check_search(self) -> None:
        """Raise ModelError for a network of other points: where faces lie in its frames was not measured."""
        if self.network.scheme != IBUG_68:
            raise ModelError(
                f"faces are searched for models of {IBUG_68.title}, and this one has {self.network.scheme.title}; give "
                "pictures of one face each and look at them whole: --whole, or detector.whole(picture)"
            )

    def whole(self, image: np.ndarray) -> Face:
        """The face of a picture that shows one face as the frames of the dataset do; nothing is searched.

        `image` is (H, W, 3) RGB or (H, W) gray, uint8. Raises DataError, ModelError.
        """
        square, crop_from_picture = fit_square(to_gray(_checked(image)), self.network.size_px, self.network.fit)
        points, scores = self._predict(square[None])
        in_picture = transform_points(np.linalg.inv(crop_from_picture), points[0])
        return make_face(in_picture, float(scores[0]), self.network.scheme)

    def _found(self, grays: Sequence[np.ndarray], windows: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces in (K, 4) windows of each picture that score enough, each only once, from left to right."""
        return [self._distinct(faces) for faces in self.faces_in(grays, windows)]

    def faces_in(self, grays: Sequence[np.ndarray], windows: Sequence[np.ndarray]) -> list[list[Face]]:
        """A face for each window of each picture, whatever its score.

        Points are predicted twice: those of the given window frame the face again, upright and at its size.

        Args:
            grays: (H, W) uint8 pictures.
            windows: (K, 4) windows (see `finding.windows`) of each picture.

        Returns:
            A list for each picture, in the order of its windows.
        """
        owner = np.repeat(np.arange(len(grays)), [len(part) for part in windows])
        first = self._points(grays, owner, np.concatenate([np.zeros((0, 4)), *windows]))
        points, scores = self.points_and_scores(grays, owner, windows_of_points(first))
        faces = [make_face(*pair) for pair in zip(points, scores, strict=True)]
        return [[faces[row] for row in np.flatnonzero(owner == index)] for index in range(len(grays))]

    def _points(self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray) -> np.ndarray:
        """(K, 68, 2) float64 keypoints in pixels of the pictures; arguments as for `points_and_scores`."""
        crops, picture_from_crop = self._cut(grays, owner, windows)
        return transform_points(picture_from_crop, self._estimates(crops)[:, -1])

    def points_and_scores(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Predict the keypoints seen through windows.

        Args:
            grays: (H, W) uint8 pictures.
            owner: (K,) index of the picture of each window.
            windows: (K, 4) windows (see `finding.windows`).

        Returns:
            (K, 68, 2) float64 keypoints in pixels of the pictures and (K,) scores 0..1.
        """
        crops, picture_from_crop = self._cut(grays, owner, windows)
        points, scores = self._predict(crops)
        return transform_points(picture_from_crop, points), scores

    def _cut(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(K, S, S) uint8 crops and (K, 3, 3) float64 `picture_from_crop` of the windows."""
        crops = np.empty((len(windows), self.network.size_px, self.network.size_px), np.uint8)
        crop_from_picture = np.empty((len(windows), 3, 3))
        for row, (index, window) in enumerate(zip(owner, windows, strict=True)):
            crops[row], crop_from_picture[row] = cut(grays[index], window, self.network.size_px)
        return crops, np.linalg.inv(crop_from_picture)

    def _predict(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, K, 2) keypoints in crop pixels of (N, S, S) uint8 crops, and (N,) scores 0..1."""
        estimates = self._estimates(crops)
        mirrored = self._estimates(np.ascontiguousarray(crops[:, :, ::-1]))[:, -1, self.network.scheme.flip_index]
        mirrored[..., 0] = self.network.size_px - 1 - mirrored[..., 0]
        return estimates[:, -1], scores_of(disagreement(estimates, mirrored))

    def _estimates(self, crops: np.ndarray) -> np.ndarray:
        """(N, E, K, 2) float64 successive estimates in crop pixels of (N, S, S) uint8 crops; the last one counts."""
        estimates = self.network(crops)
        if not np.isfinite(estimates).all():
            raise ModelError("the model predicts points that are no numbers; train again: dvc repro -fs train")
        return estimates

    def _distinct(self, candidates: list[Face]) -> list[Face]:
        faces = [face for face in candidates if face.score >= self.min_score]
        boxes, scores = np.array([face.box for face in faces]), np.array([face.score for face in faces])
        kept = distinct(boxes.reshape(-1, 4), scores, SAME_FACE)
        return sorted((faces[row] for row in kept), key=lambda face: face.box[:2])


def make_face(keypoints: np.ndarray, score: float, scheme: Scheme = IBUG_68) -> Face:
    """The face with (K, 2) keypoints of a scheme, x then y in pixels of the picture, and a score 0..1."""
    x, y, width, height = (float(value) for value in boxes_of_points(keypoints[None])[0])
    rotation = head_rotation(keypoints) if scheme == IBUG_68 else None
    return Face((x, y, width, height), float(score), keypoints.astype(np.float32), rotation, scheme)


def _checked(image: np.ndarray) -> np.ndarray:
    """The picture itself. Raises DataError unless it is uint8, (H, W, 3) or (H, W), and not empty."""
    shaped = isinstance(image, np.ndarray) and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3))
    if not shaped or image.dtype != np.uint8 or not image.size:
        shown = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(image)[:40]
        raise DataError(f"the picture is {shown} but should be uint8 (H, W, 3) RGB or (H, W) gray; convert it")
    return image

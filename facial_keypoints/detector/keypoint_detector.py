"""Faces of pictures: searched for, and their keypoints predicted."""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from facial_keypoints.core.boxes import SAME_FACE, distinct, overlaps
from facial_keypoints.core.errors import ConfigError, DataError, ModelError
from facial_keypoints.core.onnx_runtime import MOST_THREADS
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.text import amount, shown
from facial_keypoints.detector.face import Face, make_face
from facial_keypoints.detector.point_predictor import Convention, PointPredictor
from facial_keypoints.finding.box_detector import BoxDetector, DetectorName, box_detector, check_boxes
from facial_keypoints.finding.candidates import Candidates, candidates_of_boxes, joined
from facial_keypoints.finding.scores import scores_of
from facial_keypoints.finding.tilted import tilted_candidates
from facial_keypoints.finding.windows import mean_face_in, rotated_windows, to_gray
from facial_keypoints.network import SHIPPED, Network, open_network

MIN_SCORE = 0.5
"""Score from which a face counts as found, unless another is given."""
SUSPECTED_SCORE = 0.25
"""As MIN_SCORE for faces that are to be hidden."""
_CLEAR_SCORE = 0.8
"""Score, by the network alone, from which a face is taken to be upright in its window."""
_OTHER_ROTATIONS_DEG = np.array([-60, 60, -120, 120, 180])
"""The network predicts heads tilted by 30 degrees, so that one of these, or none, shows any head well enough."""
_SURE = 1.0
"""Evidence from which a place is hidden though the network sees no face there; YuNet's score is 0.6 then."""


class KeypointDetector:
    """Finds faces and their keypoints; thread-safe."""

    def __init__(
        self,
        network: Network,
        find: BoxDetector,
        *,
        min_score: float = MIN_SCORE,
        convention: Convention | None = None,
        suspicious: bool = False,
    ) -> None:
        """Bring a network together with what proposes places for it.

        Args:
            network: predicts keypoints in gray crops.
            find: proposes places that may hold a face.
            min_score: score 0..1 from which a face counts as found.
            convention: what the points of faces are: see `point_predictor.Convention`. None: "symmetric", or "dataset"
                for points of other schemes than 68, whose networks may never have seen a mirrored picture.
            suspicious: for hiding faces: where `find` is sure and the network sees no face, answer the mean face.

        Raises:
            ConfigError: a score beyond 0..1, or a convention of another name.
        """
        _check_options(min_score=min_score, convention=convention, suspicious=suspicious)
        self.network, self.find, self.min_score, self._suspicious = network, find, min_score, suspicious
        usual: Convention = "symmetric" if network.scheme == IBUG_68 else "dataset"
        self.predictor = PointPredictor(network, convention or usual)

    @classmethod
    def load(
        cls,
        model: Path | str | None = None,
        *,
        detector: DetectorName = "auto",
        detector_model: Path | str | None = None,
        min_score: float | None = None,
        convention: Convention | None = None,
        suspicious: bool = False,
        threads: int | None = None,
    ) -> "KeypointDetector":
        """A detector with the network of a model file.

        Args:
            model: a file, an MLflow URI such as runs:/<run id>/model, or None for the model of the workspace, or the
                one that comes with the package where the workspace has none.
            detector: what proposes boxes: "yunet", "haar", or "auto" for YuNet where its file is or can be had.
            detector_model: YuNet's file; None for that of KEYPOINTS_YUNET, else for one that is fetched once.
            min_score: score 0..1 from which a face counts as found; MIN_SCORE unless given.
            convention: "symmetric" points, so that a mirrored picture has mirrored points, or those of the "dataset",
                whose labels lie to one side of what they name; `whole` always gives the latter. None: see `__init__`.
            suspicious: for hiding faces: what may less likely be one counts too, whichever search or network sees it.
            threads: with how many threads the network computes, e.g. 1 where the caller has threads of its own; unless
                given OMP_NUM_THREADS, or as many as there are cores. A PyTorch model sets it for all of the process.

        Raises:
            ModelError: the model or the detector's file is missing, damaged or of another kind.
            ConfigError: a score beyond 0..1, no such convention or detector, not 1 to 1000 threads, or no path.
        """
        if min_score is None:
            min_score = SUSPECTED_SCORE if suspicious else MIN_SCORE
        _check_options(
            min_score=min_score, convention=convention, suspicious=suspicious, threads=threads, detector=detector
        )
        for name, file in {"model": model, "detector_model": detector_model}.items():
            if not (file is None or (isinstance(file, str | PathLike) and str(file))):
                raise ConfigError(f"{name} is {shown(file)} but should be a path; change it, or leave it out")
        network = open_network(model, threads)
        find = box_detector(detector, detector_model, suspicious=suspicious)
        return cls(network, find, min_score=min_score, convention=convention, suspicious=suspicious)

    @property
    def convention(self) -> Convention:
        """What the points of faces are; set when the detector is made."""
        return self.predictor.convention

    def __repr__(self) -> str:
        return f"KeypointDetector(model {self.network.digest[:12]}, {type(self.find).__name__})"

    def __call__(self, image: np.ndarray, boxes: ArrayLike | None = None) -> list[Face]:
        """Find the faces of a picture.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
            boxes: (K, 4) x, y, width, height round faces whose places are known, px; then nothing is searched. A face
                that is not upright in its box is looked at in other rotations.

        Returns:
            Faces from left to right, or one for each of `boxes`, in their order.

        Raises:
            DataError: the picture has another shape or type, or the boxes have, or one lies outside it.
            ModelError: the network predicts points that are no numbers, or far outside of its crops.
        """
        return self.many([image], None if boxes is None else [boxes])[0]

    def many(self, images: Iterable[np.ndarray], boxes: Iterable[ArrayLike] | None = None) -> list[list[Face]]:
        """As for one picture, for several of any sizes: the faces of all go through the network in one batch.

        Where a search that knows upright faces alone finds none, tilted ones are searched for. `boxes`: those of each
        picture. Raises DataError also for a single picture, and for boxes of fewer or more pictures.
        """
        if boxes is None:
            self.check_search()
        images = _several(images)
        grays = [to_gray(image) for image in images]
        if boxes is not None:
            if not isinstance(boxes, Iterable):
                raise DataError(f"{shown(boxes)} is no list of the boxes of each picture")
            return self.faces_in(grays, self._given(list(boxes), grays))
        found = [self.find(image, gray) for image, gray in zip(images, grays, strict=True)]
        faces_of = self._found(grays, found)
        if self.find.upright_only:
            empty = [index for index, faces in enumerate(faces_of) if not faces]
            tilted = [tilted_candidates(self.find, images[index]) for index in empty]
            for index, faces in zip(empty, self._found([grays[index] for index in empty], tilted), strict=True):
                faces_of[index] = faces
        return faces_of

    def _given(self, boxes: Sequence[ArrayLike], grays: Sequence[np.ndarray]) -> list[Candidates]:
        """Candidates of the boxes that a user gave for each picture. Raises DataError."""
        if len(boxes) != len(grays):
            of, given = amount(len(boxes), "picture"), amount(len(grays), "picture")
            raise DataError(f"there are boxes of {of}, and {given}; give those of each")
        any_tilt = self.network.scheme == IBUG_68  # nothing tells which way up other points are
        candidates = [
            candidates_of_boxes(check_boxes(given, gray.shape)) for given, gray in zip(boxes, grays, strict=True)
        ]
        return [part._replace(any_tilt=np.full(len(part.windows), any_tilt)) for part in candidates]

    def check_search(self) -> None:
        """Raise ModelError for a network of other points: where faces lie in its frames was not measured."""
        if self.network.scheme != IBUG_68:
            raise ModelError(
                f"faces are searched for models of {IBUG_68.title}, and this one has {self.network.scheme.title}; say "
                f"where each {self.network.scheme.thing} is with --box (boxes in Python), or give pictures of one "
                f"each with --whole (whole); faces are found with the model of the package: --model {SHIPPED}"
            )

    def whole(self, image: np.ndarray) -> Face:
        """The face of a picture that shows one face as the frames of the dataset do; nothing is searched.

        Its points are those of the dataset's convention, as its labels are.
        `image` is (H, W, 3) RGB or (H, W) gray, uint8. Raises DataError, ModelError.
        """
        points, disagreement, radii = self.predictor.whole(to_gray(checked_picture(image)))
        return make_face(points, float(scores_of(np.array(disagreement))), self.network.scheme, radii)

    def faces_in(self, grays: Sequence[np.ndarray], candidates: Sequence[Candidates]) -> list[list[Face]]:
        """A face for each candidate, whatever its score.

        Args:
            grays: (H, W) uint8 pictures.
            candidates: those of each picture.

        Returns:
            A list for each picture, in the order of its candidates.
        """
        owner = np.repeat(np.arange(len(grays)), [len(part.windows) for part in candidates])
        together = joined(candidates)
        seen = self.predictor.in_windows(grays, owner, together.windows)
        self._look_from_other_sides(grays, owner, together, *seen)
        points, disagreements, radii = seen
        scores = scores_of(disagreements, together.evidence)
        scheme = self.network.scheme
        faces = [make_face(of, score, scheme, own) for of, score, own in zip(points, scores, radii, strict=True)]
        return [[faces[row] for row in np.flatnonzero(owner == index)] for index in range(len(grays))]

    def points_and_scores(
        self, grays: Sequence[np.ndarray], owner: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predict the keypoints seen through windows, without a search.

        Args:
            grays: (H, W) uint8 pictures.
            owner: (N,) index of the picture of each window.
            windows: (N, 4) windows (see `finding.windows`).

        Returns:
            (N, K, 2) float64 keypoints in pixels of the pictures, (N,) scores 0..1, of the network alone: what a
            search said of an earlier frame must not keep a face that has left, and (N, K) radii (see
            `PointPredictor.in_windows`).
        """
        points, disagreements, radii = self.predictor.in_windows(grays, owner, windows)
        return points, scores_of(disagreements), radii

    def _look_from_other_sides(
        self,
        grays: Sequence[np.ndarray],
        owner: np.ndarray,
        candidates: Candidates,
        points: np.ndarray,
        disagreements: np.ndarray,
        radii: np.ndarray,
    ) -> None:
        """Where a head may be tilted and no clear face is seen, put in place a clearer one of another rotation.

        Of a face that is upside down the network may agree with itself by half that it is upright.
        """
        rows = np.flatnonzero(candidates.any_tilt & (scores_of(disagreements) < _CLEAR_SCORE))
        if not len(rows):
            return
        rotated = np.concatenate([rotated_windows(candidates.windows[row], _OTHER_ROTATIONS_DEG) for row in rows])
        count = len(_OTHER_ROTATIONS_DEG)
        others, their_disagreements, their_radii = self.predictor.in_windows(
            grays, np.repeat(owner[rows], count), rotated
        )
        for row, start in zip(rows, range(0, len(rotated), count), strict=True):
            best = start + int(their_disagreements[start : start + count].argmin())
            clearer = their_disagreements[best] < disagreements[row]
            if clearer and scores_of(their_disagreements[best]) >= MIN_SCORE:
                points[row], disagreements[row], radii[row] = others[best], their_disagreements[best], their_radii[best]

    def _found(self, grays: Sequence[np.ndarray], candidates: Sequence[Candidates]) -> list[list[Face]]:
        """The faces that score enough, each only once, from left to right."""
        faces_of = self.faces_in(grays, candidates)
        if self._suspicious:
            faces_of = [faces + self._unseen(faces, part) for faces, part in zip(faces_of, candidates, strict=True)]
        return [self._distinct(faces) for faces in faces_of]

    def _unseen(self, faces: list[Face], candidates: Candidates) -> list[Face]:
        """Mean faces where the search is sure and the face that the network predicts scores low or lies elsewhere."""
        unseen = []
        for face, window, evidence, _ in zip(faces, *candidates, strict=True):
            mean = make_face(mean_face_in(window), max(self.min_score, MIN_SCORE))
            there = overlaps(np.array([mean.box]), np.array([face.box]))[0, 0] > SAME_FACE / 2
            if evidence > _SURE and not (there and face.score >= self.min_score):
                unseen.append(mean)
        return unseen

    def _distinct(self, candidates: list[Face]) -> list[Face]:
        faces = [face for face in candidates if face.score >= self.min_score]
        boxes, scores = np.array([face.box for face in faces]), np.array([face.score for face in faces])
        kept = distinct(boxes.reshape(-1, 4), scores, SAME_FACE)
        return sorted((faces[row] for row in kept), key=lambda face: face.box[:2])


def _check_options(
    *,
    min_score: float,
    convention: str | None,
    suspicious: bool,
    threads: int | None = None,
    detector: str = "auto",
) -> None:
    """Raise ConfigError for an option that can be none."""
    if isinstance(min_score, bool) or not (isinstance(min_score, Real) and 0 <= min_score <= 1):
        raise ConfigError(f"min_score is {shown(min_score)} but should be a number 0..1; change it")
    if not isinstance(suspicious, bool | np.bool_):
        raise ConfigError(f"suspicious is {shown(suspicious)} but should be True or False; change it")
    if convention is not None:
        _check_choice("convention", convention, get_args(Convention))
    _check_choice("detector", detector, get_args(DetectorName))
    whole = isinstance(threads, Integral) and not isinstance(threads, bool)
    if threads is not None and not (whole and 1 <= threads <= MOST_THREADS):
        raise ConfigError(
            f"threads is {shown(threads)} but should be a whole number 1..{MOST_THREADS}; change it, or leave it out"
        )


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if not (isinstance(value, str) and value in choices):
        raise ConfigError(f"{name} is {shown(value)} but should be {' or '.join(map(repr, choices))}; change it")


def _several(images: Iterable[np.ndarray]) -> list[np.ndarray]:
    """The pictures. Raises DataError where one of them is none, or where all is a single one."""
    one = isinstance(images, np.ndarray) and (images.ndim < 3 or (images.ndim == 3 and images.shape[2] == 3))
    if one or not isinstance(images, Iterable):
        what = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else shown(images)
        raise DataError(f"{what} is no list of pictures; for one, call the detector itself")
    given = list(images)
    for place, image in enumerate(given):
        try:
            checked_picture(image)
        except DataError as error:
            raise DataError(f"picture {place} (from 0): {error}" if len(given) > 1 else str(error)) from None
    return given


def checked_picture(image: np.ndarray) -> np.ndarray:
    """The picture itself. Raises DataError unless it is uint8, (H, W, 3) or (H, W), and not empty."""
    shaped = isinstance(image, np.ndarray) and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3))
    if not shaped or image.dtype != np.uint8 or not image.size:
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise DataError(f"the picture is {what} but should be a uint8 array, (H, W, 3) RGB or (H, W) gray; convert it")
    return image


def rgb_copy(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) RGB copy of an (H, W, 3) RGB or (H, W) gray picture. Raises DataError as `checked_picture`."""
    copy = np.array(checked_picture(image), order="C")
    return copy if copy.ndim == 3 else np.repeat(copy[..., None], 3, axis=2)

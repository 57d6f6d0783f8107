"""A face that was found."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facial_keypoints.core.boxes import FARTHEST_PX, boxes_of_points
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.scheme import IBUG_68, Scheme
from facial_keypoints.core.text import shown
from facial_keypoints.finding.head_rotation import HeadRotation, head_rotation


@dataclass(frozen=True, eq=False)
class Face:
    """A face in pixels of the picture, the centre of the top left pixel being (0, 0); equal to itself alone."""

    box: tuple[float, float, float, float]
    """x, y, width, height of the box round the points."""
    score: float
    """Confidence 0..1 that this is a face: of what found it, and of how well estimates of the network agree."""
    keypoints: np.ndarray = field(repr=False)
    """(K, 2) float32, x then y; read-only, as box and rotation belong to them: see `moved`, or copy them."""
    rotation_deg: HeadRotation | None
    """Rotation of the head in degrees, yaw, pitch and roll: an estimate. None for points of another scheme than 68."""
    scheme: Scheme = field(default=IBUG_68, repr=False)
    """What the K points are."""
    radii: np.ndarray | None = field(default=None, repr=False)
    """(K,) float32, px: half of the true points lie within this radius of the predicted ones, and nine of ten within
    `core.certainty.NINE_TENTHS` times it. None of a network that does not know."""

    def as_data(self) -> dict[str, Any]:
        """The face in plain numbers and lists for JSON, rounded as `keypoints predict` writes it.

        "box", "score", "rotation_deg" (None for points of another scheme than 68), "keypoints" and, if the network
        knows them, "radius_px".
        """
        data = {
            "box": [round(value, 2) for value in self.box],
            "score": round(self.score, 3),
            "rotation_deg": self.rotation_deg._asdict() if self.rotation_deg else None,
            "keypoints": np.round(self.keypoints.astype(np.float64), 3).tolist(),
        }
        radii = {} if self.radii is None else {"radius_px": np.round(self.radii.astype(np.float64), 3).tolist()}
        return data | radii

    @classmethod
    def from_data(cls, data: Mapping[str, Any], scheme: Scheme = IBUG_68) -> "Face":
        """The face of a file that `keypoints predict` wrote, or of `as_data`: box and rotation follow from its points.

        `scheme`: what its points are. Raises DataError where `data` has no points of the scheme, bad radii or score.
        """
        try:
            keypoints, score = np.array(data["keypoints"], np.float64), float(data["score"])
            radii = np.array(data["radius_px"], np.float64) if "radius_px" in data else None
        except (KeyError, TypeError, ValueError, OverflowError):
            keypoints, score, radii = np.empty(0), 0.0, None
        known = radii is None or (radii.shape == (scheme.count,) and not (radii < 0).any())
        if not (keypoints.shape == (scheme.count, 2) and _are_near(keypoints) and 0 <= score <= 1 and known):
            raise DataError(
                f"{shown(data)} is no face: it should hold keypoints, {scheme.count} of x and y, a score 0..1 and "
                "perhaps radius_px, as many from 0 on; write it anew, or name the scheme of its points"
            )
        return make_face(keypoints, score, scheme, radii)

    def moved(self, other_from_picture: np.ndarray) -> "Face":
        """The face in pixels of another picture, to which a (3, 3) affine matrix takes those of its own.

        So what was found in a small copy is drawn on the large picture: `core.geometry.resize_matrix` gives the matrix
        of a resize. Raises DataError for what is no such matrix, or leaves nothing of the face.
        """
        try:
            matrix = np.array(other_from_picture, np.float64)
        except (TypeError, ValueError, OverflowError):
            matrix = np.empty(0)
        if matrix.shape != (3, 3) or not _are_near(matrix) or (matrix[2] != (0, 0, 1)).any():
            raise DataError(f"{shown(other_from_picture)} is no affine matrix (3, 3) with 0, 0, 1 as its last row")
        if not abs(np.linalg.det(matrix[:2, :2])) > 0:
            raise DataError(
                f"{shown(other_from_picture)} takes all points to one place or line; give one that does not"
            )
        radii = None if self.radii is None else self.radii * math.sqrt(abs(np.linalg.det(matrix[:2, :2])))
        return make_face(transform_points(matrix, self.keypoints.astype(np.float64)), self.score, self.scheme, radii)


def _are_near(numbers: np.ndarray) -> bool:
    """Whether no number is infinite, none, or so large that float32 could not tell where it is."""
    return bool((np.abs(numbers) <= FARTHEST_PX).all())


def make_face(keypoints: np.ndarray, score: float, scheme: Scheme = IBUG_68, radii: np.ndarray | None = None) -> Face:
    """The face with (K, 2) keypoints of a scheme, x then y in pixels of the picture, and a score 0..1.

    And perhaps (K,) radii, which say nothing where they are no numbers.
    """
    x, y, width, height = (float(value) for value in boxes_of_points(keypoints[None])[0])
    rotation = head_rotation(keypoints) if scheme == IBUG_68 else None
    known = radii.astype(np.float32) if radii is not None and np.isfinite(radii).all() else None
    points = keypoints.astype(np.float32)
    for array in (points, *([] if known is None else [known])):
        array.flags.writeable = False  # box and rotation belong to them
    return Face((x, y, width, height), float(score), points, rotation, scheme, known)


def checked_faces(faces: Iterable[Face]) -> list[Face]:
    """The faces as a list. Raises DataError for what is no series of faces."""
    given = list(faces) if isinstance(faces, Iterable) else None
    if given is None or not all(isinstance(face, Face) for face in given):
        raise DataError(f"the faces are {shown(faces)} but should be a list of Face, as a detector gives them")
    return given

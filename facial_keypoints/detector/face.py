"""A face that was found."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facial_keypoints.core.boxes import boxes_of_points
from facial_keypoints.core.errors import DataError
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
    """(K, 2) float32, x then y."""
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


def make_face(keypoints: np.ndarray, score: float, scheme: Scheme = IBUG_68, radii: np.ndarray | None = None) -> Face:
    """The face with (K, 2) keypoints of a scheme, x then y in pixels of the picture, and a score 0..1.

    And perhaps (K,) radii, which say nothing where they are no numbers.
    """
    x, y, width, height = (float(value) for value in boxes_of_points(keypoints[None])[0])
    rotation = head_rotation(keypoints) if scheme == IBUG_68 else None
    known = radii.astype(np.float32) if radii is not None and np.isfinite(radii).all() else None
    return Face((x, y, width, height), float(score), keypoints.astype(np.float32), rotation, scheme, known)


def checked_faces(faces: Iterable[Face]) -> list[Face]:
    """The faces as a list. Raises DataError for what is no series of faces."""
    given = list(faces) if isinstance(faces, Iterable) else None
    if given is None or not all(isinstance(face, Face) for face in given):
        raise DataError(f"the faces are {shown(faces)} but should be a list of Face, as a detector gives them")
    return given

"""The head behind 68 points of a picture: its rotation, size and shape in millimetres, so that things can be put on it.

The shape is the mean face of `mean_face.shape` with its modes and a few movements; rotation, size, place and shape are
found together by least squares (Gauss-Newton), each mode held near 0 by its own spread. A viewing distance has to be
assumed: in one picture it cannot be told apart from the depth of the face.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.mean_face.expression import Expression, face_points
from facial_keypoints.mean_face.shape import MODES, mean_points, modes
from facial_keypoints.mean_face.surface import face_motion, face_surface

DISTANCE_MM = 1500.0
"""Assumed distance of the camera from the head."""
_STEPS = 12
_SURFACE_SIDE = 48
_REACH_MM = 14.0
"""Standard deviation of the Gaussian by which the residual of a point moves its surroundings."""
_FORM_WEIGHT = 0.02
"""Weight of a mode at one standard deviation, against a residual of one face size."""
_MOVES = ("jaw_open", "lips_part", "smile", "pucker", "brow_raise", "brow_furrow", "close_right", "close_left")
"""Movements of the face that are fitted (see `mean_face.expression`)."""
_MOVE_SPREAD = 0.5
"""Standard deviation of a movement, which is 0 at rest and 1 at its fullest."""
_CHIN = slice(6, 11)
_JAW_WEIGHT = 0.5


@dataclass(frozen=True)
class Head:
    """Head coordinates: x to the subject's left, y down, z towards the viewer; y = 0 at the pupils, z = 0 at the ears.

    In the camera's coordinates x runs to the right of the picture, y down, z towards the camera.
    """

    camera_from_head: np.ndarray
    """(3, 3) rotation."""
    px_per_mm: float
    origin_px: np.ndarray
    """(2,) the middle between the ears in the picture."""
    form: np.ndarray
    """(27 + 8,) coefficients of the modes and movements."""
    keypoints: np.ndarray
    """(68, 2) px, as given."""

    @cached_property
    def points(self) -> np.ndarray:
        """(68, 3) head millimetres of the keypoints."""
        return np.asarray(mean_points() + np.tensordot(self.form, _basis(), 1))

    @cached_property
    def surface(self) -> np.ndarray:
        """(48, 48, 3) float32 grid over the skin of the whole head, through `points`, head millimetres."""
        shape = self.form[: len(MODES)]
        return face_surface(face_motion(self.points, shape), _SURFACE_SIDE)

    def rotated(self, places: np.ndarray) -> np.ndarray:
        """(..., 3) head millimetres -> camera millimetres."""
        return np.asarray(places @ self.camera_from_head.T)

    def project(self, places: np.ndarray) -> np.ndarray:
        """(..., 3) head millimetres -> (..., 2) px; what lies near a keypoint is moved by its residual, too."""
        rigid = self.project_rigidly(places)
        miss = (self.keypoints - self.project_rigidly(self.points))[17:]
        gap = np.linalg.norm(places[..., None, :] - self.points[17:], axis=-1)
        pull = np.exp(-0.5 * (gap / _REACH_MM) ** 2)
        return np.asarray(rigid + pull @ miss / (pull.sum(-1, keepdims=True) + 0.3))

    def project_rigidly(self, places: np.ndarray) -> np.ndarray:
        """(..., 3) head millimetres -> (..., 2) px by rotation, size and place alone."""
        seen = self.rotated(places)
        return np.asarray(
            self.origin_px + self.px_per_mm * seen[..., :2] * (DISTANCE_MM / (DISTANCE_MM - seen[..., 2:]))
        )


@cache
def _basis() -> np.ndarray:
    """(27 + 8, 68, 3) millimetres by which each mode, then each movement moves the points; taken to add up."""
    rest = face_points(np.zeros(len(MODES)), Expression())
    moved = [face_points(np.zeros(len(MODES)), Expression(**{name: 1.0})) - rest for name in _MOVES]
    return np.concatenate([modes(), np.stack(moved)])


def fit_head(keypoints: np.ndarray) -> Head:
    """The head whose projected points are nearest to (68, 2) keypoints, px. Raises DataError for points of no face."""
    points = np.asarray(keypoints, np.float64)
    if points.shape != (IBUG_68.count, 2) or not np.isfinite(points).all():
        raise DataError(
            f"points of shape {points.shape} make no face; give {IBUG_68.count} finite points (x, y) in pixels"
        )
    if points.std(0).min() < 1e-3:
        raise DataError("points that lie in one place or on one line make no face; leave them out")
    size = float(points.std(0).mean())
    rotation, scale, origin = _first_guess(points)
    form = np.zeros(len(_basis()))
    for _ in range(_STEPS):
        rotation, scale, origin, form = _step(points, size, rotation, scale, origin, form)
    return Head(rotation, scale, origin, form, points)


def _first_guess(points: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Rotation (3, 3), px per millimetre and origin (2,) px of the mean face seen from afar.

    They come from the nearest affine map, whose two rows are made orthonormal.
    """
    design = np.column_stack([mean_points()[17:], np.ones(IBUG_68.count - 17)])
    affine = np.linalg.lstsq(design, points[17:], rcond=None)[0]
    left, stretch, right = np.linalg.svd(affine[:3].T, full_matrices=False)
    rows = left @ right
    return np.vstack([rows, np.cross(*rows)]), float(stretch.mean()), affine[3]


def _step(
    points: np.ndarray, size: float, rotation: np.ndarray, scale: float, origin: np.ndarray, form: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """One Gauss-Newton step over rotation (3), logarithm of the scale, origin (2) and form (35)."""
    basis = _basis()
    seen = (mean_points() + np.tensordot(form, basis, 1)) @ rotation.T
    near = DISTANCE_MM / (DISTANCE_MM - seen[:, 2])
    flat = seen[:, :2] * near[:, None]

    def in_picture(moved: np.ndarray) -> np.ndarray:
        """(..., 68, 3) movements in camera millimetres -> (..., 68, 2) px."""
        return np.asarray(
            scale * (moved[..., :2] * near[:, None] + flat * (moved[..., 2:] * near[:, None] / DISTANCE_MM))
        )

    rotations = in_picture(np.cross(np.eye(3)[:, None], seen))
    shifts = np.broadcast_to(np.eye(2)[:, None], (2, IBUG_68.count, 2))
    columns = np.concatenate([rotations, (scale * flat)[None], shifts, in_picture(basis @ rotation.T)])
    weights = _weights(rotation)[:, None] / size
    spread = np.r_[np.ones(len(MODES)), np.full(len(_MOVES), _MOVE_SPREAD)]
    hold = _FORM_WEIGHT / spread
    system = np.vstack([(columns * weights).reshape(len(columns), -1).T, np.eye(len(columns))[6:] * hold[:, None]])
    miss = np.r_[((points - origin - scale * flat) * weights).ravel(), -hold * form]
    step = np.linalg.lstsq(system, miss, rcond=None)[0]
    growth = float(np.exp(np.clip(step[3], -2, 2)))
    return _rotation(step[:3]) @ rotation, scale * growth, origin + step[4:6], form + step[6:]


def _weights(rotation: np.ndarray) -> np.ndarray:
    """(68,) weights of the points in the fit.

    The far side of the jaw of a rotated head is labelled along its visible edge, which is no fixed place on the skin.
    """
    weights = np.ones(IBUG_68.count)
    aside = np.sign(mean_points()[:17, 0]) * rotation[0, 2]
    weights[:17] = _JAW_WEIGHT * np.clip(1 - 6 * np.maximum(aside, 0), 0, 1)
    weights[_CHIN] = _JAW_WEIGHT
    return weights


def _rotation(vector: np.ndarray) -> np.ndarray:
    """(3, 3) rotation about a (3,) axis by its length in radians (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector)) + 1e-12
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)

"""The head behind 68 points of a picture: its turn, size and form in millimetres, so that things can be put on it.

The form is the mean face of `mean_face.shape` with its modes and a few movements; turn, size, place and form are
found together by least squares (Gauss-Newton), each mode held near 0 by its own spread. A viewing distance has to be
assumed: from one picture it cannot be told from the depth of the face.
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
_STEPS = 12
_SURFACE_SIDE = 48
_REACH_MM = 14.0
"""How far the miss of a point pulls its surroundings along."""
_FORM_WEIGHT = 0.02
"""Of a mode at one standard deviation, against a miss of one face size."""
_MOVES = ("jaw_open", "lips_part", "smile", "pucker", "brow_raise", "brow_furrow", "close_right", "close_left")
_MOVE_SPREAD = 0.5
_CHIN = slice(6, 11)
_JAW_WEIGHT = 0.5


@dataclass(frozen=True)
class Head:
    """Head coordinates: x to the subject's left, y down, z towards the viewer; y = 0 at the pupils, z = 0 at the ears.

    In the picture x runs right, y down; `camera_from_head` (3, 3) turns one into the other.
    """

    camera_from_head: np.ndarray
    px_per_mm: float
    origin_px: np.ndarray
    """(2,) where the middle between the ears falls."""
    form: np.ndarray
    """(27 + 8,) coefficients of the modes and movements."""
    keypoints: np.ndarray
    """(68, 2) px, as given."""

    @cached_property
    def points(self) -> np.ndarray:
        """(68, 3) millimetres."""
        return np.asarray(mean_points() + np.tensordot(self.form, _basis(), 1))

    @cached_property
    def surface(self) -> np.ndarray:
        """(48, 48, 3) float32 skin of the whole head in millimetres, through `points`."""
        shape = self.form[: len(MODES)]
        return face_surface(face_motion(self.points, shape), _SURFACE_SIDE)

    def turned(self, places: np.ndarray) -> np.ndarray:
        """(..., 3) head millimetres -> millimetres as seen by the camera, z towards it."""
        return np.asarray(places @ self.camera_from_head.T)

    def project(self, places: np.ndarray) -> np.ndarray:
        """(..., 3) head millimetres -> (..., 2) px; near a keypoint, moved with it so that what lies on it sticks."""
        rigid = self.project_rigidly(places)
        miss = (self.keypoints - self.project_rigidly(self.points))[17:]
        gap = np.linalg.norm(places[..., None, :] - self.points[17:], axis=-1)
        pull = np.exp(-0.5 * (gap / _REACH_MM) ** 2)
        return np.asarray(rigid + pull @ miss / (pull.sum(-1, keepdims=True) + 0.3))

    def project_rigidly(self, places: np.ndarray) -> np.ndarray:
        """(..., 3) head millimetres -> (..., 2) px by turn, size and place alone."""
        seen = self.turned(places)
        return np.asarray(
            self.origin_px + self.px_per_mm * seen[..., :2] * (DISTANCE_MM / (DISTANCE_MM - seen[..., 2:]))
        )


@cache
def _basis() -> np.ndarray:
    """(27 + 8, 68, 3) millimetres that each mode moves the points, then each movement, as if they added up."""
    rest = face_points(np.zeros(len(MODES)), Expression())
    moved = [face_points(np.zeros(len(MODES)), Expression(**{name: 1.0})) - rest for name in _MOVES]
    return np.concatenate([modes(), np.stack(moved)])


def fit_head(keypoints: np.ndarray) -> Head:
    """The head whose points come nearest to (68, 2) keypoints. Raises DataError for points that make no face."""
    points = np.asarray(keypoints, np.float64)
    if points.shape != (IBUG_68.count, 2) or not np.isfinite(points).all() or points.std(0).min() < 1e-3:
        raise DataError(
            f"points of shape {points.shape} make no face; give {IBUG_68.count} finite points (x, y) in pixels"
        )
    size = float(points.std(0).mean())
    rotation, scale, origin = _first_guess(points)
    form = np.zeros(len(_basis()))
    for _ in range(_STEPS):
        rotation, scale, origin, form = _step(points, size, rotation, scale, origin, form)
    return Head(rotation, scale, origin, form, points)


def _first_guess(points: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Turn, scale and origin of the mean face seen from far off: the nearest affine map, its rows made square."""
    design = np.column_stack([mean_points()[17:], np.ones(IBUG_68.count - 17)])
    affine = np.linalg.lstsq(design, points[17:], rcond=None)[0]
    left, stretch, right = np.linalg.svd(affine[:3].T, full_matrices=False)
    rows = left @ right
    return np.vstack([rows, np.cross(*rows)]), float(stretch.mean()), affine[3]


def _step(
    points: np.ndarray, size: float, rotation: np.ndarray, scale: float, origin: np.ndarray, form: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """One Gauss-Newton step over turn (3), log scale, origin (2) and form."""
    basis = _basis()
    seen = (mean_points() + np.tensordot(form, basis, 1)) @ rotation.T
    near = DISTANCE_MM / (DISTANCE_MM - seen[:, 2])
    flat = seen[:, :2] * near[:, None]

    def in_picture(moved: np.ndarray) -> np.ndarray:
        """(..., 68, 3) camera millimetres of movement -> (..., 68, 2) px."""
        return np.asarray(
            scale * (moved[..., :2] * near[:, None] + flat * (moved[..., 2:] * near[:, None] / DISTANCE_MM))
        )

    turns = in_picture(np.cross(np.eye(3)[:, None], seen))
    shifts = np.broadcast_to(np.eye(2)[:, None], (2, IBUG_68.count, 2))
    columns = np.concatenate([turns, (scale * flat)[None], shifts, in_picture(basis @ rotation.T)])
    weights = _weights(rotation)[:, None] / size
    spread = np.r_[np.ones(len(MODES)), np.full(len(_MOVES), _MOVE_SPREAD)]
    hold = _FORM_WEIGHT / spread
    system = np.vstack([(columns * weights).reshape(len(columns), -1).T, np.eye(len(columns))[6:] * hold[:, None]])
    miss = np.r_[((points - origin - scale * flat) * weights).ravel(), -hold * form]
    step = np.linalg.lstsq(system, miss, rcond=None)[0]
    growth = float(np.exp(np.clip(step[3], -2, 2)))
    return _turn(step[:3]) @ rotation, scale * growth, origin + step[4:6], form + step[6:]


def _weights(rotation: np.ndarray) -> np.ndarray:
    """(68,) trust in the points: of the jaw, the far side runs along the visible edge, not along the same skin."""
    weights = np.ones(IBUG_68.count)
    aside = np.sign(mean_points()[:17, 0]) * rotation[0, 2]
    weights[:17] = _JAW_WEIGHT * np.clip(1 - 6 * np.maximum(aside, 0), 0, 1)
    weights[_CHIN] = _JAW_WEIGHT
    return weights


def _turn(vector: np.ndarray) -> np.ndarray:
    """(3, 3) turn about a (3,) axis by its length in radians."""
    angle = float(np.linalg.norm(vector)) + 1e-12
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)

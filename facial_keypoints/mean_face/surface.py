"""The skin as a dense surface that passes through the 68 points and moves with them.

The head is star-shaped seen from CENTRE, so a direction (longitude u, latitude v, each in -1..1, denser mid-face)
names a place on the skin for good: paint is laid out in (u, v), and only positions change from person to
person and from frame to frame.
"""

from functools import cache

import cv2
import numpy as np

from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.mean_face.anchors import ANCHORS, BUMPS, FIXED
from facial_keypoints.mean_face.expression import Expression, face_points
from facial_keypoints.mean_face.shape import MODES, global_modes

CENTRE = np.array([0.0, 25.0, 0.0])
"""Head millimetres; every direction is taken from here."""

_LONGITUDE_DEG, _LATITUDE_DEG, _LATITUDE_MID_DEG = 138.0, 86.0, -3.0
_DENSITY = 0.6
"""Slope of angle over u in the middle, relative to the mean."""
_SEMI_AXES = np.array([[73.0, 130.0, 104.0], [73.0, 96.0, 92.0]])
"""Of the egg under the sculpted points: towards negative and positive x, y, z."""


def _both_sides(rows: np.ndarray) -> np.ndarray:
    flipped = rows[rows[:, 0] != 0] * np.r_[-1, np.ones(rows.shape[1] - 1)]
    return np.concatenate([rows, flipped])


def _angle(unit: np.ndarray) -> np.ndarray:
    return np.asarray(unit * (_DENSITY + (1 - _DENSITY) * unit * unit))


def _unit(angle: np.ndarray) -> np.ndarray:
    table = np.linspace(-1.05, 1.05, 4001)
    return np.asarray(np.interp(angle, _angle(table), table))


def grid_pixels(units: np.ndarray, side: int) -> np.ndarray:
    """(..., 2) u and v -> column and row of a (side, side) grid, cell centres at whole numbers."""
    return np.asarray((units + 1) / 2 * side - 0.5)


def sample(grid: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(K, C) values of an (S, S, C) float32 grid at (K, 2) u and v."""
    column, row = grid_pixels(units, len(grid)).astype(np.float32).T
    return np.asarray(cv2.remap(grid, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0])


def grid_units(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) u and v at the centres of a grid's cells."""
    u = (np.arange(columns) + 0.5) / columns * 2 - 1
    v = (np.arange(rows) + 0.5) / rows * 2 - 1
    return tuple(np.meshgrid(u, v))  # type: ignore[return-value]


def directions(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(..., 3) unit vectors from CENTRE."""
    longitude = np.radians(_LONGITUDE_DEG * _angle(u))
    latitude = np.radians(_LATITUDE_MID_DEG + _LATITUDE_DEG * _angle(v))
    level = np.cos(latitude)
    return np.stack([level * np.sin(longitude), np.sin(latitude), level * np.cos(longitude)], -1)


def units_of(points: np.ndarray) -> np.ndarray:
    """(..., 2) u and v of (..., 3) points of the canonical head."""
    x, y, z = np.moveaxis(points - CENTRE, -1, 0)
    longitude = np.degrees(np.arctan2(x, z)) / _LONGITUDE_DEG
    latitude = (np.degrees(np.arctan2(y, np.hypot(x, z))) - _LATITUDE_MID_DEG) / _LATITUDE_DEG
    return np.stack([_unit(longitude), _unit(latitude)], -1)


def egg(direction: np.ndarray) -> np.ndarray:
    """(..., 3) points of the smooth egg that underlies head and hair, in the (..., 3) directions from CENTRE."""
    axes = np.where(direction > 0, _SEMI_AXES[1], _SEMI_AXES[0])
    return np.asarray(CENTRE + direction / np.linalg.norm(direction / axes, axis=-1, keepdims=True))


@cache
def grid_directions(side: int) -> np.ndarray:
    """(side, side, 3) float32 directions of the cells of a grid."""
    return directions(*grid_units(side, side)).astype(np.float32)


@cache
def canonical_points() -> np.ndarray:
    """(68, 3) the face on which places are named: eyes wide and lips apart, so that no two points share a place."""
    wide = Expression(lips_part=1.0, close_right=-0.5, close_left=-0.5)
    return face_points(np.zeros(len(MODES)), wide)


@cache
def point_units() -> np.ndarray:
    """(68, 2) u and v of the 68 points."""
    return units_of(canonical_points())


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=-1))


def _interpolation(controls: np.ndarray, places: np.ndarray, soft: float) -> np.ndarray:
    """(P, K) weights that carry values at (K, 3) unit vectors to (P, 3) ones: multiquadric plus a constant."""
    count = len(controls)
    system = np.ones((count + 1, count + 1))
    system[-1, -1] = 0
    system[:count, :count] = np.hypot(_distances(controls, controls), soft) - 1e-4 * np.eye(count)
    kernel = np.concatenate([np.hypot(_distances(places, controls), soft), np.ones((len(places), 1))], 1)
    weights = np.linalg.solve(system, kernel.T).T[:, :count]
    return np.asarray(np.round(weights, 7))  # so that the last bits of linear algebra do not reach the pictures


def _toward(points: np.ndarray) -> np.ndarray:
    offset = points - CENTRE
    return np.asarray(offset / np.linalg.norm(offset, axis=-1, keepdims=True))


_TEMPLATE_SIDE, _MOTION_SIDE = 180, 100


@cache
def template() -> np.ndarray:
    """(180, 180, 3) float32 canonical surface."""
    controls = np.concatenate([canonical_points(), _both_sides(ANCHORS)])
    place = grid_directions(_TEMPLATE_SIDE).reshape(-1, 3).astype(np.float64)
    aim = _toward(controls)
    surface = egg(place) + np.einsum("pk,kc->pc", _interpolation(aim, place, 0.06), controls - egg(aim))
    pinned = _relief(controls)
    pinned[IBUG_68.count :] = 0  # the bumps may lift anchors, never one of the 68 points
    surface[:, 2] += _relief(surface) - np.einsum("pk,k->p", _interpolation(aim, place, 0.02), pinned)
    return np.asarray(surface.reshape(_TEMPLATE_SIDE, _TEMPLATE_SIDE, 3), np.float32)


def _relief(points: np.ndarray) -> np.ndarray:
    """(K,) millimetres by which the bumps raise (K, 3) points of the front of the head."""
    x, y, z = points.T[:, :, None]
    bump_x, bump_y, width_x, width_y, height = _both_sides(BUMPS).T
    raised = height * np.exp(-(((x - bump_x) / width_x) ** 2) - ((y - bump_y) / width_y) ** 2)
    return np.asarray((raised * (z > 20)).sum(1))


@cache
def _fixed_anchors() -> np.ndarray:
    return _both_sides(ANCHORS[list(FIXED)])


@cache
def _motion_weights() -> np.ndarray:
    """(K, 10000) float32: one row a control, since sums over long rows are the fast ones."""
    controls = np.concatenate([canonical_points(), _fixed_anchors()])
    place = grid_directions(_MOTION_SIDE).reshape(-1, 3).astype(np.float64)
    return np.ascontiguousarray(_interpolation(_toward(controls), place, 0.04).T, np.float32)


def skull_shift(shape: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(K, 3) displacement of (K, 3) head points by the modes that reshape the whole head."""
    moved = global_modes(points)
    return np.asarray(sum(shape[MODES.index(name)] * shift for name, shift in moved.items()))


def face_motion(points: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(100, 100, 3) float32 way from the canonical skin to that through (68, 3) points of an identity (len(MODES),)."""
    moved = np.concatenate([points - canonical_points(), skull_shift(shape, _fixed_anchors())])
    motion = np.einsum("kp,kc->cp", _motion_weights(), moved.astype(np.float32))
    return np.asarray(cv2.merge(list(motion.reshape(3, _MOTION_SIDE, _MOTION_SIDE))))


def face_surface(motion: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3) float32 skin in head millimetres that has gone the way of `face_motion`."""
    size = (side, side)
    rest = cv2.resize(template(), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(rest + cv2.resize(motion, size, interpolation=cv2.INTER_CUBIC), np.float32)


def normals(surface: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 unit normals of an (H, W, 3) surface whose columns run to the right and rows down."""
    across = cv2.Sobel(surface, cv2.CV_32F, 1, 0, ksize=3, borderType=cv2.BORDER_REPLICATE)
    down = cv2.Sobel(surface, cv2.CV_32F, 0, 1, ksize=3, borderType=cv2.BORDER_REPLICATE)
    (ax, ay, az), (bx, by, bz) = cv2.split(across), cv2.split(down)
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    shrink = 1 / (np.sqrt(x * x + y * y + z * z) + 1e-9)
    return np.asarray(cv2.merge([x * shrink, y * shrink, z * shrink]))

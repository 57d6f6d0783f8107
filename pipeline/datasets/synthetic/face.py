"""Assembling the parts of a person and painting them, with the 68 labels, on transparent ground."""

from dataclasses import dataclass, field

import numpy as np

from facial_keypoints.mean_face.expression import Expression, face_points
from facial_keypoints.mean_face.shape import MODES
from facial_keypoints.mean_face.surface import face_motion, face_surface, normals, point_units, sample
from pipeline.datasets.synthetic.body import Clothes, ears, neck, shoulders
from pipeline.datasets.synthetic.camera import Camera, Pose
from pipeline.datasets.synthetic.features import paint_eyes, paint_mouth
from pipeline.datasets.synthetic.glasses import spectacles
from pipeline.datasets.synthetic.hair import COVERS_EARS, curtain, headwear, scalp_hair, tint_scalp
from pipeline.datasets.synthetic.layout import layout
from pipeline.datasets.synthetic.light import Light
from pipeline.datasets.synthetic.part import Part
from pipeline.datasets.synthetic.people import Identity
from pipeline.datasets.synthetic.render import SAMPLES, render
from pipeline.datasets.synthetic.skin import noise, paint_skin

_SIDES = (96, 128, 160, 192, 224, 256, 304, 352, 416, 480, 576, 704, 864, 1024)
"""Cells along a side of the grids: few sizes, as the layout of each is computed once and kept."""


@dataclass(frozen=True)
class Face:
    """A person at a moment."""

    identity: Identity = field(default_factory=Identity)
    expression: Expression = field(default_factory=Expression)
    pose: Pose = field(default_factory=Pose)
    clothes: Clothes = field(default_factory=Clothes)


def keypoints(face: Face, camera: Camera) -> np.ndarray:
    """Return (68, 2) float64 labels, x then y, in pixels of the camera.

    The jaw runs along the visible edge of the face, as annotators draw it, rather than along fixed places of the skin.
    """
    shape = np.array(face.identity.shape)
    surface = face_surface(face_motion(face_points(shape, face.expression), shape), 256)
    return _keypoints(surface, face.pose.rotation(), camera)


_JAW_STEPS = np.linspace(0, 0.42, 22)


def _keypoints(surface: np.ndarray, head: np.ndarray, camera: Camera) -> np.ndarray:
    units = point_units()
    points = camera.project(sample(surface, units).astype(np.float64) @ head.T)
    middle = units[[28, 29]].mean(0) * (0, 1) + (0, 0.02)
    rays = units[:17, None] + (middle - units[:17, None]) * _JAW_STEPS[None, :, None]
    paths = camera.project(sample(surface, rays.reshape(-1, 2)).astype(np.float64) @ head.T).reshape(17, -1, 2)
    outward = _contour_normals(points[:17], points[27])
    reach = (paths * outward[:, None]).sum(-1)
    points[:17] = paths[np.arange(17), reach.argmax(1)]
    return np.asarray(points)


def _contour_normals(jaw: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return (17, 2) unit vectors away from the face, across the line of the (17, 2) jaw points."""
    along = np.gradient(jaw, axis=0)
    across = np.stack([along[:, 1], -along[:, 0]], -1)
    across *= np.sign((across * (jaw - inner)).sum(-1, keepdims=True))
    return np.asarray(across / np.linalg.norm(across, axis=-1, keepdims=True))


def _skin(face: Face, points: np.ndarray, skin: np.ndarray) -> Part:
    """Return the face as a part, over its (S, S, 3) surface `skin` through the (68, 3) `points`."""
    person, where, normal = face.identity, layout(len(skin)), normals(skin)
    paint = paint_skin(person, face.expression, where)
    paint_eyes(paint, normal, skin, where, points, (person, face.expression))
    paint_mouth(paint, skin, where, points, face.expression)
    if person.headwear != "scarf":
        tint_scalp(person, paint, where)
    return Part(_bearded(person, skin, where.beard), normal, paint, np.ones(skin.shape[:2], bool))


def _parts(face: Face, side: int, hair_side: int) -> tuple[list[Part], np.ndarray]:
    """Return all parts in camera millimetres, and the (side, side, 3) surface of the bare skin in head millimetres."""
    person, shape = face.identity, np.array(face.identity.shape)
    points = face_points(shape, face.expression)
    motion = face_motion(points, shape)
    skin, scalp = (face_surface(motion, count) for count in (side, hair_side))
    head = face.pose.rotation()
    body = Pose(0.35 * face.pose.yaw_deg, 0, 0.1 * face.pose.roll_deg).rotation()
    width = 1 + 0.045 * person.shape[MODES.index("face_width")]
    on_head = [_skin(face, points, skin), *spectacles(person, points, side, width)]
    on_head += [] if person.headwear == "scarf" else [scalp_hair(person, scalp, layout(hair_side))]
    on_head += [] if person.headwear == "scarf" or person.hair_style in COVERS_EARS else ears(person, side, width)
    on_head += headwear(person, skin, layout(side))
    hanging = None if person.headwear == "scarf" else curtain(person, hair_side, head, width=width)
    below = [neck(person, side, head, body), shoulders(person, face.clothes, side, body)]
    return [part.turned(head) for part in on_head] + below + ([hanging] if hanging else []), skin


def _bearded(person: Identity, skin: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the (S, S, 3) skin, raised where it bears a full beard."""
    depth = (
        7.0
        * np.clip(person.beard - 0.6, 0, 1)
        * region
        * (1 + 0.3 * noise(person.texture_seed + 9, (60, 60), region.shape))
    )
    return np.asarray(skin + depth[..., None] * np.array([0, 0.6, 0.8]), np.float32)


def paint_face(face: Face, camera: Camera, light: Light, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Paint a person on transparent ground.

    size is (H, W). Returns (H, W, 4) float32, linear light times coverage and coverage, and (68, 2) float64 labels in
    source pixels.
    """
    parts, skin = _parts(face, *_grid_sides(camera.px_per_mm * SAMPLES))
    return render(parts, camera, light, size), _keypoints(skin, face.pose.rotation(), camera)


def _grid_sides(px_per_mm: float) -> tuple[int, int]:
    """Cells along a side of the grids of skin and of hair, so that neighbours fall about a pixel apart."""
    fitting = int(np.searchsorted(_SIDES, 205 * px_per_mm))
    return _SIDES[min(fitting, len(_SIDES) - 1)], _SIDES[int(np.clip(fitting - 1, 0, len(_SIDES) - 2))]

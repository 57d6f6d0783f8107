"""Eyes and the inside of the mouth, painted where the lids and lips leave them open."""

import numpy as np

from facial_keypoints.mean_face.expression import Expression
from pipeline.datasets.synthetic.layout import Layout, blur, px
from pipeline.datasets.synthetic.people import Identity
from pipeline.datasets.synthetic.skin import Paint, linear, mix

IRIS_MM, PUPIL_MM, EYEBALL_MM = 6.2, 2.5, 12.5


def eye_centres(points: np.ndarray) -> np.ndarray:
    """Return the (2, 3) centres of the right and the left eye, in millimetres.

    Each lies half a millimetre above the middle between the corners of the eye.
    """
    corners = points[[36, 39, 42, 45]].reshape(2, 2, 3).mean(1)
    return np.asarray(corners + np.array([0, -0.5, 0]))


def iris_centres(points: np.ndarray, expression: Expression) -> np.ndarray:
    """Return the (2, 3) centres of the irises in head millimetres."""
    gaze = np.array([6.0 * expression.gaze_x, 3.2 * expression.gaze_y, 0])
    return np.asarray(eye_centres(points) + gaze + np.array([0, 0, 5.5]))


def paint_eyes(
    paint: Paint,
    normals: np.ndarray,
    surface: np.ndarray,
    where: Layout,
    points: np.ndarray,
    look: tuple[Identity, Expression],
) -> None:
    """Paint sclera, iris, pupil and the shadow of the lid into `paint` and the (S, S, 3) normals, in place."""
    person, expression = look
    centres, irises = eye_centres(points), iris_centres(points, expression)
    rows, columns = (np.flatnonzero(where.eyes.any(axis)) for axis in (1, 0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    place = surface[window]
    side = (place[..., 0] > 0).astype(int)
    mask = where.eyes[window] * _openness(points)[side]
    offset = place - irises[side].astype(np.float32)
    radius = np.hypot(offset[..., 0], offset[..., 1])
    colour = _eyeball(place - centres[side].astype(np.float32), radius, person)
    colour = mix(colour, _iris(offset, radius, person), _disc(radius, IRIS_MM, 0.5))
    colour = mix(colour, np.full(3, 0.004, np.float32), _disc(radius, PUPIL_MM, 0.4))
    under_lid = 1 - 0.6 * blur(where.lash_upper, px(where.side, 1.4))[window]
    paint.albedo[window] = mix(paint.albedo[window], colour * under_lid[..., None], mask)
    paint.gloss[window] = paint.gloss[window] * (1 - mask) + 1.6 * mask
    ball = place - centres[side].astype(np.float32) + np.array([0, 0, EYEBALL_MM - 5], np.float32)
    ball /= np.linalg.norm(ball, axis=-1, keepdims=True)
    normals[window] += (ball - normals[window]) * mask[..., None]


def _openness(points: np.ndarray) -> np.ndarray:
    """Return how open the right and the left eye are, (2,) float32: 0 closed, 1 from a gap of 3 mm on."""
    gap = points[[40, 46], 1] - points[[38, 44], 1]
    return np.asarray(np.clip((gap - 1.0) / 2.0, 0, 1), np.float32)


def _disc(radius: np.ndarray, size: float, soft: float) -> np.ndarray:
    return np.clip((size - radius) / soft + 0.5, 0, 1)


def _eyeball(offset: np.ndarray, radius: np.ndarray, person: Identity) -> np.ndarray:
    corner = np.clip((np.abs(offset[..., 0]) - 7) / 8, 0, 1)
    white = np.array([0.56, 0.53, 0.51], np.float32) * (1 - 0.12 * person.age)
    return mix(np.broadcast_to(white, offset.shape), np.array([0.42, 0.2, 0.17], np.float32), 0.6 * corner)


def _iris(offset: np.ndarray, radius: np.ndarray, person: Identity) -> np.ndarray:
    angle = np.arctan2(offset[..., 1], offset[..., 0])
    rays = 1 + 0.12 * np.sin(angle * 17 + person.texture_seed % 7) + 0.1 * np.sin(angle * 31)
    ring = 1 - 0.75 * np.clip((radius - 0.72 * IRIS_MM) / (0.28 * IRIS_MM), 0, 1)
    lit_below = 1 + 0.3 * np.clip(offset[..., 1] / IRIS_MM, -1, 1)
    return np.asarray(linear(person.eye_rgb) * (rays * ring * lit_below)[..., None], np.float32)


def paint_mouth(paint: Paint, surface: np.ndarray, where: Layout, points: np.ndarray, expression: Expression) -> None:
    """Paint teeth, tongue and the dark between the lips into `paint`, in place."""
    rows, columns = (np.flatnonzero(where.mouth.any(axis)) for axis in (1, 0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    x, y = surface[window][..., 0], surface[window][..., 1]
    middle, upper, lower = points[[62, 66], 0].mean(), points[62, 1], points[66, 1]
    across = (x - middle) / 24
    shade = np.clip(1 - across**2, 0.08, 1)
    tongue = (
        np.exp(-((across / 0.7) ** 2)) * np.clip((y - lower + 11) / 5, 0, 1) * np.clip((lower - upper - 6) / 8, 0, 1)
    )
    dark = np.array([0.035, 0.012, 0.012], np.float32)
    inside = mix(np.broadcast_to(dark, (*x.shape, 3)), np.array([0.32, 0.1, 0.1], np.float32), 0.8 * tongue)
    teeth = _teeth(x - middle, shade)
    top = np.clip((upper + 7.5 - 4 * across**2 - y) / 0.8, 0, 1)
    bottom = np.clip((y - lower + 3.2 - 3 * across**2) / 0.8, 0, 1) * (0.55 if expression.jaw_open > 0.15 else 0.2)
    inside = mix(inside, teeth, np.clip(np.maximum(top, bottom) * (np.abs(across) < 0.93), 0, 1))
    lip_shadow = np.clip((y - upper) / 3.0, 0.25, 1)[..., None]
    mask = where.mouth[window]
    paint.albedo[window] = mix(paint.albedo[window], inside * lip_shadow, mask)
    paint.gloss[window] = paint.gloss[window] * (1 - mask) + 0.5 * mask


def _teeth(x: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """Colour of teeth that are 8 mm wide, with dark gaps between them, and darker towards the corners of the mouth."""
    gap = 1 - 0.3 * np.exp(-((((x + 4) % 8 - 4) / 0.5) ** 2))
    return np.asarray(np.array([0.72, 0.67, 0.58], np.float32) * (gap * shade)[..., None], np.float32)

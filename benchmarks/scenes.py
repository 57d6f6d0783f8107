"""Pictures with known faces, synthetic and labelled ones, and what makes faces hard to find; and pictures without any.

Every function draws from the generator it is given, so that the same seed gives the same pictures.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.core.geometry import resize_matrix, transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.finding.windows import rotation_matrix
from pipeline.core.metrics import normalizing_length
from pipeline.datasets.synthetic import (
    Camera,
    Capture,
    Face,
    Light,
    Pose,
    draw_background,
    paint_onto,
    random_expression,
    random_identity,
    take,
)

_EYES_MM = 90.0
_UNPEOPLED = (0, 1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30)
"""Seeds of backgrounds in which no people stand: out of focus they are faces that the truth does not know."""
_PAINTED_PX = 40.0
"""Eye distance below which faces are painted so large and made smaller, as a camera would."""


@dataclass(frozen=True)
class Scene:
    """A picture and where its faces are."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    truth: np.ndarray
    """(K, 68, 2) points in its pixels."""

    @property
    def eye_px(self) -> float:
        """Eye distance of the first face."""
        return float(normalizing_length(self.truth[:1], IBUG_68)[0])


def person(rng: np.random.Generator, eye_px: float, pose: Pose | None = None) -> Scene:
    """One person, at an eye distance in pixels, in a picture about eight times as wide."""
    return crowd(rng, 1, eye_px, pose)


def crowd(rng: np.random.Generator, people: int, eye_px: float, pose: Pose | None = None) -> Scene:
    """People side by side in rows, shoulders before those behind; heads as in a photo of a group unless posed."""
    painted = max(eye_px, _PAINTED_PX)
    columns = int(np.ceil(np.sqrt(people)))
    across, down = round(2.4 * painted), round(3 * painted)
    rows = -(-people // columns)
    size = (round(down * rows + 3.5 * painted), round(across * columns + 4 * painted))
    picture, truth = _ground(rng, size), []
    for index in range(people):
        row, column = divmod(index, columns)
        place = np.array([2 * painted + across * (column + 0.5), 2.2 * painted + down * row])
        x, y = place + rng.uniform(-0.15, 0.15, 2) * painted
        held = pose or Pose(*rng.normal(0, (14, 7, 8)))
        face = Face(random_identity(rng), random_expression(rng), held)
        camera = Camera(float(x), float(y), painted / _EYES_MM * float(rng.uniform(0.85, 1.15)))
        picture, labels = paint_onto(picture, face, camera, Light(key=float(rng.uniform(0.4, 1))))
        truth.append(labels)
    scene = Scene(take(picture, Capture(noise=0.004, jpeg_quality=92), rng), np.stack(truth))
    return smaller(scene, eye_px / painted)


def smaller(scene: Scene, factor: float) -> Scene:
    """The scene resized by a factor, 1 or less."""
    if factor >= 1:
        return scene
    height, width = scene.picture.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    picture = cv2.resize(scene.picture, size, interpolation=cv2.INTER_AREA)
    return Scene(picture, transform_points(resize_matrix((height, width), size[::-1]), scene.truth))


def blurred(scene: Scene, eyes_frac: float) -> Scene:
    """Out of focus, by a deviation over the eye distance."""
    return Scene(cv2.GaussianBlur(scene.picture, (0, 0), eyes_frac * scene.eye_px), scene.truth)


def dark(scene: Scene, rng: np.random.Generator, light: float) -> Scene:
    """A share of the light, with the noise that a camera then has."""
    noise = rng.normal(0, 4, scene.picture.shape)
    return Scene((scene.picture * light + noise).clip(0, 255).astype(np.uint8), scene.truth)


def tilted(scene: Scene, rotation_deg: float) -> Scene:
    """Rotated clockwise about the first face; beyond its border the border repeats."""
    matrix, centre = rotation_matrix(rotation_deg), scene.truth[0].mean(0)
    matrix[:2, 2] = centre - matrix[:2, :2] @ centre
    size = scene.picture.shape[1::-1]
    picture = cv2.warpAffine(scene.picture, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Scene(picture, transform_points(matrix, scene.truth))


def covered(scene: Scene, rng: np.random.Generator) -> Scene:
    """Half of the first face, any side of it, behind something of one colour with some grain."""
    picture, points = scene.picture.copy(), scene.truth[0]
    (left, top), (right, bottom) = points.min(0) - 0.2 * scene.eye_px, points.max(0) + 0.2 * scene.eye_px
    middle_x, middle_y = points[27:36].mean(0)
    side = int(rng.integers(4))
    left, right = (middle_x, right) if side == 0 else (left, middle_x) if side == 1 else (left, right)
    top, bottom = (middle_y, bottom) if side == 2 else (top, middle_y) if side == 3 else (top, bottom)
    rows, columns = (slice(max(0, round(low)), max(0, round(high))) for low, high in ((top, bottom), (left, right)))
    part = picture[rows, columns]
    part[:] = (rng.uniform(20, 230, 3) + rng.normal(0, 6, part.shape)).clip(0, 255)
    return Scene(picture, scene.truth)


def cut_off(scene: Scene, rng: np.random.Generator, frac: float) -> Scene:
    """The border of the picture runs through the first face and takes a share of its width or height."""
    (left, top), (right, bottom) = scene.truth[0].min(0), scene.truth[0].max(0)
    height, width = scene.picture.shape[:2]
    side = int(rng.integers(3))
    x0, x1, y1 = 0, width, height
    if side == 0:
        x0 = round(left + frac * (right - left))
    elif side == 1:
        x1 = round(right - frac * (right - left))
    else:
        y1 = round(bottom - frac * (bottom - top))
    return Scene(np.ascontiguousarray(scene.picture[:y1, x0:x1]), scene.truth - np.array([x0, 0]))


def without_faces(rng: np.random.Generator, size: tuple[int, int] = (360, 480)) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a background, mostly with patterns, balls or hands before it."""
    picture = _ground(rng, size)
    kind = int(rng.integers(4))
    if kind == 1:
        picture = _pattern(rng, picture)
    for _ in range(int(rng.integers(2, 9)) if kind >= 2 else 0):
        (_ball if kind == 2 else _hand)(rng, picture)
    return take(picture, Capture(noise=0.006, jpeg_quality=85), rng)


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float32 0..1 background without people."""
    return draw_background(np.random.default_rng(int(rng.choice(_UNPEOPLED))), size)


def _pattern(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Noise of all sizes over the picture."""
    height, width = picture.shape[:2]
    for cells in (6, 12, 24, 48, 96):
        noise = rng.normal(0, 0.12, (cells, cells, 1)).astype(np.float32) * np.ones(3, np.float32)
        picture = picture + cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture.clip(0, 1), np.float32)


def _ball(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Something round with dark spots, which are no eyes."""
    place = rng.uniform((0, 0), picture.shape[1::-1])
    radius = rng.uniform(12, 70)
    _disc(picture, place, radius, rng.uniform(0.2, 0.9, 3))
    for _ in range(int(rng.integers(0, 6))):
        spot = place + rng.uniform(-0.7, 0.7, 2) * radius
        _disc(picture, spot, rng.uniform(0.05, 0.3) * radius, rng.uniform(0, 0.9, 3))


def _hand(rng: np.random.Generator, picture: np.ndarray) -> None:
    """A palm and its fingers, in the colour of skin."""
    size, tone, lean = rng.uniform(20, 80), rng.uniform(0.25, 1), rng.uniform(0, 2 * np.pi)
    place, skin = rng.uniform((0, 0), picture.shape[1::-1]), tone * np.array([0.9, 0.68, 0.55])
    _disc(picture, place, 0.5 * size, skin)
    for finger in range(5):
        angle = lean + 0.45 * (finger - 2) + rng.normal(0, 0.05)
        tip = place + (0.75 + 0.45 * rng.random()) * size * np.array([np.cos(angle), np.sin(angle)])
        ends = [tuple(np.rint(16 * point).astype(int).tolist()) for point in (place, tip)]
        shade = tuple((skin * rng.uniform(0.85, 1.05)).tolist())
        cv2.line(picture, ends[0], ends[1], shade, max(1, round(0.22 * size)), cv2.LINE_AA, 4)


def _disc(picture: np.ndarray, place: np.ndarray, radius: float, colour: np.ndarray) -> None:
    centre, colours = tuple(np.rint(16 * place).astype(int).tolist()), tuple(colour.tolist())
    cv2.circle(picture, centre, max(1, round(16 * radius)), colours, cv2.FILLED, cv2.LINE_AA, 4)

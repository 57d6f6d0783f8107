"""How much of every drawn face a privacy filter hides in difficult videos.

Apart: one person moves quickly to and fro and tilts the head; another turns away, comes back, leaves the picture and
returns. Together: one stands before the other, whose face is seen beside that of the first. A frame counts where the
face is seen: turned by less than SEEN_DEG, at least half in the picture and half of it before the other head.
Takes a model, that of the workspace unless given: python -m benchmarks.hiding model.safetensors
"""

import itertools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facial_keypoints import KeypointDetector
from facial_keypoints.detector import Face as FoundFace
from facial_keypoints.filters.lasting import COVERED_S, lasting
from facial_keypoints.filters.outline import cover
from facial_keypoints.filters.privacy import pixelate
from facial_keypoints.prediction.tracks import FaceTracker
from facial_keypoints.video.reading import Frame
from pipeline.datasets.synthetic import (
    Camera,
    Capture,
    Clothes,
    Expression,
    Face,
    Light,
    Pose,
    draw_background,
    paint_onto,
    random_identity,
    take,
)

FPS = 30.0
FRAMES = 180
SIZE = (360, 640)
SEEN_DEG = 60
ENOUGH = 0.95
HEAD_PX = 75
"""Distance from the middle of a head up to which a place is on that head."""


@dataclass(frozen=True)
class Moment:
    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    seen: list[np.ndarray]
    """(H, W) bool area of every face that is seen, from the chin to the hairline, but for what hides it."""
    heads: list[np.ndarray]
    """(2,) middle of every head, wherever it looks, x then y."""


Move = Callable[[float], tuple[Camera, Pose]]
"""Second -> where a head is seen, and how it is held."""


def moments(moves: Sequence[Move], frames: int = FRAMES, seed: int = 0) -> Iterator[Moment]:
    """The frames of a video of one person for each move, those behind first."""
    rng = np.random.default_rng(seed)
    ground = draw_background(rng, SIZE)
    people = [random_identity(rng, bare=True) for _ in moves]
    for frame in range(frames):
        picture, heads, wholes = ground, [], []
        areas: list[np.ndarray] = []
        for person, move in zip(people, moves, strict=True):
            camera, pose = move(frame / FPS)
            if camera.x_px > SIZE[1] + 80:  # gone
                continue
            face = Face(person, Expression(jaw_open=float(max(0, 0.4 * np.sin(frame / 3)))), pose, Clothes())
            behind = picture
            picture, points = paint_onto(picture, face, camera, Light())
            areas = [area & (picture == behind).all(-1) for area in areas]
            heads.append(np.array([camera.x_px, camera.y_px]))
            area, whole = cover(points, 1.0, SIZE) > 0.5, cover(points + SIZE[1], 1.0, (3 * SIZE[1], 3 * SIZE[1]))
            areas.append(area if abs(pose.yaw_deg) < SEEN_DEG else np.zeros_like(area))
            wholes.append(whole.sum())
        seen = [area for area, whole in zip(areas, wholes, strict=True) if area.sum() > whole / 2]
        yield Moment(take(picture, Capture(noise=0.012, jpeg_quality=85), rng), seen, heads)


def _quick(second: float) -> tuple[Camera, Pose]:
    """To and fro once a second, tilting slowly."""
    swing = float(np.sin(2 * np.pi * second))
    pose = Pose(30 * float(np.cos(2 * np.pi * second)), 0, 50 * float(np.sin(2.1 * second)))
    return Camera(180 + 110 * swing, 150, 0.62), pose


def _shy(second: float) -> tuple[Camera, Pose]:
    """Two seconds to turn away and back, two to leave the picture and return, then again."""
    phase = second % 4
    if phase < 2:
        return Camera(470, 150, 0.62), Pose(120 * float(np.sin(np.pi * phase / 2) ** 2))
    x = 470 + 320 * float(np.sin(np.pi * (phase - 2) / 2))
    return Camera(x, 150, 0.62), Pose(20 * float(np.sin(np.pi * phase)))


def _behind(second: float) -> tuple[Camera, Pose]:
    """Still, but for a little swaying, and looking about."""
    return Camera(290 + 5 * float(np.sin(2 * second)), 140, 0.62), Pose(15 * float(np.sin(1.3 * second)))


def _before(second: float) -> tuple[Camera, Pose]:
    """A smaller head, lower and aside, that comes and goes: the faces' boxes overlap by a fifth to two fifths."""
    return Camera(345 + 9 * float(np.sin(1.7 * second)), 175, 0.55), Pose(-10 + 10 * float(np.sin(second)))


VIDEOS: dict[str, Sequence[Move]] = {"apart": (_quick, _shy), "together": (_behind, _before)}
"""Who is in them, those behind first."""


def followed_faces(
    truth: Iterable[Moment], detector: KeypointDetector
) -> Iterator[tuple[Frame, Mapping[int, FoundFace]]]:
    follow = FaceTracker(detector, every_frame=True)
    for number, moment in enumerate(truth):
        yield Frame(moment.picture, number / FPS, 1 / FPS), follow(moment.picture, number / FPS)


def hidden_shares(shown: Iterable[Collection[FoundFace]], truth: list[Moment]) -> np.ndarray:
    """(F,) shares of the area of every seen face that is hidden."""
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)  # which any covering changes
    shares = []
    for faces, moment in zip(shown, truth, strict=True):
        picture = noise
        for face in faces:
            picture = pixelate(picture, face.keypoints.astype(np.float64))
        hidden = (picture != noise).any(-1)
        shares += [hidden[area].mean() for area in moment.seen]
    return np.array(shares)


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else None
    detectors = {
        "Haar alone": KeypointDetector.load(model, detector="haar"),
        "what either detector suspects": KeypointDetector.load(model, suspicious=True),
    }
    for (video, moves), (name, detector) in itertools.product(VIDEOS.items(), detectors.items()):
        truth = list(moments(moves))
        followed = list(followed_faces(truth, detector))
        ways: dict[str, Iterable[Collection[FoundFace]]] = {
            "each frame searched alone": [detector(moment.picture) for moment in truth],
            "followed": [faces.values() for _, faces in followed],
            "followed and held, as `keypoints filter` does": [
                faces for _, faces in lasting(followed, COVERED_S, detector)
            ],
        }
        for way, shown in ways.items():
            shares, (averted, elsewhere) = hidden_shares(shown, truth), hidden_besides(shown, truth)
            print(
                f"{video}, {name}, {way}: {100 * (shares >= ENOUGH).mean():.1f} % of {len(shares)} seen faces hidden "
                f"by {ENOUGH:.0%}, the least by {shares.min():.0%}; besides, in {len(truth)} frames, {averted} places "
                f"on a head that looks away or is cut off and {elsewhere} elsewhere"
            )


def hidden_besides(shown: Iterable[Collection[FoundFace]], truth: list[Moment]) -> tuple[int, int]:
    """How many places are hidden that touch no face which is seen: on a head, and elsewhere."""
    averted = elsewhere = 0
    for faces, moment in zip(shown, truth, strict=True):
        for face in faces:
            if not any(_touches(face, area) for area in moment.seen):
                middle = np.array(face.box[:2]) + np.array(face.box[2:]) / 2
                on_head = any(np.linalg.norm(middle - head) < HEAD_PX for head in moment.heads)
                averted, elsewhere = averted + on_head, elsewhere + (not on_head)
    return averted, elsewhere


def _touches(face: FoundFace, area: np.ndarray) -> bool:
    x, y, width, height = face.box
    return bool(area[max(0, round(y)) : max(0, round(y + height)), max(0, round(x)) : max(0, round(x + width))].any())


if __name__ == "__main__":
    main()

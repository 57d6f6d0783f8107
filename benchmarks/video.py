"""Follow synthetic people with known points through a video: jitter, lag, identity and speed, smoothed and not.

They hold still for a second, talking, then move to and fro quickly: at most a face in a sixth of a second.
"""

import time
from collections.abc import Iterator

import numpy as np

from facial_keypoints import KeypointDetector
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import Face as FoundFace
from facial_keypoints.prediction.tracks import FaceTracker
from pipeline.core.metrics import normalizing_length
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
STILL, MOVING = 30, 45
SIZE = (360, 640)
BROWS_EYES_NOSE = slice(17, 48)


def people_moving(frames: int, seed: int = 0, size: tuple[int, int] = SIZE) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(H, W, 3) uint8 RGB frames of two people and their (2, 68, 2) points."""
    rng = np.random.default_rng(seed)
    ground = draw_background(rng, size)
    people = [random_identity(rng, bare=True) for _ in range(2)]
    capture = Capture(noise=0.012, jpeg_quality=85)
    for frame in range(frames):
        picture, points = ground, []
        for index, person in enumerate(people):
            shift, turn = _motion(frame, index)
            face = Face(person, _talking(frame + 7 * index), Pose(turn, 0, turn / 4), Clothes())
            camera = Camera(170 + 300 * index + shift, 150, 0.62)
            picture, labels = paint_onto(picture, face, camera, Light())
            points.append(labels)
        yield take(picture, capture, rng), np.stack(points)


def _motion(frame: int, index: int) -> tuple[float, float]:
    """Pixels to the right and degrees of yaw."""
    if frame < STILL:
        return 0.0, 0.0
    phase = 2 * np.pi * (frame - STILL) / (24 + 6 * index)
    return float(60 * np.sin(phase)), float(15 * np.sin(phase))


def _talking(frame: int) -> Expression:
    return Expression(jaw_open=float(max(0, 0.4 * np.sin(frame / 3))), smile=0.2)


def follow(look: FaceTracker, frames: list[np.ndarray]) -> list[dict[int, FoundFace]]:
    return [look(frame, number / FPS) for number, frame in enumerate(frames)]


def jitter(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square step, from frame to frame, of (T, K, 68, 2) points that lie still, over the eye distance."""
    change = np.diff((found - truth)[:STILL, :, BROWS_EYES_NOSE], axis=0)
    return float(np.sqrt((change**2).sum(-1).mean()) / normalizing_length(truth[0], IBUG_68).mean())


def lag_frames(found: np.ndarray, truth: np.ndarray) -> float:
    """Frames by which moving points trail: the slope of the error over the velocity."""
    velocity = (truth[STILL + 1 :] - truth[STILL:-1]).mean(2)
    error = (found - truth)[STILL + 1 :].mean(2)
    error = error - error.mean(0)
    return float(-(error * velocity).sum() / (velocity**2).sum())


def error_percent(found: np.ndarray, truth: np.ndarray) -> float:
    return float(100 * (np.linalg.norm(found - truth, axis=-1).mean(-1) / normalizing_length(truth[0], IBUG_68)).mean())


def main() -> None:
    frames, truths = (list(part) for part in zip(*people_moving(STILL + MOVING), strict=True))
    truth = np.stack(truths)
    detector = KeypointDetector.load()
    for smooth in (False, True):
        look = FaceTracker(detector, smooth)
        start = time.perf_counter()
        answers = follow(look, frames)
        seconds = time.perf_counter() - start
        numbers = sorted({number for faces in answers for number in faces})
        kept = sum({1, 2} <= set(faces) for faces in answers)
        print(f"smoothing {'on' if smooth else 'off'}: numbers {numbers}, both faces in {kept} of {len(frames)} frames")
        if kept == len(frames):
            found = np.stack([[faces[number].keypoints for number in (1, 2)] for faces in answers])
            print(
                f"  jitter {100 * jitter(found, truth):.2f} % of the eye distance, lag {lag_frames(found, truth):.2f} "
                f"frames, error {error_percent(found, truth):.2f} %; {len(frames) / seconds:.1f} frames/s"
            )
    start = time.perf_counter()
    for frame in frames:
        detector(frame)
    print(f"searched in every frame: {len(frames) / (time.perf_counter() - start):.1f} frames/s")


if __name__ == "__main__":
    main()

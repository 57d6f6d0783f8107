"""The model of this workspace, where one is trained, on drawn people with exact points."""

import numpy as np
import pytest

from benchmarks.video import FPS, STILL, error_percent, follow, jitter, lag_frames, people_moving
from pipeline import KeypointDetector, paths
from pipeline.boxes import boxes_of_points, overlaps
from pipeline.follow import FaceFollower
from pipeline.synthetic import Camera, Capture, Face, Light, Pose, draw_background, paint_onto, random_identity, take
from tests.imports import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / paths.MODEL).is_file(), reason="no model is trained: dvc repro train"),
]


@pytest.fixture(scope="module")
def detector():
    return KeypointDetector.load(ROOT / paths.MODEL)


def group_photo(people: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 RGB of a row or rows of people, and their (K, 68, 2) points."""
    rng = np.random.default_rng(seed)
    columns = min(people, 6)
    picture = draw_background(rng, (260 * -(-people // columns), 240 * columns))
    points = []
    for index in range(people):
        row, column = divmod(index, columns)
        person = random_identity(rng, bare=True)
        face = Face(person, pose=Pose(*rng.normal(0, (8, 4, 4))))
        camera = Camera(120 + 240 * column + rng.uniform(-15, 15), 105 + 260 * row, rng.uniform(0.55, 0.75))
        picture, labels = paint_onto(picture, face, camera, Light())
        points.append(labels)
    return take(picture, Capture(noise=0.004, jpeg_quality=92), rng), np.stack(points)


@pytest.mark.parametrize("people", [1, 6, 30])
def test_the_faces_of_a_group_are_found_and_nothing_else(detector, people):
    picture, truth = group_photo(people, seed=people)
    found = np.array([face.box for face in detector(picture)]).reshape(-1, 4)
    hits = overlaps(found, boxes_of_points(truth)) > 0.5
    assert hits.any(0).mean() >= 0.9
    assert hits.any(1).sum() >= len(found) - max(1, people // 15)


def test_a_tilted_head_alone_in_a_picture_is_found(detector):
    found = 0
    for seed, tilt in enumerate((-60, -45, -35, 35, 45, 60)):
        rng = np.random.default_rng(seed)
        person = random_identity(rng, bare=True)
        face, camera = Face(person, pose=Pose(0, 0, tilt)), Camera(200, 150, 0.8)
        picture, labels = paint_onto(draw_background(rng, (360, 420)), face, camera, Light())
        faces = detector(take(picture, Capture(noise=0.004, jpeg_quality=92), rng))
        shared = overlaps(np.array([face.box for face in faces]).reshape(-1, 4), boxes_of_points(labels[None]))
        found += int((shared > 0.7).any())
    assert found >= 5


def test_people_in_a_video_keep_their_numbers_still_and_in_quick_movement(detector):
    frames, truths = zip(*people_moving(STILL + 30), strict=True)
    truth = np.stack(truths)
    raw, smooth = (
        np.stack(
            [
                [faces[number].keypoints for number in (1, 2)]
                for faces in follow(FaceFollower(detector, FPS, on), frames)
            ]
        )
        for on in (False, True)
    )
    assert jitter(smooth, truth) < jitter(raw, truth) / 2
    assert lag_frames(smooth, truth) < 0.3
    assert error_percent(smooth, truth) < error_percent(raw, truth) + 1

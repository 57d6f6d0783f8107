"""The model of this workspace, where one is trained, on synthetic people with exact points."""

import numpy as np
import pytest

from benchmarks import hiding
from benchmarks.found import FOUND, overlaps_with
from benchmarks.turned import found_share, head
from benchmarks.video import STILL, error_percent, follow, jitter, lag_frames, people_moving
from facial_keypoints import KeypointDetector
from facial_keypoints.filters.lasting import COVERED_S, lasting
from facial_keypoints.prediction.tracks import FaceTracker
from pipeline.core import paths
from pipeline.datasets.synthetic import (
    Camera,
    Capture,
    Face,
    Light,
    Pose,
    draw_background,
    paint_onto,
    random_identity,
    take,
)
from tests.architecture import ROOT

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
    found = detector(picture)
    hits = overlaps_with(found, truth) > FOUND
    assert hits.any(0).mean() >= 0.9
    assert hits.any(1).sum() >= len(found) - max(1, people // 15)


def test_a_tilted_head_alone_in_a_picture_is_found(detector):
    pairs = [head(seed, Pose(0, 0, tilt)) for seed, tilt in enumerate((-60, -45, -35, 35, 45, 60))]
    assert found_share(detector, pairs, overlap=0.7) >= 5 / 6


def test_pixelate_hides_the_faces_of_a_difficult_video(detector):
    truth = list(hiding.moments(hiding.VIDEOS["apart"], 40))
    held = lasting(hiding.followed_faces(truth, detector), COVERED_S, detector)
    shares = hiding.hidden_shares((faces for _, faces in held), truth)
    assert len(shares) > 40
    assert (shares >= hiding.ENOUGH).all()


def test_people_in_a_video_keep_their_numbers_still_and_in_quick_movement(detector):
    frames, truths = zip(*people_moving(STILL + 30), strict=True)
    truth = np.stack(truths)
    raw, smooth = (
        np.stack(
            [[faces[number].keypoints for number in (1, 2)] for faces in follow(FaceTracker(detector, on), frames)]
        )
        for on in (False, True)
    )
    assert jitter(smooth, truth) < jitter(raw, truth) / 2
    assert lag_frames(smooth, truth) < 0.3
    assert error_percent(smooth, truth) < error_percent(raw, truth) + 1

"""YuNet's real file, where it lies, with the network that comes with the package, on synthetic people."""

import numpy as np
import pytest

from benchmarks import scenes
from benchmarks.found import FOUND, overlaps_with
from facial_keypoints import KeypointDetector
from facial_keypoints.network import SHIPPED
from pipeline.datasets.synthetic import Pose
from tests.at_hand import YUNET

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not YUNET.is_file(), reason="KEYPOINTS_TEST_YUNET names no file")]


@pytest.fixture(scope="module")
def detector() -> KeypointDetector:
    return KeypointDetector.load(SHIPPED, detector_model=YUNET, threads=1)


@pytest.fixture(scope="module")
def person() -> scenes.Scene:
    return scenes.person(np.random.default_rng(3), 45, Pose(8, 3, 2))


def only_face(detector: KeypointDetector, scene: scenes.Scene) -> bool:
    shares = overlaps_with(detector(scene.picture), scene.truth)
    return shares.shape == (1, 1) and bool(shares[0, 0] > FOUND)


@pytest.mark.parametrize("tilt", [0, 45, -90, 120, 180])
def test_a_head_of_any_tilt_is_found_and_nothing_else(detector, person, tilt):
    assert only_face(detector, scenes.tilted(person, tilt))


@pytest.mark.parametrize("eye_px", [6, 10])
def test_a_small_face_is_found(detector, person, eye_px):
    assert only_face(detector, scenes.smaller(person, eye_px / person.eye_px))


def test_a_face_half_of_which_is_covered_is_found(detector, person):
    assert all(only_face(detector, scenes.covered(person, np.random.default_rng(seed))) for seed in range(4))


def test_pictures_without_a_face_have_none(detector):
    rng = np.random.default_rng(0)
    assert not any(detector(scenes.without_faces(rng)) for _ in range(6))

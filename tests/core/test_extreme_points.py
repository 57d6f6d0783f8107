"""Points that no face has, as a damaged model may answer, and pictures of odd forms: drawn or refused, never a hang."""

import contextlib
import tracemalloc
from typing import get_args

import cv2
import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.detector import Face
from facial_keypoints.filters.apply import Name, picture_filter
from facial_keypoints.filters.art import softened
from facial_keypoints.filters.crop import aligned_crop
from facial_keypoints.filters.privacy import blur, pixelate
from facial_keypoints.filters.sticker import Sticker
from facial_keypoints.finding.head_rotation import HeadRotation
from facial_keypoints.prediction.overlay import draw_faces, picture_overlay
from tests.discs import disc_face
from tests.faces import drawn_face

SIZES = [(1, 1), (1, 90), (70, 1), (60, 80)]
FACE = disc_face(40, 30, 12)
FILTERS = get_args(Name)
STICKER = Sticker(np.ones((9, 9, 4), np.float32), np.array([36, 45]), np.array([[1.0, 4], [7, 4]]))


def with_point(value: float) -> np.ndarray:
    return np.where(np.arange(68)[:, None] == 8, value, FACE)


NO_FACES = {
    "nan": np.full((68, 2), np.nan),
    "one nan": with_point(np.nan),
    "one infinite": with_point(np.inf),
    "one far": with_point(1e9),
    "huge": disc_face(0, 0, 1e9),
    "beyond every float32": disc_face(0, 0, 1e40),
    "far": FACE + 1e9,
    "scattered": np.random.default_rng(0).uniform(-1e9, 1e9, (68, 2)),
}
ODD_FACES = {
    "equal": np.full((68, 2), 1.0),
    "level": np.stack([np.linspace(0, 80, 68), np.full(68, 30.0)], 1),
    "upright": np.stack([np.full(68, 40.0), np.linspace(0, 60, 68)], 1),
    "on a line": np.stack([np.linspace(0, 80, 68), np.linspace(0, 60, 68)], 1),
    "twenty pictures large": disc_face(40, 30, 800),
    "scattered near by": np.random.default_rng(0).uniform(-900, 900, (68, 2)),
    "one rather far": with_point(1500.0),
}


def noise(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)


def face_at(keypoints: np.ndarray) -> Face:
    low, high = keypoints.min(0), keypoints.max(0)
    with np.errstate(over="ignore"):
        points = keypoints.astype(np.float32)
    return Face((*low.tolist(), *(high - low).tolist()), 0.9, points, HeadRotation(0, 0, 0))


def apply(name: str, image: np.ndarray, keypoints: np.ndarray) -> list[np.ndarray]:
    faces = [keypoints, FACE] if name == "swap" else [keypoints]
    return picture_filter(name, crop_px=32, sticker=STICKER)(image, faces)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NO_FACES | ODD_FACES)
@pytest.mark.slow
def test_every_face_is_drawn_or_left_out(name, size):
    points = (NO_FACES | ODD_FACES)[name]
    drawn = draw_faces(noise(size), [face_at(points), face_at(FACE)], [1, 2])
    assert drawn.shape == (*size, 3)
    if not np.isfinite(points).all():
        assert np.array_equal(drawn, draw_faces(noise(size), [face_at(FACE)], [2]))
    enlarged = picture_overlay(noise(size), [face_at(points), face_at(FACE)], [1, 2])
    assert enlarged.shape[0] % size[0] == 0
    assert max(enlarged.shape) <= max(1600, *size)


@pytest.mark.parametrize("wear", FILTERS)
@pytest.mark.parametrize("name", NO_FACES)
def test_what_is_no_face_is_refused_by_every_filter(name, wear):
    with pytest.raises(DataError, match="make no face in a picture of 80 x 60"):
        apply(wear, noise((60, 80)), NO_FACES[name])


@pytest.mark.parametrize("wear", FILTERS)
@pytest.mark.parametrize("name", ODD_FACES)
@pytest.mark.slow
def test_an_odd_face_is_filtered_or_refused(name, wear):
    for size in SIZES:
        with contextlib.suppress(DataError):
            (made,) = apply(wear, noise(size), ODD_FACES[name])
            assert made.shape == ((32, 32, 3) if wear == "crop" else (*size, 3))


@pytest.mark.parametrize("hide", [blur, pixelate])
def test_a_face_far_larger_than_its_picture_is_hidden_in_little_memory(hide):
    image = noise((300, 400))
    tracemalloc.start()
    hidden = hide(image, disc_face(200, 150, 2000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
    assert cv2.cvtColor(hidden, cv2.COLOR_RGB2GRAY).std() < 10 < cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std()


@pytest.mark.slow
@pytest.mark.parametrize("wear", ["crop", "swap"])
def test_a_face_in_a_very_wide_picture_is_filtered_as_in_a_small_one(wear):
    """OpenCV's warps take no picture of 32,767 pixels and more."""
    image, points = drawn_face()
    far = 40_000
    wide = cv2.copyMakeBorder(image, 0, 0, far, 0, cv2.BORDER_REPLICATE)
    faces = [points, points * 0.5 + 10] if wear == "swap" else [points]
    (small,) = picture_filter(wear, crop_px=64, sticker=None)(image, faces)
    (made,) = picture_filter(wear, crop_px=64, sticker=None)(wide, [face + np.array([far, 0]) for face in faces])
    there = made if wear == "crop" else made[:, far:]
    assert np.abs(there.astype(int) - small).max() <= 2


def test_a_crop_of_a_face_outside_is_black():
    image, points = drawn_face()
    assert not aligned_crop(image, points + 3000, 32).any()


@pytest.mark.parametrize("sigma", [3, 20, 70])
def test_a_wide_blur_on_a_reduced_copy_is_a_gaussian(sigma):
    values = np.zeros((240, 320), np.float32)
    values[90:150, 100:220] = 1
    assert np.abs(softened(values, sigma) - cv2.GaussianBlur(values, (0, 0), sigma)).max() < 0.01


def test_a_blur_wider_than_the_picture_is_its_mean():
    values = noise((30, 40)).astype(np.float32)
    assert np.ptp(softened(values, 1e9), axis=(0, 1)).max() < 1

"""A face as data, in other pixels, and as a value that cannot come apart."""

import json
from typing import Any

import numpy as np
import pytest

from facial_keypoints import DataError, Face
from facial_keypoints.core.geometry import resize_matrix, transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import make_face
from facial_keypoints.finding.windows import rotation_matrix
from tests.discs import disc_face

POINTS = disc_face(80, 60, 20)
RADII = np.linspace(1, 2, 68)


@pytest.mark.parametrize("radii", [None, RADII])
def test_a_face_comes_back_from_what_predict_writes(radii):
    face = make_face(POINTS, 0.875, radii=radii)
    again = Face.from_data(json.loads(json.dumps(face.as_data())))
    assert again.as_data() == face.as_data()
    assert again.box == pytest.approx(face.box, abs=0.002)


@pytest.mark.parametrize(
    "change",
    [
        {"keypoints": None},
        {"keypoints": [[1, 2]]},
        {"keypoints": [[float("nan"), 2.0]] * 68},
        {"keypoints": [[1, 2], [3]]},
        {"keypoints": [[10**400, 1]] * 68},
        {"keypoints": [[1e300, 1.0]] * 68},
        {"score": 2},
        {"score": "high"},
        {"score": None},
        {"score": 10**400},
        {"radius_px": [1, 2]},
        {"radius_px": "far"},
        {"radius_px": [-1.0] * 68},
        {"radius_px": [10**400] * 68},
    ],
)
def test_data_that_is_no_face_is_told(change):
    data = make_face(POINTS, 0.5).as_data() | change
    with pytest.raises(DataError, match=r"is no face: it should hold keypoints, 68 of x and y, a score 0\.\.1 and"):
        Face.from_data(data)
    with pytest.raises(DataError, match="is no face"):
        Face.from_data({key: value for key, value in data.items() if key not in change and key != "score"})
    nothing: Any
    for nothing in (None, 3, [], "face"):
        with pytest.raises(DataError, match="is no face"):
            Face.from_data(nothing)


def test_a_face_of_a_small_copy_lies_where_it_does_in_the_large_picture():
    """By hand: of a picture three times as large, x becomes 3 (x + 0.5) - 0.5, and radii are three times as long."""
    moved = make_face(POINTS, 0.5, radii=RADII).moved(resize_matrix((120, 160), (360, 480)))
    np.testing.assert_allclose(moved.keypoints, 3 * (POINTS + 0.5) - 0.5, atol=1e-4)
    np.testing.assert_allclose(moved.radii, 3 * RADII, rtol=1e-6)
    assert moved.box == pytest.approx([*moved.keypoints.min(0), *np.ptp(moved.keypoints, axis=0)], abs=1e-3)


def test_the_rotation_of_a_head_turns_with_its_points():
    face = make_face(POINTS, 0.5)
    turned = face.moved(rotation_matrix(30.0))
    assert turned.rotation_deg.roll - face.rotation_deg.roll == pytest.approx(30, abs=0.11)
    np.testing.assert_allclose(turned.keypoints, transform_points(rotation_matrix(30.0), POINTS), atol=1e-4)


HUGE: list[list[float]] = [[10**400, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    "matrix",
    [np.eye(2), np.full((3, 3), np.nan), np.ones((3, 3)), None, "half", HUGE, np.diag([1e300, 1e300, 1.0])],
)
def test_a_matrix_that_moves_no_pixels_is_told(matrix):
    with pytest.raises(DataError, match=r"is no affine matrix \(3, 3\) with 0, 0, 1 as its last row"):
        make_face(POINTS, 0.5).moved(matrix)


@pytest.mark.parametrize("matrix", [np.diag([0.0, 0.0, 1.0]), np.diag([1.0, 0.0, 1.0])])
def test_a_matrix_that_leaves_nothing_of_a_face_is_told(matrix):
    with pytest.raises(DataError, match="takes all points to one place or line"):
        make_face(POINTS, 0.5).moved(matrix)


def test_points_cannot_be_moved_away_from_their_box():
    face = make_face(POINTS, 0.5, IBUG_68, RADII)
    for array in (face.keypoints, face.radii):
        with pytest.raises(ValueError, match="read-only"):
            array += 1

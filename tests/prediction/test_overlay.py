"""What a face looks like once it is drawn: in proportion at any size, its number beside it."""

import cv2
import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.detector import Face, make_face
from facial_keypoints.finding.head_rotation import HeadRotation
from facial_keypoints.prediction.face_numbers import draw_numbers
from facial_keypoints.prediction.overlay import draw_faces, picture_overlay
from tests.discs import disc_face

GROUND = 90
SIZES = (20, 40, 60, 120, 400, 1500)


def face(x: float, y: float, size: float) -> Face:
    return make_face(disc_face(x, y, size / 2), 1.0)


def drawn(size: float, numbers: tuple[int, ...] = ()) -> tuple[np.ndarray, Face]:
    """A face in the middle of a gray picture of three times its size, drawn on it."""
    side = round(3 * size)
    there = face(side / 2, side / 2, size)
    return draw_faces(np.full((side, side, 3), GROUND, np.uint8), [there], numbers), there


def changed(picture: np.ndarray, least: int = 10) -> np.ndarray:
    """(H, W) whether a pixel is no longer the ground."""
    return np.abs(picture.astype(int) - GROUND).max(-1) > least


def test_a_gray_picture_is_drawn_on_as_its_rgb():
    gray = np.full((200, 200), GROUND, np.uint8)
    there = [face(100, 100, 60)]
    assert np.array_equal(draw_faces(gray, there), draw_faces(np.stack([gray] * 3, -1), there))
    assert (gray == GROUND).all()


def test_what_cannot_be_drawn_on_is_told():
    there = [face(100, 100, 60)]
    for picture in (None, np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))):
        with pytest.raises(DataError, match=r"^the picture is .* but should be a uint8 array"):
            draw_faces(picture, there)
    for faces in (None, there[0], [there[0].keypoints]):
        with pytest.raises(
            DataError, match=r"^the faces are .* but should be a list of Face, as a detector gives them"
        ):
            draw_faces(np.zeros((200, 200, 3), np.uint8), faces)
    with pytest.raises(
        DataError, match=r"^numbers is None but should be a whole number for each face; or leave it out$"
    ):
        draw_faces(np.zeros((60, 60, 3), np.uint8), [], None)
    with pytest.raises(DataError, match=r"^there are 2 numbers of 1 face; give one of each$"):
        draw_faces(np.zeros((200, 200, 3), np.uint8), there, [1, 2])


@pytest.mark.parametrize("size", SIZES)
def test_a_face_stays_visible_under_what_is_drawn_on_it(size):
    picture, there = drawn(size)
    x, y, width, height = (round(value) for value in there.box)
    paint = np.abs(picture[y : y + height, x : x + width].astype(float) - GROUND).max(-1) / 165
    assert 0.02 < paint.mean() < 0.3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.slow
def test_the_eyes_stay_apart_from_the_brows(size):
    """Between them lies ground, which dots of a fixed size would cover on small faces."""
    picture, there = drawn(size)
    gap = (there.keypoints[37] + there.keypoints[19]) / 2
    x, y = np.rint(gap).astype(int)
    assert not changed(picture, 60)[y, x]


@pytest.mark.parametrize("show", [draw_faces, picture_overlay])
def test_points_are_drawn_by_how_certain_they_are(show):
    """Of a face of 200 px: yellow up to a radius of 4 px, vermillion from 12, half way between at 8; also enlarged."""
    there = make_face(disc_face(150, 150, 100), 1.0, radii=np.repeat([3.0, 8.0, 13.0], [30, 20, 18]))
    picture = show(np.full((300, 300, 3), GROUND, np.uint8), [there])
    enlarged = len(picture) / 300
    for point, colour in {0: (240, 228, 66), 45: (226, 161, 33), 55: (213, 94, 0)}.items():
        x, y = np.rint((there.keypoints[point] + 0.5) * enlarged - 0.5).astype(int)
        assert np.abs(picture[y, x].astype(int) - colour).max() < 40, point


@pytest.mark.slow
@pytest.mark.parametrize("size", [400, 1500])
def test_a_face_twice_as_large_looks_the_same(size):
    small, _ = drawn(size / 2)
    large, _ = drawn(size)
    reduced = cv2.resize(large, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - reduced).mean() < 2


def test_nothing_but_the_face_is_changed_also_where_it_is_drawn_enlarged():
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    after = draw_faces(noise, [face(60, 60, 40)])
    assert np.array_equal(after[100:], noise[100:])
    assert np.array_equal(after[:, 100:], noise[:, 100:])
    centre = (slice(62, 64), slice(45, 48))  # a cheek
    assert np.array_equal(after[centre], noise[centre])


@pytest.mark.parametrize(
    ("size", "shape", "factor"),
    [(60, (100, 100), 4), (20.1, (100, 100), 12), (10, (200, 100), 8), (240, (300, 300), 1), (20, (900, 1000), 1)],
)
def test_small_faces_are_enlarged_to_240_pixels_and_pictures_to_1600_at_most(size, shape, factor):
    picture = picture_overlay(np.full((*shape, 3), GROUND, np.uint8), [face(shape[1] / 2, shape[0] / 2, size)])
    assert picture.shape == (factor * shape[0], factor * shape[1], 3)


def test_a_picture_without_faces_keeps_its_size():
    assert picture_overlay(np.zeros((30, 40, 3), np.uint8), []).shape == (30, 40, 3)


def test_an_enlarged_face_is_drawn_where_it_is():
    """The centre of pixel (40, 40) becomes (161.5, 161.5) at four times the size."""
    there = face(40, 40, 60)
    small = np.full((80, 80, 3), GROUND, np.uint8)
    large = draw_faces(np.full((320, 320, 3), GROUND, np.uint8), [face(161.5, 161.5, 240)])
    assert np.abs(picture_overlay(small, [there]).astype(int) - large).max() <= 2


# Numbers


def number_alone(faces: list[Face], shape: tuple[int, int], numbers: list[int] | None = None) -> np.ndarray:
    """(H, W) which pixels the numbers of faces cover."""
    picture = np.full((*shape, 3), GROUND, np.uint8)
    boxes, points = np.array([each.box for each in faces]), np.stack([each.keypoints for each in faces])
    draw_numbers(picture, numbers or list(range(1, len(faces) + 1)), boxes, points)
    return changed(picture)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", [(0.5, 0.5), (0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.slow
def test_a_number_covers_no_face_wherever_in_the_picture_it_is(size, place):
    side = round(3 * size) + 60
    x, y = (size / 2 + share * (side - size) for share in place)
    there = face(x, y, size)
    covered = number_alone([there], (side, side))
    left, top, right, bottom = (round(v) for v in (*there.keypoints.min(0), *there.keypoints.max(0)))
    assert covered.sum() > 100
    assert not covered[max(top, 0) : bottom, max(left, 0) : right].any()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.slow
def test_a_number_is_legible(size):
    rows, columns = np.nonzero(number_alone([face(2 * size, 2 * size, size)], (4 * size, 4 * size)))
    assert np.ptp(rows) >= max(11, 0.05 * size)
    assert np.ptp(columns) >= 9


def test_numbers_of_faces_side_by_side_cover_neither_face_nor_each_other():
    row = [face(60 + 62 * column, 60, 60) for column in range(4)]
    covered = number_alone(row, (200, 320))
    apart, _ = cv2.connectedComponents(covered.astype(np.uint8))
    assert apart - 1 == 4
    for there in row:
        assert not covered[tuple(np.rint(there.keypoints).astype(int).T[::-1])].any()


def test_the_number_of_a_face_that_fills_the_picture_covers_none_of_its_points():
    there = face(100, 100, 200)
    covered = number_alone([there], (200, 200))
    inside = np.clip(np.rint(there.keypoints).astype(int), 0, 199)
    assert covered.any()
    assert not covered[inside[:, 1], inside[:, 0]].any()


def test_a_face_that_cannot_be_drawn_takes_its_number_along():
    broken = Face((0, 0, float("nan"), 1), 1.0, np.full((68, 2), np.nan, np.float32), HeadRotation(0, 0, 0))
    ground, there = np.full((200, 200, 3), GROUND, np.uint8), face(100, 100, 60)
    assert np.array_equal(draw_faces(ground, [broken, there], [1, 2]), draw_faces(ground, [there], [2]))

import numpy as np

from facial_keypoints.core.scheme import CONTOURS, FLIP_INDEX, OUTER_EYE_CORNERS, POINTS, REGIONS


def test_mirroring_twice_restores_the_order():
    assert (FLIP_INDEX[FLIP_INDEX] == np.arange(POINTS)).all()


def test_regions_partition_the_points():
    assert sorted(point for region in REGIONS.values() for point in region) == list(range(POINTS))


def test_contours_partition_the_points():
    assert sorted(point for line, _ in CONTOURS for point in line) == list(range(POINTS))


def test_mirroring_swaps_left_and_right_regions():
    for right, left in (("right_brow", "left_brow"), ("right_eye", "left_eye")):
        assert set(FLIP_INDEX[list(REGIONS[right])]) == set(REGIONS[left])
    for middle in ("jaw", "nose", "mouth"):
        assert set(FLIP_INDEX[list(REGIONS[middle])]) == set(REGIONS[middle])
    assert FLIP_INDEX[OUTER_EYE_CORNERS[0]] == OUTER_EYE_CORNERS[1]


def test_points_on_the_midline_are_their_own_mirror_image():
    midline = {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}
    assert set(np.flatnonzero(np.arange(POINTS) == FLIP_INDEX).tolist()) == midline

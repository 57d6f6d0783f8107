import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facial_keypoints.core.scheme import IBUG_68, Contour, Scheme, scheme_from

FIVE = Scheme(
    name="five",
    title="5 points",
    count=5,
    mirror_pairs=((0, 1), (3, 4)),
    regions={"eyes": (0, 1), "nose": (2,), "mouth": (3, 4)},
    contours=(Contour((0, 1), closed=False), Contour((2, 3, 4), closed=True)),
    normalizer=None,
)


@pytest.mark.parametrize("scheme", [IBUG_68, FIVE], ids=lambda scheme: scheme.name)
def test_mirroring_twice_restores_the_order(scheme: Scheme) -> None:
    assert (scheme.flip_index[scheme.flip_index] == np.arange(scheme.count)).all()


def test_mirrored_points_change_places() -> None:
    assert FIVE.flip_index.tolist() == [1, 0, 2, 4, 3]


def test_contours_of_ibug_partition_the_points() -> None:
    assert sorted(point for line in IBUG_68.contours for point in line.points) == list(range(68))


def test_mirroring_swaps_left_and_right_regions() -> None:
    regions = IBUG_68.regions
    for right, left in (("right_brow", "left_brow"), ("right_eye", "left_eye")):
        assert set(IBUG_68.flip_index[list(regions[right])]) == set(regions[left])
    for middle in ("jaw", "nose", "mouth"):
        assert set(IBUG_68.flip_index[list(regions[middle])]) == set(regions[middle])
    assert IBUG_68.normalizer is not None
    assert IBUG_68.flip_index[IBUG_68.normalizer[0]] == IBUG_68.normalizer[1]


def test_points_on_the_midline_are_their_own_mirror_image() -> None:
    midline = {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}
    assert set(np.flatnonzero(np.arange(68) == IBUG_68.flip_index).tolist()) == midline


@pytest.mark.parametrize("scheme", [IBUG_68, FIVE], ids=lambda scheme: scheme.name)
def test_a_scheme_survives_json(scheme: Scheme) -> None:
    again = scheme_from(json.loads(json.dumps(scheme.as_data(), sort_keys=True)))
    assert again == scheme
    assert list(again.regions) == list(scheme.regions)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"count": 4}, "regions do not hold each of the points 0 to 3 exactly once"),
        ({"count": 0}, "a scheme has 1 to 1,000 points, not 0"),
        ({"count": 10**9}, "a scheme has 1 to 1,000 points"),
        ({"mirror_pairs": ((0, 1), (1, 2))}, "a point stands in two mirror pairs"),
        ({"mirror_pairs": ((0, 5),)}, "there is no point 5; they are 0 to 4"),
        ({"mirror_pairs": ((0, 0),)}, "a point stands in two mirror pairs"),
        ({"contours": (Contour((-1,), closed=True),)}, "there is no point -1"),
        ({"normalizer": (0, 9)}, "there is no point 9"),
        ({"normalizer": (2, 2)}, "are the same one"),
        ({"regions": {"all": (0, 1, 2, 3, 4), "more": (4,)}}, "exactly once"),
    ],
)
def test_facts_that_do_not_fit_together_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(FIVE, **change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"points": "5"}, "points holds whole numbers"),
        ({"points": True}, "points holds whole numbers"),
        ({"name": ""}, "name is a text of 1 to 100 characters"),
        ({"title": "x" * 1000}, "title is a text"),
        ({"mirror_pairs": [[0, 1, 2]]}, "mirror_pairs names two points, not 3"),
        ({"mirror_pairs": 3}, "mirror_pairs is a list"),
        ({"regions": {"all": [0, 1, 2, 3, 4]}}, "regions is a list"),
        ({"regions": [[0, 1, 2, 3, 4]]}, "a region holds its name and its points, a list"),
        ({"regions": [{"name": 3, "points": [0]}]}, "a region's name is a text"),
        ({"regions": [{"name": "a", "points": [0]}, {"name": "a", "points": [1]}]}, "two regions have the same name"),
        ({"contours": [[0, 1]]}, "a contour holds points, a list, and closed, true or false"),
        ({"contours": [{"points": [0, 1.5], "closed": True}]}, "contours holds whole numbers"),
        ({"normalizer": "eyes"}, "normalizer is box, diagonal or a list of two points, not eyes"),
        ({"colour": "red"}, "and no more; colour is none of these"),
    ],
)
def test_a_scheme_that_is_written_wrongly_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        scheme_from(FIVE.as_data() | change)


@pytest.mark.parametrize("data", [None, [], "five", {}, {"name": "five"}])
def test_what_is_no_scheme_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="a scheme holds"):
        scheme_from(data)


def test_a_misspelt_key_of_a_scheme_is_named_beside_the_missing_one() -> None:
    data = FIVE.as_data()
    data["mirrorpairs"] = data.pop("mirror_pairs")
    with pytest.raises(ValueError, match="and no more; mirror_pairs is missing, mirrorpairs is none of these"):
        scheme_from(data)


@pytest.mark.parametrize(("thing", "expected"), [("face", "a face"), ("object", "an object"), ("Ear", "an Ear")])
def test_a_thing_has_its_article(thing: str, expected: str) -> None:
    assert replace(FIVE, thing=thing).a_thing == expected

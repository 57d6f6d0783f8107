"""Schemes that come with the project, and guesses of those that do not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.scheme import IBUG_68, Scheme, scheme_from
from facial_keypoints.core.yaml_files import load_yaml
from pipeline.cli import app
from pipeline.core.metrics import normalizer_in_words, normalizing_length
from pipeline.datasets.formats.names import Told
from pipeline.datasets.shipped_schemes import find_scheme, shipped_names
from pipeline.importing.importing import import_dataset
from pipeline.importing.mirror_pairs import pairs_by_name, pairs_by_place
from pipeline.importing.request import Request
from pipeline.importing.scheme_of_labels import guessed_scheme, scheme_text
from tests.core.test_scheme import FIVE
from tests.faces import drawn_face
from tests.label_files import write_coco

COUNTS = {
    "aflw-19": 19,
    "animal-face-9": 9,
    "coco-wholebody-face-68": 68,
    "cofw-29": 29,
    "five": 5,
    "hand-21": 21,
    "ibug-68": 68,
    "lapa-106": 106,
    "wflw-98": 98,
}


def test_the_schemes_that_people_train_on_are_there() -> None:
    assert {name: find_scheme(name).count for name in shipped_names()} == COUNTS, "add it to COUNTS"


@pytest.mark.parametrize("name", COUNTS)
def test_left_and_right_of_a_shipped_scheme_mirror_each_other(name: str) -> None:
    scheme = find_scheme(name)
    assert scheme.name == name
    assert (scheme.flip_index[scheme.flip_index] == np.arange(scheme.count)).all()
    for region, points in scheme.regions.items():
        other = region.replace("right", "left") if "right" in region else region.replace("left", "right")
        assert set(scheme.flip_index[list(points)]) == set(scheme.regions[other])
    if isinstance(scheme.normalizer, tuple):
        assert scheme.flip_index[scheme.normalizer[0]] == scheme.normalizer[1]
    if scheme.point_names:
        assert pairs_by_name(scheme.point_names) == sorted((min(pair), max(pair)) for pair in scheme.mirror_pairs)


def test_the_mirror_image_of_a_contour_is_a_contour() -> None:
    for name in COUNTS:
        scheme = find_scheme(name)
        drawn = {frozenset(line.points) for line in scheme.contours}
        assert {frozenset(scheme.flip_index[list(line)].tolist()) for line in drawn} == drawn, name


def test_a_hand_keeps_its_numbers_in_a_mirrored_picture() -> None:
    assert find_scheme("hand-21").flip_index.tolist() == list(range(21))


def test_coco_counts_the_points_of_a_face_as_ibug_does() -> None:
    face = find_scheme("coco-wholebody-face-68")
    assert (face.flip_index == IBUG_68.flip_index).all()
    assert face.regions == IBUG_68.regions


def test_pairs_are_guessed_from_names() -> None:
    names = ["nose", "left_eye", "right_eye", "L_Paw", "R_Paw", "eyeL", "eyeR", "legR12", "legL12", "Left hem", "tail"]
    assert pairs_by_name(names) == [(1, 2), (3, 4), (5, 6), (7, 8)]


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (
            ["left_eye_left_corner", "left_eye_right_corner", "right_eye_left_corner", "right_eye_right_corner"],
            [(0, 3), (1, 2)],
        ),
        (["LeftBrowLeftCorner", "RightBrowRightCorner", "LeftBrowCenter", "RightBrowCenter"], [(0, 1), (2, 3)]),
        (["left_hand_l1", "right_hand_l1", "left_hand_r1"], [(1, 2)]),
        (["left_hand_l1", "right_hand_l1", "l_toe", "r_toe"], [(0, 1), (2, 3)]),
        (["left_front_left_r", "right_front_left_r", "left_front_right_r"], [(0, 1)]),
        (["nose", "Nose"], []),
        (["L_eye", "l_eye", "r_eye"], [(0, 2)]),
    ],
)
def test_of_several_words_for_a_side_all_change_and_no_point_has_two_others(
    names: list[str], pairs: list[tuple[int, int]]
) -> None:
    assert pairs_by_name(names) == pairs


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 5, 0), (15, 0, 20)])
def test_pairs_are_guessed_from_where_points_lie(angles: tuple[float, float, float]) -> None:
    _, keypoints = drawn_face(*angles)
    truth = {(min(pair), max(pair)) for pair in IBUG_68.mirror_pairs}
    guessed = set(pairs_by_place(keypoints[None]))
    assert len(guessed & truth) >= 27
    assert len(guessed - truth) <= 2


def test_a_scheme_of_labels_has_their_names_and_lines(images: Path, request_of: Callable[..., Request]) -> None:
    names = ["nose", "left_eye", "right_eye"]
    labels = {"ann_00.png": np.array([[90.0, 100], [110, 80], [70, 80]])}
    path = write_coco(images, labels)
    path.write_text(
        path.read_text().replace('"keypoints": []', f'"keypoints": {names}, "skeleton": [[1, 2]]'.replace("'", '"'))
    )
    done = import_dataset(request_of("coco", path))
    assert done.guessed
    assert (done.scheme.point_names, done.scheme.mirror_pairs) == (tuple(names), ((1, 2),))
    assert [line.points for line in done.scheme.contours] == [(0, 1)]
    assert find_scheme(str(done.folder / "scheme.yaml")) == done.scheme


@pytest.mark.parametrize(
    "scheme", [FIVE, IBUG_68, guessed_scheme("Ünï: 'a'", 2, Told(["a: b", "#c"]), np.empty((0, 2, 2)))]
)
def test_a_scheme_is_read_as_it_was_written(scheme: Scheme) -> None:
    assert scheme_from(load_yaml(scheme_text(scheme, "A comment,\nof two lines.").encode())) == scheme


def test_names_of_any_letters_stand_in_a_scheme_as_they_are() -> None:
    names = ["nose \N{NOSE}", 'a "b" \\', "a\x85b", "tab\t", "\u2028", "\N{ZERO WIDTH JOINER}", "顔"]
    scheme = guessed_scheme("any", 7, Told(names, thing="\N{CAT FACE}"), np.empty((0, 7, 2)))
    text = scheme_text(scheme, "")
    assert '"nose \N{NOSE}", ' in text
    assert 'thing: "\N{CAT FACE}"' in text
    assert scheme_from(load_yaml(text.encode())) == scheme


def test_errors_may_be_in_units_of_the_diagonal() -> None:
    scheme = replace(FIVE, normalizer="diagonal")
    points = np.array([[[0.0, 0], [3, 0], [1, 1], [0, 4], [3, 4]]])
    assert normalizing_length(points, scheme).tolist() == [5]
    assert normalizer_in_words(scheme) == "diagonal of the box round the points"
    assert scheme_from(scheme.as_data()) == scheme


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"point_names": ["a", "b"]}, "there are 2 point_names for 5 points"),
        ({"point_names": list("aabcd")}, "two points have the same name"),
        ({"point_names": [1, 2, 3, 4, 5]}, "point_names is a text"),
    ],
)
def test_names_of_points_that_do_not_fit_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        scheme_from(FIVE.as_data() | change)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "there is no scheme nothing; name a file, or one of aflw-19, "),
        (".", r"\.: it is no plain file; mend"),
    ],
)
def test_what_is_no_scheme_is_named_with_those_there_are(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        find_scheme(name)


@pytest.mark.parametrize("name", ["cofw-29", "hand-21"])
def test_a_scheme_is_drawn(workspace: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["scheme", "--check", name])
    assert done.exit_code == 0, done.output
    drawing = cv2.imread("scheme.png")
    assert drawing is not None
    points = (drawing == (80, 255, 80)).all(-1).astype(np.uint8)
    assert cv2.connectedComponents(points)[0] - 1 >= find_scheme(name).count // 2


def test_a_picture_of_a_scheme_replaces_nothing_but_an_earlier_one(workspace: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["scheme", *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.stderr if done.exit_code else ""

    text = scheme_text(find_scheme("five"), "Mine.")
    (workspace / "mine.yaml").write_text(text)
    (workspace / "holiday.png").write_bytes(b"mine")
    assert "is here already" in run("--check", "mine.yaml", "-o", "holiday.png")
    for name in ("mine.yaml", ".", "", "-", "/dev/null"):
        assert "let it end in .png" in run("--check", "mine.yaml", "-o", name)
    assert (workspace / "mine.yaml").read_text() == text
    assert (workspace / "holiday.png").read_bytes() == b"mine"
    assert run("--check", "mine.yaml") == run("--check", "hand-21") == ""
    for options in (["-o", "a.png"], ["--guess-pairs"]):
        assert "is for a scheme; name one with --check" in run(*options)


def test_a_guess_of_pairs_is_shown_beside_those_of_the_scheme(workspace: Path) -> None:
    (workspace / "mine.yaml").write_text(
        scheme_text(replace(find_scheme("five"), mirror_pairs=((0, 1), (2, 3))), "Wrong.")
    )
    done = CliRunner().invoke(app, ["scheme", "--check", "mine.yaml", "--guess-pairs"])
    assert "guessed from names: mirror_pairs: [[0, 1], [3, 4]]" in done.stdout
    assert "only guessed: [[3, 4]]" in done.stdout
    assert "only in the scheme: [[2, 3]]" in done.stdout

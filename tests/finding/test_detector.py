import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

import facial_keypoints
from facial_keypoints import KeypointDetector
from facial_keypoints.core.boxes import distinct, overlaps
from facial_keypoints.core.certainty import radii_holding
from facial_keypoints.core.errors import ConfigError, DataError, ModelError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.finding.candidates import candidates_of_boxes, upright_candidates
from facial_keypoints.finding.head_rotation import head_rotation
from facial_keypoints.finding.scores import _DISAGREEMENT_AT_HALF, disagreement, scores_of, yunet_evidence
from facial_keypoints.finding.windows import (
    FACE_CENTRE,
    FACE_FRAC,
    cut,
    mean_face_in,
    rotated_windows,
    rotation_matrix,
    to_gray,
    windows_of_boxes,
    windows_of_points,
)
from pipeline.datasets.synthetic import Camera, Face, Pose, keypoints
from pipeline.models.forward import predict_faces
from pipeline.models.torch_network import TorchNetwork
from tests.discs import (
    RADII,
    SIDE,
    BothSidesNetwork,
    DiscFinder,
    DiscNetwork,
    KnowingNetwork,
    disc_detector,
    disc_face,
    draw_discs,
)
from tests.faces import drawn_face

WRONG_BOXES = [
    [400, 10, 20, 20],
    [10, 10, 0, 20],
    [-50, 0, 40, 40],
    [np.nan, 0, 5, 5],
    [0, 0, 5, np.nan],
    [0, 0, np.inf, 5],
]
WRONG_BOXES += [[0, 0, 1e300, 1e300], [-1e300, 0, 1e300, 5], [0, 0, 5e-324, 5], [0, 0, 30, -30]]
DISCS = [(60.0, 70.0, 14.0), (150.5, 120.25, 25.0), (260.0, 80.0, 18.0)]


def off_by(faces, discs) -> float:
    """Greatest distance in pixels between faces from left to right and the discs they should lie on."""
    assert len(faces) == len(discs)
    truth = [disc_face(*disc) for disc in sorted(discs)]
    return max(
        float(np.linalg.norm(face.keypoints - one, axis=1).max()) for face, one in zip(faces, truth, strict=True)
    )


def test_faces_are_found_where_they_are_though_their_boxes_are_off():
    assert off_by(disc_detector()(draw_discs(DISCS)), DISCS) < 1.0


@pytest.mark.parametrize(("convention", "aside_px"), [("symmetric", 0.0), ("dataset", 3.0)])
def test_symmetric_points_are_free_of_the_side_to_which_labels_lie(convention, aside_px):
    network = TorchNetwork(DiscNetwork(aside_px=3.0), SIDE, "pad")
    detector = KeypointDetector(network, DiscFinder(), min_score=0, convention=convention)
    x, y, radius = DISCS[1]
    pixel = 2 * radius / FACE_FRAC / SIDE  # of the crop, in pixels of the picture
    picture = draw_discs([DISCS[1]])
    (face,) = detector(picture)
    (mirrored,) = detector(np.ascontiguousarray(picture[:, ::-1]))
    assert face.keypoints == pytest.approx(disc_face(x + aside_px * pixel, y, radius), abs=1.0)
    back = mirrored.keypoints[IBUG_68.flip_index] * [-1, 1] + [picture.shape[1] - 1, 0]
    assert back == pytest.approx(disc_face(x - aside_px * pixel, y, radius), abs=1.0)


def test_a_network_that_looks_at_both_sides_by_itself_is_run_once_a_look():
    """The first window is off by more than the second look allows, so that each face is looked at twice."""
    network = BothSidesNetwork(DiscNetwork(), SIDE, "pad")
    detector = KeypointDetector(network, DiscFinder(), min_score=0)
    assert off_by(detector(draw_discs([DISCS[1]])), [DISCS[1]]) < 1.0
    assert network.runs == 2
    detector.whole(draw_discs([(100.0, 110.0, 40.0)], (200, 200)))
    assert network.runs == 3


def test_radii_are_in_pixels_of_the_picture_and_the_mean_of_both_sides():
    detector = KeypointDetector(KnowingNetwork(DiscNetwork(), SIDE, "pad"), DiscFinder())
    (face,) = detector(draw_discs([DISCS[1]]))
    pixel = 2 * DISCS[1][2] / FACE_FRAC / SIDE
    of_crop = (RADII + RADII[IBUG_68.flip_index]) / 2
    np.testing.assert_allclose(face.radii, pixel * of_crop, rtol=0.05)
    assert disc_detector()(draw_discs([DISCS[1]]))[0].radii is None


def test_radii_of_a_whole_picture_are_in_its_pixels():
    detector = KeypointDetector(KnowingNetwork(DiscNetwork(), SIDE, "pad"), DiscFinder())
    face = detector.whole(draw_discs([(100.0, 110.0, 40.0)], (200, 200)))
    np.testing.assert_allclose(face.radii, 200 / SIDE * (RADII + RADII[IBUG_68.flip_index]) / 2, rtol=1e-6)


def test_a_picture_looked_at_whole_keeps_to_the_convention_of_the_dataset():
    detector = KeypointDetector(TorchNetwork(DiscNetwork(aside_px=3.0), SIDE, "pad"), DiscFinder())
    picture = draw_discs([(100.0, 110.0, 40.0)], (200, 200))
    assert detector.whole(picture).keypoints == pytest.approx(disc_face(100 + 3 * 200 / SIDE, 110, 40), abs=1.0)


def test_a_box_without_a_face_is_rejected():
    assert len(disc_detector((270, 190, 30, 30), (20, 180, 30, 30))(draw_discs(DISCS))) == 3


def test_two_boxes_on_one_face_are_one_face():
    picture = draw_discs(DISCS[:1])
    assert len(DiscFinder()(picture, to_gray(picture)).windows) == 2
    assert len(disc_detector()(picture)) == 1


def test_no_face_is_an_empty_answer():
    assert disc_detector()(draw_discs([])) == []


def test_a_hundred_faces_are_found():
    discs = [(40.0 + 60 * column, 40.0 + 60 * row, 12.0) for row in range(10) for column in range(10)]
    faces = disc_detector()(draw_discs(discs, (640, 640)))
    assert len(faces) == 100
    assert len({tuple(np.round(face.keypoints.mean(0)).astype(int) // 20) for face in faces}) == 100


def test_a_face_cut_by_the_border_is_answered_in_pixels_of_the_picture():
    (face,) = disc_detector()(draw_discs([(2.0, 100.0, 20.0)]))
    assert abs(face.keypoints.mean(0)[1] - disc_face(2, 100, 20).mean(0)[1]) < 6
    assert face.keypoints[:, 0].mean() < 20


def test_pictures_together_answer_as_each_alone():
    detector = disc_detector()
    pictures = [draw_discs(DISCS), draw_discs([], (50, 40)), draw_discs(DISCS[1:2], (400, 300))]
    together = detector.many(pictures)
    assert [len(faces) for faces in together] == [3, 0, 1]
    for faces, picture in zip(together, pictures, strict=True):
        for one, other in zip(faces, detector(picture), strict=True):
            np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)


def test_gray_pictures_answer_as_their_colours():
    picture = draw_discs(DISCS)
    assert off_by(disc_detector()(to_gray(picture)), DISCS) < 1.0


def test_given_boxes_answer_in_their_order_also_where_there_is_no_face():
    boxes = np.array([[240, 60, 40, 40], [270, 190, 30, 30], [46, 56, 28, 28]], float)
    faces = disc_detector()(draw_discs(DISCS), boxes)
    assert off_by([faces[2], faces[0]], [DISCS[0], DISCS[2]]) < 1.0
    assert faces[1].score < 0.1 < 0.9 < faces[0].score


@pytest.mark.parametrize("box", WRONG_BOXES)
def test_a_box_outside_the_picture_is_refused(box):
    with pytest.raises(DataError, match="320 x 240"):
        disc_detector()(draw_discs([]), np.array([box]))


def test_a_huge_box_needs_no_huge_memory():
    (face,) = disc_detector()(draw_discs(DISCS[:1]), np.array([[-1e12, -1e12, 4e12, 4e12]]))
    assert np.isfinite(face.keypoints).all()


@pytest.mark.parametrize(
    "picture", [None, np.zeros((4, 4), float), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(DataError, match="uint8"):
        disc_detector()(picture)


def test_whole_looks_at_the_picture_as_evaluate_does():
    picture = draw_discs(DISCS[1:2], (200, 260))
    expected = predict_faces(DiscNetwork(), [to_gray(picture)], size_px=SIDE, fit="pad")[0]
    np.testing.assert_allclose(disc_detector().whole(picture).keypoints, expected, atol=1e-4)


@pytest.mark.parametrize("answer", [torch.nan, torch.inf, 1e30])
def test_a_network_that_answers_no_numbers_is_named(answer):
    detector: Any = disc_detector()
    detector.network.module.shape.fill_(answer)
    with pytest.raises(
        ModelError, match="no numbers, or far outside of every picture; give another model, or train it again"
    ):
        detector.whole(draw_discs(DISCS))


@pytest.mark.slow
def test_threads_share_a_detector():
    from facial_keypoints.finding.haar import HaarDetector

    detector = KeypointDetector(TorchNetwork(DiscNetwork(), SIDE, "pad"), HaarDetector(), min_score=0)
    pictures = [np.random.default_rng(seed).integers(0, 255, (150, 150, 3), np.uint8) for seed in range(8)]
    alone = [detector(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector, pictures * 3))
    assert [[face.box for face in faces] for faces in together] == [[face.box for face in faces] for faces in alone] * 3


def test_gray_is_that_of_the_training_frames():
    """libpng turns RGB to gray with whole numbers and rounds down; the decoder of the frames is the reference."""
    rgb = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    _, png = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA))
    np.testing.assert_array_equal(to_gray(rgb), cv2.imdecode(png, cv2.IMREAD_GRAYSCALE))


def test_a_window_shows_the_box_as_a_training_frame_does():
    (window,) = windows_of_boxes(np.array([[100.0, 120.0, 50.0, 72.0]]))
    gray = np.zeros((400, 400), np.uint8)
    _, crop_from_picture = cut(gray, window, 224)
    corners = transform_points(crop_from_picture, np.array([[100.0, 120.0], [150.0, 192.0]]))
    assert np.sqrt((corners[1] - corners[0]).prod()) == pytest.approx(FACE_FRAC * 224, rel=0.01)
    np.testing.assert_allclose(corners.mean(0) / 224, FACE_CENTRE, atol=0.01)


@pytest.mark.parametrize("window", [(40.0, 30.0, 30.0), (5.0, 3.0, 40.0), (90.0, 79.0, 20.0), (50.0, 40.0, 300.0)])
def test_a_pixel_of_the_picture_is_where_the_matrix_says(window):
    ramp = np.tile(np.arange(100, dtype=np.uint8), (80, 1))
    crop, crop_from_picture = cut(ramp, np.array([*window, 0.0]), 60)
    inside = np.argwhere((crop > 4) & (crop < 95))[::7]
    picture = transform_points(np.linalg.inv(crop_from_picture), inside[:, ::-1].astype(float))
    shown = crop[inside[:, 0], inside[:, 1]]
    seen = (picture[:, 0] > 0) & (picture[:, 0] < 99)
    assert seen.any()
    assert np.abs(picture[seen, 0] - shown[seen]).max() <= max(1.0, window[2] / 60)


@pytest.mark.parametrize("turn", [-130, -60, -26, 26, 45, 90])
def test_the_window_of_a_tilted_face_shows_it_upright(turn):
    about = np.array([150.0, 140.0])
    tilted = transform_points(rotation_matrix(turn), disc_face(0, 0, 25)) + about
    (window,) = windows_of_points(tilted[None])
    assert window[3] == pytest.approx(turn)
    gray = np.full((300, 300), 40, np.uint8)
    for x, y in tilted[[36, 45]]:
        cv2.circle(gray, (round(x), round(y)), 4, (250,), cv2.FILLED)
    crop, crop_from_picture = cut(gray, window, 224)
    (upright,) = windows_of_points(disc_face(0, 0, 25)[None])
    _, expected = cut(np.zeros((300, 300), np.uint8), upright + np.array([*about, 0, 0]), 224)
    shown = transform_points(crop_from_picture, tilted)
    np.testing.assert_allclose(shown, transform_points(expected, disc_face(about[0], about[1], 25)), atol=1.5)
    assert all(crop[round(y), round(x)] > 200 for x, y in shown[[36, 45]])


def test_a_window_is_turned_only_for_a_head_that_is_much_tilted():
    tilted = np.stack([transform_points(rotation_matrix(turn), disc_face(0, 0, 25)) for turn in (-24, 0, 24, 26)])
    assert (windows_of_points(tilted)[:, 3] != 0).tolist() == [False, False, False, True]


@pytest.mark.parametrize("size", [(240, 320), (1200, 1600)])
def test_a_face_that_is_found_in_the_turned_picture_alone_is_answered_in_pixels_of_the_picture(size):
    x, y, radius = np.array(DISCS[1]) * size[0] / 240
    detector: Any = disc_detector()
    search, upright = detector.find, draw_discs([(x, y, radius)], size)

    class InSquaresAlone:
        upright_only = True

        def __call__(self, image, gray):
            return search(image, gray) if image.shape[0] == image.shape[1] else candidates_of_boxes(np.zeros((0, 4)))

    detector.find = InSquaresAlone()
    (face,) = detector(upright)
    off = [face.keypoints - transform_points(rotation_matrix(turn), disc_face(0, 0, radius)) for turn in (-45, 45)]
    assert min(np.abs(part - (x, y)).max() for part in off) < 0.06 * radius


@pytest.mark.parametrize("window", [(100, 120, 80, 0), (30, 20, 10, -120), (50, 60, 40, 40)])
def test_the_mean_face_in_a_window_is_framed_by_that_window(window):
    np.testing.assert_allclose(windows_of_points(mean_face_in(np.array(window, float))[None])[0], window)


def test_rotated_windows_show_the_face_rotated_about_its_middle():
    window = np.array([100.0, 120, 80, 0])
    face = mean_face_in(window)
    middle = (face.min(0) + face.max(0)) / 2
    for rotation, rotated in zip((60, -90, 180), rotated_windows(window, np.array([60, -90, 180])), strict=True):
        expected = transform_points(rotation_matrix(rotation), face - middle) + middle
        np.testing.assert_allclose(mean_face_in(rotated), expected, atol=1e-9)


@pytest.mark.parametrize("tilt", [60, -120, 180])
def test_a_head_of_which_the_search_knows_no_tilt_is_looked_at_from_other_sides(tilt):
    detector: Any = disc_detector()
    looks: list[float] = []

    def in_windows(grays, owner, windows):
        looks.extend(windows[:, 3])
        faces = [mean_face_in(window) for window in windows]
        disagreements = np.where(windows[:, 3] == tilt, 0.01, 0.1)
        return np.array(faces).reshape(-1, 68, 2), disagreements, np.outer(disagreements, np.ones(68))

    detector.predictor.in_windows = in_windows
    window = np.array([[160.0, 120, 90, 0]])
    for any_tilt, rotation in ((True, tilt), (False, 0)):
        candidates = upright_candidates(window)._replace(any_tilt=np.array([any_tilt]))
        ((face,),) = detector.faces_in([np.zeros((240, 320), np.uint8)], [candidates])
        np.testing.assert_allclose(windows_of_points(face.keypoints[None])[0, 3] % 360, rotation % 360, atol=0.01)
        assert (face.radii == np.float32(0.01 if any_tilt else 0.1)).all()
    assert looks == [0, -60, 60, -120, 120, 180, 0]


def test_what_the_search_is_sure_of_is_answered_for_hiding_though_the_network_sees_no_face():
    class SureFinder(DiscFinder):
        upright_only = False

        def __call__(self, image, gray):
            return super().__call__(image, gray)._replace(evidence=np.full(2 * len(DISCS) + 1, 1.5))

    network, finder = TorchNetwork(DiscNetwork(), SIDE, "pad"), SureFinder((20, 180, 30, 30))
    picture = draw_discs(DISCS)
    assert len(KeypointDetector(network, finder)(picture)) == 3
    unseen, *faces = KeypointDetector(network, finder, suspicious=True)(picture)
    assert off_by(faces, DISCS) < 1.0
    assert overlaps(np.array([unseen.box]), np.array([[20, 180, 30, 30]]))[0, 0] > 0.6


def test_a_window_of_the_whole_picture_is_the_fitted_square():
    gray = np.random.default_rng(1).integers(0, 255, (90, 90), np.uint8)
    crop, matrix = cut(gray, np.array([44.5, 44.5, 90.0, 0.0]), 64)
    square, expected = fit_square(gray, 64, "pad")
    np.testing.assert_array_equal(crop, square)
    np.testing.assert_allclose(matrix, expected, atol=1e-12)


@pytest.mark.parametrize("turn", [(0, 0, 0), (25, 0, 0), (-20, 5, 0), (0, 15, -10), (10, -12, 20)])
def test_the_turn_of_a_head_is_that_of_its_pose(turn):
    points = keypoints(Face(pose=Pose(*turn)), Camera(200, 200, 1.0, 5000))
    np.testing.assert_allclose(head_rotation(points), turn, atol=5)


def test_doubt_is_the_mean_of_two_disagreements():
    """By hand on a face of size 10: both sides 0.5 px apart at last, and 2 px before, make sqrt(0.05 * 0.2)."""
    face = np.tile([[0.0, 0.0], [10.0, 10.0]], (34, 1))
    up_and_down = np.tile([[0.0, 0.25], [0.0, -0.25]], (34, 1))
    side = np.stack([face + 4 * up_and_down, face + up_and_down])
    views = np.stack([side, 2 * face - side])[None]
    leaning = views + np.array([[[[[3, 0]]], [[[0, 0]]]]])  # as labels may, to one side
    np.testing.assert_allclose(disagreement(views), 0.1, rtol=0.06)
    np.testing.assert_allclose(disagreement(leaning), disagreement(views))
    np.testing.assert_allclose(disagreement(views[:, :, 1:]), 0.05)
    np.testing.assert_allclose(scores_of(np.array([0.0, _DISAGREEMENT_AT_HALF, 1e6])), [1, 0.5, 0], atol=1e-12)


def test_a_face_of_which_yunet_is_sure_is_not_lost_to_the_doubt_of_the_network():
    """At a disagreement of 0.1, which is that of places without a face; small ones need less of YuNet."""
    doubtful, clear = np.array([0.1]), np.array([0.02])
    sure, unsure = (yunet_evidence(np.array([score])) for score in (0.9, 0.4))
    assert scores_of(doubtful) < scores_of(doubtful, unsure) + 0.1 < 0.5 < scores_of(doubtful, sure)
    assert scores_of(clear, unsure) > 0.5


def test_overlap_of_boxes_is_common_over_united_area():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 5, 5]], float)
    np.testing.assert_allclose(overlaps(boxes[:1], boxes), [[1, 50 / 150, 0]])


def test_of_overlapping_boxes_the_best_is_kept():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [50, 50, 5, 5]], float)
    assert distinct(boxes, np.array([0.6, 0.9, 0.5]), 0.4).tolist() == [1, 2]
    assert distinct(np.zeros((0, 4)), np.zeros(0), 0.4).tolist() == []


def test_importing_the_package_loads_no_torch():
    import subprocess
    import sys

    code = (
        "import facial_keypoints, sys; assert 'torch' not in sys.modules; assert facial_keypoints.KeypointDetector.load"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"min_score": 2}, "min_score is 2 but should be a number 0..1"),
        ({"min_score": -0.1}, "min_score is -0.1 but"),
        ({"min_score": "a"}, "min_score is 'a' but"),
        ({"min_score": float("nan")}, "min_score is nan but"),
        ({"min_score": True}, "min_score is True but"),
        ({"suspicious": "no"}, "suspicious is 'no' but should be True or False"),
        ({"suspicious": None}, "suspicious is None but"),
        ({"convention": "mirrored"}, "convention is 'mirrored' but should be 'symmetric' or 'dataset'"),
        ({"convention": np.zeros(2)}, r"convention is array\(\[0., 0.\]\) but should be"),
        ({"detector": [1]}, r"detector is \[1\] but should be"),
        ({"threads": 0}, "threads is 0 but should be a whole number 1..1000"),
        ({"threads": 1.5}, "threads is 1.5 but"),
        ({"threads": True}, "threads is True but"),
        ({"threads": 100_000}, "threads is 100000 but should be a whole number 1..1000"),
        ({"detector": "foo"}, "detector is 'foo' but should be 'auto' or 'yunet' or 'haar'"),
        ({"model": ""}, "model is '' but should be a path"),
        ({"model": 3}, "model is 3 but should be a path"),
        ({"detector_model": b"x"}, "detector_model is b'x' but should be a path"),
    ],
)
def test_options_that_can_be_none_are_refused_before_anything_is_opened(option, told):
    with pytest.raises(ConfigError, match=told):
        KeypointDetector.load(**{"model": "no such model"} | option)


@pytest.mark.parametrize("option", [{"min_score": 2}, {"min_score": None}, {"convention": "mirrored"}])
def test_a_detector_of_ones_own_parts_checks_its_options_too(option):
    with pytest.raises(ConfigError):
        KeypointDetector(TorchNetwork(DiscNetwork(), SIDE, "pad"), DiscFinder(), **option)


@pytest.mark.parametrize(
    ("boxes", "told"),
    [
        (np.ones((4, 5)), r"the boxes are float64 \(4, 5\); give \(K, 4\) numbers"),
        ([[10, 10], [200, 200]], r"the boxes are int64 \(2, 2\)"),
        (np.ones((2, 2, 4)), r"the boxes are float64 \(2, 2, 4\)"),
        ([1, 2, 3], r"the boxes are int64 \(3,\)"),
        ([[1, 2, 3, 4], [1, 2]], "the boxes are list of other than numbers"),
        ([[10**400, 0, 5, 5]], "the boxes are list of other than numbers"),
        (["a", "b"], "the boxes are <U1"),
        ([None], r"the boxes are object \(1,\)"),
        ({"x": 1}, "the boxes are dict of other than numbers"),
        (np.ma.masked_array([[1, 2, 30, 40]], mask=[[0, 0, 1, 0]]), "some numbers of the boxes are masked"),
        (True, r"the boxes are bool \(\)"),
        (np.ones((1, 4), complex), "the boxes are complex128"),
        (torch.ones(1, 4, requires_grad=True), "the boxes are Tensor of other than numbers"),
    ],
)
def test_boxes_of_another_shape_are_refused(boxes, told):
    with pytest.raises(DataError, match=told):
        disc_detector()(draw_discs(DISCS), boxes)


def test_boxes_may_be_lists_arrays_or_none_at_all():
    detector, picture = disc_detector(), draw_discs(DISCS)
    (face,) = detector(picture, [46, 56, 28, 28])
    one = [[46, 56, 28, 28]]
    for boxes in (one, np.array(one), np.array(one, object), torch.tensor(one), pd.DataFrame(one), np.ma.array(one)):
        np.testing.assert_array_equal(detector(picture, boxes)[0].keypoints, face.keypoints)
    assert detector(picture, []) == detector(picture, np.zeros((0, 4))) == detector(picture, [[]]) == []


def test_what_is_no_list_of_pictures_is_refused():
    detector, picture = disc_detector(), draw_discs(DISCS)
    with pytest.raises(DataError, match="is no list of pictures; for one, call the detector itself"):
        detector.many(picture)
    with pytest.raises(DataError, match=r"picture 1 \(from 0\): the picture is float64"):
        detector.many([picture, picture.astype(float)])
    with pytest.raises(DataError, match="the picture is a list but should be a uint8 array"):
        detector(picture.tolist())
    with pytest.raises(DataError, match="there are boxes of 1 picture, and 2 pictures"):
        detector.many([picture, picture], [[]])
    for wrong in (5, None):
        with pytest.raises(DataError, match="is no list of pictures"):
            detector.many(wrong)
        with pytest.raises(DataError, match="no list of the boxes of each picture"):
            detector.many([picture], 5)
    assert [len(faces) for faces in detector.many(np.stack([to_gray(picture)] * 2))] == [3, 3]
    assert [len(faces) for faces in detector.many(each for each in (picture, picture))] == [3, 3]
    assert detector.many(np.stack([picture, picture]))[0][0].keypoints.shape == (68, 2)


def test_a_detector_can_be_pickled_and_copied():
    detector = KeypointDetector.load(detector="haar", threads=1)
    assert repr(detector) == f"KeypointDetector(model {detector.network.digest[:12]}, HaarDetector)"
    picture, _ = drawn_face()
    before, after = detector.whole(picture), pickle.loads(pickle.dumps(detector)).whole(picture)
    np.testing.assert_array_equal(before.keypoints, after.keypoints)
    assert [len(faces) for faces in (detector(picture), copy.deepcopy(detector)(picture))] == [1, 1]


def test_a_face_upside_down_in_its_box_is_found():
    detector = KeypointDetector.load(detector="haar", threads=1)
    picture, points = drawn_face()
    side = len(picture)
    (upright,) = detector(picture, np.array([[*points.min(0), *np.ptp(points, axis=0)]]))
    turned = side - 1 - points
    (face,) = detector(np.ascontiguousarray(picture[::-1, ::-1]), np.array([[*turned.min(0), *np.ptp(turned, axis=0)]]))
    assert min(face.score, upright.score) > 0.5
    assert np.abs(side - 1 - face.keypoints - upright.keypoints).max() < 3


def test_a_face_is_plain_data_for_json():
    (face, *_) = disc_detector()(draw_discs(DISCS))
    data = json.loads(json.dumps(face.as_data()))
    assert set(data) == {"box", "score", "rotation_deg", "keypoints"}
    assert np.array(data["keypoints"]) == pytest.approx(face.keypoints, abs=0.001)


def test_faces_are_shown_in_a_line_and_can_be_compared():
    first, second = disc_detector()(draw_discs(DISCS[:2]))
    assert repr(first).startswith("Face(box=(")
    assert "keypoints" not in repr(first)
    assert len(repr(first)) < 250
    assert first in [second, first]
    assert len({first, second}) == 2


def test_errors_are_those_of_the_package():
    assert facial_keypoints.ConfigError is ConfigError
    assert issubclass(facial_keypoints.ModelError, facial_keypoints.KeypointsError)
    assert set(facial_keypoints.__all__) <= set(dir(facial_keypoints))


@pytest.mark.parametrize("share", [0, 1, 1.5, -1, float("nan")])
def test_no_radius_holds_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="should be above 0 and below 1"):
        radii_holding(share)

"""Synthetic faces: exact labels, honest paint, and the dataset they make."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.mean_face.expression import face_points
from facial_keypoints.mean_face.shape import MODES, mean_points, modes
from facial_keypoints.mean_face.surface import canonical_points, face_motion, face_surface, point_units, sample
from pipeline.core import parallel
from pipeline.core.labels import LABELS, read_keypoints_csv
from pipeline.datasets import synthetic_frames as source
from pipeline.datasets.synthetic import (
    Camera,
    Expression,
    Face,
    Identity,
    Light,
    Pose,
    between,
    draw_face,
    keypoints,
    paint_onto,
    random_clip,
    random_identity,
)
from pipeline.datasets.synthetic.names import person_names
from pipeline.datasets.synthetic.splat import EMPTY, visible

CAMERA = Camera(199.5, 180.0, 1.6, 2000.0)
FRONTAL = Light(azimuth_deg=-10.0, elevation_deg=40.0)
REST = np.zeros(len(MODES))


def painted(face: Face) -> tuple[np.ndarray, np.ndarray]:
    """(400, 400, 3) picture 0..1 on blue ground, and its labels."""
    ground = np.broadcast_to(np.array([0, 0, 1], np.float32), (400, 400, 3))
    return paint_onto(ground, face, CAMERA, FRONTAL)


def gray_at(picture: np.ndarray, point: np.ndarray) -> float:
    column, row = np.rint(point).astype(int)
    return float(picture[row - 1 : row + 2, column - 1 : column + 2].mean())


def test_mean_face_mirrored_is_itself_under_the_flip_index() -> None:
    mirrored = mean_points()[IBUG_68.flip_index] * (-1, 1, 1)
    np.testing.assert_array_equal(mirrored, mean_points())


def test_mirrored_expression_is_the_expression_with_sides_swapped() -> None:
    one = face_points(REST, Expression(jaw_open=0.5, smile=0.7, close_right=1.0))
    other = face_points(REST, Expression(jaw_open=0.5, smile=0.7, close_left=1.0))
    np.testing.assert_allclose(one[IBUG_68.flip_index] * (-1, 1, 1), other, atol=1e-9)


def test_every_mode_but_the_asymmetric_ones_keeps_the_face_symmetric() -> None:
    for name, mode in zip(MODES, modes(), strict=True):
        mirrored = mode[IBUG_68.flip_index] * (-1, 1, 1)
        assert np.allclose(mirrored, mode) != name.startswith("asymmetry"), name
        assert 0.5 < np.abs(mode).max() < 10, name


@pytest.mark.slow
def test_image_left_holds_the_subjects_right_eye() -> None:
    labels = keypoints(Face(), CAMERA)
    assert labels[36, 0] < labels[39, 0] < labels[42, 0] < labels[45, 0]
    assert labels[8, 1] > labels[57, 1] > labels[33, 1] > labels[27, 1] > labels[19, 1]


def test_projection_of_a_known_pose_by_hand() -> None:
    # Yaw 90 brings z to x; then 1000 / (1000 - depth) enlarges what is nearer.
    rotation = Pose(yaw_deg=90.0).rotation()
    np.testing.assert_allclose(rotation @ [0, 0, 50], [50, 0, 0], atol=1e-12)
    np.testing.assert_allclose(Pose(pitch_deg=90.0).rotation() @ [0, 0, 50], [0, -50, 0], atol=1e-12)
    np.testing.assert_allclose(Pose(roll_deg=90.0).rotation() @ [50, 0, 0], [0, 50, 0], atol=1e-12)
    camera = Camera(10.0, 20.0, 2.0, 1000.0)
    np.testing.assert_allclose(camera.project(np.array([30.0, -5.0, 0.0])), [70, 10])
    np.testing.assert_allclose(camera.project(np.array([30.0, -5.0, 500.0])), [130, 0])


def test_labels_are_the_projected_points_of_the_shape() -> None:
    face = Face(expression=Expression(smile=0.8, jaw_open=0.4), pose=Pose(20.0, -10.0, 8.0))
    points = face_points(REST, face.expression) @ face.pose.rotation().T
    distance_px = np.linalg.norm(keypoints(face, CAMERA) - CAMERA.project(points), axis=1)
    assert distance_px[17:].max() < 0.5  # 0.3 mm
    assert distance_px[:4].max() < 3  # the near side of the jaw stays at the ear


def test_enlarged_camera_sees_the_resized_picture() -> None:
    small = Camera(31.0, 17.5, 0.7).project(np.array([12.0, -40.0, 90.0]))
    large = Camera(31.0, 17.5, 0.7).enlarged(3.0).project(np.array([12.0, -40.0, 90.0]))
    resize = np.array([[3, 0, 1], [0, 3, 1], [0, 0, 1]])
    np.testing.assert_allclose(transform_points(resize, small[None])[0], large)


def test_skin_passes_through_the_points_it_was_given() -> None:
    shape = np.random.default_rng(3).normal(0, 1, len(MODES))
    points = face_points(shape, Expression(smile=0.5, jaw_open=0.5))
    skin = face_surface(face_motion(points, shape), 256)
    assert np.linalg.norm(sample(skin, point_units()) - points, axis=1).max() < 0.5


def test_no_two_points_share_a_place_on_the_skin() -> None:
    apart = np.linalg.norm(canonical_points()[:, None] - canonical_points()[None], axis=-1)
    assert apart[~np.eye(68, dtype=bool)].min() > 2


@pytest.mark.parametrize("yaw", [-30.0, 30.0])
@pytest.mark.slow
def test_far_jaw_follows_the_visible_edge_of_the_face(yaw: float) -> None:
    face = Face(Identity(hair_style="bald"), pose=Pose(yaw))
    picture, labels = painted(face)
    blue = picture[..., 2] - picture[..., 0] > 0.5
    far, outward = (range(3, 6), -1) if yaw < 0 else (range(11, 14), 1)
    for point in labels[list(far)]:
        column, row = np.rint(point).astype(int)
        assert not blue[row, column - 4 * outward]
        assert blue[row, column + 5 * outward]


def test_iris_is_dark_where_the_eyes_labels_say_and_the_white_beside_it_is_not() -> None:
    picture, labels = painted(Face(expression=Expression(close_right=-0.2, close_left=-0.2)))
    for eye in (range(36, 42), range(42, 48)):
        corners = labels[[eye[0], eye[3]]]
        centre = labels[list(eye)].mean(0)
        whites = [gray_at(picture, centre + 0.62 * (corner - centre)) for corner in corners]
        assert gray_at(picture, centre) < 0.6 * min(whites)


@pytest.mark.slow
def test_looking_aside_moves_the_iris_and_no_label() -> None:
    ahead, labels = painted(Face())
    aside, same = painted(Face(expression=Expression(gaze_x=1.0)))
    np.testing.assert_allclose(labels, same)
    centre = labels[42:48].mean(0)
    assert gray_at(aside, centre) > 1.3 * gray_at(ahead, centre)


def test_brows_are_darker_than_the_forehead_above_them() -> None:
    picture, labels = painted(Face())
    for point in labels[[18, 19, 20, 23, 24, 25]]:
        assert gray_at(picture, point) < 0.75 * gray_at(picture, point - (0, 16))


def test_open_mouth_is_dark_between_the_inner_lips_and_its_lips_are_red() -> None:
    picture, labels = painted(Face(expression=Expression(jaw_open=0.7)))
    assert gray_at(picture, 0.4 * labels[62] + 0.6 * labels[66]) < 0.6 * gray_at(picture, labels[29])
    red = picture[..., 0] / picture.sum(-1)
    lip, cheek = np.rint((labels[57] + labels[66]) / 2).astype(int), np.rint((labels[2] + labels[31]) / 2).astype(int)
    assert red[lip[1], lip[0]] > red[cheek[1], cheek[0]]


def test_closed_eyes_show_no_white() -> None:
    shut, labels = painted(Face(expression=Expression(close_right=1.0, close_left=1.0)))
    assert np.linalg.norm(labels[38] - labels[40]) < 2
    box = shut[int(labels[37, 1]) - 6 : int(labels[37, 1]) + 7, int(labels[36, 0]) : int(labels[39, 0])]
    skin = picture_saturation(box)
    assert skin.min() > 0.12


def picture_saturation(picture: np.ndarray) -> np.ndarray:
    return (picture.max(-1) - picture.min(-1)) / np.maximum(picture.max(-1), 1e-3)


@pytest.mark.slow
def test_light_from_the_left_lights_the_left() -> None:
    ground = np.zeros((400, 400, 3), np.float32)
    cheeks = []
    for azimuth in (-60.0, 60.0):
        picture, labels = paint_onto(ground, Face(), CAMERA, Light(azimuth_deg=azimuth))
        cheeks.append([gray_at(picture, (labels[jaw] + labels[wing]) / 2) for jaw, wing in ((2, 31), (14, 35))])
    assert cheeks[0][0] > 1.3 * cheeks[0][1]
    assert cheeks[1][1] > 1.3 * cheeks[1][0]


def test_painting_leaves_the_rest_of_the_background_alone() -> None:
    ground = np.random.default_rng(0).random((300, 500, 3)).astype(np.float32)
    picture, labels = paint_onto(ground, Face(), Camera(100.0, 120.0, 0.5), FRONTAL)
    np.testing.assert_array_equal(picture[:, 300:], ground[:, 300:])
    alone, same = paint_onto(ground[:, :300], Face(), Camera(100.0, 120.0, 0.5), FRONTAL)
    np.testing.assert_array_equal(picture[:, :300], alone)
    np.testing.assert_allclose(labels, same)


def test_a_person_outside_the_picture_leaves_it_as_it_was() -> None:
    ground = np.zeros((80, 80, 3), np.float32)
    picture, labels = paint_onto(ground, Face(), Camera(2000.0, 40.0, 0.5), FRONTAL)
    np.testing.assert_array_equal(picture, ground)
    assert labels[:, 0].min() > 1900


def test_labels_do_not_depend_on_the_resolution() -> None:
    face = Face(pose=Pose(25.0, 5.0, -6.0))
    large, small = (keypoints(face, camera) for camera in (CAMERA.enlarged(2.0), CAMERA))
    np.testing.assert_allclose(large, small * 2 + 0.5, atol=1e-6)
    painted_labels = painted(face)[1]
    assert np.abs(painted_labels - small).max() < 0.6


def test_parts_half_way_between_are_half_way() -> None:
    assert between(Pose(-20.0, 4.0), Pose(10.0, 8.0), 0.5) == Pose(-5.0, 6.0)
    assert between(Expression(), Expression(smile=1.0), 0.25).smile == 0.25
    start, end = (random_identity(np.random.default_rng(seed)) for seed in (1, 2))
    assert between(start, end, 0.0) == start
    assert between(start, end, 1.0) == end
    assert between(start, end, 0.4).hair_style == start.hair_style


def test_nearest_point_hides_what_is_behind_and_gaps_close() -> None:
    pixels = np.array([[x, 2] for x in (2, 3, 5, 6)] + [[3, 2], [4, 2]], np.float64)
    pixels = np.concatenate([pixels + np.array([0, row]) for row in range(4)])
    depth = np.tile([100.0, 100, 100, 100, 0, 0], 4)
    seen = visible(pixels, depth, (9, 9))
    assert seen[3, 3] == 7
    assert seen[3, 4] % 6 in (1, 2)  # the far point shining through is taken for a gap
    assert seen[0, 0] == EMPTY


def test_identity_stays_and_frames_differ() -> None:
    person = random_identity(np.random.default_rng(5))
    clip = random_clip(np.random.default_rng(6))
    first, again, other = (draw_face(person, np.random.default_rng(seed), clip) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.abs(first[1] - other[1]).mean() > 1
    assert first[0].dtype == np.uint8
    assert first[0].shape == (*clip.size, 3)


def test_names_are_distinct_and_read_like_upstreams() -> None:
    names = person_names(500, 3)
    assert len(set(names)) == 500
    assert all(part.isalpha() for name in names for part in name.split("_"))
    assert names != person_names(500, 4)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    source.write_synthetic(folder, people=4, clips=2, frames=5, seed=4)
    return folder


@pytest.mark.slow
def test_layout_and_quirks_are_upstreams(dataset: Path) -> None:
    assert sorted(path.name for path in dataset.iterdir()) == sorted(["training", "test", *LABELS.values()])
    training, test = (sorted(path.name for path in (dataset / folder).iterdir()) for folder in LABELS)
    assert (len(training), len(test)) == (4 * 2 * 3, 4 * 2 * 2)
    assert set(test) < set(training)
    people = {name.rsplit("_", 1)[0] for name in training}
    assert len(people) == 4
    assert {name.rsplit("_", 1)[1] for name in training} == {f"{c}{f}.jpg" for c in range(2) for f in range(3)}
    labelled = {folder: read_keypoints_csv(dataset / LABELS[folder])[0] for folder in LABELS}
    assert sorted(labelled["training"]) == training
    assert set(labelled["test"]) < set(test)
    assert len(labelled["test"]) == 6


@pytest.mark.slow
def test_frames_are_rgba_pngs_with_full_alpha_of_varied_size(dataset: Path) -> None:
    sizes = set()
    for path in (dataset / "training").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.shape[2] == 4
        assert image[..., 3].min() == 255
        assert 72 <= min(image.shape[:2]) <= max(image.shape[:2]) <= 494
        sizes.add(image.shape[:2])
    assert len(sizes) > 8


@pytest.mark.slow
def test_test_frames_are_not_copies_of_the_training_frames_of_the_same_name(dataset: Path) -> None:
    for path in (dataset / "test").iterdir():
        assert path.read_bytes() != (dataset / "training" / path.name).read_bytes()


@pytest.mark.slow
def test_nearly_all_labels_lie_in_their_frame(dataset: Path) -> None:
    inside = []
    for folder in LABELS:
        for name, points in zip(*read_keypoints_csv(dataset / LABELS[folder]), strict=True):
            image = cv2.imread(str(dataset / folder / name))
            assert image is not None
            inside.append((points >= 0).all(1) & (points <= np.array(image.shape[1::-1]) - 1).all(1))
    assert np.mean(inside) > 0.98


def test_the_mean_shape_is_bad_at_synthetic_faces() -> None:
    faces = []
    for seed in range(150):
        rng = np.random.default_rng([9, seed])
        clip = random_clip(rng)
        person = random_identity(rng)
        points = _labels_only(person, clip, rng)
        faces.append((points + 0.5) * 224 / max(clip.size))
    stacked = np.stack(faces)
    interocular = np.linalg.norm(stacked[:, 36] - stacked[:, 45], axis=1)
    nme = np.linalg.norm(stacked - stacked.mean(0), axis=-1).mean(1) / interocular
    assert nme.mean() > 0.15


def _labels_only(person: Identity, clip: object, rng: np.random.Generator) -> np.ndarray:
    from pipeline.datasets.synthetic import Clip, random_moment

    assert isinstance(clip, Clip)
    face, camera = random_moment(rng, person, clip)
    return keypoints(face, camera)


@pytest.mark.slow
def test_same_arguments_give_the_same_bytes_in_one_process_and_in_many(tmp_path: Path) -> None:
    for name, inline in (("many", 0), ("one", 10**6)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parallel, "_INLINE_TASKS", inline)
            source.write_synthetic(tmp_path / name, people=2, clips=1, frames=2, seed=11)
    one, many = (sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in ("one", "many"))
    assert [path.name for path in one] == [path.name for path in many]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, many, strict=True))


@pytest.mark.parametrize(("frames", "training", "test"), [(2, 1, 1), (3, 2, 1), (4, 3, 1), (5, 3, 2), (9, 6, 3)])
def test_three_fifths_of_a_clip_train_and_some_frame_always_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, training: int, test: int
) -> None:
    tiny = (np.zeros((72, 72, 3), np.uint8), np.zeros((68, 2)))
    monkeypatch.setattr(source, "draw_face", lambda *_: tiny)
    source.write_synthetic(tmp_path, people=2, clips=1, frames=frames, seed=0)
    counts = [len(list((tmp_path / folder).iterdir())) for folder in LABELS]
    assert counts == [2 * training, 2 * test]
    assert read_keypoints_csv(tmp_path / LABELS["test"])[0]


def test_a_turned_head_narrows_the_face_and_shows_less_of_the_far_cheek() -> None:
    widths = [np.ptp(keypoints(Face(pose=Pose(yaw)), CAMERA)[[36, 45], 0]) for yaw in (0.0, 15.0, 30.0)]
    assert all(wide > narrow for wide, narrow in pairwise(widths))
    labels = keypoints(replace(Face(), pose=Pose(30.0)), CAMERA)
    assert labels[30, 0] - labels[2, 0] > 2 * (labels[14, 0] - labels[30, 0])


def test_a_person_beside_a_picture_of_bytes_leaves_it_as_it_is():
    picture = np.full((60, 60, 3), 90, np.uint8)
    face = Face(random_identity(np.random.default_rng(0)))
    painted, points = paint_onto(picture, face, Camera(5000, 30, 0.5), Light())
    assert np.array_equal(painted, picture)
    assert points[:, 0].min() > 4000

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from PIL import Image

from facial_keypoints.commands import filter as filter_command
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import make_face
from facial_keypoints.filters import apply
from facial_keypoints.filters.crop import EYES_FRAC, EYES_Y, aligned_crop, crop_from_picture
from facial_keypoints.filters.glasses import sunglasses
from facial_keypoints.filters.hat import hat
from facial_keypoints.filters.head import fit_head
from facial_keypoints.filters.light import light_of
from facial_keypoints.filters.moustache import moustache
from facial_keypoints.filters.net import net_points, net_triangles
from facial_keypoints.filters.outline import cover, face_size
from facial_keypoints.filters.piecewise import carried, covering_triangle, grid_triangles
from facial_keypoints.filters.privacy import CELLS, blur, pixelate
from facial_keypoints.filters.sticker import Sticker, load_sticker, put_sticker
from facial_keypoints.filters.surfaces import Shadow, Sheet, lay_over
from facial_keypoints.filters.swap import swap_faces
from facial_keypoints.mean_face.shape import mean_points
from pipeline.datasets.synthetic import Pose
from tests.core.test_yaml_files import aliases
from tests.discs import disc_face
from tests.faces import SIDE, drawn_face

ON_ONE_FACE = list(apply._ON_ONE.values())
BESIDE = np.array([SIDE, 0])
NO_SHADOW = Shadow(drop_mm=0, blur_mm=1, strength=0)


# The head behind the points


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-30, 10, 15), (10, -15, -20)])
@pytest.mark.slow
def test_the_turn_of_a_head_is_found(yaw, pitch, roll):
    _, keypoints = drawn_face(yaw, pitch, roll)
    off = fit_head(keypoints).camera_from_head @ Pose(yaw, pitch, roll).rotation().T
    assert np.degrees(np.arccos((np.trace(off) - 1) / 2)) < 3


def test_the_size_of_a_head_is_found():
    _, keypoints = drawn_face(20, 5, 0, scale=0.6)
    assert fit_head(keypoints).px_per_mm == pytest.approx(0.6, rel=0.05)


def test_points_on_the_head_fall_on_the_keypoints():
    _, keypoints = drawn_face(25, -10, 5)
    keypoints = keypoints.copy()
    keypoints[48:68, 1] += 6  # as no face does
    head = fit_head(keypoints)
    assert np.linalg.norm(head.project(head.points) - keypoints, axis=1)[17:].mean() < 0.6


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (np.zeros((67, 2)), r"points of shape \(67, 2\) make no face; give 68 finite"),
        (np.full((68, 2), np.nan), r"points of shape \(68, 2\) make no face; give 68 finite"),
        (np.full((68, 2), 3.0), "points that lie in one place or on one line make no face"),
        (np.column_stack([np.arange(68.0), np.ones(68)]), "points that lie in one place or on one line make no face"),
    ],
)
def test_points_that_make_no_face_are_refused(points, told):
    with pytest.raises(DataError, match=told):
        fit_head(points)


# Triangles


def test_triangles_carry_an_affine_map_exactly():
    corners = np.array([[[0, 0], [8, 0], [0, 8]], [[8, 0], [8, 8], [0, 8]]], float)
    numbers = covering_triangle(corners, (9, 9))
    assert (numbers >= 0).all()
    rows, columns = np.nonzero(numbers >= 0)
    places = carried(2 * corners + 5, corners, np.stack([columns, rows], -1), numbers[rows, columns])
    np.testing.assert_allclose(places, 2 * np.stack([columns, rows], -1) + 5, atol=1e-9)


def test_of_two_triangles_the_last_in_order_is_seen():
    corners = np.array([[[0, 0], [8, 0], [0, 8]]] * 2, float)
    assert covering_triangle(corners, (9, 9), np.array([1, 0]))[1, 1] == 0


def test_a_grid_of_four_points_is_two_triangles():
    assert {frozenset(t) for t in grid_triangles(2, 2).tolist()} == {frozenset((0, 1, 2)), frozenset((1, 2, 3))}


def test_the_net_covers_the_face_without_overlap():
    points = net_points(mean_points()[:, :2])
    a, b, c = points[net_triangles()].transpose(1, 0, 2)
    area = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() / 2
    hull = cv2.convexHull(points.astype(np.float32))
    assert area == pytest.approx(cv2.contourArea(hull), rel=0.01)


# What all filters of one face have in common


@pytest.mark.parametrize("wear", ON_ONE_FACE)
def test_a_filter_changes_the_face_and_nothing_far_from_it(wear):
    image, keypoints = drawn_face(15, 5, 5, scale=0.35)
    given = image.copy()
    worn = wear(image, keypoints)
    np.testing.assert_array_equal(image, given)
    assert worn.shape == image.shape
    assert worn.dtype == np.uint8
    changed = np.argwhere((worn != image).any(2))[:, ::-1]
    assert len(changed) > 100
    away = np.abs(changed - keypoints.mean(0)).max(0) / face_size(keypoints)
    assert (away < 2.2).all()


@pytest.mark.parametrize("wear", ON_ONE_FACE)
def test_a_face_beside_the_picture_changes_nothing(wear):
    image, keypoints = drawn_face()
    np.testing.assert_array_equal(wear(image, keypoints + 5000), image)


@pytest.mark.parametrize("wear", ON_ONE_FACE)
@pytest.mark.parametrize("shift", [(-90, 0), (0, -40), (90, 30)])
def test_a_face_cut_by_the_border_is_filtered_as_far_as_it_shows(wear, shift):
    image, keypoints = drawn_face()
    wide = cv2.copyMakeBorder(image, 150, 150, 150, 150, cv2.BORDER_REFLECT)
    top, left = 150 - shift[1], 150 - shift[0]
    part = np.ascontiguousarray(wide[top : top + SIDE, left : left + SIDE])
    whole = wear(wide, keypoints + 150)[top : top + SIDE, left : left + SIDE]
    cut = wear(part, keypoints + shift)
    assert (cut != part).any(2).sum() > 300
    # Light, colours and squares are taken from what is to be seen, so they may differ a little.
    assert np.abs(cut.astype(int) - whole).mean() < 12


@pytest.mark.parametrize("wear", [sunglasses, hat, moustache])
def test_a_gray_picture_stays_gray(wear):
    image, keypoints = drawn_face()
    gray = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    worn = wear(gray, keypoints).astype(int)
    assert np.ptp(worn, axis=2).max() <= 1


# Things in space


def _card(z_mm: float) -> Sheet:
    x, y = np.meshgrid(np.linspace(-20, 20, 4), np.linspace(10, 50, 4))
    red = np.tile(np.array([1, 0, 0, 1], np.float32), (8, 8, 1))
    return Sheet(np.stack([x, y, np.full_like(x, z_mm)], -1), red)


def test_what_is_behind_the_head_is_hidden_by_it():
    image, keypoints = drawn_face(20)
    head = fit_head(keypoints)
    light = light_of(image, head)
    behind, before = (lay_over(image, head, [_card(z)], NO_SHADOW, light) for z in (-60, 130))
    np.testing.assert_array_equal(behind, image)
    assert (before != image).any(2).sum() > 300


def test_of_two_sheets_the_later_lies_above():
    image, keypoints = drawn_face()
    head = fit_head(keypoints)
    blue = Sheet(_card(130).grid, np.tile(np.array([0, 0, 1, 1], np.float32), (8, 8, 1)))
    laid = lay_over(image, head, [_card(130), blue], NO_SHADOW, light_of(image, head))
    x, y = np.rint(head.project(np.array([0.0, 30, 130]))).astype(int)
    assert laid[y, x, 2] > 100
    assert laid[y, x, 0] == 0


def test_sunglasses_darken_the_eyes():
    image, keypoints = drawn_face(-20, 5, 10)
    worn = sunglasses(image, keypoints)
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = np.rint(keypoints[eye].mean(0)).astype(int)
        assert worn[y, x].mean() < 90


def test_the_light_comes_from_the_brighter_cheek():
    _, keypoints = drawn_face()
    shaded = np.tile(np.linspace(40, 220, SIDE)[None, :, None], (SIDE, 1, 3)).astype(np.uint8)
    head = fit_head(keypoints)
    assert light_of(shaded, head).direction[0] > 0.2
    assert light_of(shaded[:, ::-1], head).direction[0] < -0.2


# Privacy


def _inside(keypoints: np.ndarray) -> np.ndarray:
    return cover(keypoints, 1.0, (SIDE, SIDE)) == 1


def test_pixelate_leaves_few_colours_of_the_whole_face():
    image, keypoints = drawn_face(10)
    face = pixelate(image, keypoints)[_inside(keypoints)]
    assert len(np.unique(face, axis=0)) <= (CELLS + 3) * (2 * CELLS)
    assert len(np.unique(image[_inside(keypoints)], axis=0)) > 1000


@pytest.mark.parametrize("hide", [blur, pixelate])
def test_a_face_as_large_as_its_picture_takes_little_memory_beside_it(hide):
    image = np.full((2500, 2500, 3), 90, np.uint8)
    tracemalloc.start()
    try:
        hidden = hide(image, disc_face(1250, 1250, 1200))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert hidden.shape == image.shape
    assert peak < 5 * image.nbytes


@pytest.mark.parametrize("hide", [blur, pixelate])
def test_detail_of_a_hidden_face_does_not_reach_the_picture(hide):
    """A fine checkerboard has no mean, so nothing may be left of it, however it is enhanced."""
    image, keypoints = drawn_face(scale=0.75)
    calm = (image // 2 + 60).astype(np.int16)
    pattern = 40 * (1 - 2 * (np.indices((SIDE, SIDE)).sum(0) // 2 % 2))[..., None]
    hidden = [hide((calm + sign * pattern).astype(np.uint8), keypoints).astype(int) for sign in (-1, 1)]
    assert np.abs(hidden[0] - hidden[1])[_inside(keypoints)].max() <= 6


@pytest.mark.parametrize("hide", [blur, pixelate])
@pytest.mark.parametrize("roll", [0, 40])
def test_the_forehead_is_hidden_too(hide, roll):
    image, keypoints = drawn_face(0, 0, roll)
    up = keypoints[19:25].mean(0) - keypoints[33]
    x, y = np.rint(keypoints[19:25].mean(0) + 0.8 * up).astype(int)
    around = (slice(y - 4, y + 5), slice(x - 4, x + 5))
    noisy = image.copy()
    noisy[around] = np.random.default_rng(0).integers(0, 256, (9, 9, 3))
    steps = [np.abs(np.diff(picture[around].astype(int), axis=1)).mean() for picture in (hide(noisy, keypoints), noisy)]
    assert steps[0] < 0.15 * steps[1]


# Crops


@pytest.mark.parametrize("roll", [-40, 0, 25])
def test_the_eyes_of_a_crop_are_level_in_their_place(roll):
    _, keypoints = drawn_face(0, 0, roll)
    matrix = crop_from_picture(keypoints, 160)
    right, left = (matrix @ np.append(keypoints[eye].mean(0), 1) for eye in (slice(36, 42), slice(42, 48)))
    assert right[1] == pytest.approx(EYES_Y * 160 - 0.5)
    assert left[1] == pytest.approx(EYES_Y * 160 - 0.5)
    assert (right[0] + left[0]) / 2 == pytest.approx(79.5)
    assert left[0] - right[0] <= EYES_FRAC * 160 + 1e-6


@pytest.mark.parametrize("size", [48, 300])
def test_a_mark_between_the_eyes_is_found_there_in_the_crop(size):
    _, keypoints = drawn_face(0, 0, 20)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    x, y = (keypoints[36:42].mean(0) + keypoints[42:48].mean(0)) / 2
    down, across = np.mgrid[:SIDE, :SIDE]
    image[:] = np.rint(255 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / 18))[..., None]
    crop = aligned_crop(image, keypoints, size)[..., 0].astype(float)
    assert crop.shape == (size, size)
    centre = [(crop * axis).sum() / crop.sum() for axis in np.mgrid[:size, :size]]
    np.testing.assert_allclose(centre, [EYES_Y * size - 0.5, size / 2 - 0.5], atol=0.3)


def test_a_crop_of_a_gray_picture_is_gray():
    image, keypoints = drawn_face(0, 0, 20)
    crop = aligned_crop(image, keypoints, 64)
    np.testing.assert_array_equal(aligned_crop(image[..., 0], keypoints, 64), crop[..., 0])
    assert aligned_crop(image[..., 0], keypoints + 9000, 64).shape == (64, 64)
    with pytest.raises(DataError, match=r"should be \(68, 2\) numbers"):
        aligned_crop(image, keypoints * 1e300, 64)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image": None}, "the picture is a NoneType but should be"),
        ({"image": np.zeros((9, 9, 3))}, r"the picture is float64 \(9, 9, 3\) but should be"),
        ({"keypoints": np.zeros((5, 2))}, r"the keypoints are array\(.* but should be \(68, 2\) numbers, those of"),
        ({"keypoints": np.full((68, 2), np.nan)}, r"but should be \(68, 2\) numbers"),
        ({"keypoints": "me"}, r"the keypoints are 'me' but should be"),
        ({"size_px": 0}, "size_px is 0 but should be a side of 1 to 32766 pixels"),
        ({"size_px": 2.5}, "size_px is 2.5 but"),
        ({"size_px": True}, "size_px is True but"),
        ({"keypoints": [[1, 2], [3]]}, r"the keypoints are \[\[1, 2\], \[3\]\] but should be"),
    ],
)
def test_what_no_face_can_be_cut_out_of_is_told(change, told):
    given = {"image": np.zeros((9, 9, 3), np.uint8), "keypoints": np.random.rand(68, 2), "size_px": 9}
    with pytest.raises(DataError, match=told):
        aligned_crop(**given | change)


@pytest.mark.parametrize("name", [name for name in get_args(apply.Name) if name not in ("crop", "sticker")])
def test_a_filter_on_faces_leaves_the_picture_as_it_is_and_takes_gray_ones(name):
    image, keypoints = drawn_face(0, 0, 20)
    pair = np.concatenate([image, image], 1)
    gray, faces = pair[..., 1].copy(), [make_face(points, 1.0) for points in (keypoints, keypoints + BESIDE)]
    before = gray.copy()
    made = apply.filter_faces(gray, faces, name)
    assert made.shape == pair.shape
    assert (made != before[..., None]).any()
    np.testing.assert_array_equal(gray, before)
    np.testing.assert_array_equal(apply.filter_faces(np.stack([gray] * 3, -1), faces, name), made)
    np.testing.assert_array_equal(gray, before)


def test_faces_that_cannot_be_filtered_are_told():
    image, keypoints = drawn_face(0, 0, 20)
    face = make_face(keypoints, 1.0)
    paw = replace(face, scheme=replace(IBUG_68, name="paws"))
    for given, told in (
        (([], "crop"), "cut them out with aligned_crop"),
        (([], "beard"), r"^no filter is called 'beard'; there are sunglasses, "),
        (([face], "sticker"), "^the filter sticker needs one; give what load_sticker gives$"),
        (([face], "swap"), "swap needs two faces in the picture but 1 found"),
        (([paw], "hat"), "hat needs faces with the points of"),
        ((face, "hat"), "the faces are Face.* but should be a list of Face"),
    ):
        with pytest.raises(DataError, match=told):
            apply.filter_faces(image, *given)
    with pytest.raises(DataError, match=r"sticker is 'me\.png' but should be what load_sticker gives"):
        apply.filter_faces(image, [face], "sticker", sticker="me.png")
    with pytest.raises(DataError, match="the picture is a list but should be"):
        apply.filter_faces([image], [face], "hat")


# Swaps


def test_a_face_swapped_with_itself_stays():
    image, keypoints = drawn_face(15)
    change = np.abs(swap_faces(image, keypoints, keypoints).astype(int) - image).max(2)
    assert (change > 1).sum() < 30  # in triangles thinner than a pixel
    assert change.max() < 25


def test_a_mark_goes_over_to_the_other_face():
    first, keypoints_first = drawn_face(10)
    second, keypoints_second = drawn_face(20, 5, -10)
    pair, there = np.hstack([first, second]), keypoints_second + BESIDE
    plain = swap_faces(pair, keypoints_first, there).astype(int)
    marked = pair.copy()
    x, y = np.rint(keypoints_first[30]).astype(int)
    marked[y - 2 : y + 3, x - 2 : x + 3] = (0, 0, 255)
    moved = np.abs(swap_faces(marked, keypoints_first, there).astype(int) - plain).sum(2)
    row, column = np.unravel_index(moved.argmax(), moved.shape)
    assert np.hypot(*(np.array([column, row]) - there[30])) < 4


def test_only_two_faces_are_changed_by_a_swap():
    first, keypoints_first = drawn_face(10)
    second, keypoints_second = drawn_face(20, 5, -10)
    pair = np.hstack([first, second])
    swapped = swap_faces(pair, keypoints_first, keypoints_second + BESIDE)
    rows, columns = np.nonzero((swapped != pair).any(2))
    assert rows.max() <= max(keypoints_first[:, 1].max(), keypoints_second[:, 1].max()) + 2
    assert not ((columns > keypoints_first[:, 0].max() + 2) & (columns < SIDE + keypoints_second[:, 0].min() - 2)).any()


# Stickers


def _write_sticker(folder, places: dict[int, tuple[int, int]]):
    rgba = np.zeros((120, 160, 4), np.uint8)
    for x, y in places.values():
        cv2.circle(rgba, (x, y), 5, (255, 0, 0, 255), -1)
    Image.fromarray(rgba).save(folder / "own.png")
    lines = "".join(f"  {point}: [{x}, {y}]\n" for point, (x, y) in places.items())
    (folder / "own.yaml").write_text("anchors:\n" + lines)
    return load_sticker(folder / "own.png", folder / "own.yaml")


@pytest.mark.parametrize("yaw", [0, 30])
@pytest.mark.parametrize("points", [(36, 45), (36, 45, 57), (17, 26, 48, 54)])
def test_anchors_lie_on_their_keypoints(tmp_path, yaw, points):
    spots = [(40, 30), (120, 30), (60, 100), (100, 100)] if len(points) == 4 else [(40, 30), (120, 30), (80, 90)]
    sticker = _write_sticker(tmp_path, dict(zip(points, spots, strict=False)))
    image, keypoints = drawn_face(yaw, 5, 10, scale=0.8)
    worn = put_sticker(image // 2, keypoints, sticker).astype(int)
    added = np.abs(worn - image // 2).sum(2)
    down, across = np.mgrid[:SIDE, :SIDE]
    for point in points:
        x, y = keypoints[point]
        near = added * (np.hypot(across - x, down - y) < 12)
        centre = np.array([(near * across).sum(), (near * down).sum()]) / near.sum()
        np.testing.assert_allclose(centre, (x, y), atol=0.6)


@pytest.mark.parametrize("yaw", [0, 30])
def test_an_anchor_on_every_point_keeps_the_sticker_on_the_face(yaw):
    spots = mean_points()[:, :2] * 0.8 + (80, 30)
    sticker = Sticker(np.ones((120, 160, 4), np.float32), np.arange(68), spots)
    image, keypoints = drawn_face(yaw, 5, 10, scale=0.5)
    changed = (put_sticker(image // 2, keypoints, sticker) != image // 2).any(2)
    x, y = np.rint(keypoints).astype(int).T
    assert changed[y, x].mean() > 0.95
    away = np.abs(np.argwhere(changed)[:, ::-1] - keypoints.mean(0)).max() / face_size(keypoints)
    assert away < 1.2


def test_anchors_may_be_json(tmp_path):
    _write_sticker(tmp_path, {36: (40, 30), 45: (120, 30)})
    (tmp_path / "own.json").write_text('{"anchors": {"36": [40, 30], "45": [120.5, 30]}}')
    sticker = load_sticker(str(tmp_path / "own.png"), str(tmp_path / "own.json"))
    assert sticker.indices.tolist() == [36, 45]
    assert sticker.places.tolist() == [[40, 30], [120.5, 30]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("anchors: [1, 2]", "one entry, anchors"),
        ("places: {36: [1, 2]}", "one entry, anchors"),
        ("anchors: {36: [1, 2]}", "two or more"),
        ("anchors: {36: [1, 2], 45: [1, 2]}", "all different"),
        ("anchors: {36: [1, 2], 68: [3, 4]}", "68"),
        ("anchors: {36: [1, 2], nose: [3, 4]}", "nose"),
        ("anchors: {36: [1, 2], 45: [3, left]}", "left"),
        ("anchors: {36: [1, 2], 45: [3, .nan]}", "nan"),
        ("anchors: {36: [1, 2", "should read like"),
        ("anchors: {36: [1, 2], ²: [3, 4]}", "'²' is no keypoint"),
        ("anchors: {36: [1, 2], 45: 2020-13-45}", "should read like"),
        ("anchors: {36: [1, 2], 45: " + 999 * "9" + "}", r"anchor 45 is 9{18}\.\.\.9{19}; give"),
        ("anchors: {36: [1, 2], 45: [" + 999 * "9" + ", 1]}", "anchor 45 is"),
        ("anchors: {36: [1, 2], 45: 0x" + 9999 * "9" + "}", "a value has 10,001 characters"),
        ("anchors: {36: [1, 2], ? [1, 2] : [3, 4]}", r"anchor \(1, 2\) is no keypoint"),
        ("anchors: {36: [1, 2], 2001-01-01: [3, 4]}", "is no keypoint"),
        ("anchors: {36: [1, 2], true: [3, 4]}", "anchor True is no keypoint"),
        ("anchors: {36: [1, 2], 36.0: [3, 4]}", "stands twice"),
        ("anchors: {36: [1, 2], '36': [3, 4]}", "two or more|twice"),
        (aliases(20), "more than 10,000 values"),
        ("anchors: " + 9999 * "[", "nested in more than 20 levels"),
    ],
)
def test_bad_anchors_are_told_in_one_line(tmp_path, text, told):
    _write_sticker(tmp_path, {36: (40, 30), 45: (120, 30)})
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(DataError, match=told):
        load_sticker(tmp_path / "own.png", tmp_path / "bad.yaml")


def test_anchors_that_are_no_plain_file_are_told(tmp_path):
    _write_sticker(tmp_path, {36: (40, 30), 45: (120, 30)})
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(DataError, match="it is no plain file"):
            load_sticker(tmp_path / "own.png", path)
    with pytest.raises(DataError, match="cannot be read"):
        load_sticker(tmp_path / "own.png", tmp_path / "none")


def test_a_sticker_that_is_no_png_is_told(tmp_path):
    (tmp_path / "own.png").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match="no PNG"):
        load_sticker(tmp_path / "own.png", tmp_path / "own.yaml")


# By name


def test_the_command_offers_all_filters():
    assert get_args(filter_command.Name) == get_args(apply.Name)


@pytest.mark.parametrize("name", [name for name in get_args(apply.Name) if name != "sticker"])
def test_every_filter_takes_two_faces(name):
    image, keypoints = drawn_face(scale=0.35)
    pair = np.hstack([image, image])
    made = apply.picture_filter(name, crop_px=64, sticker=None)(pair, [keypoints, keypoints + BESIDE])
    assert [picture.shape for picture in made] == ([(64, 64, 3)] * 2 if name == "crop" else [pair.shape])


def test_a_swap_of_one_face_is_refused():
    image, keypoints = drawn_face()
    with pytest.raises(DataError, match="needs two faces"):
        apply.picture_filter("swap", crop_px=64, sticker=None)(image, [keypoints])

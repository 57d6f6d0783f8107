"""`keypoints filter` on files, with a detector that knows where the faces are."""

from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import Face, KeypointDetector, make_face
from facial_keypoints.filters.lasting import lasting
from facial_keypoints.video import frame_buffer
from facial_keypoints.video.reading import Frame, FrameReader, open_video
from pipeline.cli import app
from tests.discs import disc_detector
from tests.faces import SIDE, drawn_face
from tests.films import break_off, discs_moving, evenly, forget_times, times, write_film
from tests.written import written


class Knowing:
    """Finds the drawn face at the left of a picture, and a second one at the right of a wide one."""

    min_score, network = 0.5, SimpleNamespace(scheme=IBUG_68)

    def __call__(self, image: np.ndarray) -> list[Face]:
        return [make_face(points, 1.0) for points in places(image) if image.any()]

    def points_and_scores(self, grays, owner, windows):
        points = np.stack(places(grays[0])[: len(windows)])
        return points, np.full(len(windows), float(grays[0].any())), np.full(points.shape[:2], np.nan)


def places(image: np.ndarray) -> list[np.ndarray]:
    keypoints = drawn_face()[1]
    return [keypoints, keypoints + np.array([SIDE, 0])][: image.shape[1] // SIDE]


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setattr(KeypointDetector, "load", lambda *_, **__: Knowing())


def keypoints_filter(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["filter", "--model", "knowing", *map(str, arguments)])
    return done.exit_code, done.output  # what a terminal shows: both streams


def save(path, faces: int = 1, **options) -> None:
    Image.fromarray(np.hstack([drawn_face()[0]] * faces)).save(path, **options)


@pytest.mark.slow
def test_each_picture_comes_out_filtered(tmp_path):
    save(tmp_path / "me.png")
    save(tmp_path / "us.jpg", faces=2)
    status, told = keypoints_filter("--name", "sunglasses", tmp_path, "-o", tmp_path / "out")
    assert (status, told.splitlines()[-1]) == (0, f"3 faces in 2 pictures, in {tmp_path / 'out'}")
    assert written(tmp_path / "out") == ["me_sunglasses.jpg", "us_sunglasses.jpg"]
    with Image.open(tmp_path / "out" / "us_sunglasses.jpg") as picture:
        assert picture.size == (2 * SIDE, SIDE)


@pytest.mark.parametrize(("name", "worn"), [("hat", "me_hat.jpg"), ("crop", "me_crop_1.jpg")])
def test_an_input_is_never_overwritten(tmp_path, name, worn):
    save(tmp_path / "me.png")
    output = tmp_path / "out"
    output.mkdir()
    save(output / worn)
    before = (output / worn).read_bytes()
    assert keypoints_filter("--name", name, tmp_path / "me.png", output / worn, "-o", output)[0] == 0
    assert (output / worn).read_bytes() == before
    assert len(written(output)) == 3


def test_an_input_keeps_its_name_where_nothing_is_in_the_way(tmp_path):
    save(tmp_path / "me.png")
    assert keypoints_filter("--name", "hat", tmp_path / "me.png", "-o", tmp_path)[0] == 0
    assert written(tmp_path) == ["me.png", "me_hat.jpg"]


def test_the_largest_face_alone_can_be_filtered(tmp_path):
    save(tmp_path / "us.png", faces=2)
    assert keypoints_filter("--name", "pixelate", "--largest", tmp_path / "us.png", "-o", tmp_path / "out")[0] == 0
    shown = cv2.imread(str(tmp_path / "out" / "us_pixelate.jpg"))[..., ::-1].astype(int)
    change = np.abs(shown - np.hstack([drawn_face()[0]] * 2)).mean((0, 2)).reshape(2, SIDE).mean(1)
    assert max(change) > 5 * min(change)


def test_a_crop_has_the_number_of_its_face_from_the_left(tmp_path, monkeypatch):
    def small_then_large(self, image):
        small, large = places(image)
        return [make_face(small.mean(0) + 0.5 * (small - small.mean(0)), 1.0), make_face(large, 1.0)]

    monkeypatch.setattr(Knowing, "__call__", small_then_large)
    save(tmp_path / "us.png", faces=2)
    command = ("--name", "crop", "--size", 64, tmp_path / "us.png", "-o")
    assert keypoints_filter(*command, tmp_path / "all")[0] == 0
    assert keypoints_filter(*command, tmp_path / "one", "--largest")[0] == 0
    assert written(tmp_path / "one") == ["us_crop_2.jpg"]
    assert (tmp_path / "one/us_crop_2.jpg").read_bytes() == (tmp_path / "all/us_crop_2.jpg").read_bytes()


def test_crops_are_numbered(tmp_path):
    save(tmp_path / "us.png", faces=2)
    assert keypoints_filter("--name", "crop", "--size", 64, tmp_path / "us.png", "-o", tmp_path / "out")[0] == 0
    shapes = {path.name: cv2.imread(str(path)).shape for path in (tmp_path / "out").glob("*.jpg")}
    assert shapes == {"us_crop_1.jpg": (64, 64, 3), "us_crop_2.jpg": (64, 64, 3)}


def test_crops_of_faces_that_are_no_longer_found_are_removed_and_nothing_else(tmp_path):
    save(tmp_path / "us.png", faces=2)
    keypoints_filter("--name", "crop", "--size", 64, tmp_path / "us.png", "-o", tmp_path / "out")
    keypoints_filter("--name", "hat", tmp_path / "us.png", "-o", tmp_path / "out")
    save(tmp_path / "us.png", faces=1)
    status, told = keypoints_filter("--name", "crop", "--size", 64, tmp_path / "us.png", "-o", tmp_path / "out")
    assert (status, written(tmp_path / "out")) == (0, ["us_crop_1.jpg", "us_hat.jpg"])
    assert "removed files of an earlier run that this one no longer makes: 1 (us_crop_2.jpg)\n" in told


def test_pictures_of_pages_that_a_file_lost_are_removed_and_those_of_other_filters_stay(tmp_path):
    page, arguments = Image.fromarray(drawn_face()[0]), (tmp_path / "scan.tif", "-o", tmp_path / "out")
    page.save(tmp_path / "scan.tif", save_all=True, append_images=[page])
    for name in ("crop", "hat"):
        keypoints_filter("--name", name, *arguments)
    page.save(tmp_path / "scan.tif")
    assert keypoints_filter("--name", "crop", *arguments)[0] == 0
    assert written(tmp_path / "out") == ["scan-page1_hat.jpg", "scan-page2_hat.jpg", "scan_crop_1.jpg"]


def test_notes_of_the_original_are_not_copied(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "maker"
    save(tmp_path / "me.jpg", exif=exif, comment=b"home")
    assert keypoints_filter("--name", "blur", tmp_path / "me.jpg", "-o", tmp_path / "out")[0] == 0
    content = (tmp_path / "out" / "me_blur.jpg").read_bytes()
    assert b"maker" not in content
    assert b"home" not in content


def test_what_is_broken_is_told_and_the_rest_is_done(tmp_path):
    save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"nothing")
    status, told = keypoints_filter("--name", "mesh", tmp_path, "-o", tmp_path / "out")
    assert status == 1
    assert told.count("skipped:") == 1
    assert "1 face in 1 picture; 1 skipped" in told
    assert (tmp_path / "out" / "good_mesh.jpg").is_file()


def test_a_swap_of_one_person_is_told_with_the_picture(tmp_path):
    save(tmp_path / "me.png")
    status, told = keypoints_filter("--name", "swap", tmp_path / "me.png", "-o", tmp_path / "out")
    assert status == 1
    assert "me.png: swap needs two faces" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sticker"], "give --png and --anchors"),
        (["hat", "--png", "a.png"], "leave them out"),
        (["hat", "--size", "64"], "leave it out"),
        (["swap", "--largest"], "leave --largest out"),
        (["sticker", "--png", "a.png", "--anchors", "a.yaml"], "a.png is no PNG"),
    ],
)
def test_options_that_do_not_fit_are_told_in_one_line(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "me.png")
    status, output = keypoints_filter("me.png", "--name", *arguments)
    assert status == 1
    assert output.startswith("error: ")
    assert output.count("\n") == 1
    assert told in output


def held(seen: dict[int, Face], look, frame_s: float = 1.0, reach_s: float = 2.0) -> list[list[float]]:
    """Where faces are covered in twelve frames, each the picture of its number, of a face seen in some of them."""
    frames = [Frame(np.full((4, 4), number, np.uint8), number * frame_s, frame_s) for number in range(12)]
    shown = list(lasting(((frame, {1: seen[n]} if n in seen else {}) for n, frame in enumerate(frames)), reach_s, look))
    assert [frame.image[0, 0] for frame, _ in shown] == list(range(12))
    assert [frame.time_s for frame, _ in shown] == [frame.time_s for frame in frames]
    return [[face.box[0] for face in faces] for _, faces in shown]


def at(x: float, score: float = 1.0) -> Face:
    return make_face(drawn_face()[1] - drawn_face()[1].min(0) + (x, 0), score)


class Blind:
    """Sees no face."""

    min_score, score = 0.5, 0.1

    def faces_in(self, grays, windows):
        return [[at(10 * float(grays[0][0, 0]), self.score)]]


class Sighted(Blind):
    """Sees the face at ten times the number of the frame."""

    score = 0.9


def test_a_face_lasts_a_little_longer_than_it_is_seen():
    covered = held({4: at(1), 5: at(2)}, Blind())
    assert covered == [[], [], [1], [1], [1], [2], [2], [2], [], [], [], []]


def test_what_was_only_suspected_is_covered_in_its_own_frames_until_it_is_found():
    covered = held({3: at(1, 0.3), 8: at(2, 0.3), 9: at(3), 10: at(4, 0.3)}, Blind())
    assert covered == [[], [], [], [1], [], [], [], [3], [2, 3], [3], [4], [4]]


def test_a_face_that_comes_back_under_its_number_is_covered_where_it_was_and_will_be():
    covered = held({0: at(1), 2: at(5), 9: at(7)}, Blind())
    assert covered == [[1], [1, 5], [5], [5], [5], [], [], [7], [7], [7], [7], [7]]


def test_a_face_that_is_found_late_is_covered_on_its_way():
    assert held({5: at(50)}, Sighted())[2:8] == [[], [30], [40], [50], [50], [50]]


@pytest.mark.parametrize(("frame_s", "covered"), [(0.1, 5), (0.2, 2), (0.5, 1), (60.0, 1), (1e-6, 12)])
def test_a_face_lasts_by_time_and_at_least_a_frame(frame_s, covered):
    """Half a second: as many frames as come in it, be they few or many."""
    after = held({0: at(1)}, Blind(), frame_s, 0.5)
    before = held({11: at(1)}, Blind(), frame_s, 0.5)
    assert [len(faces) for faces in after] == [1] * min(12, 1 + covered) + [0] * max(0, 11 - covered)
    assert before == after[::-1]


def test_frames_that_wait_take_bounded_memory(monkeypatch, tmp_path):
    """Beyond the budget they go to a file without a name, and come back as they were."""
    monkeypatch.setattr(frame_buffer, "_MEMORY_BYTES", 3 * 16)
    assert held({11: at(1)}, Blind(), 1e-6) == [[1.0]] * 12
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8)
    with frame_buffer.FrameBuffer(tmp_path) as waiting:
        for first in range(0, 40, 8):
            kept = [waiting.keep(image) for image in images[first : first + 8]]
            assert len(waiting._in_memory) == 3
            for number, image in zip(kept, images[first : first + 8], strict=True):
                assert (waiting.take(number) == image).all()
        assert waiting._file.seek(0, 2) == 5 * 16  # places are used again
    assert list(tmp_path.iterdir()) == []


def test_more_frames_than_can_wait_are_refused_and_nothing_is_written(monkeypatch, tmp_path):
    """Rather than hidden for a shorter time."""
    monkeypatch.setattr(frame_buffer, "_MEMORY_BYTES", 0)
    monkeypatch.setattr(frame_buffer, "_FILE_BYTES", 4 * 3 * SIDE * SIDE)
    write_film(tmp_path / "me.mkv", [drawn_face()[0]] * 20, np.arange(20) / 1000, form="matroska")
    status, told = keypoints_filter("--name", "blur", tmp_path / "me.mkv", "-o", tmp_path / "out")
    assert status == 1
    assert "me.mkv: more than" in told
    assert written(tmp_path / "out") == []


def shown_frames(path) -> list[np.ndarray]:
    return [frame.image for frame in FrameReader(open_video(path))]


def details(frames: list[np.ndarray]) -> list[int]:
    """How much of an eye can be seen in each."""
    x, y = np.rint(drawn_face()[1][36:42].mean(0)).astype(int)
    return [np.ptp(frame[y - 2 : y + 3, x - 2 : x + 3].astype(int), axis=(0, 1)).max() for frame in frames]


def test_a_video_is_filtered_frame_by_frame(tmp_path):
    write_film(tmp_path / "me.mp4", [drawn_face()[0]] * 6, evenly(6, 10))
    status, told = keypoints_filter("--name", "pixelate", tmp_path / "me.mp4", "-o", tmp_path / "out")
    assert (status, told) == (0, f"1 face in 1 video, in {tmp_path / 'out'}\n")
    assert times(tmp_path / "out/me_pixelate.mp4") == pytest.approx(evenly(6, 10))
    assert max(details(shown_frames(tmp_path / "me.mp4"))) > 80
    assert max(details(shown_frames(tmp_path / "out/me_pixelate.mp4"))) < 40


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.slow
def test_a_recording_that_says_no_rate_is_hidden_as_one_that_does(tmp_path, monkeypatch, container):
    """As browsers record it: a face that comes after a second is hidden from its first frame on, at its own times."""
    monkeypatch.setattr(KeypointDetector, "load", lambda *_, **__: disc_detector())
    moving = discs_moving(12)
    images = [np.full_like(moving[0], 40)] * 12 + moving
    uneven = np.cumsum(np.random.default_rng(1).uniform(0.03, 0.09, len(images))).round(3).tolist()
    write_film(tmp_path / "even.webm", images, evenly(24, 16), codec="libvpx", unit=Fraction(1, 1000))
    write_film(tmp_path / "film.webm", images, uneven, codec="libvpx", unit=Fraction(1, 1000))
    forget_times(tmp_path / "film.webm")
    for name in ("even", "film"):
        arguments = ["--name", "pixelate", tmp_path / f"{name}.webm", "-o", tmp_path / "out", "--video", container]
        assert keypoints_filter(*arguments)[0] == 0
        made = tmp_path / f"out/{name}_pixelate.{container}"
        given = evenly(24, 16) if name == "even" else [second - uneven[0] for second in uneven]
        assert times(made) == pytest.approx(given, abs=0.001)
        for frame, image in zip(shown_frames(made)[12:], images[12:], strict=True):
            assert np.abs(frame.astype(int) - image).max() > 60  # squares over the disc


@pytest.mark.slow
def test_a_video_in_which_nothing_is_hidden_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.setattr(KeypointDetector, "load", lambda *_, **__: disc_detector())
    moving = discs_moving(6)
    dark = np.full_like(moving[0], 40)
    write_film(tmp_path / "none.mp4", [dark] * 6)
    write_film(tmp_path / "some.mp4", [dark] * 12 + moving, evenly(18, 10))
    Image.fromarray(dark).save(tmp_path / "none.png")
    paths = [tmp_path / name for name in ("none.mp4", "some.mp4", "none.png")]
    status, told = keypoints_filter("--name", "blur", *paths, "-o", tmp_path / "out")
    assert status == 0
    assert f"warning: no face was found in {paths[0]}, so nothing is hidden" in told
    assert f"warning: no face was found in {paths[2]}, so nothing is hidden" in told
    assert f"warning: no face is hidden in 7 of 18 frames of {paths[1]}" in told
    assert "1 face in 1 picture and 2 videos; nothing hidden in 2" in told
    assert "warning" not in keypoints_filter("--name", "hat", *paths, "-o", tmp_path / "worn")[1]


def test_what_fails_in_the_middle_leaves_nothing_and_the_rest_is_done(tmp_path, monkeypatch):
    """The encoder is at work while the next frame is looked at."""
    calls = iter(range(1000))

    def failing(self, image):
        if next(calls) == 1:
            raise DataError("too much")
        return [make_face(points, 1.0) for points in places(image)]

    monkeypatch.setattr(Knowing, "__call__", failing)
    for name in ("a.mp4", "b.mp4"):
        write_film(tmp_path / name, [np.tile(drawn_face()[0], (4, 1, 1))] * 8, evenly(8, 2))
    status, told = keypoints_filter("--name", "mesh", tmp_path / "a.mp4", tmp_path / "b.mp4", "-o", tmp_path / "out")
    assert status == 1
    assert "a.mp4: too much" in told
    assert written(tmp_path / "out") == ["b_mesh.mp4"]


def test_a_video_that_ends_early_is_told_and_what_there_is_is_kept(tmp_path):
    write_film(tmp_path / "me.mp4", [drawn_face()[0]] * 30, codec="mjpeg", pixels="yuvj420p")
    break_off(tmp_path / "me.mp4")
    status, told = keypoints_filter("--name", "mesh", tmp_path / "me.mp4", "-o", tmp_path / "out")
    assert status == 1
    assert "me.mp4 is damaged" in told
    assert "frames of it are written" in told
    assert len(times(tmp_path / "out/me_mesh.mp4")) > 5


def test_crops_of_a_video_are_refused(tmp_path):
    (tmp_path / "me.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    status, told = keypoints_filter("--name", "crop", tmp_path / "me.mp4", "-o", tmp_path / "out")
    assert status == 1
    assert "give pictures" in told

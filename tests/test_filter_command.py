"""`keypoints filter` on files, with a detector that knows where the faces are."""

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.detector import Face, KeypointDetector, make_face
from pipeline.filters.files import lasting
from pipeline.video import open_video
from tests.faces import SIDE, drawn_face
from tests.test_video import break_off
from tests.written import written


class Knowing:
    """Finds the drawn face at the left of a picture, and a second one at the right of a wide one."""

    min_score, digest = 0.5, "0"

    def __call__(self, image: np.ndarray) -> list[Face]:
        return [make_face(points, 1.0) for points in places(image) if image.any()]

    def points_and_scores(self, grays, owner, windows):
        return np.stack(places(grays[0])[: len(windows)]), np.full(len(windows), float(grays[0].any()))


def places(image: np.ndarray) -> list[np.ndarray]:
    keypoints = drawn_face()[1]
    return [keypoints, keypoints + np.array([SIDE, 0])][: image.shape[1] // SIDE]


@pytest.fixture(autouse=True)
def knowing(monkeypatch):
    monkeypatch.setattr(KeypointDetector, "load", lambda *_, **__: Knowing())


def keypoints_filter(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["filter", *map(str, arguments)])
    return done.exit_code, done.output  # what a terminal shows: both streams


def save(path, faces: int = 1, **options) -> None:
    Image.fromarray(np.hstack([drawn_face()[0]] * faces)).save(path, **options)


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


def test_crops_are_numbered(tmp_path):
    save(tmp_path / "us.png", faces=2)
    assert keypoints_filter("--name", "crop", "--size", 64, tmp_path / "us.png", "-o", tmp_path / "out")[0] == 0
    shapes = {path.name: cv2.imread(str(path)).shape for path in (tmp_path / "out").glob("*.jpg")}
    assert shapes == {"us_crop_1.jpg": (64, 64, 3), "us_crop_2.jpg": (64, 64, 3)}


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


def held(seen: dict[int, Face], look) -> list[list[float]]:
    """Where faces are covered in twelve frames, each the picture of its number, of a face seen in some of them."""
    frames = [(np.full((4, 4), number), {1: seen[number]} if number in seen else {}) for number in range(12)]
    shown = list(lasting(frames, 2, look))
    assert [frame[0, 0] for frame, _ in shown] == list(range(12))
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


def test_a_face_that_comes_back_under_its_number_is_covered_where_it_was_and_will_be():
    covered = held({0: at(1), 2: at(5), 9: at(7)}, Blind())
    assert covered == [[1], [1, 5], [5], [5], [5], [], [], [7], [7], [7], [7], [7]]


def test_a_face_that_is_found_late_is_covered_on_its_way():
    assert held({5: at(50)}, Sighted())[2:8] == [[], [30], [40], [50], [50], [50]]


def write_video(path, frames: list[np.ndarray], code: str = "mp4v") -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (SIDE, SIDE))
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()


def test_a_video_is_filtered_frame_by_frame(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no ffmpeg
    write_video(tmp_path / "me.mp4", [drawn_face()[0]] * 6)
    status, told = keypoints_filter("--name", "pixelate", tmp_path / "me.mp4", "-o", tmp_path / "out")
    assert (status, told.splitlines()[-1]) == (0, f"1 face in 1 video, in {tmp_path / 'out'}")
    capture = cv2.VideoCapture(str(tmp_path / "out" / "me_pixelate.webm"))
    frames = [frame for read, frame in iter(capture.read, (False, None)) if read]
    assert len(frames) == 6
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    x, y = np.rint(drawn_face()[1][36:42].mean(0)).astype(int)
    detail = [np.ptp(frame[y - 2 : y + 3, x - 2 : x + 3].astype(int), axis=(0, 1)).max() for frame in frames]
    assert max(detail) < 40


def test_a_video_that_ends_early_is_told_and_what_there_is_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no ffmpeg
    write_video(tmp_path / "me.mp4", [drawn_face()[0]] * 30, code="MJPG")
    break_off(tmp_path / "me.mp4")
    status, told = keypoints_filter("--name", "mesh", tmp_path / "me.mp4", "-o", tmp_path / "out")
    assert status == 1
    assert "me.mp4 ends after" in told
    assert "of 30 frames, which are written" in told
    assert open_video(tmp_path / "out" / "me_mesh.webm").frames > 5


def test_crops_of_a_video_are_refused(tmp_path):
    (tmp_path / "me.mp4").write_bytes(b"")
    status, told = keypoints_filter("--name", "crop", tmp_path / "me.mp4", "-o", tmp_path / "out")
    assert status == 1
    assert "give pictures" in told

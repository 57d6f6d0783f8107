"""Videos looked at from end to end: what is found in them, when, and what is written of them."""

import errno
import json
import os
import shutil
import socket
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder
from facial_keypoints.prediction.files import Job, predict_files
from facial_keypoints.video import encoding
from facial_keypoints.video.reading import FrameReader, open_video
from facial_keypoints.video.times import Clock
from tests.discs import disc_detector, disc_face
from tests.films import (
    FPS,
    break_off,
    copy,
    disc_at,
    discs_moving,
    evenly,
    forget_times,
    heard,
    times,
    tone,
    write_film,
)
from tests.written import written

PAGE = """<video src="out/film.{0}" muted preload="auto"></video><script>
const video = document.querySelector("video");
const say = () => new Image().src = "http://127.0.0.1:{1}/" +
  [video.videoWidth, video.videoHeight, video.error && video.error.code, video.currentTime];
video.onloadeddata = () => {{ video.currentTime = 0.5; }};
video.onseeked = video.onerror = say;
</script>"""
UNEVEN = [0, 0.04, 0.05, 0.3, 0.34, 0.7, 0.71, 0.72, 0.73, 1.2, 1.25, 1.3, 1.9, 2, 2.04, 2.1, 2.3, 2.4, 2.6, 3]


def predict_video(folder, form: Any = "json", overlay: bool = True, container: Any = None, name="film.mp4"):
    job = Job(disc_detector(), OutputFolder(folder / "out"), form, overlay, smooth=True, container=container)
    (folder / "out").mkdir(exist_ok=True)
    return predict_files(job, [Source(folder / name, "film")])


def packets(path: Path) -> list[tuple[float, float]]:
    """Times and durations of all frames as PyAV reads them, in the order in which they are shown."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found = [(packet.pts, packet.duration) for packet in container.demux(stream) if packet.size]
        return sorted((float(pts * stream.time_base), float(lasts * stream.time_base)) for pts, lasts in found)


@pytest.fixture
def film(tmp_path):
    write_film(tmp_path / "film.mp4")
    return tmp_path


def test_points_of_frames_that_an_earlier_run_saw_and_this_one_does_not_are_removed(tmp_path, capfd):
    write_film(tmp_path / "film.mp4")
    predict_video(tmp_path, "pts", overlay=False)
    assert len(list((tmp_path / "out/film").iterdir())) == 20
    write_film(tmp_path / "film.mp4", discs_moving(12))
    predict_video(tmp_path, "pts", overlay=False)
    assert len(list((tmp_path / "out/film").iterdir())) == 12
    assert "that this one no longer makes: 8 (film/000012.face1.pts, " in capfd.readouterr().err


@pytest.mark.parametrize(("container", "codec"), [(None, "h264"), ("mp4", "h264"), ("webm", "vp9")])
def test_an_overlay_has_the_frames_and_the_times_of_its_video(film, container, codec, capfd):
    assert str(predict_video(film, container=container)) == "1 face in 1 video"
    made = film / f"out/film.{container or 'mp4'}"
    np.testing.assert_allclose(times(made), evenly(20), atol=0.0006)
    with av.open(str(made)) as opened:
        stream = opened.streams.video[0]
        assert (stream.codec_context.codec.canonical_name, stream.format.name) == (codec, "yuv420p")
    last, before = (list(FrameReader(open_video(path)))[-1].image for path in (made, film / "film.mp4"))
    changed = np.argwhere((np.abs(last.astype(int) - before) > 60).any(-1))
    assert np.abs(changed.mean(0)[::-1] - disc_face(*disc_at(19)).mean(0)).max() < 8
    assert written(film / "out") == ["film.json", made.name]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_colours_come_over(tmp_path, container):
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [128, 128, 128], [250, 250, 250]], np.uint8)
    image = colours.repeat(32, 0)[None].repeat(64, 0)
    write_film(tmp_path / "film.mkv", [image] * 3, form="matroska", codec="ffv1", pixels="bgr0")
    made = copy(tmp_path / "film.mkv", open_video(tmp_path / "film.mkv"), container)
    shown = list(FrameReader(open_video(made)))[-1].image
    assert np.abs(shown[32, 16::32].astype(int) - colours).max() < 8


def test_an_mp4_plays_before_all_of_it_is_loaded(film):
    predict_video(film)
    content = (film / "out/film.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.slow
@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_a_browser_plays_it(film, container):
    """Where Chromium is: it decodes and shows the frame at half a second."""
    browser = shutil.which("chromium", path=os.defpath)
    if not browser:
        pytest.skip("needs chromium")
    predict_video(film, container=container)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(120)
        (film / "page.html").write_text(PAGE.format(container, server.getsockname()[1]))
        command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={film / 'profile'}"]
        command += ["--allow-file-access-from-files", f"file://{film}/page.html"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={"PATH": os.defpath}) as shown:
            try:
                said = server.accept()[0]
                with said:
                    request = said.recv(4096)
            finally:
                shown.terminate()
    assert request.startswith(b"GET /320,240,,0.5 HTTP/")


def test_json_has_a_line_a_frame_and_the_points_where_they_are(film):
    predict_video(film, overlay=False)
    text = (film / "out/film.json").read_text()
    answer = json.loads(text)
    assert answer["fps"] == FPS
    assert text.count("\n") == 22
    for frame, entry in enumerate(answer["frames"]):
        assert entry["frame"] == frame
        assert entry["time_s"] == pytest.approx(frame / FPS, abs=1e-4)
        (face,) = entry["faces"]
        assert face["face"] == 1
        assert np.abs(np.array(face["keypoints"]) - disc_face(*disc_at(frame))).max() < 4


def test_csv_and_pts_of_a_video(film):
    predict_video(film, "csv", overlay=False)
    predict_video(film, "pts", overlay=False)
    head, *rows = (line.split(",") for line in (film / "out/film.csv").read_text().splitlines())
    assert len(rows) == 20
    assert [float(row[head.index("time_s")]) for row in rows] == pytest.approx(evenly(20), abs=1e-6)
    files = sorted((film / "out/film").iterdir())
    assert (len(files), files[-1].name) == (20, "000019.face1.pts")


# Times.


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.slow
def test_a_recording_of_a_browser_has_its_own_times(tmp_path, container):
    """Without the elements that tell rate and length, at uneven times: faces, times and overlay as they should be."""
    path = tmp_path / "film.webm"
    write_film(path, times=UNEVEN, codec="libvpx", unit=Fraction(1, 1000))
    forget_times(path)
    assert str(predict_video(tmp_path, name="film.webm", container=container)) == "1 face in 1 video"
    answer = json.loads((tmp_path / "out/film.json").read_text())
    assert [entry["time_s"] for entry in answer["frames"]] == pytest.approx(UNEVEN)
    assert all(len(entry["faces"]) == 1 for entry in answer["frames"])
    assert answer["fps"] == pytest.approx(19 / 3, abs=0.001)
    assert times(tmp_path / f"out/film.{container}") == pytest.approx(UNEVEN)


@pytest.mark.slow
def test_a_recording_without_rate_is_looked_at_as_the_same_frames_at_a_constant_rate(tmp_path):
    """Long enough for what an overestimated rate would put off: the second search, at 0.4 s."""
    images = [np.full((240, 320, 3), 40, np.uint8)] * 2 + discs_moving(30)
    found = []
    for name in ("known.webm", "unknown.webm"):
        write_film(tmp_path / name, images, evenly(32), codec="libvpx", unit=Fraction(1, 1000))
        if name == "unknown.webm":
            forget_times(tmp_path / name)
        predict_video(tmp_path, name=name, overlay=False)
        answer = json.loads((tmp_path / "out/film.json").read_text())
        found.append([len(entry["faces"]) for entry in answer["frames"]])
        (tmp_path / "out/film.json").unlink()
    assert found[0] == found[1]
    assert found[0] == [0] * 10 + [1] * 22


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("film.mkv", {"form": "matroska", "rate": 1000}),
        ("film.mp4", {"unit": Fraction(1, 60_000)}),
        ("film.avi", {"codec": "mjpeg", "pixels": "yuvj420p", "unit": Fraction(1, FPS)}),
        ("film.avi", {"codec": "libx264", "unit": Fraction(1, FPS), "coder": {"bf": "3"}}),
        ("film.ts", {"form": "mpegts", "codec": "mpeg2video", "unit": Fraction(1, FPS)}),
        ("film.ts", {"form": "mpegts", "codec": "mpeg2video", "unit": Fraction(1, FPS), "coder": {"bf": "2"}}),
        ("film.ts", {"form": "mpegts", "codec": "libx264", "coder": {"bf": "3"}}),
        ("film.m4v", {"unit": Fraction(1, FPS)}),
        ("film.mpg", {"form": "mpeg", "codec": "mpeg2video", "unit": Fraction(1, FPS), "coder": {"bf": "2"}}),
        ("film.mpg", {"form": "mpeg", "codec": "mpeg2video", "unit": Fraction(1, FPS)}),
        ("film.flv", {"codec": "flv", "unit": Fraction(1, 1000)}),
        ("film.wmv", {"form": "asf", "codec": "wmv2", "unit": Fraction(1, 1000)}),
        ("film.mp4", {"codec": "libx264", "coder": {"bf": "3"}}),
        ("film.mkv", {"form": "matroska", "codec": "libx264", "coder": {"bf": "3"}}),
        ("film.mov", {"codec": "libx264", "muxer": {"movflags": "frag_keyframe+empty_moov"}}),
    ],
    ids=str,
)
@pytest.mark.parametrize("start", [0.0, 5.0])
def test_every_container_gives_times_from_the_start(tmp_path, name, options, start):
    if name in ("film.avi", "film.m4v") and start:
        pytest.skip("these always begin at 0")
    images = discs_moving(8)
    write_film(tmp_path / name, images, [start + second for second in evenly(8)], **options)
    read = list(FrameReader(open_video(tmp_path / name)))
    assert [frame.time_s for frame in read] == pytest.approx(evenly(8), abs=0.002)
    for frame, image in zip(read, images, strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 6


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("lasts", [0.1, 2.0])
def test_what_is_written_lasts_as_long_as_the_video(tmp_path, container, lasts):
    write_film(tmp_path / "film.mp4", discs_moving(2), [0, 3], lasts=lasts, codec="libx264")
    made = copy(tmp_path / "film.mp4", open_video(tmp_path / "film.mp4"), container)
    with av.open(str(made)) as opened:
        assert opened.duration / av.time_base == pytest.approx(3 + lasts, abs=0.002)


def test_joined_recordings_go_on(tmp_path):
    """Each began at 0: the times of the second follow on those of the first."""
    options: dict[str, Any] = {"form": "mpegts", "codec": "mpeg2video", "unit": Fraction(1, FPS)}
    write_film(tmp_path / "part.ts", **options)
    (tmp_path / "film.ts").write_bytes((tmp_path / "part.ts").read_bytes() * 2)
    assert times(tmp_path / "film.ts") == pytest.approx(evenly(40), abs=0.03)


def test_crowded_frames_are_written_one_after_another(tmp_path):
    write_film(tmp_path / "film.mkv", discs_moving(20), np.arange(20) / 8000, form="matroska", unit=Fraction(1, 8000))
    for container in ("mp4", "webm"):
        assert len(times(copy(tmp_path / "film.mkv", open_video(tmp_path / "film.mkv"), container))) == 20


# Geometry and colours.


def corners() -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right; 64 wide, 32 high."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[:16, :32], image[:16, 32:], image[16:, :32], image[16:, 32:] = (
        (200, 0, 0),
        (0, 200, 0),
        (0, 0, 200),
        (200, 200, 200),
    )
    return image


def seen_corners(image: np.ndarray) -> str:
    names = {(True, False, False): "r", (False, True, False): "g", (False, False, True): "b", (True, True, True): "w"}
    height, width = image.shape[:2]
    places = [image[y, x] > 100 for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return "".join(names[tuple(map(bool, place))] for place in places)


@pytest.mark.parametrize(
    ("turned", "size", "seen"),
    [  # degrees against the clock, then mirrored; by hand
        (None, (64, 32), "rgbw"),
        ((90, False, False), (32, 64), "gwrb"),
        ((180, False, False), (64, 32), "wbgr"),
        ((270, False, False), (32, 64), "brwg"),
        ((0, True, False), (64, 32), "grwb"),
        ((0, False, True), (64, 32), "bwrg"),
    ],
)
def test_a_turned_or_mirrored_video_is_upright_and_is_written_so_once(tmp_path, turned, size, seen):
    write_film(tmp_path / "film.mp4", [corners()] * 3, turned=turned)
    video = open_video(tmp_path / "film.mp4")
    assert (video.width, video.height) == size
    assert seen_corners(next(iter(FrameReader(video))).image) == seen
    made = open_video(copy(tmp_path / "film.mp4", video, "mp4"))
    assert (made.width, made.height) == size
    assert seen_corners(next(iter(FrameReader(made))).image) == seen


def test_a_matrix_of_zeros_turns_nothing(tmp_path):
    write_film(tmp_path / "film.mp4", [corners()] * 2, turned=(90, False, False))
    content = bytearray((tmp_path / "film.mp4").read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40  # ISO/IEC 14496-12, 8.3.2
    content[matrix : matrix + 32] = bytes(32)
    (tmp_path / "film.mp4").write_bytes(content)
    assert seen_corners(next(iter(FrameReader(open_video(tmp_path / "film.mp4")))).image) == "rgbw"


@pytest.mark.parametrize("turned", [(90, True, False), (90, False, True), (270, True, False), (270, False, True)])
def test_turned_and_mirrored_agrees_with_the_matrix_in_numpy(tmp_path, turned):
    """Where FFmpeg's matrix sends the middles of the corners: (p, q) to (a p + c q, b p + d q)."""
    write_film(tmp_path / "film.mp4", [corners()] * 2, turned=turned)
    with av.open(str(tmp_path / "film.mp4")) as container:
        frame: Any = next(container.decode(video=0))
        matrix = np.frombuffer(bytes(frame.side_data["DISPLAYMATRIX"]), np.int32).reshape(3, 3)[:2, :2] / 65536
    places = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]]) @ matrix
    expected = "".join(letter for _, letter in sorted(zip(map(tuple, places[:, ::-1].round()), "rgbw", strict=True)))
    assert seen_corners(next(iter(FrameReader(open_video(tmp_path / "film.mp4")))).image) == expected


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(2), (640, 240)),
        (Fraction(8, 9), (320, 270)),
        (Fraction(16, 11), (465, 240)),
        (Fraction(1, 2), (320, 480)),
        (Fraction(100), (320, 240)),  # a mistake
    ],
)
@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_pixels_are_square(tmp_path, name, aspect, size):
    write_film(tmp_path / name, aspect=aspect, form="matroska" if name == "film.mkv" else "mp4")
    video = open_video(tmp_path / name)
    assert (video.width, video.height) == size
    first = next(iter(FrameReader(video))).image
    assert first.shape == (*size[::-1], 3)
    disc = np.argwhere(first[..., 0] > 150)
    assert np.ptp(disc, axis=0)[::-1] == pytest.approx(40 * np.array(size) / (320, 240), abs=3)


def test_dv_is_shown_at_its_shape(tmp_path):
    image = np.full((576, 720, 3), 90, np.uint8)
    write_film(tmp_path / "film.dv", [image] * 3, codec="dvvideo", unit=Fraction(1, 25), rate=25)
    video = open_video(tmp_path / "film.dv")
    assert (video.width, video.height) == (768, 576)


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("size", [(97, 131), (1, 1), (2, 16_000)])
def test_odd_sides_gain_a_pixel(tmp_path, container, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    write_film(tmp_path / "odd.mkv", [image] * 3, form="matroska", codec="ffv1", pixels="bgr0")
    made = copy(tmp_path / "odd.mkv", open_video(tmp_path / "odd.mkv"), container)
    video = open_video(made)
    assert (video.height, video.width) == tuple(side + side % 2 for side in size)
    assert len(times(made)) == 3


@pytest.mark.parametrize("pixels", ["gray", "yuv420p10le", "yuv422p", "yuv444p", "gray16le", "bgr0"])
def test_every_kind_of_pixel_becomes_the_same_rgb(tmp_path, pixels):
    image = np.linspace(20, 230, 64, dtype=np.uint8)[None, :, None].repeat(32, 0).repeat(3, 2)
    write_film(tmp_path / "film.mkv", [image] * 2, form="matroska", codec="ffv1", pixels=pixels)
    assert np.abs(list(FrameReader(open_video(tmp_path / "film.mkv")))[1].image.astype(int) - image).max() < 5


def test_transparent_frames_stand_on_white(tmp_path):
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 4), np.uint8), format="rgba")
    with av.open(str(tmp_path / "film.mov"), "w") as output:
        stream = output.add_stream("png", rate=5, width=16, height=16, pix_fmt="rgba")
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert (next(iter(FrameReader(open_video(tmp_path / "film.mov")))).image == 255).all()


@pytest.mark.parametrize(("transfer", "white", "gray"), [(16, 0.58, 0.38), (18, 0.75, 0.38)])
def test_hdr_is_brought_to_the_usual_brightness(tmp_path, transfer, white, gray):
    """ITU-R BT.2408, table 1: white of 203 cd/m² is 58 % of a PQ signal and 75 % of HLG, gray of 26 is 38 %."""
    for share, expected in ((white, 255), (gray, 255 * (26 / 203) ** (1 / 2.4))):
        frame = av.VideoFrame(64, 64, "yuv420p10le")
        for plane, value in zip(frame.planes, (64 + round(876 * share), 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
        frame.color_trc, frame.color_primaries, frame.colorspace, frame.color_range = transfer, 9, 9, 1
        with av.open(str(tmp_path / "film.mkv"), "w") as output:
            stream = output.add_stream("ffv1", rate=5, width=64, height=64, pix_fmt="yuv420p10le")
            context = stream.codec_context
            context.color_trc, context.color_primaries, context.colorspace, context.color_range = transfer, 9, 9, 1
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        image = next(iter(FrameReader(open_video(tmp_path / "film.mkv")))).image
        assert np.abs(image.astype(int) - expected).max() < 12, (share, image.mean())


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path):
    """As a recording of a call, of which each half has another size: joined streams of MPEG-2."""
    for name, size in (("a.mpg", (64, 96)), ("b.mpg", (96, 64))):
        image = np.full((*size, 3), 200, np.uint8)
        write_film(tmp_path / name, [image] * 4, form="mpeg2video", codec="mpeg2video", unit=Fraction(1, FPS))
    path = tmp_path / "film.mpg"
    path.write_bytes((tmp_path / "a.mpg").read_bytes() + (tmp_path / "b.mpg").read_bytes())
    frames = list(FrameReader(open_video(path)))
    assert {frame.image.shape for frame in frames} == {(64, 96, 3)}
    assert len(frames) >= 7
    assert frames[0].image.min() > 180
    last = frames[-1].image[..., 0] > 100
    assert np.ptp(np.argwhere(last), axis=0).tolist() == [63, 42]  # 64 of 96 high: 43 of 64 wide


# Sound.


def delay_s(sound: np.ndarray) -> float:
    return float(np.flatnonzero(np.abs(sound) > 0.1)[0] / 48_000)


@pytest.mark.parametrize(
    ("name", "sound", "container", "codec"),
    [
        ("film.mp4", {}, "mp4", "aac"),
        ("film.mp4", {}, "webm", "opus"),
        ("film.mkv", {"form": "matroska", "sound_codec": "libopus", "sound_rate": 48_000}, "webm", "opus"),
        ("film.mkv", {"form": "matroska", "sound_codec": "libopus", "sound_rate": 48_000}, "mp4", "aac"),
        ("film.mkv", {"form": "matroska", "sound_codec": "libmp3lame"}, "mp4", "mp3"),
        ("film.mkv", {"form": "matroska", "sound_codec": "libmp3lame", "sound_rate": 8000}, "mp4", "aac"),
        ("film.mkv", {"form": "matroska", "sound_codec": "flac"}, "mp4", "aac"),
        ("film.mov", {"sound_codec": "pcm_s16le"}, "webm", "opus"),
        ("film.ts", {"form": "mpegts", "codec": "mpeg2video", "unit": Fraction(1, FPS)}, "mp4", "aac"),
    ],
    ids=str,
)
@pytest.mark.parametrize("late", [0.0, 0.4])
def test_sound_comes_over_in_step(tmp_path, name, sound, container, codec, late):
    """A tone that begins half a second after the sound: where it is heard, and how long."""
    rate = sound.get("sound_rate", 44_100)
    samples = np.concatenate([np.zeros(rate // 2), tone(0.5, rate=rate)])
    write_film(tmp_path / name, sound=samples, sound_start=late, **sound)
    given, _, _ = heard(tmp_path / name)
    made = copy(tmp_path / name, open_video(tmp_path / name), container)
    got, start, kind = heard(made)
    assert kind == codec
    assert start + delay_s(got) == pytest.approx(late + 0.5, abs=0.06)
    assert len(got) + round(48_000 * start) == pytest.approx(len(given) + 48_000 * late, abs=0.1 * 48_000)
    assert times(made) == pytest.approx(evenly(20), abs=0.002)


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("seconds", [0.2, 3.0])
def test_sound_that_is_shorter_or_longer_than_the_pictures_is_kept(tmp_path, container, seconds):
    write_film(tmp_path / "film.mp4", sound=tone(seconds))
    made = copy(tmp_path / "film.mp4", open_video(tmp_path / "film.mp4"), container)
    assert len(heard(made)[0]) == pytest.approx(48_000 * seconds, abs=4000)
    assert len(times(made)) == 20


def test_pictures_that_begin_after_the_sound_still_do(tmp_path):
    write_film(tmp_path / "film.mkv", times=[0.5 + second for second in evenly(20)], form="matroska", sound=tone(1.3))
    video = open_video(tmp_path / "film.mkv")
    assert next(iter(FrameReader(video))).time_s == pytest.approx(0.5, abs=0.001)
    for container in ("mp4", "webm"):
        made = copy(tmp_path / "film.mkv", video, container)
        assert packets(made)[0][0] == pytest.approx(0.5, abs=0.03)
        assert heard(made)[1] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_damaged_sound_costs_no_picture_and_is_told(tmp_path, container, capsys):
    write_film(tmp_path / "film.mkv", form="matroska", sound=tone(0.8), sound_codec="flac")
    content = bytearray((tmp_path / "film.mkv").read_bytes())
    with av.open(str(tmp_path / "film.mkv")) as opened:
        hurt = [packet.pos for packet in opened.demux(audio=0) if packet.size][2:5]
    for position in hurt:
        content[position + 20 : position + 400] = bytes(380)
    (tmp_path / "film.mkv").write_bytes(content)
    assert predict_video(tmp_path, name="film.mkv", container=container).skipped == 0
    assert "warning: sound of" in capsys.readouterr().err
    assert len(times(tmp_path / f"out/film.{container}")) == 20


def test_no_notes_of_the_original_go_over(tmp_path):
    notes = {"location": "+48.2082+016.3738/", "com.apple.quicktime.make": "Camera", "comment": "home"}
    write_film(tmp_path / "film.mov", metadata=notes, sound=tone(0.5), muxer={"movflags": "use_metadata_tags"})
    assert b"+48.2082" in (tmp_path / "film.mov").read_bytes()
    for container in ("mp4", "webm"):
        content = copy(tmp_path / "film.mov", open_video(tmp_path / "film.mov"), container).read_bytes()
        assert not any(value.encode() in content for value in notes.values())


def test_what_is_written_is_the_same_every_time(film):
    video = open_video(film / "film.mp4")
    for container in ("mp4", "webm"):
        first = copy(film / "film.mp4", video, container).read_bytes()
        assert copy(film / "film.mp4", video, container).read_bytes() == first


# Names.


NAMES = [
    "2024-05-01T12:30:00.mp4",
    "-i.mp4",
    "--help.mp4",
    "concat:a.mp4|b.mp4",
    "data:video,film.mp4",
    "subfile,,start,0,end,9,,:film.mp4",
    "pipe:0.mp4",
    "http:127.0.0.1.mp4",
    "%d.mp4",
    'fi\'lm "x" $HOME; `ls`.mp4',
    "line\nend.mp4",
    os.fsdecode(b"film\xe9.mp4"),
    os.fsdecode(b"\xff\xfe.mp4"),
    "film.jpg.mp4",
]


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_a_name_for_what_is_read_and_what_is_written(tmp_path, monkeypatch, name, container):
    write_film(tmp_path / "film.mp4", discs_moving(3), sound=tone(0.1))
    (tmp_path / "film.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    job = Job(disc_detector(), OutputFolder(Path("out")), "json", overlay=True, smooth=True, container=container)
    Path("out").mkdir()
    assert str(predict_files(job, [Source(Path(name), name)])) == "1 face in 1 video"
    assert written(Path("out")) == sorted([f"{name}.json", f"{name}.{container}"])
    assert len(times(Path("out") / f"{name}.{container}")) == 3


@pytest.mark.parametrize(
    "name", ["film.m3u8", "frame%03d.png", "film.yuv", "film.h264", "film.txt", "film", "film.avi"]
)
def test_what_a_file_is_its_content_says(film, name):
    (film / "film.mp4").rename(film / name)
    assert times(film / name) == pytest.approx(evenly(20), abs=1e-4)


# What is no video, or not whole.


def test_what_is_no_video_is_named(tmp_path):
    for name, content in (("film.mp4", b""), ("noise.mp4", bytes(range(256)) * 40)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} holds no video that can be decoded"):
            open_video(tmp_path / name)


def test_what_is_not_there_or_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    for name, told in (("none.mp4", "is not here"), ("pipe.mp4", "is no file"), (".", "is no file")):
        with pytest.raises(DataError, match=told):
            open_video(tmp_path / name)


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{0}\n#EXT-X-ENDLIST\n"
DASH = """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
mediaPresentationDuration="PT1S">
<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{0}</BaseURL>
</Representation></AdaptationSet></Period></MPD>"""


@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile {0}\n",
        PLAYLIST,
        DASH,
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        ";FFMETADATA1\ntitle=x\n",
        "{0}\n",
    ],
)
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.mpd", "list.ffconcat"])
def test_a_script_does_not_pull_in_its_neighbours(film, script, name):
    (film / name).write_text(script.format("film.mp4"))
    with pytest.raises(DataError, match="holds no video"):
        open_video(film / name)


def test_a_movie_that_refers_to_another_file_does_not_pull_it_in(film):
    """QuickTime's `alis` data references: the samples lie in a neighbour."""
    content = (film / "film.mp4").read_bytes()
    content = content.replace(b"url \x00\x00\x00\x01", b"url \x00\x00\x00\x00").replace(b"isom", b"qt  ")
    (film / "outside.mov").write_bytes(content[content.index(b"moov") - 4 :])
    with pytest.raises(DataError):
        list(FrameReader(open_video(film / "outside.mov")))


def test_sound_with_a_cover_picture_is_no_video(tmp_path):
    write_film(tmp_path / "film.mp4", discs_moving(1), codec="mjpeg", pixels="yuvj420p", sound=tone(0.5))
    with (
        av.open(str(tmp_path / "film.mp4")) as source,
        av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as output,
    ):
        streams = {stream.index: output.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        streams[0].disposition = av.stream.Disposition.attached_pic
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    with pytest.raises(DataError, match=r"song.m4a is sound with a cover picture, no video"):
        open_video(tmp_path / "song.m4a")


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "song.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(0.3).astype(np.float32)[None], format="flt", layout="mono")
        frame.sample_rate = 44_100
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(DataError, match=r"song.mp4 is sound alone, no video; give a video"):
        open_video(tmp_path / "song.mp4")


def test_a_video_that_ends_early_is_told_and_what_there_is_is_kept(tmp_path, capsys):
    write_film(tmp_path / "film.mp4", discs_moving(60), codec="mjpeg", pixels="yuvj420p")
    break_off(tmp_path / "film.mp4")
    assert predict_video(tmp_path).skipped == 1
    assert "is damaged" in capsys.readouterr().err
    assert len(times(tmp_path / "out/film.mp4")) > 5


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("film.mp4", {"muxer": {"movflags": "+faststart"}}),
        ("film.mkv", {"form": "matroska"}),
        ("film.webm", {"codec": "libvpx", "unit": Fraction(1, 1000)}),
        ("film.avi", {"codec": "mjpeg", "pixels": "yuvj420p", "unit": Fraction(1, FPS)}),
    ],
)
@pytest.mark.slow
def test_a_video_that_was_cut_off_is_told_and_what_there_is_is_kept(tmp_path, capsys, name, options):
    write_film(tmp_path / name, discs_moving(60), **options)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert predict_video(tmp_path, name=name).skipped == 1
    assert f"{name} is damaged" in capsys.readouterr().err
    assert len(times(tmp_path / "out/film.mp4")) > 5


def test_a_whole_video_that_says_too_much_of_its_frames_is_whole(tmp_path, capsys):
    """A rate of 1000 a second makes 2,500 of 60 frames."""
    write_film(tmp_path / "film.mkv", discs_moving(60), evenly(60), form="matroska", rate=1000)
    assert str(predict_video(tmp_path, name="film.mkv")) == "1 face in 1 video"
    assert "skipped" not in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.slow
def test_damage_anywhere_ends_in_frames_or_a_line(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / ("film.mp4" if seed % 2 else "film.webm")
    write_film(path, codec="libx264" if seed % 2 else "libvpx", unit=Fraction(1, 1000), sound=tone(0.8, rate=48_000),
               sound_rate=48_000, sound_codec="aac" if seed % 2 else "libopus")  # fmt: skip
    content = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 40))):
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
    path.write_bytes(content)
    tally = predict_video(tmp_path, name=path.name)
    assert tally.videos + tally.skipped == 1
    assert not list((tmp_path / "out").glob("*.partial"))


# Writing.


class FullFile:
    """A file on a disk that takes `room` bytes."""

    def __init__(self, file, room: int) -> None:
        self.file, self.room = file, room
        self.seek, self.tell, self.flush, self.truncate = file.seek, file.tell, file.flush, file.truncate

    def write(self, data: bytes) -> int:
        if self.file.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 0.999])
def test_a_disk_that_fills_leaves_no_video_and_says_so(tmp_path, monkeypatch, container, share):
    rng = np.random.default_rng(0)
    write_film(tmp_path / "film.mp4", list(rng.integers(0, 256, (12, 96, 96, 3), np.uint8)), sound=tone(0.5))
    video = open_video(tmp_path / "film.mp4")
    whole = copy(tmp_path / "film.mp4", video, container)
    room = int(share * whole.stat().st_size)
    sink: Any = encoding.Sink.__init__
    whole.unlink()
    monkeypatch.setattr(encoding.Sink, "__init__", lambda self, file, path: sink(self, FullFile(file, room), path))
    with pytest.raises(OSError, match="No space left on device") as caught:
        copy(tmp_path / "film.mp4", video, container)
    assert caught.value.filename == str(whole)
    assert written(tmp_path / "copy") == []


def test_a_video_that_does_not_arrive_whole_is_told(tmp_path, monkeypatch):
    """A disk that takes bytes and loses them."""
    write_film(tmp_path / "film.mp4")
    write = encoding.Sink.write
    monkeypatch.setattr(encoding.Sink, "write", lambda self, data: write(self, bytes(len(data))) and len(data))
    with pytest.raises(OSError, match="of 20 frames that were written 0 can be read again"):
        copy(tmp_path / "film.mp4", open_video(tmp_path / "film.mp4"), "webm")
    assert written(tmp_path / "copy") == []


@pytest.mark.slow
def test_frames_that_no_encoder_takes_are_told_in_a_line(tmp_path, capsys):
    image = np.zeros((16, 20_000, 3), np.uint8)
    write_film(tmp_path / "film.mkv", [image] * 2, form="matroska", codec="ffv1", pixels="bgr0")
    assert predict_video(tmp_path, name="film.mkv").skipped == 1
    told = capsys.readouterr().err
    assert told.startswith("skipped: ")
    assert "cannot be encoded with frames of 20000 x 16 pixels" in told
    assert written(tmp_path / "out") == []
    assert predict_video(tmp_path, name="film.mkv", container="webm").skipped == 0


def test_frames_are_read_one_at_a_time(film):
    frames: Any = iter(FrameReader(open_video(film / "film.mp4")))
    assert next(frames).image.shape == (240, 320, 3)
    frames.close()


def test_a_recording_that_rests_for_hours_keeps_its_times():
    clock = Clock(Fraction(0), 0.04)
    assert [clock(Fraction(at)) for at in (0, 1, 7201, 7202)] == [0, 1, 7201, 7202]


@pytest.mark.parametrize("rate", [10, 20, Fraction(24000, 1001), 25, 30, 50, 60])
def test_times_increase_however_often_one_is_repeated(rate):
    frames = [number for number in range(40) for _ in range(1 + (number % 5 == 3))]
    clock = Clock(Fraction(0), float(1 / rate))
    times = np.array([clock(Fraction(number) / Fraction(rate)) for number in frames])
    assert np.diff(times).min() > 0.2 / float(rate)
    assert abs(times[-1] - frames[-1] / float(rate)) < 1.1 / float(rate)


def test_a_step_of_more_than_a_day_is_where_recordings_were_joined():
    clock = Clock(Fraction(0), 0.04)
    assert [clock(Fraction(at)) for at in (0, 1, 200_000, 200_001)] == pytest.approx([0, 1, 1.04, 2.04])


@pytest.mark.slow
def test_a_damaged_video_is_read_alike_every_time(tmp_path):
    path = tmp_path / "film.mov"
    write_film(path, discs_moving(40, (480, 640)), codec="libx264")
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    for _ in range(int(rng.integers(1, 30))):
        content[int(rng.integers(len(content) // 10, len(content) * 4 // 5))] = int(rng.integers(256))
    path.write_bytes(content)
    readings = set()
    for _ in range(20):
        reader = FrameReader(open_video(path))
        pixels = b"".join(frame.image.tobytes() for frame in reader)
        readings.add((hash(pixels), *reader.faults))
    assert len(readings) == 1
    assert "cannot be decoded" in str(readings)

import json
import os
import shutil
import stat
import subprocess
import sys

import cv2
import numpy as np
import pytest

from pipeline.batch import Job, run
from pipeline.errors import DataError
from pipeline.inputs import Source
from pipeline.output_folder import OutputFolder
from pipeline.video import frame_writer, open_video, read_frames
from tests.discs import disc_detector, disc_face, draw_discs
from tests.written import written

FPS = 24.0
FFMPEG = shutil.which("ffmpeg")
PAGE = """<video src="out/film.webm" muted preload="auto"></video><p></p><script>
const video = document.querySelector("video"), say = () => document.querySelector("p").textContent =
    `${video.videoWidth}x${video.videoHeight} error=${video.error && video.error.message} t=${video.currentTime}`;
video.onloadeddata = () => { video.currentTime = 0.5; };
video.onseeked = video.onerror = say;
</script>"""


def disc_at(frame: int) -> tuple[float, float, float]:
    return 60.0 + 3 * frame, 100.0, 20.0


def write_video(
    path, frames: int = 20, size: tuple[int, int] = (240, 320), code: str = "mp4v", fps: float = FPS
) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, size[::-1])
    for frame in range(frames):
        writer.write(draw_discs([disc_at(frame)], size)[..., ::-1])
    writer.release()


def break_off(path) -> None:
    """Make a video end within what it holds, though it says that it goes on."""
    content = bytearray(path.read_bytes())
    lost = slice(len(content) // 3, len(content) * 9 // 10)
    content[lost] = bytes(lost.stop - lost.start)
    path.write_bytes(content)


def predict_video(folder, form: str = "json", overlay: bool = True, container: str | None = None):
    job = Job(disc_detector(), OutputFolder(folder / "out"), form, overlay, smooth=True, container=container)
    (folder / "out").mkdir(exist_ok=True)
    return run(job, [Source(folder / "film.mp4", "film")])


@pytest.fixture
def film(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no ffmpeg
    write_video(tmp_path / "film.mp4")
    return tmp_path


def test_an_overlay_has_the_frames_and_the_rate_of_its_video(film):
    assert str(predict_video(film)) == "1 face in 1 video"
    made, given = open_video(film / "out/film.webm"), open_video(film / "film.mp4")
    assert (made.width, made.height, made.fps, made.frames) == (given.width, given.height, FPS, 20)
    last, before = list(read_frames(made))[-1], list(read_frames(given))[-1]
    changed = np.argwhere((np.abs(last.astype(int) - before) > 60).any(-1))
    assert np.abs(changed.mean(0)[::-1] - disc_face(*disc_at(19)).mean(0)).max() < 8
    assert written(film / "out") == ["film.json", "film.webm"]


@pytest.mark.parametrize(("container", "code"), [("webm", "VP80"), ("mp4", "FMP4")])
def test_a_video_is_in_the_container_that_was_asked_for(film, container, code, capfd):
    predict_video(film, container=container)
    capture = cv2.VideoCapture(str(film / f"out/film.{container}"))
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode() == code
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 20
    assert "OpenCV" not in capfd.readouterr().err


def test_a_webm_is_one_to_browsers(film):
    """They go by the first element, which names the kind of Matroska; see https://www.matroska.org/technical."""
    predict_video(film)
    content = (film / "out/film.webm").read_bytes()
    assert content.startswith(bytes.fromhex("1A45DFA3"))
    assert b"\x42\x82\x84webm" in content[:64]
    assert b"V_VP8" in content[:1000]


def test_a_browser_plays_it(film):
    """Where Chromium is: it decodes and shows the frame at half a second."""
    browser = shutil.which("chromium", path=os.defpath)
    if not browser:
        pytest.skip("needs chromium")
    predict_video(film)
    (film / "page.html").write_text(PAGE)
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={film / 'profile'}"]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"file://{film}/page.html"], capture_output=True, text=True, timeout=120, env={"PATH": os.defpath}
    )
    assert "<p>320x240 error=null t=0.5</p>" in done.stdout


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
    assert len((film / "out/film.csv").read_text().splitlines()) == 21
    files = sorted((film / "out/film").iterdir())
    assert (len(files), files[-1].name) == (20, "000019.face1.pts")


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_a_video_of_odd_sides_is_written(tmp_path, container):
    write_video(tmp_path / "odd.avi", size=(97, 131), code="MJPG")
    video = open_video(tmp_path / "odd.avi")
    with frame_writer(OutputFolder(tmp_path).target("new", video.path), video, container) as write:
        for frame in read_frames(video):
            write(frame)
    made = open_video(tmp_path / f"new.{container}")
    assert (made.width, made.height) == (130, 96)
    assert made.frames == 20


def test_what_is_no_video_is_named(tmp_path):
    for name, content in (("film.mp4", b""), ("noise.mp4", bytes(range(256)) * 40)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} holds no video that can be decoded"):
            open_video(tmp_path / name)


def test_a_video_that_ends_early_is_told_and_what_there_is_is_kept(film, capsys):
    write_video(film / "film.mp4", code="MJPG", frames=60)
    break_off(film / "film.mp4")
    assert predict_video(film).skipped == 1
    assert "of 60 frames, which are written" in capsys.readouterr().err
    assert open_video(film / "out/film.webm").frames > 5


def test_frames_are_read_one_at_a_time(film):
    frames = read_frames(open_video(film / "film.mp4"))
    assert next(frames).shape == (240, 320, 3)
    frames.close()


@pytest.fixture
def ffmpeg(film, monkeypatch):
    """Stands in for ffmpeg: notes its arguments and copies its first input; fails for the codecs in `refused`."""

    def install(refused: str = "") -> None:
        script = film / "bin/ffmpeg"
        script.parent.mkdir(exist_ok=True)
        script.write_text(
            f"#!{sys.executable}\nimport shutil, sys\narguments = sys.argv[1:]\n"
            f"open({str(film / 'calls')!r}, 'a').write(' '.join(arguments) + '\\n')\n"
            "codecs = [name + arguments[arguments.index(name) + 1] for name in ('-c:v', '-c:a')]\n"
            f"if set(codecs) & set({refused.split()!r}): sys.exit(1)\n"
            "shutil.copy(arguments[arguments.index('-i') + 1], arguments[-1])\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(script.parent))

    return install


H264 = "-c:v h264 -pix_fmt yuv420p -movflags +faststart -c:a aac -b:a 192k -f mp4"
PICTURES_COPIED = "-c:v copy -c:a aac -b:a 192k -f mp4"
WEBM, WEBM_OPUS = "-c:v copy -c:a copy -f webm", "-c:v copy -c:a libopus -f webm"


@pytest.mark.parametrize(
    ("container", "refused", "tried"),
    [
        (None, "", [H264]),
        (None, "-c:vh264", [H264, PICTURES_COPIED]),
        (None, "-c:aaac", [H264, PICTURES_COPIED]),
        ("webm", "", [WEBM]),
        ("webm", "-c:acopy", [WEBM, WEBM_OPUS]),
    ],
)
def test_ffmpeg_makes_what_browsers_play_or_what_it_can(film, ffmpeg, container, refused, tried):
    ffmpeg(refused)
    predict_video(film, container=container)
    lines = (film / "calls").read_text().splitlines()
    assert len(lines) == len(tried)
    for line, expected in zip(lines, tried, strict=True):
        assert f"-i {film / 'film.mp4'} -map 0:v:0 -map 1:a? {expected}" in line
    name = f"film.{container or 'mp4'}"
    assert open_video(film / "out" / name).frames == 20
    assert written(film / "out") == ["film.json", name]


@pytest.mark.skipif(not FFMPEG, reason="needs ffmpeg")
@pytest.mark.parametrize(("container", "codes"), [("mp4", ("h264", "avc1")), ("webm", ("VP80",))])
def test_with_ffmpeg_a_video_keeps_its_sound(film, monkeypatch, container, codes):
    monkeypatch.setenv("PATH", os.path.dirname(FFMPEG))
    ffmpeg = [FFMPEG, "-v", "error", "-i"]
    sound = ["-f", "lavfi", "-i", "sine=440:d=0.8", "-c:v", "copy"]
    subprocess.run([*ffmpeg, film / "film.mp4", *sound, film / "loud.mp4"], check=True)
    (film / "loud.mp4").replace(film / "film.mp4")
    predict_video(film, container=container)
    made = film / f"out/film.{container}"
    capture = cv2.VideoCapture(str(made))
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode() in codes
    assert len(list(read_frames(open_video(made)))) == 20
    samples = subprocess.run([*ffmpeg, made, "-map", "0:a", "-f", "s16le", "-"], capture_output=True, check=True).stdout
    heard = np.frombuffer(samples, np.int16)
    assert len(heard) > 0.7 * 44100
    assert np.abs(heard.astype(int)).max() > 1000
    if container == "mp4":  # plays before all of it is loaded
        content = made.read_bytes()
        assert content.index(b"moov") < content.index(b"mdat")

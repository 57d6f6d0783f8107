"""`-o -`: results on standard output for another program, everything else on standard error."""

# ruff: noqa: F811 (fixtures)
import csv
import io
import json
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facial_keypoints.cli import new_app
from facial_keypoints.detector import KeypointDetector
from tests.commands.test_pipes import ENVIRONMENT, deserted, needs_full
from tests.discs import disc_detector, draw_discs
from tests.films import discs_moving, write_film
from tests.flood import flood, ok  # noqa: F401

app = new_app()
MODEL = ("--model", "discs")
"""Named, so that nothing is said of which one it is."""
LEFT, RIGHT = (60.0, 100.0, 20.0), (200.0, 100.0, 20.0)

RUN = """
import sys
from facial_keypoints.cli import new_app, run
from facial_keypoints.detector import KeypointDetector
from tests.discs import disc_detector
KeypointDetector.load = lambda *_, **__: disc_detector()
run(new_app())
"""
"""`keypoints` with the detector of discs, in a process of its own."""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(KeypointDetector, "load", lambda *_, **__: disc_detector())
    for name, discs in {"one.png": [LEFT], "two.png": [LEFT, RIGHT], "none.png": []}.items():
        Image.fromarray(draw_discs(discs, (240, 320))).save(name)
    write_film(tmp_path / "clip.mp4", discs_moving(4))
    return tmp_path


def keypoints(*arguments: str, status: int = 0, given: bytes | None = None, command: str = "predict"):
    before = sorted(os.listdir())
    result = CliRunner().invoke(app, [command, *arguments, *MODEL, "-o", "-"], input=given)
    assert result.exit_code == status, result.output
    assert sorted(os.listdir()) == before
    return result


def process(*arguments: str, **streams) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", 'exec "$0" "$@" ' + streams.pop("closed", ""), sys.executable, "-c", RUN, *arguments, *MODEL]
    return subprocess.run(command, env=ENVIRONMENT, text=True, timeout=60, check=False, **streams)


def test_one_picture_is_one_json_document_as_its_file_would_be(here):
    result = keypoints("one.png")
    assert result.stdout.count("\n") == 1
    assert result.stderr == "1 face in 1 picture\n"
    CliRunner().invoke(app, ["predict", "one.png", "-o", "out"])
    assert result.stdout == (here / "out/one.json").read_text()


def test_a_picture_on_standard_input_comes_out_on_standard_output(here):
    answer = json.loads(keypoints("-", given=(here / "two.png").read_bytes()).stdout)
    assert (answer["source"], len(answer["faces"])) == ("standard input", 2)


def test_pictures_and_videos_are_json_lines_in_their_order():
    result = keypoints("two.png", "clip.mp4", "none.png")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["source"], line.get("frame"), len(line["faces"])) for line in lines] == [
        ("two.png", None, 2),
        *(("clip.mp4", frame, 1) for frame in range(4)),
        ("none.png", None, 0),
    ]
    assert [line["time_s"] for line in lines[1:5]] == [0, 0.041667, 0.083333, 0.125]
    assert all((line["width"], line["height"]) == (320, 240) for line in lines)


def test_pictures_and_videos_are_one_csv_table():
    table = keypoints("none.png", "two.png", "clip.mp4", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["source"], row["frame"], row["face"]) for row in rows] == [
        ("two.png", "0", "1"),
        ("two.png", "0", "2"),
        *(("clip.mp4", str(frame), "1") for frame in range(4)),
    ]
    assert keypoints("none.png", "--format", "csv").stdout == table.splitlines(keepends=True)[0]


@pytest.mark.slow
def test_names_in_a_table_are_utf8_whatever_the_terminal_knows(here):
    (here / "one.png").rename("é漢.png")
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", RUN, "predict", "é漢.png", "-o", "-", "--format", "csv"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    assert done.stdout.decode("utf-8").splitlines()[1].startswith("é漢.png,")


def test_one_face_is_a_pts_text():
    lines = keypoints("one.png", "--format", "pts").stdout.splitlines()
    assert (lines[:3], lines[-1], len(lines)) == (["version: 1", "n_points: 68", "{"], "}", 72)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["one.png", "two.png", "--format", "pts"], "error: --format pts on standard output is of one picture where 2"),
        (["clip.mp4", "--format", "pts"], "error: clip.mp4 is a video where --format pts on standard output is of one"),
        (["two.png", "--format", "pts"], "skipped: two.png shows 2 faces where .pts on standard output holds one"),
        (["none.png", "--format", "pts"], "skipped: none.png shows 0 faces where .pts"),
        (["one.png", "--overlay"], "error: --overlay is for pictures and videos in a folder"),
        (["one.png", "--video", "webm"], "error: --video is for pictures and videos in a folder"),
        (["gone.png"], "skipped: gone.png is not here"),
        (["0"], "skipped: 0 is a camera"),
    ],
)
def test_what_cannot_go_there_is_one_line_and_nothing_else_is_printed(arguments, line):
    result = keypoints(*arguments, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith(line)
    assert "Traceback" not in result.stderr


def test_what_is_broken_is_told_and_the_rest_is_printed(here):
    (here / "broken.png").write_bytes((here / "one.png").read_bytes()[:200])
    result = keypoints("broken.png", "one.png", status=1)
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == ["one.png"]
    assert "skipped: broken.png" in result.stderr
    assert result.stderr.endswith("1 face in 1 picture; 1 skipped\n")


def test_a_folder_may_be_called_by_the_sign(here):
    assert CliRunner().invoke(app, ["predict", "one.png", "-o", "./-", "--no-overlay"]).exit_code == 0
    assert (here / "-" / "one.json").is_file()


# Standard output that nobody reads, that is closed or full


@pytest.mark.slow
def test_a_reader_that_leaves_ends_the_work_without_a_word():
    done = process("predict", "one.png", "clip.mp4", "-o", "-", stdout=deserted(), stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_reader_gets_each_line_when_it_is_made(here):
    """The second input is a pipe that is filled only after the first picture was read."""
    command = [sys.executable, "-c", RUN, "predict", "one.png", "-", "-o", "-"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        assert running.stdout
        assert json.loads(running.stdout.readline())["source"] == "one.png"
        out, _ = running.communicate((here / "two.png").read_bytes(), timeout=60)
    assert json.loads(out)["source"] == "standard input"
    assert running.returncode == 0


@needs_full
@pytest.mark.slow
def test_a_full_disk_is_one_line():
    with Path("/dev/full").open("wb") as full:
        done = process("predict", "one.png", "two.png", "-o", "-", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == ("error: standard output: No space left on device; free or mend that place and run again\n")


@pytest.mark.slow
def test_a_closed_standard_output_is_one_line():
    done = process("predict", "one.png", "-o", "-", closed=">&-", stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "standard output, which is closed; redirect it, or name a folder" in done.stderr


@pytest.mark.slow
def test_a_closed_standard_error_changes_nothing():
    done = process("predict", "one.png", "gone.png", "-o", "-", closed="2>&-", stdout=subprocess.PIPE)
    assert done.returncode == 1
    assert json.loads(done.stdout)["source"] == "one.png"


# Filters


def picture(result) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(result.stdout_bytes)))


def test_a_filtered_picture_goes_through_a_pipe(here):
    result = keypoints("-", "--name", "pixelate", given=(here / "one.png").read_bytes(), command="filter")
    assert result.stderr == "1 face in 1 picture\n"
    assert result.stdout_bytes[:3] == b"\xff\xd8\xff"
    assert picture(result).shape == (240, 320, 3)
    CliRunner().invoke(app, ["filter", "one.png", "--name", "pixelate", "-o", "out"])
    assert result.stdout_bytes == (here / "out/one_pixelate.jpg").read_bytes()


def test_the_largest_face_of_several_can_be_cut_out():
    assert picture(keypoints("two.png", "--name", "crop", "--size", "64", "--largest", command="filter")).shape == (
        64,
        64,
        3,
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["one.png", "two.png", "--name", "hat"], "error: --name hat on standard output is of one picture where 2"),
        (["clip.mp4", "--name", "hat"], "error: clip.mp4 is a video where --name hat"),
        (
            ["two.png", "--name", "crop"],
            "skipped: two.png has 2 faces where standard output holds one picture; add --l",
        ),
        (["none.png", "--name", "crop"], "skipped: none.png has 0 faces"),
        (["one.png", "--name", "hat", "--video", "mp4"], "error: --video is for videos in a folder"),
    ],
)
def test_what_is_no_single_picture_is_refused(arguments, line):
    result = keypoints(*arguments, status=1, command="filter")
    assert result.stdout == ""
    assert result.stderr.startswith(line)


@pytest.mark.slow
def test_a_picture_is_not_written_onto_a_terminal():
    reading, writing = pty.openpty()
    done = process("filter", "one.png", "--name", "blur", "-o", "-", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    os.close(reading)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "a terminal cannot show; redirect it: > picture.jpg" in done.stderr


# Addresses


@pytest.fixture
def address(here, flood, monkeypatch):
    """Address of a content, with a password and a token."""
    monkeypatch.setattr(tempfile, "tempdir", str(here.parent))
    monkeypatch.setenv("no_proxy", "*")

    def serve(content: bytes) -> str:
        server = flood(lambda request, send: send(ok(f"Content-Length: {len(content)}") + content))
        return server.url("album/me.png?token=secret").replace("http://", "http://u:secret@")

    return serve


@pytest.mark.slow
def test_results_of_an_address_are_called_by_it_and_hold_nothing_in_confidence(here, address):
    url = address((here / "one.png").read_bytes())
    for _ in range(2):
        assert CliRunner().invoke(app, ["predict", url, "-o", "out"]).exit_code == 0
        assert sorted(path.name for path in (here / "out").iterdir()) == [".keypoints-outputs", "me.jpg", "me.json"]
    assert "secret" not in (here / "out/.keypoints-outputs").read_text()
    source = json.loads((here / "out/me.json").read_text())["source"]
    assert source.endswith("/album/me.png")
    assert "secret" not in source
    assert CliRunner().invoke(app, ["filter", "--name", "hat", url, "-o", "out"]).exit_code == 0
    assert (here / "out/me_hat.jpg").is_file()


def test_a_video_of_an_address_is_looked_at(here, address):
    lines = keypoints(address((here / "clip.mp4").read_bytes())).stdout.splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["one.png", "clip.mp4"])
def test_what_is_damaged_is_called_by_its_address(here, address, name):
    content = (here / name).read_bytes()
    stderr = keypoints(address(content[: len(content) // 2]), status=1).stderr
    assert stderr.startswith("skipped: http://127.0.0.1:")
    assert "/album/me.png " in stderr
    assert "secret" not in stderr
    assert str(here.parent) not in stderr

"""Standard streams that are closed, full or read by nobody, terminals that know few characters, names that know all."""

import errno
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from facial_keypoints.core.progress import progress
from facial_keypoints.core.terminal import say, tell
from facial_keypoints.core.text import one_line, printable, shortened
from pipeline.cli import app
from tests.architecture import ROOT

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")

WORK = """
import sys
from pathlib import Path
from facial_keypoints.core import progress
from facial_keypoints.core.terminal import say, standard_streams, tell
progress.FIRST_LINE_S = progress.LINE_EVERY_S = 0
with standard_streams():
    for item in progress.progress(range(3), label="work", total=3, unit="files"):
        say(f"done with {item}")
        tell("a warning")
    Path("result").write_text("whole")
"""


def keypoints(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", *arguments]


def deserted() -> int:
    """The writing end of a pipe whose reader is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def waiting_bytes(reading: int) -> int:
    return int.from_bytes(ioctl(reading, termios.FIONREAD, bytes(4)), sys.byteorder)


def run(command: list[str], *, closed: str = "", **streams) -> subprocess.CompletedProcess[str]:
    """`closed`: redirections of the shell such as `2>&-`."""
    shell = ["sh", "-c", f'exec "$0" "$@" {closed}']
    return subprocess.run([*shell, *command], env=ENVIRONMENT, text=True, timeout=60, check=False, **streams)


@pytest.mark.parametrize(
    ("arguments", "status"), [(["recipe"], 0), (["predict", "--help"], 0), (["recipe", "nobody"], 1), (["nothing"], 2)]
)
@pytest.mark.slow
def test_a_reader_that_leaves_early_changes_nothing(arguments, status):
    gone = deserted()
    done = run(keypoints(*arguments), stdout=gone, stderr=subprocess.PIPE)
    assert done.returncode == status
    assert "Broken pipe" not in done.stderr
    assert "Traceback" not in done.stderr
    assert run(keypoints(*arguments), stdout=gone, stderr=gone).returncode == status


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("target", ["gone", pytest.param("full", marks=needs_full)])
def test_the_work_is_done_whoever_reads_of_it(tmp_path, stream, target):
    with FULL.open("wb") if target == "full" else os.fdopen(deserted(), "wb") as unread:
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: unread}
        done = run([sys.executable, "-c", WORK], cwd=tmp_path, **streams)
    assert (tmp_path / "result").read_text() == "whole"
    lost = (stream, target) == ("stdout", "full")
    assert done.returncode == int(lost)
    if stream == "stdout":
        assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [
            f"error: standard output: {os.strerror(errno.ENOSPC)}, so that what was printed is not whole; make room "
            "there"
        ] * lost
    else:
        assert done.stdout.splitlines() == [f"done with {item}" for item in range(3)]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_gets_no_warning_into_a_file(tmp_path, closed):
    script = f"import os\n{WORK}    with open('data', 'wb') as file:\n        assert file.fileno() > 2\n"
    script += "        os.write(1, b'to stdout'), os.write(2, b'from a C library')\n        sys.stdin.read()\n"
    done = run([sys.executable, "-c", script], closed=closed, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 0
    assert (tmp_path / "result").read_text() == "whole"
    assert (tmp_path / "data").read_bytes() == b""


def test_a_slow_reader_of_a_pipe_that_does_not_block_gets_everything():
    script = "from facial_keypoints.core.terminal import say, standard_streams\nwith standard_streams():\n"
    script += "    for number in range(3000):\n        say(f'{number:>100}')"
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = subprocess.Popen([sys.executable, "-c", script], env=ENVIRONMENT, stdout=writing)
    os.close(writing)
    while waiting_bytes(reading) < 60_000:  # until the pipe is full
        assert process.poll() is None
        time.sleep(0.01)
    with os.fdopen(reading) as lines:
        assert [int(line) for line in lines] == list(range(3000))
    assert process.wait(timeout=60) == 0


@needs_full
@pytest.mark.parametrize("arguments", [["recipe"], ["--help"]])
def test_a_full_disk_behind_standard_output_is_one_line(arguments):
    with FULL.open("wb") as full:
        done = run(keypoints(*arguments), stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: standard output: {os.strerror(errno.ENOSPC)}")


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_terminal_that_knows_few_characters_shows_escapes(variables):
    command: list[str | bytes] = [*keypoints("recipe"), b"n\xe9\xe6\xbc\xa2\x1b[2J\n"]
    done = subprocess.run(command, env=ENVIRONMENT | variables, capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert done.stderr.startswith(b"error: no recipe is called 'n\\udce9")
    assert b"\\x1b[2J\\n'; there are default" in done.stderr


def test_a_terminal_one_column_wide_still_shows_progress(monkeypatch):
    reading, writing = pty.openpty()
    ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 1, 1, 0, 0))
    with os.fdopen(writing, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr("facial_keypoints.core.progress.SILENT_S", 0)
        assert list(progress(range(3), label="a\x1b[2J漢" * 50, total=3, unit="files")) == [0, 1, 2]
        terminal.flush()
    shown = os.read(reading, 10_000)
    os.close(reading)
    assert shown
    assert b"\x1b[2J" not in shown


def test_a_process_without_standard_error_works_and_prints_nothing(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress(range(3), label="work", total=3, unit="files")) == [0, 1, 2]
    tell("a warning")
    assert capsys.readouterr().out == ""


# Text from outside

NAMES = {
    "a b  c.jpg": "a b  c.jpg",
    "a\nb": "a\\nb",
    "\x1b]0;title\x07\x1b[2J": "\\x1b]0;title\\x07\\x1b[2J",
    "caf\udce9": "caf\\udce9",
    "\x9b31m": "\\x9b31m",  # the escape sequence in one character
    "gpj.\u202eexe": "gpj.\\u202eexe",
    "a\u2028b\x85c\x00": "a\\u2028b\\x85c\\x00",
    "漢 é 😀": "漢 é 😀",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_reaches_the_terminal_as_characters_that_can_be_seen(name, capsys):
    assert printable(name) == NAMES[name]
    say(name)
    assert capsys.readouterr().out == f"{NAMES[name]}\n"


def test_a_message_is_one_line():
    assert one_line("of a library:\n   a\x1b[31m  b\r\n\n and c\n") == "of a library: a\\x1b[31m  b and c"
    assert one_line("name\x0bwith\x1cother\u2028line ends") == "name\\x0bwith\\x1cother\\u2028line ends"


def test_a_flood_is_cut_in_the_middle():
    assert shortened("abcdefg", 7) == "abcdefg"
    assert [shortened("abcdefgh", most) for most in (7, 6, 3)] == ["abc…fgh", "abc…gh", "a…h"]
    line = one_line("\x00" * 10_000_000 + "the end")
    assert len(line) < 20_000
    assert line.endswith("the end")


def test_errors_and_skipped_files_are_shown_so_too(tmp_path, monkeypatch, capsys):
    from facial_keypoints.core.errors import DataError
    from facial_keypoints.prediction.messages import skipped

    skipped(DataError("\x1b[2Jgone.jpg is\nnot here"))
    assert capsys.readouterr().err == "skipped: \\x1b[2Jgone.jpg is not here\n"
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["recipe", "\x1b[2J\udce9"])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)

"""What the operating system refuses, as one line."""

import errno
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock, Mock

import pytest
import typer

from facial_keypoints.cli import errors_as_one_line
from pipeline.experiments.most_different_faces import predicted
from pipeline.experiments.sweeps.settings import check


def line(capsys: pytest.CaptureFixture[str], error: BaseException, command: str = "fetch") -> str:
    def fail() -> None:
        raise error

    return line_of(capsys, fail, command)


def line_of(capsys: pytest.CaptureFixture[str], work: Callable[[], object], command: str = "fetch") -> str:
    with pytest.raises(typer.Exit), errors_as_one_line(command):
        work()
    (told,) = capsys.readouterr().err.splitlines()
    return told.removeprefix("error: ")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free or mend that place"),
        (errno.EIO, "free or mend that place"),
        (errno.ENOENT, "look at that name, or make its folder,"),
        (errno.ENOTDIR, "look at that name,"),
        (errno.EACCES, "get the rights to that place"),
        (errno.EROFS, "make that place writable, or work in a copy,"),
        (errno.EMFILE, "allow more open files: ulimit -n 4096"),
        (errno.ENFILE, "end other programs, which hold too many files open"),
        (errno.EAGAIN, "end other programs, or allow more processes: ulimit -u"),
        (errno.ENOMEM, "end other programs, which take the memory"),
    ],
)
def test_an_error_has_its_remedy_with_a_file_and_without(number: int, remedy: str, capsys: pytest.CaptureFixture[str]):
    reason = os.strerror(number)
    with_file = line(capsys, OSError(number, os.strerror(number), "data/raw"))
    assert with_file == f"data/raw: {reason}; {remedy} and run again"
    assert line(capsys, OSError(number, os.strerror(number))) == f"fetch: {reason}; {remedy} and run again"


def test_memory_and_threads_that_are_refused_are_no_tracebacks(capsys: pytest.CaptureFixture[str]):
    assert line(capsys, MemoryError()).startswith("fetch: the memory ran out; end other programs")
    assert line(capsys, RuntimeError("can't start new thread")).startswith("fetch: can't start new thread; end other")


def test_other_errors_of_the_program_stay_tracebacks():
    with pytest.raises(RuntimeError, match="a mistake"), errors_as_one_line():
        raise RuntimeError("a mistake")


def test_where_no_file_is_named_the_place_in_the_code_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def full(*_args: object, **_options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("pipeline.experiments.sweeps.settings.load_params", full)
    monkeypatch.chdir(tmp_path)
    told = line_of(capsys, lambda: check([]), "sweep")
    assert told.startswith("sweep: Input/output error (in pipeline.experiments.sweeps.settings.check); ")


def test_without_a_folder_for_temporary_files_one_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    told = line_of(capsys, lambda: predicted(Mock(model_uri=None), "val", MagicMock()), "compare")
    assert re.match(
        r"compare: .*No usable temporary directory found in \['/nowhere'\] \(in \S+\.most_different_faces",
        told,
    )
    assert told.endswith("; name a folder that can be written and has room: export TMPDIR=FOLDER, and run again")


def test_a_present_folder_that_was_removed_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert "the folder that you are in was removed" in line_of(capsys, Path.cwd)

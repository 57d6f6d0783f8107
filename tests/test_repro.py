import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from dvc.lock import LockError

from pipeline.dvc_repair import mend
from pipeline.dvc_repo import open_repo
from tests.imports import ROOT

FETCH = """
import os, pathlib, sys
source = "synthetic" if "source: synthetic" in pathlib.Path("params.yaml").read_text() else "real"
raw = pathlib.Path("data/raw")
raw.mkdir(parents=True)
(raw / "frame").write_text(source)
"""
STAGES = """
stages:
  fetch:
    cmd: python fetch.py
    params: [fetch]
    deps: [fetch.py]
    outs: [data/raw]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one stage in a fresh repository, and beside it a mirror to be reached."""
    root = tmp_path / "project"
    root.mkdir()
    params = (ROOT / "params.yaml").read_text()
    (root / "params.yaml").write_text(params.replace("source: synthetic", "source: youtube-faces"))
    (root / "fetch.py").write_text(FETCH)
    (root / "dvc.yaml").write_text(STAGES)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/training_frames_keypoints.csv").touch()
    for command in ("git init -q", f"{sys.executable} -m dvc init -q", "git add -A"):
        call(root, *command.split())
    call(root, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    return root


def call(root: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user of a new machine would: no name told to git, no environment activated."""
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {
        "HOME": str(home),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        **variables,
    }
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=not variables)


def repro(root: Path, mirror: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(root, sys.executable, "-m", "pipeline.repro", *arguments, KEYPOINTS_MIRROR=mirror)


def frame(root: Path) -> str:
    return (root / "data/raw/frame").read_text()


def test_reachable_mirror_gives_the_real_frames_and_then_nothing_is_left_to_do(project: Path) -> None:
    assert repro(project, "../mirror").returncode == 0
    assert frame(project) == "real"
    again = repro(project, "/nowhere")
    assert again.returncode == 0
    assert "up to date" in again.stdout
    assert "SYNTHETIC" not in again.stderr
    assert frame(project) == "real"


def test_unreachable_source_is_said_and_faces_are_drawn_instead(project: Path) -> None:
    first = repro(project, "/nowhere")
    assert first.returncode == 0, first.stderr
    assert frame(project) == "synthetic"
    assert "source: synthetic " in (project / "params.yaml").read_text()
    for part in ("SYNTHETIC", "KEYPOINTS_MIRROR=/nowhere", "#" * 80, "set KEYPOINTS_MIRROR"):
        assert part in first.stderr
    again = repro(project, "/nowhere")
    assert "up to date" in again.stdout
    assert "#" * 80 not in again.stderr


def test_source_is_looked_for_when_the_parameter_goes_back_to_the_real_frames(project: Path) -> None:
    repro(project, "/nowhere")
    params = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(params.replace("source: synthetic", "source: youtube-faces"))
    again = repro(project, "/nowhere")
    assert again.returncode == 0
    assert "SYNTHETIC" in again.stderr


def test_frames_in_the_cache_need_no_source(project: Path) -> None:
    repro(project, "../mirror")
    shutil.rmtree(project / "data/raw")
    assert "SYNTHETIC" not in repro(project, "/nowhere").stderr
    assert frame(project) == "real"
    real = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(real.replace("source: youtube-faces", "source: synthetic"))
    repro(project, "/nowhere")
    assert frame(project) == "synthetic"
    (project / "params.yaml").write_text(real)
    assert "SYNTHETIC" not in repro(project, "/nowhere").stderr
    assert frame(project) == "real"


@pytest.mark.parametrize("left", [0, 20])
def test_a_lock_file_cut_short_by_a_kill_is_made_again_without_a_rerun(project: Path, left: int) -> None:
    repro(project, "../mirror")
    lock = project / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole[:left])
    again = repro(project, "/nowhere")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("warning: dvc.lock is damaged and was set aside as dvc.lock.damaged") == 1
    assert "Running stage" not in again.stdout
    assert lock.read_bytes() == whole
    assert frame(project) == "real"


def test_a_lock_file_stays_where_another_process_of_dvc_holds_its_list(project: Path, monkeypatch) -> None:
    repro(project, "../mirror")
    whole = (project / "dvc.lock").read_bytes()
    monkeypatch.chdir(project)
    monkeypatch.setattr("dvc.rwlock._edit_rwlock", Mock(side_effect=LockError("held")))
    with open_repo() as repo:
        mend(repo)
    assert (project / "dvc.lock").read_bytes() == whole
    assert not (project / "dvc.lock.damaged").exists()


@pytest.mark.parametrize("left", ["", '{"read": ', "[]"])
def test_a_process_list_cut_short_by_a_kill_stops_nothing(project: Path, left: str) -> None:
    repro(project, "../mirror")
    (project / ".dvc/tmp/rwlock").write_text(left)
    shutil.rmtree(project / "data/raw")
    again = repro(project, "../mirror")
    assert again.returncode == 0, again.stderr
    assert frame(project) == "real"


def test_forced_fetch_looks_for_a_source_first(project: Path) -> None:
    repro(project, "../mirror")
    assert "SYNTHETIC" in repro(project, "/nowhere", "-f").stderr
    assert frame(project) == "synthetic"


def test_bad_parameter_is_one_line(project: Path) -> None:
    (project / "params.yaml").write_text("fetch: 1\n")
    failed = repro(project, "../mirror")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: params.yaml: fetch")
    assert failed.stderr.count("\n") == 1

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from dvc.lock import LockError

from pipeline.experiments.dvc.internals import open_repository
from pipeline.experiments.dvc.repair import mend
from pipeline.repro import main as repro_main
from tests.architecture import ROOT
from tests.checkout import IDENTITY

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what DVC uses, in this process

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
def project(tmp_path: Path, fresh: Path) -> Path:
    """A project of one stage in a fresh repository, and beside it a mirror to be reached."""
    return shutil.copytree(fresh.parent, tmp_path, dirs_exist_ok=True) / fresh.name


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is before a test, made once."""
    tmp_path = tmp_path_factory.mktemp("fresh")
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


@pytest.mark.long
def test_reachable_mirror_gives_the_real_frames_and_then_nothing_is_left_to_do(project: Path) -> None:
    assert repro(project, "../mirror").returncode == 0
    assert frame(project) == "real"
    again = repro(project, "/nowhere")
    assert again.returncode == 0
    assert "up to date" in again.stdout
    assert "SYNTHETIC" not in again.stderr
    assert frame(project) == "real"


@pytest.mark.long
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


@pytest.mark.long
def test_a_dry_run_tells_what_would_be_done_and_writes_nothing(project: Path) -> None:
    def written() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".dvc" not in path.parts}

    before = written()
    dry = repro(project, "/nowhere", "--dry")
    assert dry.returncode == 0, dry.stderr
    assert "WITHOUT --dry SYNTHETIC" in dry.stderr
    assert "RESULTS" not in dry.stderr
    assert "fetch" in dry.stdout
    assert written() == before
    repro(project, "../mirror")
    (project / "dvc.lock").write_bytes(b"stages:")
    before = written()
    dry = repro(project, "../mirror", "--dry")
    assert dry.returncode != 0
    assert "dvc.lock is damaged; without --dry" in dry.stderr
    assert written() == before


@pytest.mark.long
def test_source_is_looked_for_when_the_parameter_goes_back_to_the_real_frames(project: Path) -> None:
    repro(project, "/nowhere")
    params = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(params.replace("source: synthetic", "source: youtube-faces"))
    again = repro(project, "/nowhere")
    assert again.returncode == 0
    assert "SYNTHETIC" in again.stderr


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
def test_a_lock_file_stays_where_another_process_of_dvc_holds_its_list(project: Path, monkeypatch) -> None:
    repro(project, "../mirror")
    whole = (project / "dvc.lock").read_bytes()
    monkeypatch.chdir(project)
    monkeypatch.setattr("dvc.rwlock._edit_rwlock", Mock(side_effect=LockError("held")))
    with open_repository() as repository:
        mend(repository)
    assert (project / "dvc.lock").read_bytes() == whole
    assert not (project / "dvc.lock.damaged").exists()


@pytest.mark.long
@pytest.mark.parametrize("left", ["", '{"read": ', "[]"])
def test_a_process_list_cut_short_by_a_kill_stops_nothing(project: Path, left: str) -> None:
    repro(project, "../mirror")
    (project / ".dvc/tmp/rwlock").write_text(left)
    shutil.rmtree(project / "data/raw")
    again = repro(project, "../mirror")
    assert again.returncode == 0, again.stderr
    assert frame(project) == "real"


@pytest.mark.long
def test_forced_fetch_looks_for_a_source_first(project: Path) -> None:
    repro(project, "../mirror")
    assert "SYNTHETIC" in repro(project, "/nowhere", "-f").stderr
    assert frame(project) == "synthetic"


@pytest.mark.long
def test_bad_parameter_is_one_line(project: Path) -> None:
    (project / "params.yaml").write_text("fetch: 1\n")
    failed = repro(project, "../mirror")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: params.yaml: fetch")
    assert failed.stderr.count("\n") == 1


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as the present folder, its mirror named, its environment that of `call`."""
    home = project.parent / "home"
    variables = {"HOME": home, "DVC_SITE_CACHE_DIR": home / "site", "KEYPOINTS_MIRROR": project.parent / "mirror"}
    for name, value in {**variables, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"], **IDENTITY}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(project)
    return project


def refusal(capfd: pytest.CaptureFixture[str]) -> str:
    """The one line with which `make repro` ends before DVC runs anything."""
    assert repro_main([]) == 1
    told = capfd.readouterr()
    assert "Running stage" not in told.out
    (line,) = told.err.splitlines()
    assert line.startswith("error: ")
    return line


def follow(told: str, start: str) -> None:
    """Do what the message says from `start` on."""
    subprocess.run(start + told.partition(start)[2], shell=True, check=True, capture_output=True)


@pytest.mark.long
def test_without_a_repository_the_remedy_makes_one(here: Path, capfd) -> None:
    shutil.rmtree(here / ".git")
    told = refusal(capfd)
    assert "is no git repository, which DVC and experiments need" in told
    follow(told, "git init")
    assert repro_main([]) == 0
    assert frame(here) == "real"


@pytest.mark.long
def test_a_checkout_that_an_outer_repository_ignores_becomes_its_own_by_the_remedy(here: Path, capfd) -> None:
    shutil.rmtree(here / ".git")
    call(here.parent, "git", "init", "-q")
    (here.parent / ".gitignore").write_text("project\n")
    told = refusal(capfd)
    assert f"is ignored by the git repository round it, {here.parent}" in told
    follow(told, "git init")
    assert repro_main([]) == 0


@pytest.mark.parametrize("name", ["dvc.yaml", "params.yaml", ".dvc"])
@pytest.mark.long
def test_what_was_removed_comes_back_by_the_remedy(here: Path, name: str, capfd) -> None:
    subprocess.run(["rm", "-r", name], check=True)
    follow(refusal(capfd), f"git checkout {name}")
    assert repro_main([]) == 0


@pytest.mark.long
def test_a_folder_of_outputs_that_is_a_link_has_its_disk_by_the_remedy(here: Path, capfd) -> None:
    disk = here.parent / "a big disk"
    disk.mkdir()
    (here / "data").symlink_to(disk)
    told = refusal(capfd)
    assert f"data is a link to {disk}, and DVC writes through none" in told
    follow(told, "rm data && dvc cache dir --local ")
    assert repro_main([]) == 0
    assert frame(here) == "real"
    assert [path for path in (disk / "dvc-cache/files").rglob("*") if path.is_file()]


def test_a_subfolder_is_told_the_way_to_the_root(here: Path, capfd, monkeypatch) -> None:
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert refusal(capfd).endswith(f"params.yaml is not here; go to the root of the checkout: cd {here}\n".strip())


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/cache"])
def test_a_cache_that_cannot_be_written_is_told_before_anything_runs(here: Path, place: str, capfd) -> None:
    (here.parent / "file").touch()
    cache = here.parent / place
    (here / ".dvc/config.local").write_text(f"[cache]\ndir = {cache}\n")
    told = refusal(capfd)
    assert f"DVC's cache {cache}" in told
    assert told.endswith("choose another: dvc cache dir --local FOLDER")


@pytest.mark.long
def test_notes_that_dvc_cannot_keep_go_elsewhere_by_the_remedy(here: Path, capfd, monkeypatch) -> None:
    (here.parent / "file").touch()
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(here.parent / "file"))
    told = refusal(capfd)
    assert "DVC cannot use a folder outside of the checkout: [Errno 20] Not a directory" in told
    variable, _, value = told.rpartition("export ")[2].partition("=")
    monkeypatch.setenv(variable, os.path.expandvars(value.replace("$PWD", str(here))))
    assert repro_main([]) == 0


@pytest.mark.long
def test_the_process_that_holds_the_lock_is_named(here: Path, capfd) -> None:
    (here / ".dvc/tmp").mkdir(exist_ok=True)
    lock = here / ".dvc/tmp/lock"
    code = "import sys, zc.lockfile as z; held = z.LockFile(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        told = refusal(capfd)
        holder.communicate()
    assert f"{lock} is held by process {holder.pid}, a DVC at work in this checkout" in told
    assert repro_main([]) == 0


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        (".git/config", "[core", "bad config line"),
        (".dvc/config.local", "[cor", "Invalid line"),
        (".dvc/config.local", "[cache]\nnonsense = 1\n", "extra keys not allowed"),
        (".dvc/config", "\0", "Invalid line"),
    ],
)
def test_a_damaged_setting_is_one_line(here: Path, file: str, content: str, told: str, capfd) -> None:
    (here / file).write_text(content)
    assert told in refusal(capfd)


@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock", "params.yaml"])
@pytest.mark.long
def test_marks_of_a_conflict_are_no_traceback(here: Path, name: str, capfd) -> None:
    (here / name).write_text("<<<<<<< HEAD\nstages:\n=======\n>>>>>>> other\n")
    status = repro_main([])
    told = capfd.readouterr().err
    assert (status == 0) == (name == "dvc.lock")
    assert name in told
    assert "Traceback" not in told


def test_a_home_that_cannot_be_used_is_left_by_the_remedy(here: Path, capfd, monkeypatch) -> None:
    refused = PermissionError(13, "Permission denied", "/root/.config/dvc/config")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", "/root/.config/dvc")
    monkeypatch.setattr("dvc.config.Config.load", Mock(side_effect=refused))
    assert refusal(capfd).endswith("give it a home folder of yours: export HOME=$(mktemp -d)")


@pytest.mark.parametrize("mirror", ["mirror", "nowhere"])
@pytest.mark.long
def test_a_foreign_checkout_is_built_and_told_how_git_trusts_it(here: Path, mirror: str, capfd, monkeypatch) -> None:
    monkeypatch.setenv("KEYPOINTS_MIRROR", str(here.parent / mirror))
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert repro_main([]) == 0
    warnings = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert f"dubious ownership in repository at '{here}'" in warnings[0]
    assert warnings[0].endswith(f"git config --global --add safe.directory {here}")
    assert frame(here) == ("real" if mirror == "mirror" else "synthetic")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away takes root")
@pytest.mark.parametrize("mirror", ["mirror", "nowhere"])
@pytest.mark.long
def test_a_checkout_given_to_another_user_is_built(here: Path, mirror: str, capfd, monkeypatch) -> None:
    monkeypatch.setenv("KEYPOINTS_MIRROR", str(here.parent / mirror))
    subprocess.run(["chown", "-R", "12345", here], check=True)
    assert repro_main([]) == 0
    assert "support" not in capfd.readouterr().err


@pytest.mark.parametrize("left", ["no commit", "a locked index", "no git", "a detached head", "GIT_DIR"])
@pytest.mark.long
def test_faces_are_drawn_whatever_the_state_of_git(here: Path, left: str, capfd, monkeypatch) -> None:
    monkeypatch.setenv("KEYPOINTS_MIRROR", "/nowhere")
    match left:
        case "no commit":
            shutil.rmtree(here / ".git")
            call(here, "git", "init", "-q")
        case "a locked index":
            (here / ".git/index.lock").touch()
        case "no git":
            monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}")
            monkeypatch.setattr(
                "pipeline.experiments.dvc.git.subprocess.run", Mock(side_effect=FileNotFoundError(2, "No such file"))
            )
        case "a detached head":
            call(here, "git", "checkout", "-q", "--detach")
        case "GIT_DIR":
            monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert repro_main([]) == 0
    assert frame(here) == "synthetic"
    warned = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warned) == (left in {"no commit", "no git"})


@pytest.mark.long
def test_a_user_whose_number_has_no_name_is_lent_one(here: Path, monkeypatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", Mock(side_effect=KeyError("uid not found")))
    assert repro_main([]) == 0


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize("python", ["/nowhere/python3.11", "./old"])
def test_make_names_the_python_that_it_needs(tmp_path: Path, python: str) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "old").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "old").chmod(0o755)
    done = subprocess.run(["make", "repro", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    line, _ = done.stderr.splitlines()
    assert line.startswith(f"error: {python} is not Python 3.11 with venv; apt-get install python3.11-venv")
    assert not (tmp_path / ".venv").exists()

"""Git, asked in one place: what it refuses is told by its own reason and a remedy that helps."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facial_keypoints.core.errors import GitError
from pipeline.cli import app
from pipeline.experiments.dvc import git
from pipeline.experiments.dvc.experiments import commit_of
from pipeline.experiments.dvc.queue import free_name
from tests.checkout import IDENTITY
from tests.tracking.test_tracking import run_track, runs, write_outputs


@pytest.fixture
def repository(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, of a user without settings."""
    home = workspace.parent / f"home of {workspace.name}"
    home.mkdir()
    for name, value in {**IDENTITY, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)
    (workspace / "params.yaml").touch()
    shell(git.MAKE_REPOSITORY)
    return workspace


@pytest.fixture
def foreign(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository as one of another user, to git."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    return repository


def shell(command: str) -> str:
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout.strip()


def refusal() -> str:
    with pytest.raises(GitError) as refused:
        git.head()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def follow(told: str, start: str) -> None:
    """Do what the message says from `start` on."""
    shell(start + told.partition(start)[2])


def test_a_foreign_checkout_is_refused_in_gits_words_and_trusted_by_the_remedy(foreign: Path):
    told = refusal()
    assert f"detected dubious ownership in repository at '{foreign}'" in told
    follow(told, "git config --global --add safe.directory")
    assert git.head() == shell("git rev-parse HEAD")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away takes root")
def test_a_checkout_given_to_another_user_is_trusted_by_the_remedy(repository: Path):
    shell("chown -R 12345 .")
    follow(refusal(), "git config --global --add safe.directory")
    assert git.head()


def test_a_folder_of_any_name_is_quoted_for_the_shell(foreign: Path, monkeypatch: pytest.MonkeyPatch):
    folder = foreign.with_name("it's my $work")
    shutil.copytree(foreign, folder)
    monkeypatch.chdir(folder)
    follow(refusal(), "git config --global --add safe.directory")
    assert git.head()


@pytest.mark.parametrize("home", [None, "", "/nowhere"])
def test_without_a_home_the_remedy_gives_one(foreign: Path, home: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)
    told = refusal()
    remedy = told[told.index("export HOME=") :]
    assert shell(f"{remedy} && git rev-parse HEAD")


def test_git_that_is_not_installed_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "git cannot be started (No such file or directory); install it" in refusal()


def test_a_folder_without_a_repository_becomes_one_by_the_remedy(repository: Path):
    shutil.rmtree(repository / ".git")
    told = refusal()
    assert f"{repository} is no git repository" in told
    follow(told, "git init")
    assert git.head()


def test_a_repository_without_a_commit_gets_one_by_the_remedy(repository: Path):
    shutil.rmtree(repository / ".git")
    shell("git init -q")
    git.check()
    told = refusal()
    assert "holds no commit yet" in told
    follow(told, "git add -A")
    assert git.head()


def test_a_damaged_repository_is_named(repository: Path):
    (repository / ".git/HEAD").write_text("x")
    assert f"git cannot read {repository}/.git: not a git repository" in refusal()


@pytest.mark.parametrize("place", [".git/config", "home"])
def test_damaged_settings_are_named(repository: Path, place: str):
    file = repository / place if place != "home" else Path(os.environ["HOME"], ".gitconfig")
    file.write_text("[core")
    told = refusal()
    assert re.search(
        rf"git cannot read its settings: fatal: bad config line \d in file .*{file.name}; mend that file", told
    )


def test_the_reason_is_told_and_not_what_git_says_before_it(foreign: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_TRACE", "1")
    assert refusal().startswith("git refuses this checkout: detected dubious ownership")


def test_a_worktree_whose_repository_moved_is_told_how_it_is_found_again(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    worktree, moved = repository.with_name("worktree"), repository.with_name("moved")
    shell(f"git worktree add -q {worktree}")
    shutil.copytree(repository, moved)
    shutil.rmtree(repository / ".git")
    monkeypatch.chdir(worktree)
    assert "git worktree repair" in refusal()
    shell(f"git -C {moved} worktree repair {worktree}")
    assert git.head()


def test_a_worktree_a_submodule_and_a_detached_head_have_their_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    commit = git.head()
    shell("git checkout -q --detach && git worktree add -q ../tree")
    outer = repository.with_name("outer")
    shell(f"git init -q {outer} && git -C {outer} -c protocol.file.allow=always submodule --quiet add {repository} sub")
    for folder in (repository, repository.with_name("tree"), outer / "sub"):
        monkeypatch.chdir(folder)
        assert git.head() == commit


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"])
def test_the_repository_is_that_of_the_folder_as_for_dvc(repository: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    commit = git.head()
    monkeypatch.setenv(name, "/nowhere")
    assert git.head() == commit
    assert git.ask("status", "--porcelain") == b""


def test_a_locked_index_is_only_read(repository: Path):
    (repository / ".git/index.lock").touch()
    (repository / "params.yaml").write_text("changed")
    assert git.lines("status", "--porcelain") == [" M params.yaml"]


def test_git_is_read_in_english(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    (repository / "git").write_text('#!/bin/sh\necho "$LC_ALL"\n')
    (repository / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{repository}{os.pathsep}{os.environ['PATH']}")
    assert git.lines("status") == ["C"]


@pytest.mark.parametrize("name", [b"caf\xe9", "Größe".encode(), "a\u2028b\x85".encode(), b"a'b$c", b"--help"])
def test_an_experiment_of_any_name_is_found(repository: Path, name: bytes):
    folder = repository / ".git/refs/exps/ab/cd"
    folder.mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text(git.head())
    assert commit_of(os.fsdecode(name)) == git.head()


@pytest.mark.parametrize("name", ["", "-x", "--all", "a b", "HEAD..HEAD", "^HEAD", "@{9}", "\n", "ä" * 5000])
def test_what_names_no_commit_is_none(repository: Path, name: str):
    assert commit_of(name) is None


@pytest.mark.parametrize("command", [["compare", "HEAD"], ["compare", "workspace", "any"]])
def test_compare_tells_what_git_refuses(foreign: Path, command: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.experiments.lookup.find_run", lambda name: None)
    monkeypatch.setattr("pipeline.experiments.lookup._read_workspace", lambda path: b"{}")
    monkeypatch.setattr("pipeline.experiments.lookup.read_results", lambda *of_a_run: None)
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert shlex.join(["git", "config", "--global", "--add", "safe.directory", str(foreign)]) in done.stderr


@pytest.mark.usefixtures("stored")
@pytest.mark.long
def test_a_run_of_mlflow_is_compared_where_git_refuses(foreign: Path):
    write_outputs()
    run_track()
    (run,) = runs()
    done = CliRunner().invoke(app, ["compare", run.info.run_id, run.info.run_id])
    assert "git" not in done.stderr


def test_a_sweep_begins_only_where_experiments_can(foreign: Path):
    with pytest.raises(GitError, match="dubious ownership"):
        free_name("sweep")


@pytest.mark.usefixtures("stored")
@pytest.mark.long
def test_a_run_without_its_commit_says_why(foreign: Path, capsys: pytest.CaptureFixture[str]):
    write_outputs()
    run_track()
    (run,) = runs()
    assert "git_commit" not in run.data.tags
    told = [line for line in capsys.readouterr().err.splitlines() if "names no commit" in line]
    assert len(told) == 1
    assert "safe.directory" in told[0]

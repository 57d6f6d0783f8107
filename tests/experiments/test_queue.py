"""What stands in the way of queued experiments, told before they are queued."""

import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock, call

import pytest

from facial_keypoints.core.errors import ConfigError, GitError, KeypointsError
from pipeline.experiments.dvc.queue import _reason, free_name, put, statuses, work_off
from pipeline.experiments.lookup import find_results
from tests.stages.test_repro import fresh, here, project

__all__ = ["fresh", "here", "project"]  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what DVC uses, in this process


def test_a_name_that_is_free_is_found(here: Path) -> None:
    assert free_name("sweep") == "sweep1"


def test_without_a_checkout_the_way_to_one_is_told(here: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GitError, match="is no git repository"):
        free_name("sweep")
    with pytest.raises(KeypointsError, match="is no checkout of this project"):
        statuses()


@pytest.mark.slow
def test_who_holds_the_lock_is_told_before_anything_is_queued(here: Path) -> None:
    code = "import zc.lockfile as z; held = z.LockFile('.dvc/tmp/lock'); print('held', flush=True); input()"
    (here / ".dvc/tmp").mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(KeypointsError, match=f"is held by process {holder.pid}"):
            free_name("sweep")
        holder.communicate(b"\n")


def test_a_user_without_a_name_is_told_how_to_give_one(here: Path, monkeypatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        for what in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{role}_{what}")
    told = "ERROR: Git user name and email must be configured\n"
    monkeypatch.setattr(
        "pipeline.experiments.dvc.queue._dvc", lambda *_: subprocess.CompletedProcess([], 255, "", told)
    )
    with pytest.raises(ConfigError, match=r"must be configured; git config user\.name YOU && git config user\.email"):
        put("sweep1-01", {"train.lr": "0.1"})


def test_a_queue_that_cannot_be_read_says_what_helps(here: Path, monkeypatch) -> None:
    def damaged(*_: object) -> None:
        raise KeyError("body")

    monkeypatch.setattr("dvc.repo.experiments.queue.celery.LocalCeleryQueue.status", damaged)
    with pytest.raises(KeypointsError, match=r"the queue of DVC cannot be read: 'body'; .*rm -r \.dvc/tmp/exps"):
        statuses()


@pytest.mark.parametrize(
    ("polls", "ended", "again"),
    [
        (["Lost", "Queued", "Running", "Success"], "Success", 1),
        (["Lost", "Lost", "Failed"], "Failed", 2),
        (["Lost", "Lost", "Lost"], "Failed", 2),
        (["Running", "Failed"], "Failed", 0),
    ],
)
def test_what_dvcs_workers_lose_is_queued_again_twice(polls: list[str], ended: str, again: int, monkeypatch) -> None:
    known, calls = iter(polls), Mock()
    stand_ins = {
        "statuses": lambda: {"sweep1-01": next(known)},
        "commit_of": lambda name: None,
        "_start_workers": Mock(),
        "take_back": calls.take_back,
        "put": calls.put,
        "_POLL_S": 0,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(f"pipeline.experiments.dvc.queue.{name}", stand_in)
    assert work_off({"sweep1-01": {"train.lr": "0.1"}}, 2, lambda *_: None) == {"sweep1-01": ended}
    assert calls.mock_calls == [call.take_back(["sweep1-01"]), call.put("sweep1-01", {"train.lr": "0.1"})] * again


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("ERROR: no such parameter\n", "no such parameter"),
        ("WARNING: x\nERROR: two\nlines\n\nHaving any troubles? Hit us up at https://dvc.org/support\n", "two lines"),
        ("ERROR: unexpected error - Empty git repo\n\nHaving any troubles? Hit us up at ...\n", "Empty git repo"),
        ("ERROR: first\nERROR: last\n", "last"),
        ("", "no reason given"),
    ],
)
def test_the_reason_of_dvc_comes_without_its_support_address(told: str, reason: str) -> None:
    assert _reason(told) == reason


@pytest.mark.parametrize("name", ["HEAD", "workspace"])
def test_reports_are_sought_in_the_root_of_the_checkout(here: Path, name: str, monkeypatch) -> None:
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    with pytest.raises(KeypointsError, match=f"cd {here} && dvc"):
        find_results(name)

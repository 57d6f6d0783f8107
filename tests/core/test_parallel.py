"""Work on all cores, and on one where the system allows no more."""

import errno
import multiprocessing
import os
import signal

import pytest

from facial_keypoints.core.errors import KeypointsError
from facial_keypoints.core.text import reason_of
from pipeline.core.parallel import map_on_cores

TASKS = range(6)


def own_number(task: int) -> tuple[int, int]:
    return task, os.getpid()


def die_at_four(task: int) -> int:
    if task == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def refuse(error: Exception):
    def start(*_args: object, **_options: object) -> None:
        raise error

    return start


def test_results_come_in_the_order_of_tasks_from_other_processes(two_cores: None):
    done = list(map_on_cores(own_number, TASKS))
    assert [task for task, _ in done] == list(TASKS)
    assert os.getpid() not in {process for _, process in done}


def test_one_core_needs_no_other_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert list(map_on_cores(own_number, TASKS)) == [(task, os.getpid()) for task in TASKS]


def told_to_be_done_here(capsys: pytest.CaptureFixture[str]) -> str:
    """The one warning with which all tasks are done in this process."""
    assert list(map_on_cores(own_number, TASKS)) == [(task, os.getpid()) for task in TASKS]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: no other process can be started (")
    assert line.endswith("going on in this one, on one core")
    return line


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.EROFS, errno.ENOENT, errno.ENOSPC, errno.EACCES)),
        ImportError("This platform lacks a functioning sem_open implementation"),
    ],
    ids=str,
)
def test_without_semaphores_the_work_is_done_here(
    error: Exception, two_cores: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse(error))
    line = told_to_be_done_here(capsys)
    assert reason_of(error) in line
    assert "/dev/shm" in line


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EAGAIN, "Try again"), RuntimeError("can't start new thread")],
    ids=str,
)
@pytest.mark.parametrize("started", [0, 1])
def test_with_as_many_processes_as_may_be_the_work_is_done_here(
    error: Exception,
    started: int,
    two_cores: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    process = multiprocessing.get_context("spawn").Process
    start, count = process.start, iter(range(9))
    monkeypatch.setattr(process, "start", lambda new: start(new) if next(count) < started else refuse(error)())
    assert "ulimit -u" in told_to_be_done_here(capsys)


def test_a_worker_that_is_killed_ends_as_one_line_with_what_helps(two_cores: None):
    with pytest.raises(KeypointsError, match=r"was killed, most likely as the memory ran out; .*: taskset -c 0 dvc"):
        list(map_on_cores(die_at_four, TASKS))

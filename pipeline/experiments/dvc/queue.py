"""Experiments in DVC's own queue: put there, taken back, run by workers."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from facial_keypoints.core.errors import ConfigError, KeypointsError
from pipeline.experiments.dvc import git
from pipeline.experiments.dvc.experiments import commit_of, experiment_commits
from pipeline.experiments.dvc.internals import open_repository

_POLL_S = 2.0
_IDLE_POLLS = 5
"""After so many polls without a running experiment, workers are started again: at times they end before the queue."""
_NAME_YOURSELF = "git config user.name YOU && git config user.email YOU@EXAMPLE.COM,"
LOST = "Lost"
DONE = {"Success", "Failed", LOST}
"""Statuses of experiments that ended."""
_TRIES = 3


def free_name(stem: str) -> str:
    """`stem` and the least number such that no experiment's name begins so yet.

    Raises GitError or KeypointsError where no experiment can start.
    """
    git.head()
    with open_repository() as repository, repository.locked():
        pass  # who holds the lock, DVC would not say
    taken = set(statuses()) | set(experiment_commits())
    number = 1
    while any(name.startswith(f"{stem}{number}-") for name in taken):
        number += 1
    return f"{stem}{number}"


def put(name: str, settings: Mapping[str, str]) -> None:
    """Queue one experiment of the workspace as it is, with these parameters set. Raises ConfigError."""
    choices = [part for key, value in settings.items() for part in ("-S", f"{key}={value}")]
    done = _dvc("exp", "run", "--queue", "--name", name, *choices)
    if done.returncode:
        reason = _reason(done.stderr)
        remedy = _NAME_YOURSELF if "user name" in reason else "mend that"
        raise ConfigError(f"DVC does not queue {name}: {reason}; {remedy} and sweep again")


def _reason(told: str) -> str:
    """The last error in what DVC printed, without the address of its support."""
    error = told.partition("\nHaving any troubles?")[0].rpartition("ERROR: ")[2].removeprefix("unexpected error - ")
    return " ".join(error.split()) or "no reason given"


def take_back(names: list[str]) -> None:
    """Remove experiments that wait in the queue."""
    if names:
        _dvc("queue", "remove", *names)


def work_off(
    experiments: Mapping[str, Mapping[str, str]], jobs: int, on_done: Callable[[str, str], None]
) -> dict[str, str]:
    """Let `jobs` workers run the queued experiments; returns "Success" or "Failed" by name once all have ended.

    Whatever else waits in the queue runs too. One that DVC's workers lose is queued again, up to three times in all.

    Args:
        experiments: their settings by name, as they were `put`.
        jobs: number of workers.
        on_done: called with name and status of each as it ends.
    """
    ended: dict[str, str] = {}
    left = dict.fromkeys(experiments, _TRIES - 1)
    idle = _IDLE_POLLS
    while True:
        known = statuses()
        idle = 0 if "Running" in known.values() else idle + 1
        for name in (name for name in experiments if name not in ended):
            # On its way from one list to the next, and once removed, an experiment is in none.
            gone = "Success" if commit_of(name) else "Failed" if idle > _IDLE_POLLS else "Running"
            status = known.get(name, gone)
            if status == LOST and left[name]:
                left[name] -= 1
                take_back([name])
                put(name, experiments[name])
                idle = _IDLE_POLLS  # its worker may have gone as well
            elif status in DONE:
                ended[name] = "Failed" if status == LOST else status
                on_done(name, ended[name])
        if len(ended) == len(experiments):
            return ended
        if idle > _IDLE_POLLS:
            _start_workers(jobs)
            idle = 0
        time.sleep(_POLL_S)


def _start_workers(jobs: int) -> None:
    """Start workers without pipes: a worker keeps them open, and some outlive the queue."""
    command = [sys.executable, "-m", "dvc", "queue", "start", "--jobs", str(jobs)]
    nowhere = subprocess.DEVNULL
    subprocess.run(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, check=False)


def _dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def statuses() -> dict[str, str]:
    """Name -> status of every experiment that the queue knows, as `Repository.queue_statuses` has it.

    Raises KeypointsError.
    """
    with open_repository() as repository:
        try:
            return repository.queue_statuses()
        except Exception as error:  # of DVC, Celery, or whatever else reads its files
            raise KeypointsError(
                f"the queue of DVC cannot be read: {error or type(error).__name__}; mend that, or give up what waits "
                "in it: rm -r .dvc/tmp/exps"
            ) from None

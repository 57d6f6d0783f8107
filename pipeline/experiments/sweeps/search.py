"""Workers of a search: each takes a setting from the study, trains with it, and tells the study what came of it."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from facial_keypoints.core.errors import KeypointsError
from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.terminal import say, tell
from pipeline.core.paths import workspace_root
from pipeline.experiments.dvc.experiments import commit_of
from pipeline.experiments.dvc.temporary import none_begins, run_apart
from pipeline.experiments.lookup import find_results
from pipeline.experiments.results import TEST_NME
from pipeline.experiments.sweeps.held_trial import EXPERIMENT, FAILURE, PRUNED_AFTER, TEST, give_back, heartbeat
from pipeline.experiments.sweeps.plan import SEED
from pipeline.experiments.sweeps.space import Space
from pipeline.experiments.sweeps.study import (
    SWEEPS,
    choose,
    open_study,
    storage_errors,
    study_name,
    trial_environment,
)

_POLL_S = 5.0


@dataclass(frozen=True)
class Search:
    """What is searched for, and where the search is kept; can be pickled."""

    storage: str
    study: str
    space: Space
    seed: int
    trainings: int
    """To be made in all, those of other workers and of earlier commands included."""


def work_in_processes(search: Search, jobs: int) -> None:
    """Let `jobs` processes work on the search until it is done. Raises KeypointsError where one of them fails."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(search,)) for _ in range(jobs)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    except KeyboardInterrupt:
        for worker in filter(multiprocessing.Process.is_alive, workers):
            worker.terminate()
        for worker in workers:
            worker.join()
        raise
    if ended := [worker for worker in workers if worker.exitcode]:
        raise KeypointsError(f"{len(ended)} of {jobs} workers ended early; the same command goes on with the search")


def _worker(search: Search) -> None:
    """Work until the search is done, this process is told to end, or the one that started it is dead."""
    # Ctrl+C of a terminal reaches the first process too. What is ignored here would be ignored by every process that
    # starts from here, DVC's too; what is handled is not.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(search, train)
    except KeyboardInterrupt:
        os._exit(0)
    except KeypointsError as error:
        tell(f"error: {error}")
        os._exit(1)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def work(search: Search, training: Callable[[Search, Any], float]) -> None:
    """Take trials of the study, until as many as wanted have an end.

    Args:
        search: what is searched for.
        training: makes the training of a trial and returns its error; see `train`.
    """
    from optuna.storages import fail_stale_trials

    study = open_study(search.storage, search.study)
    while True:
        with storage_errors(search.storage):
            fail_stale_trials(study)
            ended, running = _counts(study)
            if ended >= search.trainings:
                return
            if ended + running < search.trainings:
                _refuse_other_parameters(search)
                if sum(_counts(study)) < search.trainings:  # that may have waited while others began
                    _attempt(search, study, training)
                continue
        time.sleep(_POLL_S)  # a worker may die, and leave its training to this one


def _counts(study: Any) -> tuple[int, int]:
    """How many trials have ended, and how many run."""
    trials = study.get_trials(deepcopy=False)
    return sum(has_ended(trial) for trial in trials), sum(trial.state.name == "RUNNING" for trial in trials)


def has_ended(trial: Any) -> bool:
    """Whether a trial counts: it has an error, was pruned or failed by itself, and is not begun again."""
    return trial.state.name in {"COMPLETE", "PRUNED"} or FAILURE in trial.user_attrs


def _attempt(search: Search, study: Any, training: Callable[[Search, Any], float]) -> None:
    """Take a trial, train for it and tell the study what came of it."""
    from optuna.exceptions import UpdateFinishedTrialError

    trial = study.ask()
    try:
        with heartbeat(study, trial):
            end = _end(search, trial, training)
        kept = study.tell(trial, **end, skip_if_finished=True).state == end["state"]
    except UpdateFinishedTrialError:
        kept = False
    except BaseException:
        give_back(study, trial)
        raise
    if not kept:
        tell(f"trial {trial.number} of {search.study} was given up, as this worker was silent for long; it begins anew")


def _end(search: Search, trial: Any, training: Callable[[Search, Any], float]) -> dict[str, Any]:
    """How a trial ends, as arguments of `optuna.Study.tell`."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    try:
        return {"state": TrialState.COMPLETE, "values": training(search, trial)}
    except TrialPruned:
        return {"state": TrialState.PRUNED}
    except KeypointsError as error:
        trial.set_user_attr(FAILURE, str(error))
        return {"state": TrialState.FAIL}


def train(search: Search, trial: Any) -> float:
    """Train with what the study chooses next, as an experiment of DVC; returns the NME on val, percent.

    Raises optuna's TrialPruned where the search prunes the training, KeypointsError where it fails.
    """
    from optuna import TrialPruned

    settings = choose(trial, search.space)
    told = ", ".join(f"{name}={text}" for name, text in settings.items())
    name = _free_name(f"{search.study}-{trial.number:03d}")
    trial.set_user_attr(EXPERIMENT, name)
    log = log_file(search.study, name)
    environment = trial_environment(search.storage, search.study, trial.number)
    good = run_apart(name, {**settings, SEED: str(search.seed)}, environment, log)
    if not good:
        attributes = trial.study.get_trials(deepcopy=False)[trial.number].user_attrs
        if PRUNED_AFTER in attributes:
            say(f"{name}: pruned after epoch {attributes[PRUNED_AFTER]} ({told})")
            raise TrialPruned
        say(f"{name}: FAILED, see {log} ({told})")
        raise KeypointsError(f"see {log}")
    results = find_results(name)
    error = results.val_nme_percent()
    trial.set_user_attr(TEST, results.metrics.get(TEST_NME))
    say(f"{name}: validation NME {percent_text(error)} ({told})")
    return error


def log_file(study: str, experiment: str) -> Path:
    """Where the output of an experiment is kept."""
    return workspace_root() / SWEEPS / study / f"{experiment}.log"


def _free_name(name: str) -> str:
    """`name`, or with a number where an experiment of a search whose database is gone is called so."""
    number, free = 1, name
    while commit_of(free):
        number += 1
        free = f"{name}-{number}"
    return free


def _refuse_other_parameters(search: Search) -> None:
    """Raise KeypointsError where params.yaml is no more what the search began with."""
    with none_begins(workspace_root() / SWEEPS):
        changed = study_name(search.space, search.seed) != search.study
    if changed:
        raise KeypointsError(
            f"params.yaml changed since {search.study} began, and its trainings would not compare; change it back and "
            "run the same command, or run it as it is for a new search"
        )

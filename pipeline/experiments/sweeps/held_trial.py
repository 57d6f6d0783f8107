"""A trial while a worker trains for it: the worker tells that it lives, and without it another one begins anew."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

HEARTBEAT_S, GRACE_S = 10, 60
"""A worker says so often that it lives; after so long a silence, its training is another worker's to begin again."""
EXPERIMENT, TEST, FAILURE, PRUNED_AFTER = "experiment", "test_nme_percent", "failure", "pruned_after_epoch"
"""Attributes of a trial: name of its DVC experiment, its error on test, why it failed, the epoch after which it was
pruned."""
_RETRIES = 3


@contextmanager
def heartbeat(study: Any, trial: Any) -> Iterator[None]:
    """Let the study know every HEARTBEAT_S, while the body runs, that this worker trains for the trial.

    A database that cannot be used is tried again: optuna's own heartbeat ends with its first failure, and the worker,
    which trains on, would count as dead.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    ended = threading.Event()

    def beat() -> None:
        beating = True
        while beating:
            with suppress(SQLAlchemyError, StorageInternalError):
                study._storage.record_heartbeat(trial._trial_id)
            beating = not ended.wait(HEARTBEAT_S)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def begin_again(study: Any, trial: Any) -> None:
    """Have a failed trial begun anew with the same values, a few times at most.

    Optuna's callback for trials that nothing was heard of; `trial` is an `optuna.trial.FrozenTrial`, a copy.
    """
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    results = {EXPERIMENT, TEST, FAILURE, PRUNED_AFTER}
    trial.user_attrs = {name: value for name, value in trial.user_attrs.items() if name not in results}
    RetryHeartbeatStaleTrialCallback(_RETRIES)(study, trial)


def give_back(study: Any, trial: Any) -> None:
    """End a trial whose training was interrupted, and let whoever works on the study next begin it again."""
    from optuna.trial import TrialState

    if not study.get_trials(deepcopy=False)[trial.number].state.is_finished():
        begin_again(study, study.tell(trial, state=TrialState.FAIL))

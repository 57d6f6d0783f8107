"""A search's study in Optuna: where it is kept, how it chooses, when it breaks a training off.

Any number of processes, on any number of hosts, work on one study. optuna takes a second to import, so only functions
import it.
"""

import hashlib
import json
import os
import random
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.errors import ConfigError, KeypointsError
from pipeline.core.params import flatten
from pipeline.core.paths import workspace_root
from pipeline.core.redaction import gist
from pipeline.experiments.params import load_params
from pipeline.experiments.sweeps import held_trial
from pipeline.experiments.sweeps.plan import SEED
from pipeline.experiments.sweeps.space import Range, Space, described
from pipeline.experiments.tracking.store_location import sqlite_uri

SWEEPS = Path("sweeps")
"""Folder of the main workspace for what searches keep and sweeps tell."""
STORAGE = "KEYPOINTS_SEARCH_STORAGE"
"""Environment variable with the address of the database in which studies are kept, user and password included."""
STUDY, TRIAL = "KEYPOINTS_SEARCH", "KEYPOINTS_SEARCH_TRIAL"
"""Environment variables of a training that is a trial: name of its study, its number there."""
_BUSY_S = 60
"""Longest wait for another process that is writing an SQLite file."""
_FIRST_TRIALS = 5
"""Trainings that are not pruned: before there are as many, a median says little."""
_FIRST_EPOCHS = 0.5
"""Share of the epochs after which the first training is pruned: earlier, high learning rates look bad.

Of the 54 trainings at random of `benchmarks.search`, the rank correlation (Spearman) between the error after a share of
the epochs and that at the end is -0.5 after a quarter, 0.6 after half, 0.93 after three quarters.
"""
_TRIES = 5


def default_storage() -> str:
    """Address of the file in which this checkout keeps its studies."""
    return sqlite_uri(workspace_root().resolve() / SWEEPS / "search.db")


def study_name(space: Space, seed: int) -> str:
    """What a search is called: the same for the same space, seed and other parameters, here and on other hosts."""
    values = flatten(asdict(load_params()))
    content = {**values, SEED: seed, **described(space)}
    return f"search-{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:6]}"


@contextmanager
def storage_errors(storage: str) -> Iterator[None]:
    """Turn a failure of the database into a KeypointsError, keep Optuna's log lines and warnings from the terminal."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    shown = without_credentials(storage)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ImportError, SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        if isinstance(cause, ImportError):
            raise ConfigError(
                f"--storage {shown} needs a driver that is not installed: {gist(cause)}; for postgresql:// it comes "
                "with: pip install 'psycopg[binary]'"
            ) from None
        raise KeypointsError(
            f"the search's database {shown} cannot be used: {gist(cause)}; mend it, or name another with --storage"
        ) from None


def open_study(storage: str, name: str, pruner: Any = None) -> Any:
    """The `optuna.Study` of this name, made if it is not there. Raises KeypointsError.

    `pruner` is of `median_pruner` where trials report their epochs.
    """
    import optuna

    with storage_errors(storage), _made_by_one(storage):
        return optuna.create_study(
            study_name=name,
            storage=_storage(storage),
            sampler=optuna.samplers.TPESampler(multivariate=True),  # rate, decay and batch size depend on each other
            pruner=pruner,
            load_if_exists=True,
        )


def _storage(address: str) -> Any:
    """Optuna's storage, its tables made if they are not there.

    Hosts that make them at once trip each other up, in PostgreSQL by errors of integrity: whoever fails tries again.
    """
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    try:
        make_url(address)
    except ValueError:
        raise ConfigError(
            f"--storage {without_credentials(address)} is no address; write it as postgresql://USER@HOST:PORT/DATABASE"
        ) from None
    waiting = {"connect_args": {"timeout": _BUSY_S}} if address.startswith("sqlite") else {"pool_pre_ping": True}
    open_storage = partial(
        RDBStorage,
        address,
        waiting,
        heartbeat_interval=held_trial.HEARTBEAT_S,
        grace_period=held_trial.GRACE_S,
        heartbeat_stale_trial_callback=held_trial.begin_again,
    )
    for _ in range(_TRIES):
        try:
            return open_storage()
        except (IntegrityError, ProgrammingError, StorageInternalError):
            time.sleep(random.random())
    return open_storage()


def median_pruner() -> Any:
    """An `optuna.pruners.BasePruner` that ends early what is worse than the median of the others at that epoch."""
    from optuna.pruners import MedianPruner

    return MedianPruner(_FIRST_TRIALS, int(_FIRST_EPOCHS * load_params().train.epochs))


@contextmanager
def _made_by_one(address: str) -> Iterator[None]:
    """Let one process of this host at a time make the tables; two at once trip each other up. Raises KeypointsError."""
    folder = workspace_root() / SWEEPS
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".search.lock"):
        yield


def choose(trial: Any, space: Space) -> dict[str, str]:
    """Dotted name -> text for params.yaml of the next values that the study wants to know about."""
    chosen = {}
    for name, part in space.items():
        if isinstance(part, Range):
            suggest = trial.suggest_int if part.whole else trial.suggest_float
            chosen[name] = part.text(suggest(name, part.low, part.high, log=part.by_ratio))
        else:
            chosen[name] = part[0] if len(part) == 1 else trial.suggest_categorical(name, part)
    return chosen


def trial_environment(storage: str, study: str, number: int) -> dict[str, str]:
    """Variables by which the training of a trial knows what it is; see `pipeline.experiments.sweeps.trial`."""
    return {STORAGE: storage, STUDY: study, TRIAL: str(number)}


def from_environment() -> tuple[str, str, int] | None:
    """Storage, study and number of the trial that this process trains for; None for any other training."""
    if STUDY not in os.environ:
        return None
    return os.environ[STORAGE], os.environ[STUDY], int(os.environ[TRIAL])

"""What train logs to MLflow while it works. No failure of MLflow ends a training: `track` fills in what is missing."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from facial_keypoints.core.errors import interruption
from facial_keypoints.core.terminal import tell
from pipeline.experiments.breaking_off import PrunedError, Trial
from pipeline.experiments.tracking import mlflow_store
from pipeline.experiments.tracking.held_interrupts import held_interrupts
from pipeline.experiments.tracking.mlflow_store import (
    DVC_EXPERIMENT,
    MODEL_DIGEST,
    PRUNED,
    TRACK_DIGEST,
    TRAINING_KEY,
    TRIAL_STATE,
    Curves,
    Store,
    Value,
)
from pipeline.experiments.tracking.run_process import process_tags
from pipeline.experiments.tracking.unfinished_runs import drop_note, leave_note

LAUNCH = "launch"
"""Tag of a run: torchrun's id of the launch that its workers belong to, over all restarts and hosts."""

_PAUSE_S = 30.0
"""After a failure, so long no curve is logged: each try may cost the training as much, where a server hangs."""


class LiveRun:
    """The MLflow run of a training that is under way.

    MLflow's first failure is told. What could not be logged is tried again with later epochs, and the end of the run
    is tried in any case, so that `track` finds it and fills in what it missed. Where the training belongs to a search,
    that is told its errors, and may end it by PrunedError.
    """

    def __init__(self, trial: Trial | None) -> None:
        self._trial = trial
        self._store: Store | None = None
        self._run_id, self._key = "", ""
        self._logged: set[tuple[str, int]] = set()
        self._waiting: dict[int, Mapping[str, float | None]] = {}
        self._failed = False
        self._pause_until = 0.0

    def open(self, params: Mapping[str, Value], key: str) -> None:
        """Go on with the run in which the same training was interrupted, or begin one.

        `params` are logged; `key` is the value of the tag TRAINING_KEY.
        """
        self._key = key
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")  # no training waits longer for a curve
        name = os.environ.get("DVC_EXP_NAME") or f"{params.get('model.name', 'model')} in training"
        tags = process_tags() | {TRAINING_KEY: key, **(self._trial.tags if self._trial else {})}
        tags |= {DVC_EXPERIMENT: os.environ["DVC_EXP_NAME"]} if "DVC_EXP_NAME" in os.environ else {}
        tags |= {LAUNCH: launch} if (launch := _launch()) else {}
        with self._outliving_failures():
            store = mlflow_store.open_store()
            mlflow_store.close_dead_runs(store)
            if run_id := _interrupted(store, key):
                mlflow_store.set_tags(store, run_id, tags)
                store.client.update_run(run_id, status="RUNNING", name=name)
                self._logged = mlflow_store.logged_points(store, run_id)
            else:
                run_id = store.client.create_run(store.experiment_id, tags=tags, run_name=name).info.run_id
            self._store, self._run_id = store, run_id
            mlflow_store.log_params(store, run_id, params)

    def log(self, epochs: Curves) -> None:
        """Add points to the curves, e.g. {1: {"train_loss": 0.1, "val_nme_percent": None}}.

        None adds no point, nor does one that the run has already.
        """
        self._waiting |= epochs
        if self._store and time.monotonic() >= self._pause_until:
            with self._outliving_failures():
                if self._pause_until:  # the try that failed may have arrived
                    self._logged = mlflow_store.logged_points(self._store, self._run_id)
                curves = mlflow_store.missing(mlflow_store.named_curves(self._waiting), self._logged)
                mlflow_store.log_epochs(self._store, self._run_id, curves)
                self._waiting, self._pause_until = {}, 0.0
        for epoch, values in epochs.items():
            if self._trial and (error := values.get("val_nme_percent")) is not None:
                self._trial.report(epoch, error)

    def finish(self, model_digest: str) -> None:
        """Tag the run with the digest of the weights it made, so that `track` finds it.

        Where MLflow cannot be told, a note is left by which `track` finds the run all the same. If `track` has taken up
        a run with the same weights, this one is deleted instead: `track` would leave it as it is, or, where nothing
        that it records has changed, not even run.
        """
        leave_note(model_digest, self._key)
        if self._store:
            with self._outliving_failures():
                same_model = mlflow_store.find_runs(self._store, MODEL_DIGEST, model_digest)
                if any(TRACK_DIGEST in run.data.tags for run in same_model):
                    self._store.client.delete_run(self._run_id)
                    self._store = None
                else:
                    self._store.client.set_tag(self._run_id, MODEL_DIGEST, model_digest)
                drop_note(model_digest)

    def break_off(self) -> None:
        """Close the run of a training that its search wants no more of."""
        if self._store:
            with self._outliving_failures():
                self._store.client.set_tag(self._run_id, TRIAL_STATE, PRUNED)
        self.close("KILLED")

    def close(self, status: str) -> None:
        """Set the final status of the run: FINISHED, FAILED or KILLED."""
        if self._store:
            with self._outliving_failures():
                self._store.client.set_terminated(self._run_id, status)

    @contextmanager
    def _outliving_failures(self) -> Iterator[None]:
        """Turn what MLflow raises into a warning, once a training, but for what an interrupt made it raise."""
        before = interruption(sys.exception())
        try:
            with mlflow_store.quiet(), self._whole_transactions():
                yield
        except Exception as error:  # of a type that depends on the store; no training may die of it
            if interruption(error) is not before:
                raise
            if not self._failed:
                tell(f"warning: {mlflow_store.failure(error)}; training goes on without live curves")
            self._failed = True
            self._pause_until = time.monotonic() + _PAUSE_S

    def _whole_transactions(self) -> AbstractContextManager[None]:
        """Let no interrupt tear a database's transactions apart; a server, which may hang, has its own."""
        of_server = self._store is None or self._store.client.tracking_uri.startswith("http")
        return nullcontext() if of_server else held_interrupts()


def _interrupted(store: Store, key: str) -> str | None:
    """Id of the run in which a training with this key, of this host or of this launch, ended before its time.

    One that is RUNNING belongs to a living process, unless torchrun has started its workers anew, perhaps on another
    host. One that FINISHED waits for `track`, and one that a search pruned stays so.
    """
    host, launch = process_tags()["host"], _launch()
    for run in mlflow_store.find_runs(store, TRAINING_KEY, key):
        status, tags = run.info.status, run.data.tags
        ended_early = status in {"KILLED", "FAILED"} and tags.get("host") == host
        started_anew = launch is not None and status != "FINISHED" and tags.get(LAUNCH) == launch
        if (ended_early or started_anew) and not {TRACK_DIGEST, TRIAL_STATE} & set(tags):
            return str(run.info.run_id)
    return None


def _launch() -> str | None:
    """Torchrun's id of the launch that this process belongs to; None where it has none of its own."""
    launch = os.environ.get("TORCHELASTIC_RUN_ID")
    return None if launch == "none" else launch  # torchrun's own default, the same for all launches


@contextmanager
def training_run(params: Mapping[str, Value], key: str, trial: Trial | None = None) -> Iterator[LiveRun]:
    """Log a training live: open a run, let the body `log` its epochs and `finish`, close the run as the body ends.

    `key` stands for everything that decides what the training computes. `trial` is that of a search, if it is of one.
    """
    run = LiveRun(trial)
    run.open(params, key)
    try:
        yield run
    except PrunedError:
        run.break_off()
        raise
    except BaseException as error:
        run.close("KILLED" if interruption(error) else "FAILED")
        raise
    run.close("FINISHED")

"""The run of a training that ended while MLflow was away: it does not tell its model, by which `track` finds others.

A note in the main workspace names the key of the training, which the run has as a tag since it began.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.core.paths import workspace_root
from pipeline.experiments.tracking.mlflow_store import (
    MODEL_DIGEST,
    TRACK_DIGEST,
    TRAINING_KEY,
    TRIAL_STATE,
    Store,
    find_runs,
)
from pipeline.experiments.tracking.run_process import process_tags


def leave_note(model_digest: str, key: str) -> None:
    """Note the training key of the weights with this SHA-256. Where nothing can be written, `track` makes a new run."""
    with suppress(OSError):
        _note(model_digest).parent.mkdir(parents=True, exist_ok=True)
        _note(model_digest).write_text(key, encoding="ascii")


def drop_note(model_digest: str) -> None:
    with suppress(OSError):
        _note(model_digest).unlink()


def unfinished_runs(store: Store, model_digest: str) -> list[Any]:
    """Runs in which this host trained the weights with this SHA-256, by its note, and that name no model; newest first.

    One that is RUNNING belongs to a living process, and one that a search pruned stays so.
    """
    try:
        key = _note(model_digest).read_text(encoding="ascii")
    except (OSError, ValueError):
        return []
    if not (len(key) <= 64 and key.isalnum()):
        return []
    settled = {MODEL_DIGEST, TRACK_DIGEST, TRIAL_STATE}
    return [
        run
        for run in find_runs(store, TRAINING_KEY, key)
        if run.info.status != "RUNNING"
        and run.data.tags.get("host") == process_tags()["host"]
        and not settled & set(run.data.tags)
    ]


def _note(model_digest: str) -> Path:
    return workspace_root() / ".checkpoints" / "unfinished_runs" / model_digest

"""From the name of a run to its results: the workspace, a DVC experiment, a git revision or a run of MLflow."""

from functools import partial
from pathlib import Path

from facial_keypoints.core.errors import DataError, GitError
from facial_keypoints.core.plain_files import read_plain
from pipeline.core import paths
from pipeline.experiments.dvc import git
from pipeline.experiments.dvc.experiments import commit_of, read_committed
from pipeline.experiments.results import Read, Results, read_params, read_results
from pipeline.experiments.tracking.logged_model import MODEL_NAME
from pipeline.experiments.tracking.run_search import find_run, read_artifact

WORKSPACE = "workspace"
_REPORT_BYTES = 100_000_000
"""Of a million faces."""


def find_results(name: str) -> Results:
    """The results called `name`. Raises DataError if nothing is called so or its reports are missing."""
    refused = None
    try:
        if read := reader_of(name):
            return read_results(name, read_params(name, read), read, None)
    except GitError as error:  # a run of MLflow needs no git
        refused = error
    run = find_run(name)
    if run is None:
        if refused:
            raise refused
        git.head()
        raise DataError(
            f"{name} is neither {WORKSPACE}, a DVC experiment, a git revision nor an MLflow run; see: keypoints runs"
        )
    address = f"runs:/{run.info.run_id}/{MODEL_NAME}"
    return read_results(run.info.run_name, run.data.params, partial(read_artifact, run), address)


def reader_of(name: str) -> Read | None:
    """What reads the files of the workspace, or of the experiment or revision `name`; None if there is none.

    Raises GitError.
    """
    if name == WORKSPACE:
        return _read_workspace
    commit = commit_of(name)
    return partial(read_committed, commit) if commit else None


def _read_workspace(path: Path) -> bytes:
    try:
        return read_plain(path, _REPORT_BYTES)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; make it with: {paths.in_root('dvc repro')}") from None
    except ValueError as error:
        raise DataError(f"{path} is no report ({error}); make it with: {paths.in_root('dvc repro')}") from None

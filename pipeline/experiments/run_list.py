"""All runs that are kept, the best on val first: DVC's experiments, the commit checked out, and MLflow's runs."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from facial_keypoints.core.errors import DataError, GitError
from pipeline.core import paths
from pipeline.evaluation.metric_names import present_values
from pipeline.experiments.comparison import decides_on_faces, same_value
from pipeline.experiments.dvc import git
from pipeline.experiments.dvc.experiments import experiment_commits, read_committed
from pipeline.experiments.lookup import WORKSPACE, reader_of
from pipeline.experiments.results import TEST_NME, VAL_NME, read_metrics, read_params
from pipeline.experiments.tracking import run_search
from pipeline.experiments.tracking.mlflow_store import CURVES, DVC_EXPERIMENT, metric_name

HEAD = "HEAD"
_SAME_POINTS = 1e-4
"""Percentage points: what rounding makes of one error in files of two versions."""


@dataclass(frozen=True)
class ListedRun:
    """One run with all its names."""

    dvc_name: str | None
    """Name of the DVC experiment, or HEAD."""
    run_id: str | None
    """Of the MLflow run."""
    params: Mapping[str, str]
    """Dotted name -> value, as `Results` has them."""
    metrics: Mapping[str, float]
    """Dotted name -> value, as `Results` has them."""
    pruned: bool = False
    """Whether a search pruned the training; its error on val is then that of its last epoch."""

    @property
    def has_val(self) -> bool:
        """Whether there is an error on val to choose by: older runs, and those that hold nobody out, have none."""
        return VAL_NME in self.metrics


@dataclass(frozen=True)
class RankedRun:
    """A run beside the parameters that all are compared with."""

    run: ListedRun
    differs: Mapping[str, str]
    """Dotted name -> value in the run, of the parameters that both have and that differ."""
    other_version: bool
    """Whether one has parameters that the other lacks."""

    @property
    def other_faces(self) -> bool:
        """Whether val of this run is other faces, so that its error says nothing beside the others'."""
        source = self.run.params.get("fetch.source", "")
        return any(decides_on_faces(name, source) for name in self.differs)


def baseline_params() -> tuple[str, Mapping[str, str]]:
    """The parameters that runs are compared with, and whose they are: of HEAD, else of the workspace, else none."""
    for name in (HEAD, WORKSPACE):
        try:
            if read := reader_of(name):
                return name, read_params(name, read)
        except (GitError, DataError):
            continue
    return "", {}


def ranked(runs: Sequence[ListedRun], baseline: Mapping[str, str]) -> list[RankedRun]:
    """The runs by val NME, the best first; then those on other faces, those without val by test NME, the pruned."""
    rows = [_beside(run, baseline) for run in runs]
    return sorted(rows, key=_rank)


def _beside(run: ListedRun, baseline: Mapping[str, str]) -> RankedRun:
    shared = [name for name in baseline if name in run.params]
    differs = {name: run.params[name] for name in shared if not same_value(run.params[name], baseline[name])}
    # A run that was pruned has the parameters of its training alone.
    other = bool(baseline) and not run.pruned and set(baseline) != set(run.params)
    return RankedRun(run, differs, other)


def _rank(row: RankedRun) -> tuple[bool, bool, bool, float]:
    error = row.run.metrics[VAL_NME if row.run.has_val else TEST_NME]
    return row.run.pruned, not row.run.has_val, row.other_faces, error


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Each dotted name -> as few of its last parts as no other name has, e.g. "fine_width", but "train.seed"."""
    uses = Counter(ending for name in names for ending in _endings(name))
    return {name: next((ending for ending in _endings(name) if uses[ending] == 1), name) for name in names}


def _endings(name: str) -> list[str]:
    """The last part of a dotted name, the last two parts, ..., the name."""
    parts = name.split(".")
    return [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]


def listed_runs() -> tuple[list[ListedRun], list[str]]:
    """Every run that says what it measured, and one line for what cannot be listed. Raises TrackingError."""
    of_dvc, faults = _dvc_runs()
    of_mlflow = list(_mlflow_runs())
    merged = [_with_mlflow(run, of_mlflow) for run in of_dvc]
    taken = {run.run_id for run in merged}
    return merged + [run for run in of_mlflow if run.run_id not in taken] + list(_pruned_runs()), faults


def recorded_as(name: str) -> str | None:
    """The id of MLflow's record of the DVC experiment `name`, which may be called by another that did the same."""
    return next((run.run_id for run in listed_runs()[0] if run.dvc_name == name), None)


def _pruned_runs() -> Iterator[ListedRun]:
    for run in run_search.pruned_runs():
        tags, metrics = run.data.tags, run.data.metrics
        if (error := metrics.get(metric_name(f"{CURVES}.val_nme_percent"))) is not None:
            yield ListedRun(tags.get(DVC_EXPERIMENT), run.info.run_id, run.data.params, {VAL_NME: error}, True)


def _dvc_runs() -> tuple[list[ListedRun], list[str]]:
    """HEAD and the experiments, and what is wrong with others; none without git."""
    try:
        commits = _head() | experiment_commits()
    except GitError as error:
        return [], [f"DVC's experiments cannot be listed: {error}"]
    runs, faults = [], []
    for name, commit in commits.items():
        read = partial(read_committed, commit)
        try:
            run = ListedRun(name, None, read_params(name, read), read_metrics(name, read))
        except DataError as error:
            faults.append(str(error))
        else:
            runs += [run] if _is_measured(run) else []
    return runs, faults


def _head() -> dict[str, str]:
    """HEAD and its commit, if reports are committed there. Raises GitError."""
    commit = git.head()
    return {HEAD: commit} if git.ask("cat-file", "-e", f"{commit}:./{paths.METRICS}") is not None else {}


def _mlflow_runs() -> Iterator[ListedRun]:
    for run in run_search.all_runs():
        listed = ListedRun(None, run.info.run_id, run.data.params, present_values(run.data.metrics))
        if _is_measured(listed):
            yield listed


def _is_measured(run: ListedRun) -> bool:
    return TEST_NME in run.metrics or run.has_val


def _with_mlflow(run: ListedRun, of_mlflow: Sequence[ListedRun]) -> ListedRun:
    """The run with the id of MLflow's record of it: the newest with the same settings and errors."""
    same = (other.run_id for other in of_mlflow if _same_run(run, other))
    return replace(run, run_id=next(same, None))


def _same_run(one: ListedRun, other: ListedRun) -> bool:
    """Whether both have the same errors, and the same value of each parameter that both have."""
    for name in (VAL_NME, TEST_NME):
        errors = [run.metrics.get(name, math.inf) for run in (one, other)]
        if not math.isclose(*errors, rel_tol=0, abs_tol=_SAME_POINTS):
            return False
    return all(same_value(one.params[name], other.params[name]) for name in one.params if name in other.params)

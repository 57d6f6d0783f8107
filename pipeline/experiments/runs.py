"""What one run reported, wherever it is kept: the workspace, a DVC experiment, a git revision or an MLflow run."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError, GitError
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief
from facial_keypoints.core.yaml_files import load_yaml
from pipeline.core import paths
from pipeline.core.json_files import load_json
from pipeline.core.labels import read_keypoints_csv
from pipeline.evaluation.metric_names import measured_values
from pipeline.evaluation.per_frame import parse_faces
from pipeline.experiments.comparison import Difference, paired_difference
from pipeline.experiments.dvc import git
from pipeline.experiments.dvc.repo import read_cached
from pipeline.experiments.tracking.logged_model import MODEL_NAME
from pipeline.experiments.tracking.registry import find_run, read_artifact

WORKSPACE = "workspace"
_REPORT_BYTES = 100_000_000
"""Of a million faces."""

Read = Callable[[Path], bytes]
"""Content of a file of the run, by its path in the workspace; raises DataError."""


@dataclass(frozen=True)
class Results:
    name: str
    params: Mapping[str, str]
    """Dotted name -> value as written in JSON, text as it is."""
    metrics: Mapping[str, float]
    """Dotted name as in metrics.json -> value, whatever an older run called it."""
    faces: pd.DataFrame
    """Of every face that was measured, by sample_id: see `pipeline.evaluation.per_frame.parse_faces`."""
    dataset: str
    read: Read
    model_uri: str | None
    """Of the model in MLflow, for a run of MLflow."""

    def nme(self, split: str) -> pd.Series:
        """NME of the faces of a split, percent, by sample_id."""
        return self.faces.loc[self.faces["split"] == split, "nme_percent"]


def find_results(name: str) -> Results:
    """The results called `name`. Raises DataError if nothing is called so or its reports are lacking."""
    if name == WORKSPACE:
        return _from_files(name, _read_workspace)
    refused = None
    try:
        if commit := commit_of(name):
            return _from_files(name, partial(_read_git, commit))
    except GitError as error:  # a run of MLflow needs no git
        refused = error
    run = find_run(name)
    if run is None:
        if refused:
            raise refused
        git.head()
        raise DataError(
            f"{name} is neither {WORKSPACE}, a DVC experiment, a git revision nor an MLflow run; see: dvc exp show -A"
        )
    return _parse(
        run.info.run_name, run.data.params, partial(read_artifact, run), f"runs:/{run.info.run_id}/{MODEL_NAME}"
    )


def commit_of(name: str) -> str | None:
    """The commit of a DVC experiment, the newest of several, or git revision of this name. Raises GitError."""
    # Listed by names alone: to sort by date, git would open what a queue at work may just be removing.
    references = git.lines("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    named = [commit for commit, reference in map(_split, references) if _is_experiment(reference, name)]
    if named:
        return max(named, key=_committed_at) if len(named) > 1 else named[0]
    commits = git.lines("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return commits[0] if commits and not name.startswith("^") else None  # which means all but that commit


def _split(line: str) -> tuple[str, str]:
    commit, _, reference = line.partition(" ")
    return commit, reference


def _is_experiment(reference: str, name: str) -> bool:
    return reference.rsplit("/", 1)[1] == name and "/stash" not in reference


def _committed_at(commit: str) -> int:
    return int(git.ask("show", "--no-patch", "--format=%ct", commit) or 0)


def _read_workspace(path: Path) -> bytes:
    try:
        return read_plain(path, _REPORT_BYTES)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; make it with: {paths.in_root('dvc repro')}") from None
    except ValueError as error:
        raise DataError(f"{path} is no report ({error}); make it with: {paths.in_root('dvc repro')}") from None


def _read_git(commit: str, path: Path) -> bytes:
    """A file of a commit: from git, else from the cache of DVC."""
    kept = git.ask("show", f"{commit}:./{path}")
    if kept is not None:
        return kept
    cached = read_cached(commit, path)
    if cached is None:
        raise DataError(
            f"{path} of {commit[:7]} is neither in git nor in DVC's cache; choose another revision, or bring what was "
            f"pushed: {paths.in_root('dvc fetch --all-commits')}"
        )
    return cached


def _from_files(name: str, read: Read) -> Results:
    try:
        params = _flatten(load_yaml(read(paths.PARAMS)))
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{paths.PARAMS} of {name} is damaged ({error}); mend or restore it") from None
    return _parse(name, params, read, None)


def _parse(name: str, params: Mapping[str, str], read: Read, model_uri: str | None) -> Results:
    try:
        measured = load_json(read(paths.METRICS))
        return Results(
            name=name,
            params=params,
            metrics=measured_values(measured),
            faces=parse_faces(read(paths.PER_FRAME)),
            dataset=str(measured["dataset"]),
            read=read,
            model_uri=model_uri,
        )
    except (KeyError, ValueError, TypeError) as error:
        reason = brief(str(error), 120)
        raise DataError(f"the reports of {name} are damaged or of another version ({reason}); run it again") from None


def _flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in section.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


def paired(first: Results, second: Results) -> tuple[str, Difference]:
    """How the NME differs over the common faces, and of which split: val, or test where val has none in common.

    Raises ValueError if neither has.
    """
    if _frames(first) != _frames(second):
        raise ValueError("no face in common")
    split = "test" if first.nme("val").index.intersection(second.nme("val").index).empty else "val"
    return split, paired_difference(first.nme(split), second.nme(split))


def _frames(results: Results) -> tuple[str, dict[str, str]]:
    """What decides on which frames a run was measured: drawn ones of other settings bear the same names."""
    settings = {name: value for name, value in results.params.items() if name.startswith("fetch.synthetic.")}
    return results.dataset, settings if results.dataset == "synthetic" else {}


def predicted(
    results: Results, split: str, images: np.ndarray, files: list[str], source_from_crop: np.ndarray
) -> np.ndarray:
    """(N, 68, 2) keypoints in source pixels of frames of a split: those the run wrote, or of its model in MLflow.

    `images` (N, S, S) uint8 and (N, 3, 3) `source_from_crop` are those frames prepared. Raises DataError or ModelError
    where neither can be had.
    """
    if results.model_uri is None:
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / paths.PREDICTIONS[split].name
            table.write_bytes(results.read(paths.PREDICTIONS[split]))
            names, keypoints = read_keypoints_csv(table)
        row_of = {name: row for row, name in enumerate(names)}
        if lacking := [file for file in files if file not in row_of]:
            raise DataError(f"the predictions of {results.name} lack {brief(lacking[0])}; run it again")
        return keypoints[[row_of[file] for file in files]]
    from facial_keypoints.core.geometry import transform_points
    from pipeline.experiments.tracking.model_location import locate_model
    from pipeline.models.forward import predict_crops
    from pipeline.models.model_file import load_model

    with tempfile.TemporaryDirectory() as folder:
        network = load_model(locate_model(results.model_uri, Path(folder)))
    return transform_points(source_from_crop, predict_crops(network, images))

"""What one run reported, wherever it is kept: the workspace, a DVC experiment, a git revision or an MLflow run."""

import io
import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline import paths
from pipeline.compare import Difference, paired_difference
from pipeline.data import read_keypoints_csv
from pipeline.errors import DataError
from pipeline.registry import find_run, read_artifact
from pipeline.run_record import MODEL_NAME, flatten_metrics

WORKSPACE = "workspace"

Read = Callable[[Path], bytes]
"""Content of a file of the run, by its path in the workspace; raises DataError."""


@dataclass(frozen=True)
class Results:
    name: str
    params: Mapping[str, str]
    """Dotted name -> value as written in JSON, text as it is."""
    metrics: Mapping[str, float]
    """Dotted name -> value."""
    faces: pd.DataFrame
    """Of every face that was measured, by sample_id: `nme` as a fraction, `split`, `known`: whether the person is in
    train."""
    dataset: str
    read: Read
    model_uri: str | None
    """Of the model in MLflow, for a run of MLflow."""

    def nme(self, split: str) -> pd.Series:
        """NME of the faces of a split, fractions, by sample_id."""
        return self.faces.loc[self.faces["split"] == split, "nme"]


def find_results(name: str) -> Results:
    """The results called `name`. Raises DataError if nothing is called so or its reports are lacking."""
    if name == WORKSPACE:
        return _from_files(name, _read_workspace)
    if commit := commit_of(name):
        return _from_files(name, partial(_read_git, commit))
    run = find_run(name)
    if run is None:
        raise DataError(
            f"{name} is neither {WORKSPACE}, a DVC experiment, a git revision nor an MLflow run; see: dvc exp show -A"
        )
    return _parse(
        run.info.run_name, run.data.params, partial(read_artifact, run), f"runs:/{run.info.run_id}/{MODEL_NAME}"
    )


def commit_of(name: str) -> str | None:
    """The commit of a DVC experiment, the newest of several, or git revision of this name."""
    # Listed by names alone: to sort by date, git would open what a queue at work may just be removing.
    lines = _git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
    named = [commit for reference, commit in map(str.split, lines) if _is_experiment(reference, name)]
    if named:
        return max(named, key=_committed_at) if len(named) > 1 else named[0]
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip() or None


def _is_experiment(reference: str, name: str) -> bool:
    return reference.rsplit("/", 1)[1] == name and "/stash" not in reference


def _committed_at(commit: str) -> int:
    return int(_git("show", "--no-patch", "--format=%ct", commit) or 0)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout


def _read_workspace(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; make it with: dvc repro") from None


def _read_git(commit: str, path: Path) -> bytes:
    """A file of a commit: from git, else from the cache of DVC."""
    shown = subprocess.run(["git", "show", f"{commit}:./{path}"], capture_output=True, check=False)
    if shown.returncode == 0:
        return shown.stdout
    import dvc.api
    from dvc.exceptions import DvcException

    try:
        return bytes(dvc.api.read(str(path), rev=commit, mode="rb"))
    except (DvcException, OSError):
        raise DataError(
            f"{path} of {commit[:7]} is neither in git nor in the cache; try: dvc fetch --all-commits"
        ) from None


def _from_files(name: str, read: Read) -> Results:
    try:
        params = _flatten(YAML(typ="safe").load(read(paths.PARAMS)))
    except (YAMLError, AttributeError):
        raise DataError(f"{paths.PARAMS} of {name} is damaged; mend or restore it") from None
    return _parse(name, params, read, None)


def _parse(name: str, params: Mapping[str, str], read: Read, model_uri: str | None) -> Results:
    try:
        measured = json.loads(read(paths.METRICS))
        table = pd.read_csv(io.BytesIO(read(paths.PER_FRAME))).set_index("sample_id")
        return Results(
            name=name,
            params=params,
            metrics=flatten_metrics(measured),
            faces=table if "split" in table else table.assign(split="test"),  # older runs measured nothing else
            dataset=measured["dataset"],
            read=read,
            model_uri=model_uri,
        )
    except (KeyError, ValueError) as error:
        raise DataError(f"the reports of {name} are damaged or of another version ({error}); run it again") from None


def _flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in section.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value)
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
        return keypoints[[row_of[file] for file in files]]
    from pipeline.checkpoint import load_model
    from pipeline.geometry import transform_points
    from pipeline.model_location import locate_model
    from pipeline.predict import predict_crops

    with tempfile.TemporaryDirectory() as folder:
        network = load_model(locate_model(results.model_uri, Path(folder)))
    return transform_points(source_from_crop, predict_crops(network, images))

"""What one run was set to and what it measured, read from its files, wherever these are kept."""

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief
from facial_keypoints.core.yaml_files import load_yaml
from pipeline.core import paths
from pipeline.core.json_files import load_json
from pipeline.experiments.tracking.run_record import flatten_metrics

_FRACTION = re.compile(r"\w+\.(nme|nme_median|nme_ci95_low|nme_ci95_high|nme_box|auc_08|failure_rate_08)")

Read = Callable[[Path], bytes]
"""Content of a file of the run, by its path in the checkout; raises DataError."""


@dataclass(frozen=True)
class Results:
    """The settings and errors of one run."""

    name: str
    params: Mapping[str, str]
    """Dotted name -> value as written in JSON, text as it is."""
    metrics: Mapping[str, float]
    """Dotted name -> value; errors and shares in percent, as their names say."""
    faces: pd.DataFrame
    """Of every face that was measured, by sample_id: `nme` as a fraction, `split`, `known`: whether the person is in
    the training split."""
    dataset: str
    read: Read
    model_uri: str | None
    """Address of the model in MLflow, for a run of MLflow."""

    def nme(self, split: str) -> pd.Series:
        """NME of the faces of a split, fractions, by sample_id."""
        return self.faces.loc[self.faces["split"] == split, "nme"]


def read_results(name: str, params: Mapping[str, str], read: Read, model_uri: str | None) -> Results:
    """The results of the run called `name`, its reports read by `read`. Raises DataError, also for damaged reports."""
    try:
        measured = load_json(read(paths.METRICS))
        return Results(
            name=name,
            params=params,
            metrics=in_percent(flatten_metrics(measured)),
            faces=_faces(read(paths.PER_FRAME)),
            dataset=str(measured["dataset"]),
            read=read,
            model_uri=model_uri,
        )
    except (KeyError, ValueError, TypeError) as error:
        reason = brief(str(error), 120)
        raise DataError(f"the reports of {name} are damaged or of another version ({reason}); run it again") from None


def read_metrics(name: str, read: Read) -> dict[str, float]:
    """The metrics alone, as `Results` has them. Raises DataError."""
    try:
        return in_percent(flatten_metrics(load_json(read(paths.METRICS))))
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{paths.METRICS} of {name} is damaged ({brief(str(error), 120)}); run it again") from None


def read_params(name: str, read: Read) -> dict[str, str]:
    """params.yaml of the run called `name`, as `Results` has it. Raises DataError."""
    try:
        return _flatten(load_yaml(read(paths.PARAMS)))
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{paths.PARAMS} of {name} is damaged ({error}); mend or restore it") from None


def _flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in section.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


def _faces(table: bytes) -> pd.DataFrame:
    """The faces of per_frame.csv as `Results` has them. Raises KeyError, ValueError and TypeError."""
    kinds = {"sample_id": "str", "nme": "float64", "known": "bool", "split": "str"}
    faces = pd.read_csv(io.BytesIO(table), dtype=kinds, keep_default_na=False).set_index("sample_id")
    if faces.empty or not np.isfinite(faces["nme"]).all() or not faces.index.is_unique:
        raise ValueError("it measured no face, an error is no number, or a face comes twice")
    return faces if "split" in faces else faces.assign(split="test")  # older runs measured nothing else


def in_percent(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics by dotted name, or by MLflow's name with a slash: errors and shares that are fractions in percent."""
    dotted = {name.replace("/", ".", 1): value for name, value in metrics.items()}
    return {
        f"{n}_percent" if _FRACTION.fullmatch(n) else n: 100 * v if _FRACTION.fullmatch(n) else v
        for n, v in dotted.items()
    }

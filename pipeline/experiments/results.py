"""What one run was set to and what it measured, read from its files, wherever these are kept."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief
from facial_keypoints.core.yaml_files import load_yaml
from pipeline.core import paths
from pipeline.core.json_files import load_json
from pipeline.core.params import flatten
from pipeline.evaluation.metric_names import measured_values
from pipeline.evaluation.per_frame import parse_faces

VAL_NME, TEST_NME = "val.nme_percent", "test.nme_percent"
"""Names of the errors that are looked at most."""
Read = Callable[[Path], bytes]
"""Content of a file of the run, by its path in the checkout; raises DataError."""


@dataclass(frozen=True)
class Results:
    """The settings and errors of one run."""

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
    """Address of the model in MLflow, for a run of MLflow."""

    def nme(self, split: str) -> pd.Series:
        """NME of the faces of a split, percent, by sample_id."""
        return self.faces.loc[self.faces["split"] == split, "nme_percent"]

    def val_nme_percent(self) -> float:
        """The error that runs are ranked by. Raises DataError where val has none."""
        if (error := self.metrics.get(VAL_NME)) is None:
            raise DataError(
                f"{self.name} measured no error on val, by which runs are ranked; label the points that the error is "
                "divided by in some of its frames, or hold others out: -S split.val_people_frac=0.2"
            )
        return error


def read_results(name: str, params: Mapping[str, str], read: Read, model_uri: str | None) -> Results:
    """The results of the run called `name`, its reports read by `read`. Raises DataError, also for damaged reports."""
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


def read_metrics(name: str, read: Read) -> dict[str, float]:
    """The metrics alone, as `Results` has them. Raises DataError."""
    try:
        return measured_values(load_json(read(paths.METRICS)))
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{paths.METRICS} of {name} is damaged ({brief(str(error), 120)}); run it again") from None


def read_params(name: str, read: Read) -> dict[str, str]:
    """params.yaml of the run called `name`, as `Results` has it. Raises DataError."""
    try:
        values = flatten(load_yaml(read(paths.PARAMS)))
        return {
            key: value if isinstance(value, str) else json.dumps(value, default=str) for key, value in values.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{paths.PARAMS} of {name} is damaged ({error}); mend or restore it") from None

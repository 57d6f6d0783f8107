"""metrics.json: what evaluate measured, as one tree of dataclasses, written and read here alone.

Errors and shares are in percent, and their names say so. Only faces that can be measured are counted: see
`pipeline.core.metrics.measurable`. Fields with a default stand in the file where they have another value: of labels
that are whole they say nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from facial_keypoints.core.errors import DataError
from pipeline.core import paths
from pipeline.core.json_files import read_json, write_json
from pipeline.core.params import flatten
from pipeline.evaluation.reports import refusal

_PERCENT_DIGITS, _DIGITS = 4, 6
"""Decimals of percent and of other numbers: as many as a rebuild on the same machine repeats, with some to spare."""


@dataclass(frozen=True)
class Network:
    """What was measured."""

    name: str
    parameters: int
    """Number of trained weights."""


@dataclass(frozen=True)
class GroupMetrics:
    """Errors of a group of faces; None where the group is empty."""

    faces: int
    nme_percent: float | None
    """Mean over the faces of their NME; see `pipeline.core.metrics.nme`."""
    nme_median_percent: float | None
    nme_ci95_low_percent: float | None
    """Lower end of the 95 % interval of the mean over people; None also where all faces are of one person."""
    nme_ci95_high_percent: float | None
    auc_08_percent: float | None
    """Area under the CED up to an NME of 8 %, over 8 %."""
    failure_rate_08_percent: float | None
    """Share of the faces with an NME above 8 %."""
    nme_box_percent: float | None
    """As `nme_percent`, over the size of the box round the points."""
    smooth_l1: float | None
    """Loss of the course projects, of labels (p - 100) / 50 in a frame of 224 pixels."""
    mse: float | None
    """Squared error of the same labels."""
    not_measured: int | None = None
    """Labelled faces that are left out, as the points that errors are divided by are not labelled."""
    nme_seen_points_percent: float | None = None
    """As `nme_percent`, of points alone that nothing hides; None where labels do not tell."""
    nme_hidden_points_percent: float | None = None
    """As `nme_percent`, of points alone that something hides."""
    coverage_50_percent: float | None = None
    """Share of the true points inside the radii that the network says hold half of them; None where it says none."""
    coverage_90_percent: float | None = None
    """The same of the radii for 0.9 of them, see `facial_keypoints.core.certainty`."""

    @classmethod
    def empty(cls) -> Self:
        """Those of no faces."""
        return cls(0, **{field.name: None for field in fields(cls)[1:] if field.default is MISSING})

    @property
    def nme_ci95_percent(self) -> tuple[float, float] | None:
        """Both ends of the interval; None where it is unknown."""
        low, high = self.nme_ci95_low_percent, self.nme_ci95_high_percent
        return None if low is None or high is None else (low, high)

    @property
    def coverage_percent(self) -> tuple[float, float] | None:
        """Shares of the true points inside the radii for half and for 0.9 of them; None where none are told."""
        half, most = self.coverage_50_percent, self.coverage_90_percent
        return None if half is None or most is None else (half, most)


@dataclass(frozen=True)
class Baseline:
    """Errors where every face of the test is given the mean shape of the training faces."""

    nme_percent: float


@dataclass(frozen=True)
class Metrics:
    """All of metrics.json."""

    dataset: str
    model: Network
    val: GroupMetrics
    """The faces by which everything is chosen: people that were held out."""
    test: GroupMetrics
    """The faces that are looked at when all is chosen."""
    test_known_people: GroupMetrics
    """Those of the test whose person is in the training split."""
    test_unseen_people: GroupMetrics
    """The others of the test."""
    test_regions_nme_percent: dict[str, float]
    """Region of the scheme -> mean over the test faces of the error of its points alone."""
    test_mean_shape: Baseline
    test_by_dataset: dict[str, GroupMetrics] | None = None
    """Dataset -> those of the test that come from it, where several are merged."""
    points_in_no_training_frame: list[str] | None = None
    """Points that no training frame labels, so that hardly anything here holds for them."""

    def flat(self) -> dict[str, float]:
        """Every number by its dotted name, e.g. "test.nme_percent", as `dvc metrics show` has them."""
        return flat_numbers(asdict(self))


def flat_numbers(tree: dict[str, Any]) -> dict[str, float]:
    """The numbers of nested mappings by dotted name; an interval [low, high] becomes <name>_low and <name>_high."""
    leaves: Mapping[str, Any] = flatten(tree)
    numbers: dict[str, float] = {}
    for name, value in leaves.items():
        match value:
            case [float() | int() as low, float() | int() as high]:
                numbers |= {f"{name}_low": low, f"{name}_high": high}
            case float() | int():
                numbers[name] = value
    return numbers


def write_metrics(metrics: Metrics) -> Metrics:
    """Write metrics.json, numbers rounded; returns what it says now."""
    rounded = _from_data(_rounded(asdict(metrics), _DIGITS))
    write_json(paths.METRICS, _without_defaults(asdict(rounded)))
    return rounded


_OPTIONAL = {part.name for kind in (GroupMetrics, Metrics) for part in fields(kind) if part.default is None}


def _without_defaults(tree: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_defaults(value) if isinstance(value, dict) else value
        for name, value in tree.items()
        if value is not None or name not in _OPTIONAL
    }


def read_metrics() -> Metrics:
    """What metrics.json says. Raises DataError for one of another form, naming the first value that is wrong."""
    content = read_json(paths.METRICS)
    try:
        return _from_data(content)
    except ValidationError as error:
        raise DataError(refusal(paths.METRICS, error, "evaluate")) from None


def _from_data(content: dict[str, Any]) -> Metrics:
    """Strict as to types; JSON is the only form in which pydantic takes nested dataclasses strictly from mappings."""
    return TypeAdapter(Metrics).validate_json(json.dumps(content), strict=True)


def _rounded(value: Any, digits: int) -> Any:
    """The same tree, every float rounded to `digits`, or as percent where its name or that of its mapping says so."""
    if isinstance(value, dict):
        return {n: _rounded(part, _PERCENT_DIGITS if n.endswith("_percent") else digits) for n, part in value.items()}
    return round(value, digits) if isinstance(value, float) else value

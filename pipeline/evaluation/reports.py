"""The reports that stages hand on, checked when they are read: they lie in files that anybody can change."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief, shown
from pipeline.core import paths
from pipeline.core.json_files import read_json


class _Report(BaseModel):
    """Also holds what is not named here."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Dataset(_Report):
    dataset: str
    revision: str
    files: int
    sha256: str


class _Network(_Report):
    name: str
    parameters: int


class _Group(_Report):
    """Errors of some faces, fractions; null where there are none."""

    faces: int
    nme: float | None
    nme_ci95: list[float] | None
    auc_08: float | None
    failure_rate_08: float | None


class _Baseline(_Report):
    nme: float


class _Metrics(_Report):
    dataset: str
    model: _Network
    val: _Group
    test: _Group
    test_known_people: _Group
    test_unseen_people: _Group
    regions: dict[str, float]
    baseline_mean_shape: _Baseline


def read_dataset() -> dict[str, Any]:
    """dataset.json: "dataset", "revision", "files", "sha256". Raises DataError."""
    return _read(paths.DATASET, _Dataset, "fetch")


def read_metrics() -> dict[str, Any]:
    """metrics.json, as evaluate writes it. Raises DataError."""
    return _read(paths.METRICS, _Metrics, "evaluate")


def _read(path: Path, form: type[_Report], stage: str) -> dict[str, Any]:
    content = read_json(path)
    try:
        form.model_validate(content)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        name = brief(".".join(map(str, wrong["loc"])))
        missing = wrong["type"] == "missing"
        reason = f"lacks {name}" if missing else f"says that {name} is {shown(wrong['input'])}: {wrong['msg']}"
        raise DataError(f"{path} {reason}; make it again with: dvc repro -fs {stage}") from None
    return content

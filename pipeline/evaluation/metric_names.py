"""Names of metrics: the present ones, with dots, and those that older runs and MLflow have for the same."""

import re
from collections.abc import Mapping
from typing import Any

from facial_keypoints.core.percent import to_percent
from pipeline.evaluation.metrics_file import flat_numbers

_OLDER = (
    (re.compile(r"regions\.(\w+)"), r"test_regions_nme_percent.\1"),
    (re.compile(r"(\w+\.(?:nme|nme_median|nme_ci95_low|nme_ci95_high|nme_box|auc_08|failure_rate_08))"), r"\1_percent"),
    (re.compile(r"val_nme"), r"training.val_nme_percent"),
    (re.compile(r"(lr|train_loss|val_loss)"), r"training.\1"),
)
"""Name in older runs -> the present one. All that is called percent now was a fraction then."""


def measured_values(report: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in the contents of a metrics.json of any age, by their present dotted names and in percent."""
    return present_values(flat_numbers(dict(report)))


def present_values(values: Mapping[str, float]) -> dict[str, float]:
    """Metrics under names of any age, with dots or MLflow's slash, by their present dotted names and in percent."""
    return dict(_present(name.replace("/", "."), value) for name, value in values.items())


def _present(name: str, value: float) -> tuple[str, float]:
    for older, present in _OLDER:
        if found := older.fullmatch(name):
            renamed = found.expand(present)
            return renamed, round(to_percent(value), 6) if "_percent" in renamed else value
    return name, value

"""metrics.json: one form, checked when it is read, and what older runs called its numbers."""

import json
from typing import Any

import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.percent import percent_text, to_percent
from pipeline.core import paths
from pipeline.evaluation.metric_names import measured_values, present_values
from pipeline.evaluation.metrics_file import read_metrics, write_metrics
from tests.metrics import group, measured


def test_what_is_written_is_read_again(workspace) -> None:
    metrics = measured()
    assert write_metrics(metrics) == read_metrics() == metrics


def test_percent_keeps_four_decimals_and_a_loss_six(workspace) -> None:
    write_metrics(measured(test=group(4, nme_percent=3.57912345, mse=0.00085249)))
    test = json.loads(paths.METRICS.read_text())["test"]
    assert (test["nme_percent"], test["mse"]) == (3.5791, 0.000852)


def test_an_interval_has_both_ends_or_none() -> None:
    assert group(4).nme_ci95_percent == (4.0, 6.0)
    assert group(4, nme_ci95_low_percent=None, nme_ci95_high_percent=None).nme_ci95_percent is None


def test_every_number_has_a_dotted_name() -> None:
    flat = measured().flat()
    assert flat["test.nme_percent"] == 5.0
    assert flat["test_regions_nme_percent.jaw"] == 5.0
    assert flat["model.parameters"] == 12345
    assert "dataset" not in flat
    empty = measured(val=group(0)).flat()
    assert empty["val.faces"] == 0
    assert "val.nme_percent" not in empty


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"test": {}}, "lacks test.faces"),
        ({"test": 1}, "says that test is 1"),
        ({"val": None}, "says that val is None"),
        ({"model": {"name": 1, "parameters": 1}}, "says that model.name is 1: Input should be a valid string"),
        ({"model": {"name": "x" * 5000, "parameters": "1"}}, "says that model.parameters is '1'"),
        ({"test_regions_nme_percent": {"jaw": "wide"}}, "says that test_regions_nme_percent.jaw is 'wide'"),
        ({"baseline_mean_shape": []}, "says that baseline_mean_shape is "),
        ({"baseline_mean_shape": {"nme": 0.28}}, "lacks baseline_mean_shape.nme_percent"),
    ],
)
def test_metrics_of_another_form_are_one_line(workspace, change: dict[str, Any], reason: str) -> None:
    write_metrics(measured())
    paths.METRICS.write_text(json.dumps(json.loads(paths.METRICS.read_text()) | change))
    with pytest.raises(DataError, match=rf"metrics\.json {reason}.*; make it again with: dvc repro -fs evaluate"):
        read_metrics()


OLDER = {
    "dataset": "youtube-faces",
    "model": {"name": "coarse_to_fine", "parameters": 2278468},
    "test": {"faces": 770, "nme": 0.035791, "nme_ci95": [0.03504, 0.036599], "auc_08": 0.554192, "mse": 0.000852},
    "regions": {"jaw": 0.047478},
    "baseline_mean_shape": {"nme": 0.28464},
}


def test_an_older_report_says_the_same_under_the_present_names() -> None:
    assert measured_values(OLDER) == pytest.approx(
        {
            "model.parameters": 2278468,
            "test.faces": 770,
            "test.nme_percent": 3.5791,
            "test.nme_ci95_low_percent": 3.504,
            "test.nme_ci95_high_percent": 3.6599,
            "test.auc_08_percent": 55.4192,
            "test.mse": 0.000852,
            "test_regions_nme_percent.jaw": 4.7478,
            "baseline_mean_shape.nme_percent": 28.464,
        }
    )


def test_the_present_report_keeps_its_names_and_values() -> None:
    flat = measured().flat()
    assert present_values(flat) == flat


def test_every_number_of_an_older_report_has_its_place_in_the_present_one() -> None:
    """All names that metrics.json ever had, those of the dataclass without the unit."""
    older = {name.removesuffix("_percent"): 0.5 for name in measured().flat() if "regions" not in name}
    assert set(present_values(older)) == {name for name in measured().flat() if "regions" not in name}


def test_metrics_of_a_run_in_mlflow_have_the_same_names_whatever_its_age() -> None:
    older = {"test.nme": 0.04, "val_nme": 0.05, "train_loss": 9.5}
    present = {"test/nme_percent": 4.0, "training/val_nme_percent": 5.0, "training/train_loss": 9.5}
    assert present_values(older) == pytest.approx(present_values(present))
    assert present_values(present)["training.val_nme_percent"] == 5.0


def test_percent_is_a_hundred_times_the_fraction() -> None:
    assert to_percent(0.5) == 50
    assert percent_text(3.579) == "3.58 %"
    assert percent_text(41.24, 1) == "41.2 %"
    assert percent_text(None) == "unknown"

"""What evaluate measured, made up."""

from dataclasses import replace
from typing import Any

from pipeline.evaluation.metrics_file import Baseline, GroupMetrics, Metrics, Network

FIVE_PERCENT = GroupMetrics(
    faces=1,
    nme_percent=5.0,
    nme_median_percent=4.5,
    nme_ci95_low_percent=4.0,
    nme_ci95_high_percent=6.0,
    auc_08_percent=40.0,
    failure_rate_08_percent=25.0,
    nme_box_percent=2.5,
    smooth_l1=0.001,
    mse=0.0005,
)


def group(faces: int, **changes: Any) -> GroupMetrics:
    """So many faces with an NME of 5 %, the other metrics as round, but for `changes`; empty where there are none."""
    return replace(FIVE_PERCENT, faces=faces, **changes) if faces else GroupMetrics.empty()


def measured(**changes: Any) -> Metrics:
    """Everything that metrics.json holds, of synthetic faces, but for `changes`."""
    metrics = Metrics(
        dataset="synthetic",
        model=Network("coarse_to_fine", 12345),
        val=group(4),
        test=group(6),
        test_known_people=group(5),
        test_unseen_people=group(1),
        test_regions_nme_percent={"jaw": 5.0, "right_brow": 4.0},
        baseline_mean_shape=Baseline(25.0),
    )
    return replace(metrics, **changes)

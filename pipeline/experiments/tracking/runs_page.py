"""What MLflow's pages show first of the project's runs: the columns of their table, and what the runs are."""

import json
from functools import partial

from pipeline.experiments.tracking.mlflow_store import Store, add_shared

START_VIEW = "start"
"""Key under which MLflow's pages find the columns of the runs table that a newcomer needs."""
OLDER_COLUMNS = ("val.nme", "test.nme")
"""Fractions, as runs of older checkouts have them; MLflow leaves out a column that no run has."""
_COLUMNS = [
    "attributes.`Duration`",
    *(
        f"metrics.`{name}`"
        for name in (
            "val/nme_percent",
            "val/auc_08_percent",
            "val/failure_rate_08_percent",
            "val/coverage_50_percent",
            "val/coverage_90_percent",
            "test/nme_percent",
            "test_unseen_people/nme_percent",
            *OLDER_COLUMNS,
        )
    ),
    *(f"params.`{name}`" for name in ("model.name", "train.epochs", "train.lr", "train.seed")),
    "attributes.`Models`",
    "tags.`git_commit`",
]
_VIEW = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": _COLUMNS,
    "runsPinned": [],
    "runsHidden": [],
    "runsHiddenMode": "SHOWALL",
    "runsVisibilityMap": {},
    "runsExpanded": {},
    "groupBy": None,
    "hideEmptyCharts": True,
    "autoRefreshEnabled": True,
    "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
}
"""As the pages themselves store a view that is shared."""
_EXPERIMENT_TAGS = {
    f"mlflow.sharedViewState.{START_VIEW}": json.dumps(_VIEW),
    "mlflow.experimentKind": "custom_model_development",  # else its pages are those for language models
    "mlflow.note.content": "Runs of the keypoint pipeline, one for each `dvc repro` or `dvc exp run` that computed "
    "something, named after its network or experiment and its keypoint error (NME) on val, by which one chooses.",
}


def describe_experiment(store: Store) -> None:
    """Store the columns and the description with the experiment, where MLflow's pages find them."""
    present = store.client.get_experiment(store.experiment_id).tags
    for name, value in _EXPERIMENT_TAGS.items():
        if present.get(name) != value:
            add_shared(partial(store.client.set_experiment_tag, store.experiment_id, name, value))

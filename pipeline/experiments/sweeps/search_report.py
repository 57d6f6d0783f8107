"""What came of a search: a table of its trainings, and Optuna's plots of its history and of what mattered."""

import warnings
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt

from pipeline.evaluation.style import png, style
from pipeline.experiments.sweeps.held_trial import EXPERIMENT, FAILURE, PRUNED_AFTER, TEST
from pipeline.experiments.sweeps.search import Search, has_ended
from pipeline.experiments.sweeps.space import Range
from pipeline.experiments.sweeps.study import open_study, storage_errors

_FEW = 4
"""Fewer trainings with an error say nothing of which parameters matter."""


def trial_table(search: Search) -> pd.DataFrame:
    """A row for each training that has ended, the best first.

    The columns are `experiment`, `state` (COMPLETE, PRUNED or FAIL), `val_nme_percent` (of the last epoch where it was
    pruned), `test_nme_percent`, `epochs` it was pruned after, the parameters, and the `failure`.
    """
    with storage_errors(search.storage):
        trials = [trial for trial in open_study(search.storage, search.study).trials if has_ended(trial)]
    rows = [
        {
            "experiment": trial.user_attrs.get(EXPERIMENT),
            "state": trial.state.name,
            "val_nme_percent": trial.value,
            "test_nme_percent": trial.user_attrs.get(TEST),
            "epochs": trial.user_attrs.get(PRUNED_AFTER),
            **{name: _text(part, trial.params.get(name)) for name, part in search.space.items()},
            "failure": trial.user_attrs.get(FAILURE),
        }
        for trial in trials
    ]
    return pd.DataFrame(rows).sort_values(["state", "val_nme_percent"], kind="stable", ignore_index=True)


def _text(part: Range | tuple[str, ...], value: object) -> str:
    """A chosen value as it went into params.yaml."""
    if value is None:  # as it is never chosen, or as the training failed before
        return "" if isinstance(part, Range) else part[0]
    return part.text(float(str(value))) if isinstance(part, Range) else str(value)


def plots(search: Search) -> dict[str, bytes]:
    """PNG files by the ending of their names: history, and importances where enough trainings have an error."""
    from optuna.visualization import matplotlib as drawn

    with storage_errors(search.storage), style(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its plots by Matplotlib experimental
        study = open_study(search.storage, search.study)
        complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
        draw: dict[str, Any] = {"-history.png": drawn.plot_optimization_history} if complete else {}
        if len({trial.value for trial in complete}) >= _FEW:
            draw["-importances.png"] = drawn.plot_param_importances
        files = {}
        for ending, plot in draw.items():
            files[ending] = png(plot(study).figure)
            plt.close("all")
    return files

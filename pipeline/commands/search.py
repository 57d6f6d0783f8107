"""`keypoints sweep --search`: settings that Optuna chooses, a table of the best, and plots of the search."""

from typing import TYPE_CHECKING, Any

from facial_keypoints.core.terminal import say
from pipeline.commands.fitted_table import Side, say_fitted

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 10
_NUMBERS = {"val NME %": "val_nme_percent", "test NME %": "test_nme_percent"}
"""Heading -> column of the table."""


def search_settings(settings: list[str], trainings: int, jobs: int, seeds: str, storage: str) -> None:
    """Search until `trainings` settings were tried, then tell the best. Raises KeypointsError."""
    from facial_keypoints.core.errors import ConfigError, KeypointsError
    from pipeline.core.paths import workspace_root
    from pipeline.experiments.dvc import git
    from pipeline.experiments.dvc.temporary import none_begins
    from pipeline.experiments.sweeps.search import Search, work_in_processes
    from pipeline.experiments.sweeps.settings import parse_seeds, parse_settings
    from pipeline.experiments.sweeps.space import parse_space
    from pipeline.experiments.sweeps.study import SWEEPS, default_storage, open_study, study_name

    numbers = parse_seeds(seeds)
    if len(numbers) > 1:
        raise ConfigError("--search trains each setting once; give one seed, and train the best with others afterwards")
    git.head()
    address = storage or default_storage()
    with none_begins(workspace_root() / SWEEPS):  # another search may be at work here
        space = parse_space(parse_settings(settings))
        search = Search(address, study_name(space, numbers[0]), space, numbers[0], trainings)
    open_study(address, search.study)  # so that its failure is told once
    say(f"{search.study}: {trainings} trainings. Ctrl+C ends it; the same command goes on")
    try:
        work_in_processes(search, jobs)
    except KeyboardInterrupt:
        say(f"{search.study} waits to be gone on with, by the same command")
        raise
    if not _report(search):
        raise KeypointsError(f"none of {trainings} trainings came to its end; see sweeps/{search.study}/")


def _report(search: Any) -> bool:
    """Write table and plots, tell the best settings; whether there is one."""
    from facial_keypoints.outputs.output_folder import OutputFolder
    from pipeline.experiments.sweeps.search_report import plots, trial_table
    from pipeline.experiments.sweeps.study import SWEEPS

    table = trial_table(search)
    complete = table[table["state"] == "COMPLETE"]
    files = {".csv": table.to_csv(index=False).encode()} | plots(search)
    target = OutputFolder(SWEEPS).target(search.study, None)
    for ending, content in files.items():
        with target.writing(ending) as partial:
            partial.write_bytes(content)
    if len(complete):
        _say_best(complete.head(_MOST_ROWS), list(search.space))
    counts = table["state"].value_counts()
    say(", ".join(f"{count} {state}" for state, count in counts.items()))
    say(", ".join(f"{SWEEPS / search.study}{ending}" for ending in files))
    if len(complete):
        say(f"Apply the best: dvc exp apply {complete['experiment'].iloc[0]}")
    return bool(len(complete))


def _say_best(table: "pd.DataFrame", settings: list[str]) -> None:
    columns: dict[str, Side] = {"experiment": "left", **dict.fromkeys(_NUMBERS, "right")}
    columns |= dict.fromkeys(settings, "left")
    shown = table[["experiment", *_NUMBERS.values(), *settings]].copy()
    for column in _NUMBERS.values():
        shown[column] = shown[column].map("{:.3f}".format)
    say_fitted(columns, shown.astype(str).to_numpy().tolist())

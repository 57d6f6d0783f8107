"""`keypoints sweep`: every setting of a grid, or those that a search chooses, and a table of what came of them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.terminal import say
from pipeline.commands.fitted_table import Side, say_fitted, say_wrapped

if TYPE_CHECKING:
    import pandas as pd


def sweep(
    settings: Annotated[
        list[str], typer.Option("--set", "-S", metavar="NAME=VALUE,...", help="Values to try; may come several times.")
    ],
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Experiments at a time.")] = 1,
    seeds: Annotated[str, typer.Option(help="Values of train.seed, each setting trains with all of them.")] = "0",
    search: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Choose N settings, by Optuna, from values and from ranges, LOW..HIGH."),
    ] = None,
    storage: Annotated[
        str,
        typer.Option(
            envvar="KEYPOINTS_SEARCH_STORAGE",
            show_default=False,
            help="Database of the search, postgresql://…, for several hosts to work on it; by default a file here.",
        ),
    ] = "",
) -> None:
    """Train with every combination of settings in DVC's queue, and rank them by their validation error.

    Every value is checked before anything is queued; an experiment that fails leaves the others alone. The table in
    sweeps/ says by how much each setting is behind the best, and whether that is more than the seeds make.

    With --search N, settings are chosen one after the other, each by the errors of the earlier ones, N in all; a
    training that is worse than half of the others at the same epoch is pruned. The same command goes on with it.
    """
    if search is not None:
        from pipeline.commands.search import search_settings

        search_settings(settings, search, jobs, seeds, storage)
        return
    from facial_keypoints.core.errors import KeypointsError
    from pipeline.experiments.dvc.queue import free_name, work_off
    from pipeline.experiments.sweeps.plan import planned_trainings
    from pipeline.experiments.sweeps.settings import check, parse_seeds, parse_settings, refuse_equal_values
    from pipeline.experiments.sweeps.space import refuse_ranges

    choices = parse_settings(settings)
    refuse_ranges(choices)
    planned = planned_trainings(choices, parse_seeds(seeds))
    check(planned)
    refuse_equal_values(choices)
    name = free_name("sweep")
    by_name = {f"{name}-{number:02d}": training for number, training in enumerate(planned, start=1)}
    queue(by_name)
    say("Working: a line comes as each ends; look on at one with: dvc queue logs --follow NAME")
    say("Ctrl+C leaves the queue at work; end it with: dvc queue stop --kill")
    finished: list[dict[str, Any]] = []
    failed: list[str] = []

    def on_done(experiment: str, status: str) -> None:
        try:
            if status == "Failed":
                raise KeypointsError(f"see: dvc queue logs {experiment}")
            finished.append(_result(experiment, by_name[experiment]))
            told = f"validation NME {percent_text(finished[-1]['val_nme_percent'])}"
        except KeypointsError as error:
            failed.append(experiment)
            told = f"FAILED, {error}"
        say(f"{experiment}: {told} ({_words(by_name[experiment])})")

    work_off(by_name, jobs, on_done)
    if not finished:
        raise KeypointsError(f"all {len(failed)} experiments failed; see why with: dvc queue logs {failed[0]}")
    _report(name, finished, list(choices))
    if failed:
        raise KeypointsError(
            f"{len(failed)} of {len(by_name)} experiments failed: {', '.join(failed)}; dvc queue logs NAME"
        )


def queue(by_name: Mapping[str, Mapping[str, str]]) -> None:
    """Queue experiments, the settings of each by its name: all of them or, where one cannot be queued, none."""
    from pipeline.experiments.dvc.queue import put, take_back

    queued: list[str] = []
    try:
        for name, training in by_name.items():
            put(name, training)
            queued.append(name)
            say(f"queued {name}: {_words(training)}")
    except BaseException:
        take_back(queued)
        raise


def _result(experiment: str, settings: Mapping[str, str]) -> dict[str, Any]:
    """Settings, name and errors of a finished experiment, as `leaderboard` wants them. Raises DataError."""
    from pipeline.experiments.lookup import find_results
    from pipeline.experiments.results import TEST_NME

    results = find_results(experiment)
    errors = {"val_nme_percent": results.val_nme_percent(), "test_nme_percent": results.metrics.get(TEST_NME, math.nan)}
    return {**settings, "name": experiment, **errors}


def _words(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items())


def _report(name: str, finished: list[dict[str, Any]], settings: list[str]) -> None:
    """Write the table and its plot, print the table, what it proves, and how to apply the best."""
    import pandas as pd

    from facial_keypoints.outputs.output_folder import OutputFolder
    from pipeline.evaluation.style import png, style
    from pipeline.experiments.sweeps.figure import sweep_figure
    from pipeline.experiments.sweeps.leaderboard import leaderboard
    from pipeline.experiments.sweeps.study import SWEEPS
    from pipeline.experiments.sweeps.verdict import verdict

    results = pd.DataFrame(finished)
    table = leaderboard(results, settings)
    with style():
        picture = png(sweep_figure(table, results, settings))
    target = OutputFolder(SWEEPS).target(name, None)
    for ending, content in ((".csv", table.round(6).to_csv(index=False).encode()), (".png", picture)):
        with target.writing(ending) as partial:
            partial.write_bytes(content)
    _say_table(table, settings)
    if len(table) > 1:
        say_wrapped(verdict(table))
    say(f"{SWEEPS / name}.csv, {SWEEPS / name}.png")
    say(f"Apply the best: dvc exp apply {table['best'][0]}")


_NUMBERS = {"val NME %": "val_nme_percent", "behind": "behind", "spread": "spread", "test NME %": "test_nme_percent"}
"""Heading -> column of the leaderboard."""


def _say_table(table: "pd.DataFrame", settings: list[str]) -> None:
    """The leaderboard; what is the same in every row is said once, below."""
    from pipeline.experiments.sweeps.leaderboard import varied

    shown = table[varied(table, settings)].copy()
    for heading, column in _NUMBERS.items():
        shown[heading] = table[column].map(lambda number: "-" if number != number else f"{number:.3f}")
    if table["seeds"].nunique() > 1:
        shown["seeds"] = table["seeds"].map(str)
    if len(table) > 1:
        shown["significant"] = table["significant"]
    columns: dict[str, Side] = {name: "right" if name in _NUMBERS else "left" for name in map(str, shown)}
    say_fitted(columns, shown.to_numpy().tolist())
    if same := {name: str(table[name][0]) for name in [*settings, "seeds"] if name not in shown}:
        say_wrapped(f"in every row: {_words(same)}")

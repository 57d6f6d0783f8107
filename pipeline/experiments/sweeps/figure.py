"""The leaderboard of a sweep as a picture: data in, Matplotlib figure out; never saves."""

from collections.abc import Sequence

import pandas as pd
from matplotlib import ticker
from matplotlib.figure import Figure

from facial_keypoints.core.percent import percent_text
from pipeline.evaluation.style import PALETTE, label, new_figure

_MOST_ROWS = 60
"""The best of so many settings, as many as can be looked at."""
_LABEL_MOST, _TITLE_MOST = 40, 64
"""Characters of a setting beside its row and in the title."""


def sweep_figure(table: pd.DataFrame, results: pd.DataFrame, settings: Sequence[str]) -> Figure:
    """Validation NME of every member, a line for each of the best settings, the best on top.

    `table` and `results` are the leaderboard and its members, as in pipeline.experiments.sweeps.summary.leaderboard.
    """
    members, whole = len(results), len(table)
    table = table.head(_MOST_ROWS)
    of = f"the best {len(table)} of {whole} settings, " if len(table) < whole else ""
    least = percent_text(table["val_nme_percent"][0])
    figure = new_figure(
        1.5 + 0.38 * len(table),
        title=f"Best: {_label(table.iloc[0], settings, _TITLE_MOST)}",
        detail=f"validation NME {least}, {of}{members} members; bar: mean of the seeds",
        dataset="sweep",
    )
    axes = figure.subplots()
    for place, (_, row) in enumerate(table.iterrows()):
        same = (results[list(settings)] == row[list(settings)]).all(axis=1)
        seeds = results.loc[same, "val_nme_percent"]
        color = PALETTE["model" if place == 0 else "baseline" if row["clear"] == "yes" else "quiet"]
        axes.plot(seeds, [place] * len(seeds), "o", color=color, ms=6, alpha=0.6, mew=0)
        axes.plot(row["val_nme_percent"], place, "|", color=color, ms=18, mew=2.5)
    axes.set_yticks(range(len(table)), [_label(row, settings, _LABEL_MOST) for _, row in table.iterrows()])
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlabel("validation NME (%), a dot for each seed; orange: behind by more than the seeds make")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6))
    axes.tick_params(axis="y", length=0, labelcolor=PALETTE["ink"])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.08)
    axes.grid(axis="x")
    return figure


def _label(row: pd.Series, settings: Sequence[str], most: int) -> str:
    return label(", ".join(f"{name.rsplit('.', 1)[-1]} {row[name]}" for name in settings), most)

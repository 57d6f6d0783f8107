"""The leaderboard of a sweep as a picture: data in, Matplotlib figure out; never saves."""

from collections.abc import Sequence

import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facial_keypoints.core.percent import percent_text
from pipeline.evaluation.style import PALETTE, label, new_figure
from pipeline.experiments.sweeps.leaderboard import varied

_MOST_ROWS = 60
"""The best of so many settings, as many as can be looked at."""
_LABEL_MOST, _TITLE_MOST = 40, 64
"""Characters of a setting beside its row and in the title."""


def sweep_figure(table: pd.DataFrame, results: pd.DataFrame, settings: Sequence[str]) -> Figure:
    """Validation NME of every training, a line for each of the best settings, the best on top.

    `table` and `results` are the leaderboard and its trainings, as in `pipeline.experiments.sweeps.leaderboard`.
    """
    told_apart_by = varied(table, settings)
    shown = table.head(_MOST_ROWS)
    figure = new_figure(
        1.5 + 0.38 * len(shown),
        title=f"Best: {_label(table.iloc[0], told_apart_by, _TITLE_MOST)}",
        detail=_detail(table, shown, len(results)),
        dataset="sweep",
    )
    axes = figure.subplots()
    for place, (_, row) in enumerate(shown.iterrows()):
        same = (results[list(settings)] == row[list(settings)]).all(axis=1)
        color = PALETTE["model" if place == 0 else "baseline" if row["significant"] == "yes" else "quiet"]
        _draw_row(axes, place, results.loc[same, "val_nme_percent"], color)
    axes.set_yticks(range(len(shown)), [_label(row, told_apart_by, _LABEL_MOST) for _, row in shown.iterrows()])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    orange = "; orange: behind by more than seeds make" if "yes" in set(shown["significant"]) else ""
    axes.set_xlabel(f"validation NME (%), a dot for each training{orange}")
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6))
    axes.tick_params(axis="y", length=0, labelcolor=PALETTE["ink"])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.08)
    axes.grid(axis="x")
    return figure


def _draw_row(axes: Axes, place: int, nme_percent: pd.Series, color: str) -> None:
    """A dot for each training of a setting, and a bar at their mean where there are several."""
    axes.plot(nme_percent, [place] * len(nme_percent), "o", color=color, ms=6, alpha=0.6, mew=0)
    if len(nme_percent) > 1:
        axes.plot(nme_percent.mean(), place, "|", color=color, ms=18, mew=2.5)


def _detail(table: pd.DataFrame, shown: pd.DataFrame, trainings: int) -> str:
    """Second line of the heading: the best error, how many rows are shown, and what the bar is if there is one."""
    parts = [f"validation NME {percent_text(table['val_nme_percent'][0])}"]
    parts += [f"the best {len(shown)} of {len(table)} settings"] if len(shown) < len(table) else []
    bar = "; bar: mean over seeds" if table["seeds"].max() > 1 else ""
    return ", ".join([*parts, f"{trainings} trainings{bar}"])


def _label(row: pd.Series, settings: Sequence[str], most: int) -> str:
    return label(", ".join(f"{name.removeprefix('train.')} {row[name]}" for name in settings), most)

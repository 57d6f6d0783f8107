"""Chart of the errors on bad pictures: data in, Matplotlib figure out."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facial_keypoints.core.percent import percent_text
from pipeline.evaluation.style import PALETTE, label, new_figure

_MOST_PERCENT = 30
"""Where the charts end: beyond, the points say nothing of the face (the mean face has 28 %)."""
_COLOURS = [PALETTE[name] for name in ("model", "baseline", "unseen", "truth", "quiet")]


def robustness_figure(table: pd.DataFrame, *, dataset: str) -> Figure:
    """A small chart for each kind of corruption, a line for each model; columns as in robustness.csv."""
    models = list(table["model"].unique())
    kinds = [kind for kind in table["corruption"].unique() if kind != "none"]
    first = table[table["model"] == models[0]]
    clean = first.loc[first["corruption"] == "none", "nme_percent"].iloc[0]
    worse = first[first["corruption"] != "none"].groupby("corruption")["nme_percent"].mean().mean()
    figure = new_figure(
        6.6,
        title=f"{label(models[0])}: NME {percent_text(clean)} on the frames, {percent_text(worse)} on bad pictures",
        detail="val frames under graded corruptions; dashed: the frames as they are",
        dataset=dataset,
    )
    grid = figure.subplots(3, 4, sharey=True)
    for axes, kind in zip(grid.flat, kinds, strict=True):
        for model, colour in zip(models, _COLOURS, strict=False):
            _line(axes, table[table["model"] == model], kind, colour, label(model))
        axes.set_title(kind)
    for axes in grid[:, 0]:
        axes.set_ylabel("val NME (%)")
    if len(models) > 1:
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(models))
    return figure


def _line(axes: Axes, rows: pd.DataFrame, kind: str, colour: str, name: str) -> None:
    """The errors of a model by the grades of a kind, in their order, one step apart."""
    own = rows[rows["corruption"] == kind]
    places = range(len(own))
    axes.axhline(rows.loc[rows["corruption"] == "none", "nme_percent"].iloc[0], color=colour, lw=0.8, ls="--")
    axes.plot(places, own["nme_percent"], "o-", color=colour, ms=3.5, label=name)
    axes.set_xticks(places, [f"{grade:g}" for grade in own["grade"]] if own["unit"].iloc[0] else [""] * len(own))
    axes.set(xlabel=own["unit"].iloc[0], ylim=(0, _MOST_PERCENT), xlim=(-0.3, max(len(own) - 0.7, 0.3)))
    axes.grid(axis="y")

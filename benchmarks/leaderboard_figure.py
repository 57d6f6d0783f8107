"""Chart of the leaderboard: data in, Matplotlib figure out."""

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from facial_keypoints.core.percent import percent_text, to_percent
from pipeline.evaluation.style import PALETTE, new_figure

_LABEL_STEP = 0.065
"""From name to name, of the height of the axes."""

Dot = tuple[str, float, float, float]
"""Name, minutes of training, NME in percent, millions of parameters."""


def leaderboard_figure(board: pd.DataFrame, shorter: pd.DataFrame, *, ours: str, dataset: str) -> Figure:
    """Test error against training time; the dots' areas are the parameters.

    Columns as in leaderboard.csv, and in shorter.csv: our network trained for less time.
    """
    board = board.dropna(subset=["training_minutes"])
    best = board[board["entry"] == ours].iloc[0]
    reached = percent_text(to_percent(best["nme"]))
    figure = new_figure(
        4.6,
        title=f"{ours}: NME {reached} after {best['training_minutes']:.0f} minutes of training",
        detail="every network trained here on these frames; area: parameters; line: ours with fewer epochs",
        dataset=dataset,
    )
    axes = figure.subplots()
    dots = _dots(board)
    for entry, minutes, error, millions in dots:
        color = PALETTE["model" if entry == ours else "baseline"]
        axes.scatter(minutes, error, s=12 * millions, color=color, alpha=0.35, lw=0)
        axes.scatter(minutes, error, s=10, color=color)
    path = pd.concat([shorter, best.to_frame().T])
    axes.plot(path["training_minutes"], to_percent(path["nme"].to_numpy()), "o-", color=PALETTE["model"], lw=1, ms=3)
    axes.set(xscale="log", yscale="log", xlabel="minutes of training on two CPU cores", ylabel="test NME (%)")
    for axis, steps in ((axes.xaxis, (1, 2, 5)), (axes.yaxis, (1, 1.5, 2, 3, 4, 5, 7))):
        axis.set_major_locator(ticker.LogLocator(subs=steps))
        axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(ticker.NullLocator())
    axes.margins(x=0.06, y=0.12)
    axes.grid()
    _label(axes, dots)
    return figure


def _dots(board: pd.DataFrame) -> list[Dot]:
    """One for each row, best first."""
    rows = board.sort_values("nme")[["entry", "training_minutes", "nme", "parameters"]].to_numpy()
    return [(entry, minutes, to_percent(nme), parameters / 1e6) for entry, minutes, nme, parameters in rows]


def _label(axes: Axes, dots: list[Dot]) -> None:
    """Names in a column at the right, best at the bottom, each with a line to its dot."""
    axes.autoscale_view()
    to_height = axes.transData + axes.transAxes.inverted()
    heights = to_height.transform([(minutes, error) for _, minutes, error, _ in dots])[:, 1]
    for (entry, minutes, error, millions), height in zip(dots, apart(heights, _LABEL_STEP), strict=True):
        axes.annotate(
            f"{entry}, {millions:.1f} M",
            (minutes, error),
            (1.03, height),
            textcoords="axes fraction",
            va="center",
            size=8.5,
            arrowprops={"arrowstyle": "-", "color": PALETTE["line"], "lw": 0.6, "relpos": (0, 0.5)},
        )


def apart(heights: np.ndarray, step: float) -> np.ndarray:
    """(N,) ascending heights moved as little as it takes (least squares) to lie `step` apart."""
    steps = step * np.arange(len(heights))
    moved: np.ndarray = isotonic_regression(heights - steps).x + steps
    return moved

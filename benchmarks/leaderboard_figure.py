"""Chart of the leaderboard: data in, Matplotlib figure out."""

import pandas as pd
from matplotlib import ticker
from matplotlib.figure import Figure

from pipeline.style import PALETTE, new_figure, percent


def leaderboard_figure(board: pd.DataFrame, shorter: pd.DataFrame, *, ours: str, dataset: str) -> Figure:
    """Test error against training time; the dots' areas are the parameters.

    Columns as in leaderboard.csv, and in shorter.csv: our network trained for less time.
    """
    board = board.dropna(subset=["training_minutes"])
    best = board[board["entry"] == ours].iloc[0]
    figure = new_figure(
        4.6,
        title=f"{ours}: NME {percent(best['nme'], 2)} after {best['training_minutes']:.0f} minutes of training",
        detail="every network trained here on the same frames; area: parameters; line: ours with fewer epochs",
        dataset=dataset,
    )
    axes = figure.subplots()
    for entry, minutes, nme, parameters in board[["entry", "training_minutes", "nme", "parameters"]].to_numpy():
        color = PALETTE["model" if entry == ours else "baseline"]
        axes.scatter(minutes, 100 * nme, s=12 * parameters / 1e6, color=color, alpha=0.35, lw=0)
        axes.scatter(minutes, 100 * nme, s=10, color=color)
        label = f"{entry}, {parameters / 1e6:.1f} M"
        axes.annotate(label, (minutes, 100 * nme), (7, 5), textcoords="offset points", size=8.5)
    path = pd.concat([shorter, best.to_frame().T])
    axes.plot(path["training_minutes"], 100 * path["nme"], "o-", color=PALETTE["model"], lw=1, ms=3)
    axes.set(xscale="log", yscale="log", xlabel="minutes of training on two CPU cores", ylabel="test NME (%)")
    for axis, steps in ((axes.xaxis, (1, 2, 5)), (axes.yaxis, (1, 1.5, 2, 3, 4, 5, 7))):
        axis.set_major_locator(ticker.LogLocator(subs=steps))
        axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(ticker.NullLocator())
    axes.margins(x=0.15, y=0.12)
    axes.grid()
    return figure

"""Chart of errors by labelled pictures: data in, Matplotlib figure out."""

import pandas as pd
from matplotlib import ticker
from matplotlib.figure import Figure

from facial_keypoints.core.percent import percent_text
from pipeline.evaluation.style import PALETTE, new_figure

_STARTS = {"scratch": ("from scratch", "baseline"), "shipped": ("from the shipped model", "model")}
"""Start -> its name and its colour."""


def few_labels_figure(table: pd.DataFrame, *, mean_face_percent: float) -> Figure:
    """A line for each start, a dot for each training; columns as in few_labels.csv.

    `mean_face_percent`: error of the mean training face, whatever the picture.
    """
    tested = table[table["split"] == "test"]
    means = tested.pivot_table(index="pictures", columns="start", values="nme_percent")
    fewest = means.index[0]
    was, becomes = (percent_text(means.loc[fewest, start]) for start in ("scratch", "shipped"))
    figure = new_figure(
        4.2,
        title=f"With {fewest} labelled pictures: NME {becomes} from the shipped model, {was} from scratch",
        detail=f"{tested['faces'].iloc[0]} test faces, 29 points that the shipped model does not know",
        dataset="synthetic",
    )
    axes = figure.subplots()
    for start, (name, colour) in _STARTS.items():
        own = tested[tested["start"] == start]
        axes.plot(means.index, means[start], color=PALETTE[colour], label=name)
        axes.scatter(own["pictures"], own["nme_percent"], s=14, color=PALETTE[colour])
    axes.axhline(mean_face_percent, color=PALETTE["quiet"], lw=1, ls="--")
    axes.annotate(
        "the mean face", (means.index[-1], mean_face_percent), (0, -4), textcoords="offset points", ha="right", va="top"
    )
    axes.set(xscale="log", xlabel="labelled pictures", ylabel="test NME (%)", ylim=(0, None))
    axes.set_xticks(means.index, [f"{count}" for count in means.index])
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.grid(axis="y")
    axes.legend()
    return figure

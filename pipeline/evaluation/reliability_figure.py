"""The reliability diagram: what a network tells of its certainty against what is found. All numbers are percent."""

import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.scheme import Scheme
from pipeline.core.metrics import normalizer_in_words
from pipeline.evaluation.metrics_file import Metrics
from pipeline.evaluation.style import PALETTE, new_figure

_COLORS = {"val": PALETTE["baseline"], "test": PALETTE["model"]}
_EMPTY_IN = 0.7
"""Height of a figure that is a heading alone."""


def reliability_figure(reliability: pd.DataFrame, measured: Metrics, scheme: Scheme, *, dataset: str) -> Figure:
    """Shares of the true points inside the radii, and errors by radius; where no radii are told, a heading says so.

    `reliability` is the table of reliability.csv, `measured` metrics.json of the same faces.
    """
    coverage = measured.test.coverage_percent
    if coverage is None or reliability.empty:
        title, detail = "This network does not tell how certain its points are", "no radii to compare with errors"
        return new_figure(_EMPTY_IN, title=title, detail=detail, dataset=dataset)
    inside = " and ".join(percent_text(share, 1) for share in coverage)
    faces = f"{measured.test.faces:,} labelled test {scheme.things}"
    figure = new_figure(
        4.2,
        title=f"On the test, radii for 50 % and 90 % of the true points hold {inside}",
        detail=f"{faces}, {measured.val.faces:,} of val" if measured.val.faces else faces,
        dataset=dataset,
    )
    shares, radii = figure.subplots(1, 2, gridspec_kw={"wspace": 0.1})
    _draw(shares, reliability[reliability["measure"] == "share"], 100, ("radii too large", "radii too small"))
    shares.set_title("Share of the true points inside the radii (%)")
    shares.set_xlabel("share that they are told to hold (%)")
    by_radius = reliability[reliability["measure"] == "radius"]
    end = 1.05 * by_radius[["told_percent", "found_percent"]].to_numpy().max()
    _draw(radii, by_radius, end, ("radii too small", "radii too large"))
    radii.set_title("Median error by radius (%), in tenths of the points")
    radii.set_xlabel(f"radius for 50 %; both in % of the\n{normalizer_in_words(scheme)}")
    shares.legend(loc="upper left")
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, end: float, sides: tuple[str, str]) -> None:
    """What was found against what was told, a line for each split; told right is on the diagonal.

    Both axes go up to `end`. `sides` say what it means to lie above the diagonal, and below.
    """
    axes.plot([0, end], [0, end], color=PALETTE["ink"], lw=1.2, ls=":", label="as told")
    for split, color in _COLORS.items():
        of_split = rows[rows["split"] == split]
        if len(of_split):
            axes.plot(of_split["told_percent"], of_split["found_percent"], "o-", color=color, ms=5, label=split)
    for (x, y), text in zip(((0.72, 0.95), (0.97, 0.05)), sides, strict=True):
        axes.text(x, y, text, transform=axes.transAxes, ha="right", va="center", color=PALETTE["quiet"])
    axes.set(xlim=(0, end), ylim=(0, end))
    axes.xaxis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid()

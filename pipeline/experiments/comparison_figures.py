"""Figures of two runs side by side: data in, Matplotlib figure out; never saves."""

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.figure import Figure

from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.scheme import Scheme
from pipeline.core.metrics import FAILURE_THRESHOLD, ced
from pipeline.evaluation.grids import Faces, faces_figure
from pipeline.evaluation.style import PALETTE, label, new_figure

_LIMIT = 16
"""NME up to which the curves are drawn, percent."""
_ROW_LABEL_MOST = 16
"""Characters along the height of a face."""


def ced_pair_figure(
    first: pd.Series, second: pd.Series, names: tuple[str, str], *, title: str, detail: str, dataset: str
) -> Figure:
    """Cumulative error distributions of two runs on the same faces; each Series is NME in percent."""
    figure = new_figure(4.3, title=title, detail=detail, dataset=dataset)
    axes = figure.subplots()
    thresholds = np.linspace(0, _LIMIT, 641)
    looks = ((PALETTE["baseline"], "--"), (PALETTE["model"], "-"))
    for nme, name, (color, line) in zip((first, second), names, looks, strict=True):
        shares = to_percent(ced(nme.to_numpy(), thresholds))
        mean = f"mean NME {percent_text(nme.mean())}"
        axes.plot(thresholds, shares, line, color=color, label=f"{label(name)}: {mean}")
    axes.axvline(to_percent(FAILURE_THRESHOLD), color=PALETTE["ink"], lw=1.2, ls=":", label="failure threshold, 8 %")
    axes.set(xlim=(0, _LIMIT), ylim=(0, 101), ylabel="share of faces (%)")
    axes.set_xlabel("NME no more than (%)")
    axes.xaxis.set_major_locator(ticker.MultipleLocator(2))
    axes.grid()
    axes.legend(loc="lower right")
    return figure


def face_pairs_figure(
    first: Faces, second: Faces, names: tuple[str, str], *, dataset: str, scheme: Scheme, split: str
) -> Figure:
    """The same faces of a split in two rows, each with the predictions of one run."""
    both = Faces(
        *(
            np.concatenate([getattr(first, field), getattr(second, field)])
            for field in ("images", "truth_crop", "predicted_crop", "nme", "known")
        )
    )
    count = len(first.nme)
    shown = [label(name, _ROW_LABEL_MOST) for name in names]
    rows = [(shown[0], np.arange(count)), (shown[1], np.arange(count, 2 * count))]
    title = "Where the two differ most"
    return faces_figure(both, rows, dataset=dataset, scheme=scheme, split=split, title=title, count=count)

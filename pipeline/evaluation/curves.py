"""Charts of the curves: data in, Matplotlib figure out; never saves. Errors and shares are percent."""

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.scheme import Scheme
from pipeline.core.metrics import FAILURE_THRESHOLD, normalizer_in_words
from pipeline.evaluation.metrics_file import GroupMetrics
from pipeline.evaluation.style import PALETTE, new_figure

_THRESHOLD = to_percent(FAILURE_THRESHOLD)


def ced_figure(ced: pd.DataFrame, test: GroupMetrics, scheme: Scheme, *, dataset: str) -> Figure:
    """Cumulative error distribution of the model and of the mean shape.

    `ced` has the columns nme_percent, model_percent and mean_shape_percent; `test` is that group of metrics.json, in
    which there is a face at least.
    """
    area, failures = test.auc_08_percent or 0.0, test.failure_rate_08_percent or 0.0
    figure = new_figure(
        4.3,
        title=f"{percent_text(100 - failures, 1)} of the {scheme.things} stay within an error of {_THRESHOLD:g} %",
        detail=f"{test.faces:,} labelled test {scheme.things}, mean NME {percent_text(test.nme_percent)}",
        dataset=dataset,
    )
    axes = figure.subplots()
    x = ced["nme_percent"]
    label = _ced_label("model", area, failures)
    axes.fill_between(x, ced["model_percent"], where=x <= _THRESHOLD, color=PALETTE["model"], alpha=0.1, lw=0)
    axes.plot(x, ced["model_percent"], color=PALETTE["model"], label=label)
    label = _ced_label("mean shape", *_area_and_failures(x.to_numpy(), ced["mean_shape_percent"].to_numpy()))
    axes.plot(x, ced["mean_shape_percent"], color=PALETTE["baseline"], ls="--", label=label)
    axes.axvline(_THRESHOLD, color=PALETTE["ink"], lw=1.2, ls=":", label=f"failure threshold, {_THRESHOLD:g} %")
    axes.set(xlim=(0, x.max()), ylim=(0, 101), ylabel=f"share of {scheme.things} (%)")
    axes.set_xlabel(f"NME no more than (% of the {normalizer_in_words(scheme)})")
    axes.xaxis.set_major_locator(ticker.MultipleLocator(2))
    axes.grid()
    axes.legend()
    return figure


def _ced_label(name: str, area: float, failures: float) -> str:
    return f"{name}: AUC@8% = {percent_text(area, 1)}, failures {percent_text(failures, 1)}"


def _area_and_failures(nme: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    """Area under a sampled CED up to the failure threshold, over the threshold, and the share of faces above it.

    All percent: (T,) increasing `nme`, the (T,) `share` of the faces with no more than it, and both results.
    """
    thresholds = np.append(nme[nme < _THRESHOLD], _THRESHOLD)
    shares = np.interp(thresholds, nme, share)
    return float(np.trapezoid(shares, thresholds) / _THRESHOLD), float(100 - shares[-1])


def learning_curves_figure(
    history: pd.DataFrame, *, train_faces: int, val_faces: int, dataset: str, scheme: Scheme
) -> Figure:
    """Loss, validation NME and learning rate by epoch.

    `history` has the columns of history.csv; those that begin with val are NaN where nobody was held out.
    """
    validated = bool(history["val_nme_percent"].notna().any())
    epochs = f"{len(history)} epoch{'s' if len(history) > 1 else ''}"
    last = history.iloc[-1]
    nme_reached = f"Validation NME {percent_text(last['val_nme_percent'])}"
    reached = nme_reached if validated else f"Training loss {last['train_loss']:.3g}"
    figure = new_figure(
        3.4,
        title=f"{reached} after {epochs}",
        detail=f"{train_faces:,} {scheme.things} to train on, {val_faces:,} to validate",
        dataset=dataset,
    )
    ratios = [1.3, 1.3, 1] if validated else [1.6, 1]
    panels = figure.subplots(1, len(ratios), width_ratios=ratios, gridspec_kw={"wspace": 0.06})
    loss, *nme, rate = panels
    _curve(loss, history, "train_loss", "model", "train")
    if validated:
        _curve(loss, history, "val_loss", "baseline", "validation")
        loss.legend()
        _curve(nme[0], history, "val_nme_percent", "baseline")
        nme[0].set_title(f"Validation NME (%){_log_scale(nme[0])}")
    _curve(rate, history, "lr", "quiet")
    loss.set_title(f"Loss{_log_scale(loss)}")
    rate.set_title("Learning rate")
    rate.set_ylim(bottom=0)
    for axes in panels:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(ticker.MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
        axes.set_xlim(0, len(history) + 0.5)
        axes.grid()
    return figure


def _curve(axes: Axes, history: pd.DataFrame, column: str, color: str, label: str = "") -> None:
    marker = "o" if len(history) <= 3 else ""
    axes.plot(history["epoch"], history[column], color=PALETTE[color], marker=marker, label=label)


def _log_scale(axes: Axes) -> str:
    """Make y logarithmic, with plain numbers on it, close enough together to read off a narrow range too.

    Returns what the title says of it: nothing where it stays linear, as the logarithm of a likelihood may be below 0.
    """
    low, high = axes.dataLim.intervaly
    if low <= 0:
        return ""
    axes.set_yscale("log")
    if high < 5 * low:
        axes.set_ylim(low / 1.05, high * 1.05)
        axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
    else:
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    return ", log scale"

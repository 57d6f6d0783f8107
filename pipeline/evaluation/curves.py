"""Charts of the curves: data in, Matplotlib figure out; never saves. Errors come as fractions and show as percent."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.core.metrics import FAILURE_THRESHOLD
from pipeline.evaluation.style import PALETTE, new_figure, percent


def ced_figure(ced: pd.DataFrame, test: dict[str, Any], *, dataset: str) -> Figure:
    """Cumulative error distribution of the model and the mean shape.

    `ced`: columns nme, model, mean_shape, all fractions; `test`: the group of that name in metrics.json.
    """
    within = percent(1 - test["failure_rate_08"])
    figure = new_figure(
        4.3,
        title=f"{within} of the faces stay within an error of 8 %",
        detail=f"{test['faces']:,} labelled test faces, mean NME {percent(test['nme'], 2)}",
        dataset=dataset,
    )
    axes = figure.subplots()
    x, threshold = 100 * ced["nme"], 100 * FAILURE_THRESHOLD
    label = _ced_label("model", test["auc_08"], test["failure_rate_08"])
    axes.fill_between(x, 100 * ced["model"], where=x <= threshold, color=PALETTE["model"], alpha=0.1, lw=0)
    axes.plot(x, 100 * ced["model"], color=PALETTE["model"], label=label)
    label = _ced_label("mean shape", *_area_and_failures(ced["nme"].to_numpy(), ced["mean_shape"].to_numpy()))
    axes.plot(x, 100 * ced["mean_shape"], color=PALETTE["baseline"], ls="--", label=label)
    axes.axvline(threshold, color=PALETTE["ink"], lw=1.2, ls=":", label=f"failure threshold, {threshold:g} %")
    axes.set(xlim=(0, x.max()), ylim=(0, 101), ylabel="share of faces (%)")
    axes.set_xlabel("NME no more than (% of the distance between the outer eye corners)")
    axes.xaxis.set_major_locator(ticker.MultipleLocator(2))
    axes.grid()
    axes.legend()
    return figure


def _ced_label(name: str, area: float, failures: float) -> str:
    return f"{name}: AUC@8% = {percent(area)}, failures {percent(failures)}"


def _area_and_failures(nme: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    """Area under a sampled CED up to the failure threshold, over the threshold, and the share above it."""
    thresholds = np.append(nme[nme < FAILURE_THRESHOLD], FAILURE_THRESHOLD)
    shares = np.interp(thresholds, nme, share)
    return float(np.trapezoid(shares, thresholds) / FAILURE_THRESHOLD), float(1 - shares[-1])


def learning_curves_figure(history: pd.DataFrame, *, train_faces: int, val_faces: int, dataset: str) -> Figure:
    """Loss, validation NME and learning rate by epoch; `history` has the columns of history.csv, val ones maybe NaN."""
    validated = bool(history["val_nme"].notna().any())
    epochs = f"{len(history)} epoch{'s' if len(history) > 1 else ''}"
    last = history.iloc[-1]
    reached = (
        f"Validation NME {percent(last['val_nme'], 2)}" if validated else f"Training loss {last['train_loss']:.3g}"
    )
    figure = new_figure(
        3.4,
        title=f"{reached} after {epochs}",
        detail=f"{train_faces:,} faces to train on, {val_faces:,} to validate",
        dataset=dataset,
    )
    ratios = [1.3, 1.3, 1] if validated else [1.6, 1]
    panels = figure.subplots(1, len(ratios), width_ratios=ratios, gridspec_kw={"wspace": 0.06})
    loss, *nme, rate = panels
    _curve(loss, history, "train_loss", "model", "train")
    if validated:
        _curve(loss, history, "val_loss", "baseline", "validation")
        loss.legend()
        _curve(nme[0], history.assign(val_nme=100 * history["val_nme"]), "val_nme", "baseline")
        nme[0].set_title("Validation NME (%), log scale")
        _log_scale(nme[0])
    _curve(rate, history, "lr", "quiet")
    loss.set_title("Loss, log scale")
    _log_scale(loss)
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


def _log_scale(axes: Axes) -> None:
    """Logarithmic y with plain numbers on it, close enough together to read off a narrow range too."""
    low, high = axes.dataLim.intervaly
    if low <= 0:
        return
    axes.set_yscale("log")
    if high < 5 * low:
        axes.set_ylim(low / 1.05, high * 1.05)
        axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
    else:
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())

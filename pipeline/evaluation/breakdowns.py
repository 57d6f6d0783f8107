"""Charts that break the error down by point, region, person and face size: data in, Matplotlib figure out.

Errors are percent of the normalizing length of their face (see `pipeline.core.metrics.normalizing_length`).
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import cm, colors, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.scheme import Scheme
from pipeline.core.metrics import group_in_words, groups_in_words, normalizer_in_words, normalizing_length
from pipeline.evaluation.metrics_file import GroupMetrics, Metrics
from pipeline.evaluation.style import PALETTE, SEQUENTIAL, new_figure

FEWEST_BARS = 4
"""Fewer bars leave room below them, so that they stay bars."""
NUMBERED_POINTS = 5
"""So many of the worst points carry their index on the mean face."""
SIZE_EDGES_PX = (20, 30, 40, 60, 90)
"""Faces are grouped by their normalizing length: below the first, between two of these, from the last up."""
FEWEST_FOR_BOX = 10
"""Quartiles of fewer faces say little; each is then drawn by itself."""


def mean_face(keypoints: np.ndarray, scheme: Scheme) -> np.ndarray:
    """(K, 2) mean of (N, K, 2) faces of any frame, each centred and in units of its normalizing length; not rotated.

    Of the faces whose points are all labelled, or where there is none of all, each point over those that label it; NaN
    for a point that none does.
    """
    whole = np.isfinite(keypoints).all((1, 2))
    if whole.any():
        keypoints = keypoints[whole]
        centre = keypoints.mean(1, keepdims=True)
    else:
        low, high = np.fmin.reduce(keypoints, 1), np.fmax.reduce(keypoints, 1)
        centre = ((low + high) / 2)[:, None]
    return _mean_of_known((keypoints - centre) / normalizing_length(keypoints, scheme)[:, None, None])


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean of (N, K, ...) over those of the N that are no NaN; NaN where all are."""
    never = np.isnan(values).all(0)
    return np.asarray(np.where(never, np.nan, np.nanmean(np.where(never, 0, values), axis=0)))


def error_by_point_figure(
    mean_face: np.ndarray, errors: np.ndarray, regions: dict[str, float], scheme: Scheme, *, dataset: str
) -> Figure:
    """Mean error of each point on the (K, 2) mean face, and by region.

    `errors`: (N, K) percent, NaN where a point is not labelled; one that never is is left out. `regions`: region ->
    mean error of its points, percent.
    """
    by_point = _mean_of_known(errors)
    by_region = pd.Series({_words(name): error for name, error in regions.items()})
    by_region = by_region.sort_values(ascending=False, kind="stable")
    ends = f"The {by_region.index[0]} is hardest: {percent_text(by_region.iloc[0], 1)}, "
    ends += f"the {by_region.index[-1]} easiest: {percent_text(by_region.iloc[-1], 1)}"
    only = f"Mean error of the {scheme.count} points: {percent_text(by_region.iloc[0], 1)}"
    figure = new_figure(
        4.9,
        title=ends if len(by_region) > 1 else only,
        detail=f"{len(errors):,} labelled test {scheme.things}; left and right are the subject's",
        dataset=dataset,
    )
    face, bars = figure.subplots(1, 2, width_ratios=[1.35, 1], gridspec_kw={"wspace": 0.08})
    shades = cm.ScalarMappable(colors.Normalize(np.nanmin(by_point), np.nanmax(by_point)), SEQUENTIAL)
    _draw_mean_face(face, mean_face, by_point, shades, scheme)
    face.set_title(f"Mean error by point; the {min(NUMBERED_POINTS, scheme.count)} worst by number (from 0)")
    bar = figure.colorbar(shades, ax=face, location="bottom", shrink=0.6, aspect=30, pad=0.02)
    bar.set_label(f"% of the {normalizer_in_words(scheme)}")
    bar.outline.set_visible(False)
    _draw_bars(bars, by_region, shades)
    return figure


def _words(region: str) -> str:
    return region.replace("_", " ")


def _draw_mean_face(
    axes: Axes, points: np.ndarray, errors: np.ndarray, shades: cm.ScalarMappable, scheme: Scheme
) -> None:
    """The (K, 2) points with their contours, each in the shade and size of its (K,) errors, the worst with numbers."""
    for contour in scheme.contours:
        line = points[contour.path]
        axes.plot(line[:, 0], line[:, 1], color=PALETTE["line"], lw=1, zorder=1)
    x, y = points[:, 0], points[:, 1]
    sizes = 20 + 80 * errors / (np.nanmax(errors) or 1)
    axes.scatter(x, y, s=sizes, c=shades.to_rgba(errors), edgecolors=PALETTE["ink"], linewidths=0.5, zorder=2)
    known = np.isfinite(errors) & np.isfinite(points).all(-1)
    centre = points[known].mean(0)
    worst = np.argsort(-np.where(known, errors, -1), kind="stable")
    for index in worst[: min(NUMBERED_POINTS, known.sum())]:
        outward = (points[index] - centre) / max(float(np.linalg.norm(points[index] - centre)), 1e-9)
        offset = 13 * outward * (1, -1)  # y of a label counts upwards
        _write(axes, str(index), points[index], offset, weight="bold")
    for region, of_region in scheme.regions.items():
        if len(labelled := points[[point for point in of_region if known[point]]]):
            _label_region(axes, region, labelled)
    axes.set_aspect("equal")
    axes.set_anchor("N")
    axes.invert_yaxis()
    axes.margins(0.08)
    axes.axis("off")


def _label_region(axes: Axes, region: str, points: np.ndarray) -> None:
    """The name above a brow and the chin, right of the nose, below eyes and mouth: where no other points are."""
    x, (top, bottom) = points[:, 0].mean(), (points[:, 1].min(), points[:, 1].max())
    match region:
        case "right_brow" | "left_brow":
            place, offset = (x, top), (0, 13)
        case "nose" if len(points) > 2:
            place, offset = (points[1:3, 0].mean(), points[1:3, 1].mean()), (24, 0)
        case "jaw":
            place, offset = (x, bottom), (0, 13)
        case _:
            place, offset = (x, bottom), (0, -13)
    _write(axes, _words(region), place, offset, color=PALETTE["quiet"], size=8.5)


def _write(axes: Axes, text: str, place: ArrayLike, offset: ArrayLike, **look: Any) -> None:
    """Centre text at `offset` points (y up) from `place` in data units."""
    axes.annotate(text, place, offset, textcoords="offset points", ha="center", va="center", **look)  # type: ignore[arg-type]


def _draw_bars(axes: Axes, by_region: pd.Series, shades: cm.ScalarMappable) -> None:
    """A bar for each region in the given order, from the top, each with its value at its end."""
    bars = axes.barh(by_region.index, by_region.to_numpy(), color=shades.to_rgba(by_region.to_numpy()), height=0.65)
    axes.bar_label(bars, [percent_text(value, 1) for value in by_region], padding=4)
    axes.invert_yaxis()
    if len(by_region) < FEWEST_BARS:
        axes.set_ylim(FEWEST_BARS - 0.5, -0.5)
    axes.set_title("Mean error by region")
    axes.spines[["bottom", "left"]].set_visible(False)
    axes.tick_params(length=0, labelcolor=PALETTE["ink"])
    axes.set_xticks([])
    axes.margins(x=0.2)


def error_by_group_figure(
    measured: Metrics, nme: np.ndarray, size_px: np.ndarray, scheme: Scheme, *, dataset: str
) -> Figure:
    """NME by whether the person was trained on, and by face size.

    `nme`: (N,) percent of the labelled test faces. `size_px`: (N,) their normalizing length, pixels of their frames.
    """
    groups = {
        "all": measured.test,
        f"known {groups_in_words(scheme)}": measured.test_known_people,
        f"unseen {groups_in_words(scheme)}": measured.test_unseen_people,
    }
    present = {label: group for label, group in groups.items() if group.faces}
    means = [f"{label} {percent_text(group.nme_percent)}" for label, group in present.items()]
    figure = new_figure(
        3.9,
        title=f"Mean error: {', '.join(means[1:])}",
        detail=f"{len(nme):,} labelled test {scheme.things}",
        dataset=dataset,
    )
    people, sizes = figure.subplots(1, 2, width_ratios=[1, 1.5], gridspec_kw={"wspace": 0.1})
    _draw_people(people, present, scheme)
    _draw_sizes(sizes, by_size(nme, size_px), scheme)
    return figure


def _draw_people(axes: Axes, groups: dict[str, GroupMetrics], scheme: Scheme) -> None:
    for row, (label, group) in enumerate(groups.items()):
        color = PALETTE["unseen" if label.startswith("unseen") else "model"]
        if group.nme_ci95_percent:
            axes.plot(group.nme_ci95_percent, [row, row], color=color, lw=5, alpha=0.35)
        nme = group.nme_percent or 0.0
        axes.plot(nme, row, "o", color=color, ms=8)
        _write(axes, percent_text(nme), (nme, row), (0, 14), weight="bold")
    axes.set_yticks(range(len(groups)), [f"{label}\nn = {group.faces:,}" for label, group in groups.items()])
    axes.set_ylim(len(groups) - 0.5, -0.6)
    axes.margins(x=0.25)
    axes.tick_params(axis="y", length=0, labelcolor=PALETTE["ink"])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.set_title(f"Was the {group_in_words(scheme)} trained on?")
    axes.set_xlabel("NME (%), mean and 95 % interval")
    axes.grid(axis="x")


def by_size(nme: np.ndarray, size_px: np.ndarray) -> dict[str, np.ndarray]:
    """Label of each range of `SIZE_EDGES_PX` that holds a face -> NME of its faces; both arguments are (N,)."""
    edges = SIZE_EDGES_PX
    labels = [f"< {edges[0]}", *(f"{low} to {high}" for low, high in pairwise(edges)), f"≥ {edges[-1]}"]
    bin_of = np.digitize(size_px, edges)
    return {label: nme[bin_of == index] for index, label in enumerate(labels) if (bin_of == index).any()}


def _draw_sizes(axes: Axes, bins: dict[str, np.ndarray], scheme: Scheme) -> None:
    explained = []
    for place, errors in enumerate(bins.values()):
        if len(errors) < FEWEST_FOR_BOX:
            axes.scatter(np.full(len(errors), place), errors, facecolors="none", edgecolors=PALETTE["model"])
        else:
            _draw_box(axes, errors, place)
    sizes = [len(errors) for errors in bins.values()]
    if max(sizes) >= FEWEST_FOR_BOX:
        explained.append("box: middle half, line: median, dot: mean, whiskers: 5 to 95 %")
    if min(sizes) < FEWEST_FOR_BOX:
        explained.append(f"rings: single {scheme.things}" + (f", where n < {FEWEST_FOR_BOX}" if explained else ""))
    axes.set_xticks(range(len(bins)), [f"{label}\nn = {len(errors):,}" for label, errors in bins.items()])
    axes.set_xlim(-0.6, len(bins) - 0.4)
    axes.set_ylim(bottom=0)
    axes.tick_params(axis="x", length=0, labelcolor=PALETTE["ink"])
    axes.set_title(f"NME (%) by {scheme.thing} size")
    axes.set_xlabel("\n".join([f"{normalizer_in_words(scheme)} in the frame (px)", *explained]))
    axes.grid(axis="y")


def _draw_box(axes: Axes, values: np.ndarray, place: float) -> None:
    axes.boxplot(
        values,
        positions=[place],
        whis=(5, 95),
        widths=0.5,
        showfliers=False,
        showcaps=False,
        showmeans=True,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colors.to_rgba(PALETTE["model"], 0.25), "edgecolor": "none"},
        medianprops={"color": PALETTE["model"], "linewidth": 2},
        meanprops={"marker": "o", "markerfacecolor": PALETTE["model"], "markeredgecolor": "white"},
        whiskerprops={"color": PALETTE["model"]},
    )

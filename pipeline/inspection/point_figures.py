"""Figures of single points: how certain the network is of each, and what moves it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection

from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.scheme import IBUG_68, Scheme
from pipeline.core.metrics import normalizer_in_words, normalizing_length
from pipeline.evaluation.style import PALETTE
from pipeline.inspection.attention import Attention
from pipeline.inspection.drawing import Drawing, Face, empty_drawing, lay_heat, show_face
from pipeline.inspection.uncertainty import Spread, ellipse_axes

_COLUMNS = 3
_ENLARGED = (1, 2, 5, 10, 20)
"""By how much ellipses may be drawn larger than they are."""


def uncertainty_figure(crop: np.ndarray, spread: Spread, scheme: Scheme, *, picture: str) -> Drawing:
    """Points of an (S, S) uint8 frame, ellipses that hold 95 % of the predictions, and the mean of each region."""
    angles, axes_px = ellipse_axes(spread.covariance)
    eyes = float(normalizing_length(spread.mean[None], scheme)[0])
    room = 0.035 * eyes / max(float(np.median(axes_px)), 1e-6)
    enlarged = max([factor for factor in _ENLARGED if factor <= room], default=1)
    shown = "drawn to scale" if enlarged == 1 else f"drawn {enlarged} times as large"
    drawing = empty_drawing(
        5.4,
        "How certain is the network of each point?",
        f"{spread.views} views, a little rotated, scaled, shifted; ellipses hold 95 % of the predictions, {shown}",
        picture,
    )
    face, bars = drawing.figure.subplots(1, 2, width_ratios=[1.25, 1])
    show_face(face, Face(crop, spread.mean, scheme))
    long, short = 2 * enlarged * axes_px.T
    ellipses = EllipseCollection(
        long,
        short,
        np.degrees(angles),
        units="xy",
        offsets=spread.mean,
        offset_transform=face.transData,
        facecolors=PALETTE["prediction"] + "55",
        edgecolors=PALETTE["prediction"],
        linewidths=0.8,
    )
    face.add_collection(ellipses)
    face.plot(*spread.mean.T, ".", color=PALETTE["prediction"], ms=2.5, mew=0)
    _region_bars(bars, to_percent(spread.sigma_px / eyes), scheme)
    return drawing


def _region_bars(axes: Axes, sigma: np.ndarray, scheme: Scheme) -> None:
    """Bars of the mean of (K,) `sigma` over each region, its points as dots; percent of the normalizing length."""
    means = {name.replace("_", " "): sigma[list(points)] for name, points in scheme.regions.items()}
    for row, values in enumerate(means.values()):
        axes.barh(row, values.mean(), height=0.6, color=PALETTE["model"], alpha=0.85)
        axes.plot(values, np.full(len(values), row), ".", color=PALETTE["ink"], ms=3, mew=0, alpha=0.6)
        mean = percent_text(float(values.mean()))
        axes.text(float(values.max()), row, f"  {mean}", va="center", size=8.5, color=PALETTE["quiet"])
    axes.set(
        yticks=range(len(means)), yticklabels=list(means), ylim=(len(means) - 0.4, -0.7), xlim=(0, 1.18 * sigma.max())
    )
    axes.set_xlabel(f"standard deviation (% of the {_unit(scheme)})")
    axes.set_title("By region (bar: mean; dots: points)")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def attention_figure(face: Face, seen: Attention, groups: dict[str, list[int]], *, picture: str) -> Drawing:
    """For each group of points, how far they move on average when a place of the frame is covered.

    `groups` names lists of points, a panel each.
    """
    rows = -(-len(groups) // _COLUMNS)
    drawing = empty_drawing(
        0.75 + 3.2 * rows,
        "Where does the network look?",
        "the brighter a place, the farther the marked points move when it is covered, in % of the "
        f"{_unit(face.scheme)}",
        picture,
    )
    eyes = float(normalizing_length(face.points[None], face.scheme)[0])
    grid = drawing.figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in grid[len(groups) :]:
        axes.axis("off")
    for axes, (label, points) in zip(grid, groups.items(), strict=False):
        moved = seen.moved_px[points].mean(0)
        show_face(axes, face)
        lay_heat(axes, moved, seen.crop_from_places, face.crop.shape)
        axes.plot(*face.points[points].T, "o", color=PALETTE["truth"], ms=4, mec="white", mew=0.7)
        axes.set_title(
            f"{_shown(label, points, face.scheme)}: up to {percent_text(to_percent(float(moved.max() / eyes)), 1)}"
        )
    return drawing


def _unit(scheme: Scheme) -> str:
    """What the percents of a figure are of, in few words."""
    return "eye distance" if scheme == IBUG_68 else normalizer_in_words(scheme)


def _shown(label: str, points: list[int], scheme: Scheme) -> str:
    """The label of a group of points as a reader knows it."""
    if label in scheme.regions:
        return label.replace("_", " ")
    return f"point {label}" if len(points) == 1 else f"points {label}"

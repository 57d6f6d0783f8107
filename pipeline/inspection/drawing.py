"""Figures of what was found in a network: data in, Matplotlib figure out; never saves."""

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core.metrics import normalizing_length
from pipeline.evaluation.grids import face_window
from pipeline.evaluation.style import DIVERGING, PALETTE, new_figure
from pipeline.inspection.attention import Attention
from pipeline.inspection.layers import Layer
from pipeline.inspection.uncertainty import Spread, ellipse_axes

_HEAT = "inferno"
_COLUMNS = 3
_MOST_MAPS = 72
_MOST_SLICES = 16
_ENLARGED = (1, 2, 5, 10, 20)
"""By how much ellipses may be drawn larger than they are."""


def uncertainty_figure(crop: np.ndarray, spread: Spread, *, picture: str) -> Figure:
    """The points of one (S, S) uint8 face with ellipses that hold 95 % of the answers, and the mean of each region."""
    angles, axes_px = ellipse_axes(spread.covariance)
    eyes = float(normalizing_length(spread.mean[None], IBUG_68)[0])
    room = 0.035 * eyes / max(float(np.median(axes_px)), 1e-6)
    enlarged = max([factor for factor in _ENLARGED if factor <= room], default=1)
    shown = "drawn to scale" if enlarged == 1 else f"drawn {enlarged} times as large"
    figure = new_figure(
        5.4,
        title="How sure is it of each point?",
        detail=f"{spread.views} views, a little turned, scaled, shifted; ellipses hold 95 % of the answers, {shown}",
        dataset=picture,
    )
    face, bars = figure.subplots(1, 2, width_ratios=[1.25, 1])
    _show(face, crop, spread.mean)
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
    _region_bars(bars, spread.sigma_px / eyes)
    return figure


def _region_bars(axes: Axes, sigma: np.ndarray) -> None:
    """Mean of each region of (68,) fractions of the distance of the outer eye corners, each point a dot."""
    means = {name.replace("_", " "): sigma[list(points)] for name, points in IBUG_68.regions.items()}
    for row, values in enumerate(means.values()):
        axes.barh(row, 100 * values.mean(), height=0.6, color=PALETTE["model"], alpha=0.85)
        axes.plot(100 * values, np.full(len(values), row), ".", color=PALETTE["ink"], ms=3, mew=0, alpha=0.6)
        end = 100 * float(values.max())
        axes.text(
            end,
            row,
            f"  {percent_text(to_percent(float(values.mean())))}",
            va="center",
            size=8.5,
            color=PALETTE["quiet"],
        )
    axes.set(
        yticks=range(len(means)), yticklabels=list(means), ylim=(len(means) - 0.4, -0.7), xlim=(0, 118 * sigma.max())
    )
    axes.set_xlabel("standard deviation (% of the eye distance)")
    axes.set_title("By region (bar: mean; dots: points)")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def attention_figure(
    crop: np.ndarray, keypoints_crop: np.ndarray, seen: Attention, groups: dict[str, list[int]], *, picture: str
) -> Figure:
    """For each group of points, how far they move on average when a place of the (S, S) face is covered."""
    rows = -(-len(groups) // _COLUMNS)
    figure = new_figure(
        0.75 + 3.2 * rows,
        title="Where does it look?",
        detail="the brighter a place, the farther the marked points move when it is covered, in % of the eye distance",
        dataset=picture,
    )
    eyes = float(normalizing_length(keypoints_crop[None], IBUG_68)[0])
    grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in grid[len(groups) :]:
        axes.axis("off")
    for axes, (label, points) in zip(grid, groups.items(), strict=False):
        moved = seen.moved_px[points].mean(0)
        _show(axes, crop, keypoints_crop)
        _heat(axes, moved, seen.crop_from_places, crop.shape)
        axes.plot(*keypoints_crop[points].T, "o", color=PALETTE["truth"], ms=4, mec="white", mew=0.7)
        kind = (
            label.replace("_", " ")
            if label in IBUG_68.regions
            else f"point {label}"
            if len(points) == 1
            else f"points {label}"
        )
        axes.set_title(f"{kind}: up to {percent_text(to_percent(float(moved.max() / eyes)), 1)}")
    return figure


def layer_figure(layer: Layer, crop: np.ndarray, keypoints_crop: np.ndarray, *, picture: str) -> Figure:
    """The maps of a layer, what its part of the network was shown, and where on the face it answers."""
    count = len(layer.maps)
    of = f"{count} maps" if count <= _MOST_MAPS else f"the {_MOST_MAPS} strongest of {count} maps"
    figure = new_figure(
        5.6,
        title=f"Maps of {layer.name}",
        detail=f"{of} of {layer.maps.shape[2]} x {layer.maps.shape[1]}, each from its least (black) to its most",
        dataset=picture,
    )
    left, right = np.asarray(figure.subfigures(1, 2, width_ratios=[0.36, 1])).tolist()
    seen, back = left.subplots(2, 1)
    seen.imshow(layer.seen, cmap="gray", interpolation="bicubic")
    seen.set_title("What this part is shown")
    seen.axis("off")
    _show(back, crop, keypoints_crop)
    _heat(back, activity(layer.maps), layer.crop_from_maps, crop.shape)
    back.set_title("Where it answers")
    axes = right.subplots()
    axes.imshow(_tiles(strongest(layer.maps, _MOST_MAPS)), cmap=_HEAT, interpolation="nearest", vmin=0, vmax=1)
    axes.axis("off")
    axes.set_anchor("N")
    return figure


def kernels_figure(name: str, kernels: np.ndarray, *, picture: str) -> Figure:
    """(O, I, k, k) kernels: one square each where there is one input, else rows of outputs and columns of inputs."""
    outputs, inputs, side = kernels.shape[:3]
    rows = np.sort(np.argsort(-np.abs(kernels).mean((1, 2, 3)), kind="stable")[:_MOST_SLICES])
    columns = np.sort(np.argsort(-np.abs(kernels).mean((0, 2, 3)), kind="stable")[:_MOST_SLICES])
    sliced = kernels[rows][:, columns].reshape(-1, *kernels.shape[2:]) if inputs > 1 else kernels[:, 0]
    of = f"rows: {len(rows)} of {outputs} outputs, columns: {len(columns)} of {inputs} inputs, the strongest"
    across = len(columns) if inputs > 1 else int(np.ceil(np.sqrt(2 * outputs)))
    figure = new_figure(
        0.9 + 8.0 * -(-len(sliced) // across) / across,
        title=f"Kernels of {name}",
        detail=f"{side} x {side} weights; " + (of if inputs > 1 else f"{outputs} kernels, each on the gray picture"),
        dataset=picture,
    )
    axes = figure.subplots()
    limit = float(np.quantile(np.abs(sliced), 0.995)) or 1.0
    shown = axes.imshow(_grid(sliced, across), cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.axis("off")
    bar = figure.colorbar(shown, ax=axes, location="right", shrink=0.7, aspect=25, pad=0.02, extend="both")
    bar.set_label("weight", size=8.5)
    return figure


def activity(maps: np.ndarray) -> np.ndarray:
    """(h, w) how strongly (C, h, w) maps answer at each place.

    Maps of the 68 points are scores, of which the network takes the softmax: of these, the sum of the beliefs.
    """
    if len(maps) == IBUG_68.count:
        scores = np.exp(maps - maps.max((1, 2), keepdims=True))
        return np.asarray((scores / scores.sum((1, 2), keepdims=True)).sum(0))
    return np.asarray(np.abs(maps).mean(0))


def strongest(maps: np.ndarray, most: int) -> np.ndarray:
    """The `most` maps of (C, h, w) that vary most, in their order."""
    return maps[np.sort(np.argsort(-maps.std((1, 2)), kind="stable")[:most])]


def _tiles(maps: np.ndarray) -> np.ndarray:
    """Maps in one grid, each stretched to 0..1."""
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    return _grid((maps - low) / np.maximum(high - low, 1e-9), int(np.ceil(np.sqrt(len(maps)))))


def _grid(maps: np.ndarray, columns: int) -> np.ndarray:
    """(C, h, w) side by side in rows of `columns`, NaN between them."""
    count, height, width = maps.shape
    rows, gap = -(-count // columns), max(1, width // 12)
    grid = np.full((rows * columns, height + gap, width + gap), np.nan)
    grid[:count, :height, :width] = maps
    joined = grid.reshape(rows, columns, height + gap, width + gap).swapaxes(1, 2)
    return np.asarray(joined.reshape(rows * (height + gap), columns * (width + gap))[:-gap, :-gap])


def _show(axes: Axes, crop: np.ndarray, points: np.ndarray) -> None:
    """The face of an (S, S) frame, its lines lightly drawn."""
    axes.imshow(crop, cmap="gray", vmin=0, vmax=255, interpolation="bicubic")
    for contour in IBUG_68.contours:
        axes.plot(*points[contour.path].T, color="white", lw=0.5, alpha=0.5)
    left, top, size = face_window(points, crop.shape[-1])
    margin = min(0.1 * size, left + 0.5, top + 0.5, crop.shape[-1] - 0.5 - max(left, top) - size)
    left, top, size = left - max(margin, 0), top - max(margin, 0), size + 2 * max(margin, 0)
    axes.set(xlim=(left, left + size), ylim=(top + size, top))
    axes.axis("off")


def _heat(axes: Axes, values: np.ndarray, crop_from_values: np.ndarray, size: tuple[int, ...]) -> None:
    """(h, w) values laid over an (S, S) frame, the more the brighter and the less transparent."""
    values = values.astype(np.float32)
    shares = (values - values.min()) / max(float(np.ptp(values)), 1e-9)
    laid = cv2.warpAffine(shares, crop_from_values[:2], size[::-1], flags=cv2.INTER_CUBIC).clip(0, 1)
    axes.imshow(laid, cmap=_HEAT, vmin=0, vmax=1, alpha=0.85 * laid**0.7, interpolation="bicubic")

"""Figures that show frames, which are other people's faces: data in, Matplotlib figure out; never saves."""

import contextlib
import copy
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor, nn
from torchvision.utils import make_grid

from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.scheme import IBUG_68, Scheme
from pipeline.core.metrics import group_in_words
from pipeline.evaluation.style import DIVERGING, PALETTE, WIDTH_IN, new_figure
from pipeline.models.network import to_unit

CELL_IN = 1.4
"""Least side of one face in a figure, inches."""
FACE_MARGIN_FRAC = 0.12
"""Space round the points, as a share of the side of their box."""


@dataclass(frozen=True)
class Faces:
    """N labelled faces of a split."""

    images: np.ndarray
    """(N, S, S) uint8 gray."""
    truth_crop: np.ndarray
    """(N, K, 2) crop pixels; NaN, and not drawn, where a point is not labelled."""
    predicted_crop: np.ndarray
    """(N, K, 2) crop pixels."""
    nme: np.ndarray
    """(N,) percent."""
    known: np.ndarray
    """(N,) whether the person is in the training split."""


def choose_faces(nme: np.ndarray, *, per_row: int, random_rows: int, seed: int) -> list[tuple[str, np.ndarray]]:
    """Choose the faces with the least, the middle and the largest errors, and random ones.

    Args:
        nme: (N,) error of each face.
        per_row: Most faces of a row. Where there are few faces, the first three rows are shorter, so that they share
            none.
        random_rows: Rows of random faces, none of which comes twice; fewer where the faces do not suffice.
        seed: Of the random faces.

    Returns:
        Label of each row, "best", "median", "worst" or "random", and the indices of its faces; the worst face of all is
        the first of its row.
    """
    order = np.argsort(nme, kind="stable")
    count = max(1, min(per_row, len(nme) // 3))
    middle = (len(nme) - count) // 2
    rows = [("best", order[:count]), ("median", order[middle : middle + count]), ("worst", order[::-1][:count])]
    drawn = np.random.default_rng(seed).permutation(len(nme))[: random_rows * per_row]
    return rows + [("random", drawn[start : start + per_row]) for start in range(0, len(drawn), per_row)]


def face_window(points: np.ndarray, side: int) -> tuple[float, float, float]:
    """Left, top and size in pixels of a square within a (side, side) image that holds (K, 2) points and a margin.

    Points that are NaN do not count.
    """
    low, high = np.fmin.reduce(points), np.fmax.reduce(points)
    size = min(float((high - low).max()) * (1 + 2 * FACE_MARGIN_FRAC), side)
    left, top = np.clip((low + high - size) / 2, -0.5, side - 0.5 - size)
    return float(left), float(top), size


def faces_figure(
    faces: Faces,
    rows: list[tuple[str, np.ndarray]],
    *,
    dataset: str,
    scheme: Scheme = IBUG_68,
    split: str = "test",
    title: str = "Truth and prediction",
    count: int | None = None,
) -> Figure:
    """Draw the true and the predicted points of the faces of each row, with the NME under each face.

    `rows` are labels and indices, as `choose_faces` returns them. `split` is that of the faces, and `count` their
    number, as the heading tells them; give it where a face comes twice.
    """
    columns = max(len(indices) for _, indices in rows)
    width = max(WIDTH_IN, columns * CELL_IN + 0.5)
    figure = new_figure(
        0.75 + len(rows) * (width - 0.4) / columns * 1.13,
        title=title,
        detail=f"{count or len(faces.nme):,} labelled {split} {scheme.things}; NME under each; unseen: a "
        f"{group_in_words(scheme)} not trained on",
        dataset=dataset,
        width_in=width,
    )
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, (label, indices) in zip(grid, rows, strict=True):
        for axes in axes_row[len(indices) :]:
            axes.axis("off")
        for axes, index in zip(axes_row, indices, strict=False):
            _draw_face(axes, faces, int(index))
        axes_row[0].set_ylabel(label, weight="bold", color=PALETTE["ink"])
    _legend(figure, width)
    return figure


def _draw_face(axes: Axes, faces: Faces, index: int) -> None:
    truth, predicted = faces.truth_crop[index], faces.predicted_crop[index]
    axes.imshow(faces.images[index], cmap="gray", vmin=0, vmax=255, interpolation="bicubic")
    # Truth is the larger disc below, so that it shows round a prediction that hits.
    axes.plot(truth[:, 0], truth[:, 1], ".", color=PALETTE["truth"], ms=5, mew=0)
    axes.plot(*np.stack([truth, predicted]).transpose(2, 0, 1), color=PALETTE["prediction"], lw=0.6)
    axes.plot(predicted[:, 0], predicted[:, 1], ".", color=PALETTE["prediction"], ms=3, mew=0)
    left, top, size = face_window(np.concatenate([truth, predicted]), faces.images.shape[-1])
    axes.set(xlim=(left, left + size), ylim=(top + size, top), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    unseen = not faces.known[index]
    axes.set_xlabel(
        f"{percent_text(faces.nme[index], 1)}  {'unseen' if unseen else 'known'}",
        color=PALETTE["unseen" if unseen else "ink"],
        weight="bold" if unseen else "normal",
        labelpad=2,
    )


def _legend(figure: Figure, width_in: float) -> None:
    marks = [
        Line2D([], [], marker="o", ls="", ms=5, color=PALETTE[name], label=name) for name in ("truth", "prediction")
    ]
    top = 1 - 0.05 / figure.get_figheight()
    figure.legend(handles=marks, loc="upper right", ncols=2, bbox_to_anchor=(1 - 0.05 / width_in, top))


@dataclass(frozen=True)
class FirstLayer:
    """What the first convolution of a network does with one face."""

    seen: np.ndarray
    """(H, W) input, averaged over channels."""
    kernels: np.ndarray
    """(C, k, k) kernels, summed over input channels: what a gray picture, equal in all channels, is filtered with."""
    responses: np.ndarray
    """(C, H', W') output before any activation."""


class _ReachedError(Exception):
    """Raised once the first layer has run, so that the rest of the network does not."""


def first_layer(network: nn.Module, image: np.ndarray) -> FirstLayer:
    """Run a network on an (S, S) uint8 image as far as the first nn.Conv2d of its `modules()`.

    It runs in float64: in float32 the rounding, which depends on the processor and its threads, would reach a colour.
    """
    exact = copy.deepcopy(network).double()
    layer = next(module for module in exact.modules() if isinstance(module, nn.Conv2d))
    calls: list[tuple[Tensor, Tensor]] = []

    def stop(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls.append((inputs[0], output))
        raise _ReachedError

    layer.register_forward_hook(stop)
    with torch.inference_mode(), contextlib.suppress(_ReachedError):
        exact(to_unit(torch.from_numpy(image[None]), torch.float64))
    seen, responses = calls[0]
    return FirstLayer(seen[0].mean(0).numpy(), layer.weight.detach().sum(1).numpy(), responses[0].numpy())


def first_layer_figure(layer: FirstLayer, *, dataset: str, scheme: Scheme) -> Figure:
    """Draw the layer's input, its kernels and, in the same order, their responses; white is 0."""
    count, side = len(layer.kernels), layer.kernels.shape[-1]
    figure = new_figure(
        4.2,
        title=f"The first layer: {count} kernels of {side} x {side} and their responses",
        detail=f"one test {scheme.thing}; the response in each place of the right grid belongs to the kernel in the "
        "same place",
        dataset=dataset,
    )
    columns = int(np.ceil(np.sqrt(count)))
    face, kernels, responses = figure.subplots(1, 3, width_ratios=[0.75, 1, 1], gridspec_kw={"wspace": 0.08})
    face.imshow(layer.seen, cmap="gray")
    face.set_title("What it sees")
    _draw_maps(figure, kernels, layer.kernels, columns, "Kernels", "weight")
    _draw_maps(figure, responses, layer.responses, columns, "Responses", "response before activation")
    for axes in (face, kernels, responses):
        axes.axis("off")
        axes.set_anchor("N")
    return figure


def _draw_maps(figure: Figure, axes: Axes, maps: np.ndarray, columns: int, title: str, unit: str) -> None:
    """Draw (C, H, W) maps in one grid under one colour scale that ends at their 99.5th percentile either side of 0."""
    gap = max(1, maps.shape[-1] // 12)
    framed = make_grid(torch.from_numpy(maps[:, None]), nrow=columns, padding=gap, pad_value=float("nan"))[0].numpy()
    tiled = framed[gap:-gap, gap:-gap]
    # To four digits: the bar's colours change exactly where the last bit of the limits, and so of a sum, would show.
    limit = float(f"{np.quantile(np.abs(maps), 0.995):.4g}") or 1.0
    shown = axes.imshow(tiled, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_title(title)
    bar = figure.colorbar(shown, ax=axes, location="bottom", shrink=0.8, aspect=25, pad=0.03, extend="both")
    bar.set_label(unit, size=8.5)

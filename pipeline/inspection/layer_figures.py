"""Figures of layers: their maps for one face, and their kernels."""

import numpy as np

from pipeline.evaluation.style import DIVERGING
from pipeline.inspection.drawing import HEAT, Drawing, Face, empty_drawing, lay_heat, show_face
from pipeline.inspection.layers import Layer

_MOST_MAPS = 72
_MOST_SLICES = 16
"""Outputs and inputs of which kernels are shown."""


def layer_figure(layer: Layer, face: Face, *, picture: str) -> Drawing:
    """The maps of a layer, the input of its part of the network, and where on the face it responds."""
    count = len(layer.maps)
    of = f"{count} maps" if count <= _MOST_MAPS else f"the {_MOST_MAPS} strongest of {count} maps"
    drawing = empty_drawing(
        5.6,
        f"Maps of {layer.name}",
        f"{of} of {layer.maps.shape[2]} x {layer.maps.shape[1]}, each from its smallest value (black) to its largest",
        picture,
    )
    left, right = np.asarray(drawing.figure.subfigures(1, 2, width_ratios=[0.36, 1])).tolist()
    seen, back = left.subplots(2, 1)
    seen.imshow(layer.seen, cmap="gray", interpolation="bicubic")
    seen.set_title("What this part sees")
    seen.axis("off")
    show_face(back, face)
    lay_heat(back, activity(layer), layer.crop_from_maps, face.crop.shape)
    back.set_title("Where it responds")
    axes = right.subplots()
    axes.imshow(_tiles(strongest(layer.maps, _MOST_MAPS)), cmap=HEAT, interpolation="nearest", vmin=0, vmax=1)
    axes.axis("off")
    axes.set_anchor("N")
    return drawing


def kernels_figure(name: str, kernels: np.ndarray, *, picture: str) -> Drawing:
    """(O, I, k, k) kernels, a square each: of one input in any order, else rows of outputs and columns of inputs."""
    outputs, inputs, side = kernels.shape[:3]
    rows = np.sort(np.argsort(-np.abs(kernels).mean((1, 2, 3)), kind="stable")[:_MOST_SLICES])
    columns = np.sort(np.argsort(-np.abs(kernels).mean((0, 2, 3)), kind="stable")[:_MOST_SLICES])
    sliced = kernels[rows][:, columns].reshape(-1, *kernels.shape[2:]) if inputs > 1 else kernels[:, 0]
    of = f"rows: {len(rows)} of {outputs} outputs, columns: {len(columns)} of {inputs} inputs, the strongest"
    across = len(columns) if inputs > 1 else int(np.ceil(np.sqrt(2 * outputs)))
    drawing = empty_drawing(
        0.9 + 8.0 * -(-len(sliced) // across) / across,
        f"Kernels of {name}",
        f"{side} x {side} weights; " + (of if inputs > 1 else f"{outputs} kernels, each on the gray picture"),
        picture,
    )
    axes = drawing.figure.subplots()
    limit = float(np.quantile(np.abs(sliced), 0.995)) or 1.0
    shown = axes.imshow(_grid(sliced, across), cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.axis("off")
    bar = drawing.figure.colorbar(shown, ax=axes, location="right", shrink=0.7, aspect=25, pad=0.02, extend="both")
    bar.set_label("weight", size=8.5)
    return drawing


def activity(layer: Layer) -> np.ndarray:
    """(h, w) how strongly the maps of a layer respond at each place: the mean of their absolute values.

    Heatmaps of the points hold logits, of which the network takes the softmax: for these it is the sum of the
    probabilities.
    """
    maps = layer.maps
    if layer.heatmaps:
        logits = np.exp(maps - maps.max((1, 2), keepdims=True))
        return np.asarray((logits / logits.sum((1, 2), keepdims=True)).sum(0))
    return np.asarray(np.abs(maps).mean(0))


def strongest(maps: np.ndarray, most: int) -> np.ndarray:
    """The `most` of (C, h, w) maps whose values vary most, in their order."""
    return maps[np.sort(np.argsort(-maps.std((1, 2)), kind="stable")[:most])]


def _tiles(maps: np.ndarray) -> np.ndarray:
    """(C, h, w) maps in one grid, each scaled to 0..1."""
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

"""One look for every figure: colours, type, the heading that names the data. Nothing here depends on the machine."""

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.transforms import Bbox

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.text import printable, shortened

DPI = 200
CHART_DPI = 100
"""900 pixels across, so that `dvc plots diff` has room for two."""
WIDTH_IN = 9.0
"""A README shows this at about 900 px: 1 pt of type becomes 1.4 px."""

PALETTE = {
    "model": "#0072B2",
    "baseline": "#D55E00",
    "unseen": "#CC79A7",
    "truth": "#56B4E9",
    "prediction": "#F0E442",
    "warning": "#D55E00",
    "ink": "#222222",
    "quiet": "#666666",
    "line": "#B8B8B8",
    "grid": "#E6E6E6",
}
"""Hues after Okabe and Ito, "Color Universal Design", 2008: apart for every common kind of colour vision."""

SEQUENTIAL = LinearSegmentedColormap.from_list("sequential", ["#D6E8F5", PALETTE["model"], "#002B45"])
"""Light to dark in one hue: the darker, the more."""
DIVERGING = "PuOr"

_FONT = "DejaVu Sans"
"""Comes with Matplotlib, so that figures are the same everywhere."""
_NO_GLYPH = "□"
_PER_IN = 13
"""Characters of the second line of a heading to an inch."""
_BOLD_PER_IN = 9
"""The same in bold type, capitals and digits included."""
_NAME_MOST = 270
"""Characters of a name in a heading: more than a file system allows."""
_LINE_IN = 0.165
"""From line to line of a heading."""

_RC: dict[Any, Any] = {
    "font.family": _FONT,
    "font.size": 9.5,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "text.color": PALETTE["ink"],
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": PALETTE["quiet"],
    "axes.edgecolor": PALETTE["line"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": PALETTE["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": PALETTE["line"],
    "ytick.color": PALETTE["line"],
    "xtick.labelcolor": PALETTE["quiet"],
    "ytick.labelcolor": PALETTE["quiet"],
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "legend.edgecolor": "none",
    "figure.constrained_layout.w_pad": 0.05,
    "figure.constrained_layout.h_pad": 0.03,
}


@contextmanager
def style() -> Iterator[None]:
    """A context to draw and save in: Matplotlib's defaults with the changes above, whatever matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def new_figure(height_in: float, *, title: str, detail: str, dataset: str, width_in: float = WIDTH_IN) -> Figure:
    """Empty figure under a heading: the title, then the dataset (loud when the faces are synthetic) and `detail`.

    `dataset` may be any text; where it leaves too little room beside it, `detail` stands below it, both in as many
    lines as they need, by which the figure is higher. Whatever else comes from outside goes through `label` before.
    """
    synthetic = dataset == "synthetic"
    name = "SYNTHETIC faces" if synthetic else label(dataset, _NAME_MOST)
    names, details = _heading_lines(name, detail, width_in)
    extra_in = _LINE_IN * (len(names) + len(details) - 1 if details else 0)
    height_in += extra_in
    figure = Figure(figsize=(width_in, height_in))
    left, top = 0.15 / width_in, 0.12 / height_in
    figure.text(left, 1 - top, title, size=12.5, weight="bold", va="top")
    below = 1 - top - 0.27 / height_in
    colour = PALETTE["warning" if synthetic else "quiet"]
    shown = figure.text(left, below, "\n".join(names), color=colour, weight="bold", va="top")
    if details:
        lower = below - len(names) * _LINE_IN / height_in
        figure.text(left, lower, "\n".join(details), color=PALETTE["quiet"], va="top")
    else:
        figure.draw_without_rendering()  # places the name, so that the detail can follow it
        end = shown.get_window_extent().x1 / (figure.dpi * width_in)
        figure.text(end, below, f"  ·  {detail}", color=PALETTE["quiet"], va="top")
    rect = (left / 2, 0.01, 1 - left, below - (0.3 + extra_in) / height_in)
    figure.set_layout_engine("constrained", rect=rect)
    return figure


def _heading_lines(name: str, detail: str, width_in: float) -> tuple[list[str], list[str]]:
    """Lines of a heading: the name, and the detail where it does not fit behind the name."""
    if len(name) <= _room(detail, width_in):
        return [name], []
    return (textwrap.wrap(name, round(_BOLD_PER_IN * width_in)), textwrap.wrap(detail, round(_PER_IN * width_in)))


def _room(detail: str, width_in: float) -> int:
    """Bold characters that fit before the detail, more or less; some in any case."""
    return max(16, min(60, round(0.8 * (_PER_IN * width_in - len(detail) - 5))))


def label(text: str, most: int = 40) -> str:
    """Text from outside as figures can show it: at most `most` characters, boxes for those that the font lacks."""
    shown = shortened(printable(text), most)
    return "".join(char if ord(char) in _glyphs() else _NO_GLYPH for char in shown)


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(_FONT)).get_charmap())


def save(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write the figure to `path` as a PNG that has the same bytes every time."""
    content = png(figure, dpi)
    with whole(path) as partial:
        partial.write_bytes(content)


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as PNG, with the same bytes every time.

    The last bits of a solved layout depend on where things lie in memory, and a colour bar may show them: positions
    are rounded once they are found. The Software entry would change with Matplotlib's version, the picture would not.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(Bbox(axes.get_position(original=True).get_points().round(6)))
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi, metadata={"Software": None})
    return content.getvalue()

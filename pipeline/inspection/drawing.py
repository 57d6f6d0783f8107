"""What all figures of an inspection share: the heading, the face, and values laid over it."""

from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facial_keypoints.core.scheme import Scheme
from pipeline.evaluation.grids import face_window
from pipeline.evaluation.style import new_figure

HEAT = "inferno"


@dataclass(frozen=True)
class Drawing:
    """A figure under its heading, and the heading for pages that show it as text."""

    figure: Figure
    title: str
    detail: str

    @property
    def heading_frac(self) -> float:
        """Share of the height of the figure that its heading takes; not known any more once it is saved."""
        engine = self.figure.get_layout_engine()
        _, low, _, height = engine.get()["rect"] if engine else (0.0, 0.0, 1.0, 1.0)
        return 1 - low - height


def empty_drawing(height_in: float, title: str, detail: str, picture: str) -> Drawing:
    """A drawing with nothing below its heading, which also names the picture."""
    return Drawing(new_figure(height_in, title=title, detail=detail, dataset=picture), title, detail)


@dataclass(frozen=True)
class Face:
    """A face in a frame."""

    crop: np.ndarray
    """(S, S) uint8 frame."""
    points: np.ndarray
    """(K, 2) frame px."""
    scheme: Scheme
    """What the points are."""


def show_face(axes: Axes, face: Face) -> None:
    """Show a face with faint lines along its points."""
    crop, points = face.crop, face.points
    axes.imshow(crop, cmap="gray", vmin=0, vmax=255, interpolation="bicubic")
    for contour in face.scheme.contours:
        axes.plot(*points[contour.path].T, color="white", lw=0.5, alpha=0.5)
    left, top, size = face_window(points, crop.shape[-1])
    margin = min(0.1 * size, left + 0.5, top + 0.5, crop.shape[-1] - 0.5 - max(left, top) - size)
    left, top, size = left - max(margin, 0), top - max(margin, 0), size + 2 * max(margin, 0)
    axes.set(xlim=(left, left + size), ylim=(top + size, top))
    axes.axis("off")


def lay_heat(axes: Axes, values: np.ndarray, crop_from_values: np.ndarray, size: tuple[int, ...]) -> None:
    """Lay (h, w) values over a frame of `size` (S, S): the larger a value, the brighter and the less transparent."""
    values = values.astype(np.float32)
    shares = (values - values.min()) / max(float(np.ptp(values)), 1e-9)
    laid = cv2.warpAffine(shares, crop_from_values[:2], size[::-1], flags=cv2.INTER_CUBIC).clip(0, 1)
    axes.imshow(laid, cmap=HEAT, vmin=0, vmax=1, alpha=0.85 * laid**0.7, interpolation="bicubic")

"""Predict on a picture of a person who does not exist and on its mirror image, and write docs/symmetry.png.

python -m examples.symmetry
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from facial_keypoints import KeypointDetector
from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import Convention
from facial_keypoints.network import SHIPPED
from pipeline.core.metrics import nme
from pipeline.evaluation.style import PALETTE, new_figure, save, style

OUTPUT = Path("docs/symmetry.png")
PEOPLE, ONE = Path("examples/people.jpg"), slice(580, 900)
"""The picture, and the columns of one of them."""
CONVENTIONS: tuple[tuple[Convention, str], ...] = (("dataset", "as the labels lie"), ("symmetric", "symmetric"))


def predicted(picture: np.ndarray, convention: Convention) -> tuple[np.ndarray, np.ndarray]:
    """(68, 2) points of the one face in a picture, and of that in its mirror image, mirrored back."""
    detector = KeypointDetector.load(SHIPPED, convention=convention)
    (face,), (other,) = detector.many([picture, np.ascontiguousarray(picture[:, ::-1])])
    back = other.keypoints[IBUG_68.flip_index]
    return face.keypoints, np.stack([picture.shape[1] - 1 - back[:, 0], back[:, 1]], -1)


def draw(axes: Axes, picture: np.ndarray, points: np.ndarray, back: np.ndarray, name: str) -> None:
    apart = float(nme(back[None], points[None], IBUG_68)[0])
    axes.imshow(0.5 + 0.5 * picture / 255)
    axes.plot(*np.stack([points, back], 1).T, color=PALETTE["ink"], lw=1)
    axes.plot(*points.T, "o", ms=4, color=PALETTE["model"], label="points of the picture")
    axes.plot(*back.T, "o", ms=4, color=PALETTE["baseline"], label="of its mirror image, mirrored back")
    axes.set_title(f"{name}: {percent_text(to_percent(apart))} of the eye distance apart", pad=8)
    low, high = points.min(0) - 20, points.max(0) + 20
    axes.set(xticks=[], yticks=[], xlim=(low[0], high[0]), ylim=(high[1], low[1]))
    axes.spines[:].set_visible(False)


def main() -> None:
    picture = np.ascontiguousarray(np.asarray(Image.open(PEOPLE))[:, ONE])
    with style():
        figure = new_figure(
            5.4,
            title="Mirror a picture, and points that follow the labels move",
            detail="a line joins the two places of a point",
            dataset="a synthetic face",
        )
        for axes, (convention, name) in zip(figure.subplots(1, 2), CONVENTIONS, strict=True):
            draw(axes, picture, *predicted(picture, convention), name)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        save(figure, OUTPUT, dpi=110)
    print(OUTPUT)


if __name__ == "__main__":
    main()

"""Paint a person who does not exist, number the 68 points, and write docs/points.png.

python -m examples.numbering
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from facial_keypoints.core.scheme import IBUG_68
from pipeline.datasets.synthetic import Camera, Clothes, Expression, Face, Light, Pose, paint_onto, random_identity
from pipeline.evaluation.style import PALETTE, new_figure, save, style

OUTPUT = Path("docs/points.png")
SIDE = 900
LIGHT = Light(azimuth_deg=-20, elevation_deg=30, key=0.62, sky=0.42, floor=0.22)
GROUND = 0.8
INNER_LIPS = range(60, 68)
AWAY_PX = 15
"""From a point to the middle of its number."""


def synthetic_face() -> tuple[np.ndarray, np.ndarray]:
    """(SIDE, SIDE, 3) floats 0..1 and the (68, 2) points."""
    person = random_identity(np.random.default_rng(11), bare=True)
    face = Face(person, Expression(jaw_open=0.55), Pose(), Clothes("tshirt", (0.3, 0.36, 0.42)))
    ground = np.full((SIDE, SIDE, 3), GROUND, np.float32)
    picture, points = paint_onto(ground, face, Camera(SIDE / 2, SIDE * 0.42, 3.3), LIGHT)
    return picture.clip(0, 1), points


def number_points(axes: Axes, points: np.ndarray) -> None:
    """Every number beside its point, away from the middle of its region; those of the inner lips towards it."""
    colors = mpl.colormaps["tab10"]
    for order, (region, members) in enumerate(IBUG_68.regions.items()):
        middle = points[list(members)].mean(0)
        color = colors(order)
        axes.plot(*points[list(members)].T, "o", ms=4.5, color=color, mec="white", mew=0.7, label=_named(region))
        for member in members:
            way = points[member] - middle
            way = (-1 if member in INNER_LIPS else 1) * way / np.hypot(*way)
            axes.annotate(
                str(member),
                points[member] + AWAY_PX * way,
                ha="center",
                va="center",
                size=7.5,
                weight="bold",
                color=PALETTE["ink"],
            )


def _named(region: str) -> str:
    members = list(IBUG_68.regions[region])
    return f"{region}: {members[0]} to {members[-1]}"


def main() -> None:
    picture, points = synthetic_face()
    with style():
        figure = new_figure(
            6.1,
            title="The 68 points of the iBUG 300-W scheme",
            detail="left and right are those of the person",
            dataset="a synthetic face",
            width_in=8.0,
        )
        axes = figure.subplots()
        axes.imshow(0.55 + 0.45 * picture)
        number_points(axes, points)
        axes.set(xticks=[], yticks=[], xlim=(130, SIDE - 130), ylim=(SIDE - 45, 190))
        axes.spines[:].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        save(figure, OUTPUT, dpi=130)
    print(OUTPUT)


if __name__ == "__main__":
    main()

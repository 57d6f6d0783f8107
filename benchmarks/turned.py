"""Which drawn heads are found, one in a picture, by how far they are turned, nodding or tilted; and false alarms.

Takes a model, that of the workspace unless given: python -m benchmarks.turned model.safetensors
"""

import sys
import time

import numpy as np

from benchmarks.found import FOUND, overlaps_with
from facial_keypoints import KeypointDetector
from pipeline.datasets.synthetic import (
    Camera,
    Capture,
    Face,
    Light,
    Pose,
    draw_background,
    paint_onto,
    random_identity,
    take,
)

PEOPLE = 12
BACKGROUNDS = 60
SIZE = (360, 420)
CAPTURE = Capture(noise=0.004, jpeg_quality=92)
AXES = {"turned": (1, 0, 0), "nodding": (0, 1, 0), "tilted": (0, 0, 1)}
ANGLES_DEG = (0, 15, 30, 45, 60, 75, 90, 135, 180)


def head(seed: int, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 RGB of a person and the (68, 2) points."""
    rng = np.random.default_rng(seed)
    face = Face(random_identity(rng, bare=True), pose=pose)
    camera = Camera(210 + rng.uniform(-30, 30), 160 + rng.uniform(-15, 15), rng.uniform(0.6, 1.0))
    picture, points = paint_onto(draw_background(rng, SIZE), face, camera, Light())
    return take(picture, CAPTURE, rng), points


def found_share(
    detector: KeypointDetector, pairs: list[tuple[np.ndarray, np.ndarray]], overlap: float = FOUND
) -> float:
    """Share of the pictures in which some answer overlaps the face of the (68, 2) points by more than `overlap`."""
    hits = [(overlaps_with(detector(picture), points[None]) > overlap).any() for picture, points in pairs]
    return float(np.mean(hits))


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else None
    for name, detector in (
        ("Haar", KeypointDetector.load(model, detector="haar")),
        ("YuNet", KeypointDetector.load(model, detector="yunet")),
    ):
        print(name)
        report(detector)


def report(detector: KeypointDetector) -> None:
    """Print what a detector finds and invents."""
    print("found, %, at degrees " + "".join(f"{angle:5d}" for angle in ANGLES_DEG))
    for name, axis in AXES.items():
        shares = []
        for angle in ANGLES_DEG if name == "tilted" else ANGLES_DEG[:-2]:  # no face is seen from behind
            signs = [1 if seed % 2 else -1 for seed in range(PEOPLE)]
            pairs = [head(seed, Pose(*(sign * angle * part for part in axis))) for seed, sign in enumerate(signs)]
            shares.append(found_share(detector, pairs))
        print(f"{name:21s}" + "".join(f"{100 * share:5.0f}" for share in shares))
    empty = [
        take(draw_background(np.random.default_rng(seed), SIZE), CAPTURE, np.random.default_rng(seed))
        for seed in range(BACKGROUNDS)
    ]
    start = time.perf_counter()
    alarms = sum(len(detector(picture)) for picture in empty)
    seconds = time.perf_counter() - start
    print(f"{alarms} false alarms on {BACKGROUNDS} pictures without a face, {1000 * seconds / BACKGROUNDS:.0f} ms each")


if __name__ == "__main__":
    main()

"""What each filter takes per face, next to finding the face and to one look of the bare network, on synthetic people.

Takes a model, that of the workspace unless given: python -m benchmarks.filters model.safetensors
"""

import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import get_args

import cv2
import numpy as np
import torch

from benchmarks.timing import seconds
from facial_keypoints import KeypointDetector
from facial_keypoints.filters.apply import Name, PictureFilter, picture_filter
from facial_keypoints.filters.sticker import Sticker
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

ROUNDS = 7
SIZE = (480, 640)


def two_people() -> tuple[np.ndarray, list[np.ndarray]]:
    """(H, W, 3) uint8 RGB and the (68, 2) points of both."""
    rng = np.random.default_rng(0)
    picture, points = draw_background(rng, SIZE), []
    for x, yaw in ((190, 12), (450, -8)):
        face = Face(random_identity(rng, bare=True), pose=Pose(yaw))
        picture, labels = paint_onto(picture, face, Camera(x, 190, 1.1), Light())
        points.append(labels)
    return take(picture, Capture(), rng), points


def milliseconds(work: Callable[[], object]) -> float:
    """Median of several times, after one that is not counted."""
    return 1000 * median([seconds(work) for _ in range(ROUNDS + 1)][1:])


def by_name(name: str) -> PictureFilter:
    """The filter; the sticker is a square on the eye corners."""
    sticker = Sticker(np.full((64, 64, 4), 0.8, np.float32), np.array([36, 45]), np.array([[8.0, 32.0], [56.0, 32.0]]))
    return picture_filter(name, crop_px=256, sticker=sticker)


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    detector = KeypointDetector.load(sys.argv[1] if len(sys.argv) > 1 else None)
    picture, faces = two_people()
    crops = np.zeros((len(faces), detector.network.size_px, detector.network.size_px), np.uint8)
    look = milliseconds(partial(detector.network, crops)) / len(faces)
    found = milliseconds(partial(detector, picture)) / len(faces)
    print(f"one thread, ms a face: one look of the network {look:.1f}, search and keypoints {found:.1f}; filters:")
    for name in get_args(Name):
        print(f"{name:>10s} {milliseconds(partial(by_name(name), picture, faces)) / len(faces):6.1f}")


if __name__ == "__main__":
    main()

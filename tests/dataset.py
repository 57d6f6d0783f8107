"""A tiny raw dataset with hand-made frames and labels."""

import json
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.scheme import IBUG_68, Scheme
from pipeline.core import paths
from pipeline.core.labels import LABELS, write_keypoints_csv


def face_points(width: int, height: int, count: int = 68) -> np.ndarray:
    """(K, 2) distinct whole-pixel points inside a frame, the outer eye corners apart."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    ring = np.stack([0.5 + 0.3 * np.cos(angle), 0.5 + 0.3 * np.sin(angle)], -1)
    return np.round(ring * [width, height])


def write_frame(path: Path, *, seed: int = 0, width: int = 90, height: int = 110) -> None:
    """An RGBA PNG named .jpg, as in the real dataset."""
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    picture = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    rgba = np.dstack([picture, np.full((height, width), 255, np.uint8)])
    path.write_bytes(cv2.imencode(".png", rgba)[1].tobytes())


def write_raw(root: Path, people: int = 4, scheme: Scheme = IBUG_68) -> Path:
    """`people` with one clip of three training and two test frames, one of the test frames unlabelled.

    Beside `root` lies the scheme, as fetch leaves it.
    """
    labelled: dict[str, list[str]] = {"training": [], "test": []}
    seed = 0
    for folder, frames in (("training", 3), ("test", 2)):
        (root / folder).mkdir(parents=True)
        for person in range(people):
            for frame in range(frames):
                name = f"Person_{chr(65 + person)}_0{frame}.jpg"
                write_frame(root / folder / name, seed=(seed := seed + 1))
                if folder == "training" or frame == 0:
                    labelled[folder].append(name)
    for folder, names in labelled.items():
        write_keypoints_csv(root / LABELS[folder], names, np.stack([face_points(90, 110, scheme.count)] * len(names)))
    (root.parent / paths.SCHEME.name).write_text(json.dumps(scheme.as_data()))
    return root

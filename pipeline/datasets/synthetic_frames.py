"""A stand-in for the real frames: synthetic people, in the layout of that dataset with all its quirks."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.progress import progress
from pipeline.core.labels import LABELS, write_keypoints_csv
from pipeline.core.parallel import map_on_cores
from pipeline.datasets.synthetic import draw_face, random_clip, random_identity
from pipeline.datasets.synthetic.names import person_names

_LABELLED_EVERY = 3
"""One test frame in so many has a row of labels, as in the real dataset."""


@dataclass(frozen=True)
class _ClipTask:
    folder: Path
    person: int
    name: str
    clip: int
    frames: dict[str, int]
    """Number of frames to draw into each folder."""
    seed: int


def write_synthetic(folder: Path, *, people: int, clips: int, frames: int, seed: int) -> None:
    """Draw people x clips x frames frames and their two label tables into `folder`, on all cores.

    Three fifths of the frames of a clip go to training/, the rest to test/ under names that training/ has too; a third
    of the test frames is labelled. The files are RGBA PNGs named .jpg. The same arguments give the same bytes.
    """
    training = min(math.ceil(frames * 3 / 5), frames - 1)
    counts = {"training": training, "test": frames - training}
    for name in counts:
        (folder / name).mkdir(parents=True, exist_ok=True)
    tasks = [
        _ClipTask(folder, person, name, clip, counts, seed)
        for person, name in enumerate(person_names(people, seed))
        for clip in range(clips)
    ]
    labels: dict[str, dict[str, np.ndarray]] = {name: {} for name in counts}
    for drawn in progress(map_on_cores(_draw_clip, tasks), label="synthetic faces", total=len(tasks), unit="clips"):
        for name, rows in drawn.items():
            labels[name].update(rows)
    labels["test"] = dict(list(labels["test"].items())[::_LABELLED_EVERY])
    for name, rows in labels.items():
        write_keypoints_csv(folder / LABELS[name], list(rows), np.stack(list(rows.values())))


def _draw_clip(task: _ClipTask) -> dict[str, dict[str, np.ndarray]]:
    """Write the frames of a clip; returns the (68, 2) keypoints_source of each, by folder and file name."""
    identity = random_identity(np.random.default_rng([task.seed, task.person]))
    clip = random_clip(np.random.default_rng([task.seed, task.person, 1 + task.clip]))
    labels: dict[str, dict[str, np.ndarray]] = {}
    drawn = 0
    for folder, count in task.frames.items():
        labels[folder] = {}
        for frame in range(count):
            drawn += 1
            rng = np.random.default_rng([task.seed, task.person, 1 + task.clip, drawn])
            rgb, keypoints = draw_face(identity, rng, replace(clip, size=_cropped(clip.size, rng)))
            name = f"{task.name}_{task.clip}{frame}.jpg"
            _write_rgba(task.folder / folder / name, rgb)
            labels[folder][name] = keypoints
    return labels


def _cropped(size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Vary the (H, W) of a clip a little, as where frames are cut out round a detected face."""
    height, width = (int(np.clip(round(side * rng.uniform(0.96, 1.04)), 72, 494)) for side in size)
    return height, width


def _write_rgba(path: Path, rgb: np.ndarray) -> None:
    """Write (H, W, 3) uint8 as a PNG with alpha 255, whatever the name says."""
    bgra = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA)
    _, code = cv2.imencode(".png", bgra)
    path.write_bytes(code.tobytes())

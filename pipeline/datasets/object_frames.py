"""The frames of an imported dataset: its objects cut out of its pictures, with the two tables of labels."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.progress import progress
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import amount
from pipeline.core.labels import HIDDEN, LABELS, write_keypoints_csv
from pipeline.datasets.label_table import SPLITS, Sample, read_label_table

_NAME_MOST = 60
"""Characters of a name, far below what file systems take in any alphabet."""
_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def read_upright(path: Path) -> np.ndarray | None:
    """What `decode_upright` makes of a file."""
    return decode_upright(path.read_bytes())


def decode_upright(content: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8 BGR of a picture as it is shown, of any depth and number of channels.

    None for what is no picture, or larger than OpenCV reads.
    """
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error:
        return None
    return None if picture is None else np.asarray(picture, np.uint8)


def cut_frame(picture: np.ndarray, frame: tuple[int, int, int]) -> np.ndarray:
    """(side, side, ...) of an (H, W, ...) picture at left, top; beyond its border the border repeats."""
    left, top, side = frame
    height, width = picture.shape[:2]
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    return np.ascontiguousarray(picture[rows][:, columns])


def write_object_frames(table: Path, pictures: Path, folder: Path, count: int) -> None:
    """Write the frames of `table`, and labels of `count` points, into `folder` as stages expect raw data.

    Points that are not labelled are empty there; flags follow where the table calls a point hidden. Raises DataError.
    """
    written: dict[str, dict[str, Sample]] = {split: {} for split in SPLITS}
    numbers: Counter[tuple[str, str]] = Counter()
    people: dict[str, str] = {}
    alike: Counter[str] = Counter()
    for split in SPLITS:
        (folder / split).mkdir(parents=True, exist_ok=True)
    for sample, content in progress(_cut(table, pictures, count), label="frames", total=0, unit="frames"):
        if sample.group not in people:
            people[sample.group] = _person(sample.group, alike)
        person = people[sample.group]
        name = f"{person}_0{numbers[sample.split, person]}.jpg"  # read by content, whatever the name says
        numbers[sample.split, person] += 1
        (folder / sample.split / name).write_bytes(content)
        written[sample.split][name] = sample
    for split, rows in written.items():
        _write_labels(folder / LABELS[split], rows, count)


def _write_labels(path: Path, rows: dict[str, Sample], count: int) -> None:
    """The labels of frames by their names, with flags where one of these is of a hidden point."""
    points = np.array([sample.points - sample.frame[:2] for sample in rows.values()]).reshape(-1, count, 2)
    flags = np.array([sample.visibility for sample in rows.values()], np.uint8).reshape(-1, count)
    write_keypoints_csv(path, list(rows), points, flags if (flags == HIDDEN).any() else None)


def _cut(table: Path, pictures: Path, count: int) -> Iterator[tuple[Sample, bytes]]:
    """Each sample with its frame as a PNG."""
    partly = 0
    for name, samples in groupby(read_label_table(table, count), lambda sample: sample.picture):
        picture = read_upright(pictures / name)
        if picture is None:
            raise DataError(f"{pictures / name} is no picture; import the dataset again")
        for sample in samples:
            partly += not sample.visibility.all()
            yield sample, cv2.imencode(".png", cut_frame(picture, sample.frame), _FAST)[1].tobytes()
    if partly:
        objects = amount(partly, "object")
        tell(f"note: of {objects} of {table} only some points are labelled; the network learns from those")


def _person(group: str, alike: Counter[str]) -> str:
    """The group as a part of a file's name; those that are alike then are numbered, so that each stays its own."""
    name = re.sub(r"[^\w.-]+", "-", group).strip(".-")[-_NAME_MOST:] or "object"
    alike[name] += 1
    return name if alike[name] == 1 else f"{name}~{alike[name]}"

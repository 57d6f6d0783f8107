"""Folders of raw data put together: frames and labels of several datasets in one, and a test where none is held out."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import ConfigError, DataError
from facial_keypoints.core.terminal import tell
from pipeline.core.labels import LABELS, LabelTable, read_label_table, write_keypoints_csv
from pipeline.core.merged import merged_name
from pipeline.datasets.gathering import link_or_copy

_LONGEST_NAME = 255
"""Bytes that a file system takes."""


def add_part(part: Path, folder: Path, dataset: str, count: int) -> None:
    """Add the raw data of a dataset, whose labels have `count` points, to what `folder` has. Raises ConfigError."""
    for split, table in LABELS.items():
        (folder / split).mkdir(parents=True, exist_ok=True)
        for frame in sorted((part / split).glob("*.jpg")):
            link_or_copy(frame, folder / split / _fitting(merged_name(dataset, frame.name)))
        labels = read_label_table(part / table, count)
        labels = replace(labels, names=[merged_name(dataset, name) for name in labels.names])
        if (folder / table).exists():
            labels = _together(read_label_table(folder / table, count), labels)
        write_keypoints_csv(folder / table, labels.names, labels.keypoints_source, labels.flags)


def _together(one: LabelTable, other: LabelTable) -> LabelTable:
    points = np.concatenate([one.keypoints_source, other.keypoints_source])
    return LabelTable(one.names + other.names, points, np.concatenate([one.hidden, other.hidden]))


def _fitting(name: str) -> str:
    if len(name.encode()) > _LONGEST_NAME:
        raise ConfigError(
            f"merged, {name} is too long for the name of a file; give the folder of its dataset a shorter"
        )
    return name


def complete(folder: Path) -> None:
    """Make the test of raw data the training again, where no frame is held out.

    Raises DataError where there is none to train on.
    """
    if not any((folder / "training").iterdir()):
        raise DataError("no object is of the split training; give some that split")
    if any((folder / "test").iterdir()):
        return
    tell("note: no picture is held out; the test repeats the training, and tells only whether it can be learned at all")
    for frame in (folder / "training").iterdir():
        link_or_copy(frame, folder / "test" / frame.name)
    (folder / LABELS["test"]).write_bytes((folder / LABELS["training"]).read_bytes())

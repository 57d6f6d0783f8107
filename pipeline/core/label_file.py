"""Labels of chosen frames out of a table that may be larger than the memory."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief
from pipeline.core.labels import LABELS, open_label_rows, refuse_duplicates

_AT_ONCE = 10_000
_NAME_BYTES = 255
"""The most of the name of a file."""


class LabelFile:
    """A label table on disk. In memory are the names and the place of each row: 40 bytes a row of short names."""

    def __init__(self, path: Path, points: int) -> None:
        """Check every row. `points` is the K that is expected. Raises DataError as `labels.read_label_table` does."""
        self._path, self._points = path, points
        names, places = _names_and_places(path, points)
        order = np.argsort(names, kind="stable")
        self._names, self._places, self._lines = names[order], places[order], order + 2
        if (self._names[1:] == self._names[:-1]).any():
            refuse_duplicates(path, [name.decode() for name in names.tolist()])  # names the lines

    def rows(self, files: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which of N files have a row, (N,) bool, their labels and which of these are hidden.

        Labels are (N, K, 2) float32 source pixels, NaN where there is none; the last is (N, K) bool.
        """
        keypoints = np.full((len(files), self._points, 2), np.nan, np.float32)
        hidden = np.zeros((len(files), self._points), bool)
        wanted = np.array([file.encode() for file in files], bytes)
        rows = np.searchsorted(self._names, wanted)
        found = np.zeros(len(files), bool)
        inside = rows < len(self._names)
        found[inside] = self._names[rows[inside]] == wanted[inside]
        with open_label_rows(self._path, self._points) as table:
            for number in np.flatnonzero(found).tolist():
                row = table.at(int(self._places[rows[number]]), int(self._lines[rows[number]]))
                keypoints[number], hidden[number] = row.keypoints, row.hidden
        return found, keypoints, hidden


def _names_and_places(path: Path, points: int) -> tuple[np.ndarray, np.ndarray]:
    """(N,) names as bytes, and (N,) where their rows begin."""
    names, places = [np.zeros(0, "S1")], [np.zeros(0, np.int64)]
    waiting: list[tuple[bytes, int]] = []

    def pack() -> None:
        names.append(np.array([name for name, _ in waiting], bytes))
        places.append(np.array([place for _, place in waiting], np.int64))
        waiting.clear()

    with open_label_rows(path, points) as table:
        for row in table:
            if len(name := row.name.encode()) > _NAME_BYTES:
                raise DataError(f"{path}: {brief(row.name)} is longer than a file name can be; mend its line")
            waiting.append((name, row.place))
            if len(waiting) == _AT_ONCE:
                pack()
    pack()
    return np.concatenate(names), np.concatenate(places)


class RawLabels:
    """The label tables of the raw data, those of both folders of frames."""

    def __init__(self, raw: Path, points: int) -> None:
        """Check every row of both. Raises DataError."""
        self._points = points
        self._tables = {folder: LabelFile(raw / table, points) for folder, table in LABELS.items()}

    def of(self, samples: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `LabelFile.rows` gives of the frames of N rows of samples.csv."""
        found = np.zeros(len(samples), bool)
        keypoints = np.full((len(samples), self._points, 2), np.nan, np.float32)
        hidden = np.zeros((len(samples), self._points), bool)
        for folder, table in self._tables.items():
            rows = (samples["folder"] == folder).to_numpy(bool)
            found[rows], keypoints[rows], hidden[rows] = table.rows(samples["file"][rows].tolist())
        return found, keypoints, hidden

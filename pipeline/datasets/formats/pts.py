"""iBUG's .pts, one file a face: "version: 1", "n_points: 68", then x and y of each point between braces.

Pixels count from 1, as MATLAB does: the centre of the top left one is (1, 1). Source: menpo's importer of landmarks
(menpo/io/input/landmark.py), which takes 1 off. The picture has the same name with another ending.
"""

from collections.abc import Sequence
from pathlib import Path

from facial_keypoints.core.text import shown
from pipeline.datasets.formats.record import Entries, Record, attempt, below, lines_of, record, stem


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The one face of a file."""
    yield attempt(below(path, root), _read, path, root)


def _read(where: str, path: Path, root: Path) -> Record:
    told: int | None = None
    rows: list[list[str]] = []
    for line, text in lines_of(path):
        key, colon, value = text.partition(":")
        if colon and key.strip() == "n_points":
            told = int(value)
        elif text not in "{}" and not colon:
            if len(fields := text.split()) != 2:
                raise ValueError(f"line {line}: {shown(text)} where x and y are expected")
            rows.append(fields)
    if told is not None and told != len(rows):
        raise ValueError(f"n_points is {told}, but there are {len(rows)} points")
    return record(where, stem(path.relative_to(root).as_posix()), rows)

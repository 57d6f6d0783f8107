"""The tables of the course P1_Facial_Keypoints: an empty name and 0 to 2K - 1, then a file name and x, y of each point.

Pixels count from 0, the centre of the top left one is (0, 0): the frames and the course's code draw them so. The table
training_frames_keypoints.csv is of the folder training/, test_frames_keypoints.csv of test/; those are the official
lists. The group is the person in the name, <person>_<clip digit><frame number>.jpg.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from facial_keypoints.core.errors import DataError
from pipeline.core.labels import LABELS
from pipeline.datasets.formats.record import Entries, Record, attempt, below, check_text, record

_PERSON = re.compile(r"(.+)_\d{2,}\.\w+")


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The frames of a table."""
    folder = path.name.partition("_")[0]
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if header != ["", *(str(column) for column in range(len(header) - 1))] or len(header) % 2 == 0:
            raise DataError(f"{path} line 1: the header should be an empty name and the columns 0 to {len(header) - 2}")
        for row in filter(None, rows):
            yield attempt(f"{below(path, root)} line {rows.line_num}", _read, row, len(header), folder)


def _read(where: str, row: list[str], fields: int, folder: str) -> Record:
    if len(row) != fields:
        raise ValueError(f"it has {len(row)} fields where {fields} are expected")
    check_text(row)
    person = _PERSON.fullmatch(row[0])
    split = folder if folder in LABELS else None
    picture = f"{folder}/{row[0]}" if split else row[0]
    points = zip(row[1::2], row[2::2], strict=True)
    return record(where, picture, points, group=person[1] if person else None, split=split)

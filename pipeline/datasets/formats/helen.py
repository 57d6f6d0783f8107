"""Helen's annotation/*.txt, one file a face: the name of the picture, then "x , y" of each of 194 points.

Pixels count from 0. The set does not say; its points fit the pictures so, and menpo and face-alignment add nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from facial_keypoints.core.text import shown
from pipeline.datasets.formats.record import Entries, Record, attempt, below, lines_of, record


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The one face of a file."""
    yield attempt(below(path, root), _read, path)


def _read(where: str, path: Path) -> Record:
    lines = lines_of(path)
    _, picture = next(lines, (0, ""))
    rows = [_fields(line, text) for line, text in lines]
    return record(where, picture, rows)


def _fields(line: int, text: str) -> list[str]:
    if len(fields := text.split(",")) != 2:
        raise ValueError(f"line {line}: {shown(text)} where x , y is expected")
    return fields

"""WFLW's list_98pt_*.txt, one line a face: x and y of 98 points, a box, six attributes, the name of the picture.

Pixels count from 0: mmpose takes the numbers as they are (its docs/en/dataset_zoo/2d_face_keypoint.md), as do HRNet
and PIPNet. The box is left, top, right, bottom. The attributes, occlusion among them, are of the whole face: they tell
nothing of a point, so that every point counts as seen. A file with `train` or `test` in its name is an official list.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.datasets.formats.record import Entries, Record, attempt, below, box_of, lines_of, number, record

_POINTS, _ATTRIBUTES = 98, 6
_FIELDS = 2 * _POINTS + 4


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The faces of a list, whether it has attributes or not."""
    split = "test" if "test" in path.stem else "training" if "train" in path.stem else None
    for line, text in lines_of(path):
        yield attempt(f"{below(path, root)} line {line}", _read, text, split)


def _read(where: str, text: str, split: str | None) -> Record:
    fields = text.split(maxsplit=_FIELDS)
    if len(fields) <= _FIELDS:
        raise ValueError(f"it has {len(fields)} fields where {_FIELDS + _ATTRIBUTES + 1} are expected")
    left, top, right, bottom = (number(value, "a side of the box") for value in fields[2 * _POINTS : _FIELDS])
    rest = fields[_FIELDS].split(maxsplit=_ATTRIBUTES)
    has_attributes = len(rest) > _ATTRIBUTES and all(field in "01" for field in rest[:_ATTRIBUTES])
    picture = rest[_ATTRIBUTES] if has_attributes else fields[_FIELDS]
    points = zip(fields[: 2 * _POINTS : 2], fields[1 : 2 * _POINTS : 2], strict=True)
    return record(where, picture, points, box=box_of((left, top, right - left, bottom - top)), split=split)

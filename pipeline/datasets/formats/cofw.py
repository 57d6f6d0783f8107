"""COFW_train.mat and COFW_test.mat (MATLAB v7.3, which is HDF5): the pictures themselves, boxes, 29 points each.

`phisTr` and `phisT` have 29 x, then 29 y, then 29 times whether a point is occluded. Pixels count from 1, as MATLAB
does. The two files are the official lists.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import brief
from pipeline.core.labels import HIDDEN, SEEN
from pipeline.datasets.formats.record import Entries, Record, attempt, below, box_of, record, stem

_SETS = {"Tr": "training", "T": "test"}
_POINTS = 29


def read(path: Path, root: Path, names: Sequence[str]) -> Entries:
    """The faces of a file, each with its picture."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield from _faces(path, root, file)
    except OSError as error:
        raise DataError(
            f"{path} is no whole MATLAB file of version 7.3 ({brief(str(error))}); fetch it again"
        ) from None


def _faces(path: Path, root: Path, file: Any) -> Entries:
    kind = next((kind for kind in _SETS if f"phis{kind}" in file), None)
    if kind is None or f"Is{kind}" not in file or file[f"phis{kind}"].shape[0] != 3 * _POINTS:
        raise DataError(f"{path} lacks phisTr or phisT of {3 * _POINTS} numbers a face, or their pictures")
    name = below(path, root)
    for face in range(file[f"phis{kind}"].shape[1]):
        yield attempt(f"{name} face {face + 1}", _face, f"{stem(name)}-{face + 1:04}.png", file, kind, face)


def _face(where: str, name: str, file: Any, kind: str, face: int) -> Record:
    x, y, occluded = np.asarray(file[f"phis{kind}"][:, face]).reshape(3, _POINTS)
    picture = np.asarray(file[file[f"Is{kind}"][:].ravel()[face]]).T  # MATLAB has the columns first
    return record(
        where,
        name,
        zip(x, y, np.where(occluded > 0, HIDDEN, SEEN), strict=True),
        box=box_of(file[f"bboxes{kind}"][:, face]) if f"bboxes{kind}" in file else None,
        split=_SETS[kind],
        content=cv2.imencode(".png", picture[..., ::-1] if picture.ndim == 3 else picture)[1].tobytes(),
    )

"""reliability.csv: how certain a network says that its points are, and what is found; written and read here alone.

A row says what was told and what was found of one group, both in percent. Of the measure "share": the share of the true
points that radii are told to hold, and that lie inside. Of "radius": the median radius of a tenth of the points, from
the most certain to the least, and the median of their errors, both over the normalizing length; half of the true points
lying inside, they are equal. The table of a network that tells no radii has no rows.
"""

import io

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.percent import to_percent
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief
from pipeline.core import paths
from pipeline.core.tables import TABLE_BYTES, write_table
from pipeline.evaluation.measured_faces import MeasuredFaces, coverage_percent

_COLUMNS = ["split", "measure", "told_percent", "found_percent"]
_SHARES = np.arange(1, 10) / 10
_GROUPS = 10
"""By radius: of more than 20,000 points on val, each group has enough for a steady median."""


def write_reliability(splits: dict[str, MeasuredFaces]) -> None:
    """Write reliability.csv of the measured faces of each split."""
    rows = [row for split, faces in splits.items() for row in _rows(split, faces)]
    write_table(paths.RELIABILITY, pd.DataFrame(rows, columns=_COLUMNS).round(4))


def _rows(split: str, faces: MeasuredFaces) -> list[tuple[str, str, float, float]]:
    if faces.radii is None or faces.distances_in_radii is None or not len(faces):
        return []
    distances = faces.distances_in_radii
    told = [("share", to_percent(share), coverage_percent(distances, share)) for share in _SHARES]
    known = ~np.isnan(faces.point_errors)
    radii, errors = to_percent(faces.radii[known]), to_percent(faces.point_errors[known])
    groups = np.array_split(np.argsort(radii, kind="stable"), min(_GROUPS, len(radii)))
    told += [("radius", float(np.median(radii[group])), float(np.median(errors[group]))) for group in groups]
    return [(split, *row) for row in told]


def read_reliability() -> pd.DataFrame:
    """The rows of reliability.csv. Raises DataError."""
    try:
        kinds = dict.fromkeys(_COLUMNS[:2], "str") | dict.fromkeys(_COLUMNS[2:], "float64")
        table = pd.read_csv(io.BytesIO(read_plain(paths.RELIABILITY, TABLE_BYTES)), dtype=kinds)[_COLUMNS]
        if not np.isfinite(table[_COLUMNS[2:]]).all(axis=None):
            raise ValueError("a share or radius is no number")
    except (OSError, ValueError, KeyError) as error:
        again = "make it again with: dvc repro -fs evaluate"
        raise DataError(f"{paths.RELIABILITY}: {brief(str(error), 200)}; {again}") from None
    return table

"""reliability.csv: how certain a network says that its points are, and what is found; written and read here alone.

A row says what was told and what was found of one group, both in percent. Of the measure "share": the share of the true
points that radii are told to hold, and that lie inside. Of "radius": the median radius of a tenth of the points, from
the most certain to the least, and the median of their errors, both over the normalizing length; half of the true points
lying inside, they are equal. Of very many faces an even share is looked at. The table of a network that tells no radii
has no rows.
"""

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd

from facial_keypoints.core.certainty import radii_holding
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.percent import to_percent
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief
from pipeline.core import paths
from pipeline.core.tables import TABLE_BYTES, write_table

_COLUMNS = ["split", "measure", "told_percent", "found_percent"]
_SHARES = np.arange(1, 10) / 10
_GROUPS = 10
"""By radius: of more than 20,000 points on val, each group has enough for a steady median."""


@dataclass(frozen=True)
class ToldPoints:
    """The points of N faces, how certain a network is of each and how far off it is."""

    errors: np.ndarray
    """(N, K) over the normalizing length, NaN where a point is not labelled."""
    radii: np.ndarray
    """(N, K) over the normalizing length."""
    distances_in_radii: np.ndarray
    """(N, K)"""


def write_reliability(splits: dict[str, ToldPoints | None]) -> None:
    """Write reliability.csv of some measured faces of each split, None where there are none or nothing is told."""
    rows = [row for split, points in splits.items() if points for row in _rows(split, points)]
    write_table(paths.RELIABILITY, pd.DataFrame(rows, columns=_COLUMNS).round(4))


def _rows(split: str, points: ToldPoints) -> list[tuple[str, str, float, float]]:
    distances = points.distances_in_radii[~np.isnan(points.distances_in_radii)]
    told = [
        ("share", to_percent(share), to_percent(float((distances <= radii_holding(share)).mean()))) for share in _SHARES
    ]
    known = ~np.isnan(points.errors)
    radii, errors = to_percent(points.radii[known]), to_percent(points.errors[known])
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

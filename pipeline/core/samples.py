"""samples.csv: a row for each frame, with its person, clip and split.

It stays text however many frames there are: a million rows are read in a second, part by part.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import check_plain, read_plain
from facial_keypoints.core.text import brief
from pipeline.core.tables import TABLE_BYTES

SAMPLE_COLUMNS = ["sample_id", "file", "folder", "person", "clip", "frame", "labelled", "split", "known"]
"""Columns of samples.csv; `known` says of a test frame whether its person is in train."""
_READ: dict[str, Any] = {
    "dtype": dict.fromkeys(SAMPLE_COLUMNS, "str") | {"labelled": "bool", "known": "boolean"},
    "keep_default_na": False,
    "na_values": {"known": [""]},
}


def read_samples(path: Path) -> pd.DataFrame:
    """samples.csv with text as text and yes/no as booleans; `known` is missing outside test. Raises DataError."""
    try:
        return _checked(pd.read_csv(io.BytesIO(read_plain(path, TABLE_BYTES)), **_READ))
    except (OSError, ValueError) as error:
        raise _fault(path, error) from None


def read_samples_in_parts(path: Path, size: int) -> Iterator[pd.DataFrame]:
    """What `read_samples` gives, up to `size` rows at a time. Raises DataError."""
    try:
        check_plain(path, TABLE_BYTES)
        with pd.read_csv(path, **_READ, chunksize=size) as parts:
            for part in parts:
                yield _checked(part)
    except (OSError, ValueError) as error:
        raise _fault(path, error) from None


def count_samples(path: Path) -> int:
    """Rows of samples.csv. Raises DataError."""
    return sum(map(len, read_samples_in_parts(path, 10_000)))


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    if lacking := [column for column in SAMPLE_COLUMNS if column not in table]:
        raise ValueError(f"it lacks the columns {', '.join(lacking)}")
    if not isinstance(table.index, pd.RangeIndex) or table[SAMPLE_COLUMNS[:-1]].isna().any(axis=None):
        raise ValueError("a row has more or fewer fields than the first line")
    return table


def _fault(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: {brief(str(error), 200)}; make it again with: dvc repro -fs split")

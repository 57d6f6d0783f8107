"""samples.csv: a row for each frame, with its person, clip and split."""

import io
from pathlib import Path

import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief
from pipeline.core.tables import TABLE_BYTES

SAMPLE_COLUMNS = ["sample_id", "file", "folder", "person", "clip", "frame", "labelled", "split", "known"]
"""Columns of samples.csv; `known` says of a test frame whether its person is in train."""


def read_samples(path: Path) -> pd.DataFrame:
    """samples.csv with text as text and yes/no as booleans; `known` is missing outside test."""
    kinds: dict[str, str] = dict.fromkeys(SAMPLE_COLUMNS, "str") | {"labelled": "bool", "known": "boolean"}
    try:
        content = io.BytesIO(read_plain(path, TABLE_BYTES))
        table = pd.read_csv(content, dtype=kinds, keep_default_na=False, na_values={"known": [""]})
        if lacking := [column for column in SAMPLE_COLUMNS if column not in table]:
            raise ValueError(f"it lacks the columns {', '.join(lacking)}")
        if not isinstance(table.index, pd.RangeIndex) or table[SAMPLE_COLUMNS[:-1]].isna().any(axis=None):
            raise ValueError("a row has more or fewer fields than the first line")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {brief(str(error), 200)}; make it again with: dvc repro -fs split") from None
    return table

"""Tables of numbers as CSV."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.text import brief

TABLE_BYTES = 2_000_000_000
"""Of a million labelled frames, and more."""


def read_numbers(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table of numbers with these columns, NaN where a field is empty. Raises DataError."""
    try:
        table = pd.read_csv(io.BytesIO(read_plain(path, TABLE_BYTES)))[list(columns)].astype("float64")
        if table.empty or np.isinf(table).any(axis=None):
            raise ValueError("it has no rows, or values without end")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: {brief(str(error), 200)}; make it again with: dvc repro") from None
    return table


def write_table(path: Path, table: pd.DataFrame) -> None:
    """CSV without an index."""
    write_tables(path, [table])


def write_tables(path: Path, parts: Iterable[pd.DataFrame]) -> None:
    """What `write_table` writes, of a table in parts that follow each other."""
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        for number, part in enumerate(parts):
            part.to_csv(file, index=False, header=number == 0, lineterminator="\n")

from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from pipeline.core.stored_arrays import StoredArray, write_array

ROWS = np.arange(7 * 3 * 2, dtype=np.float32).reshape(7, 3, 2)


@pytest.fixture(params=[[7], [3, 1, 3], [1] * 7], ids=["one file", "several", "a file a row"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> StoredArray:
    files = [tmp_path / f"{number}.npy" for number in range(len(request.param))]
    for file, part in zip(files, np.split(ROWS, np.cumsum(request.param)[:-1]), strict=True):
        np.save(file, part)
    return StoredArray(files, np.float32, (-1, 3, 2))


@pytest.mark.parametrize(
    "rows",
    [
        0,
        -1,
        slice(None),
        slice(2, 5),
        slice(0),
        [4, 0, 0, 6, 5],
        [1, 2, 3],
        [],
        [True, False, True, True] + [False] * 3,
    ],
    ids=str,
)
def test_rows_are_those_of_the_array(stored: StoredArray, rows: int | slice | list[int]) -> None:
    asked = np.array(rows, None if rows else int) if isinstance(rows, list) else rows
    assert stored.shape == ROWS.shape
    np.testing.assert_array_equal(stored[asked], ROWS[asked])
    np.testing.assert_array_equal(np.asarray(stored), ROWS)


@pytest.mark.parametrize("rows", [7, -8, np.array([0, 7]), np.array([-1]), np.ones(6, bool)], ids=str)
def test_rows_that_are_not_there_are_refused(stored: StoredArray, rows: int | np.ndarray) -> None:
    with pytest.raises(IndexError):
        stored[rows]


def test_a_file_that_was_cut_since_is_named(stored: StoredArray) -> None:
    with stored.files[-1].open("r+b") as file:
        file.truncate(file.seek(0, 2) - 1)
    with pytest.raises(DataError, match=r"npy ends before its last row; make it again with: dvc repro"):
        stored[:]


def test_files_of_other_rows_are_refused(tmp_path: Path) -> None:
    for name, array in (("a", ROWS), ("b", ROWS[:, :2]), ("c", np.asfortranarray(ROWS))):
        np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(ValueError, match=r"b\.npy holds rows of another shape than a\.npy"):
        StoredArray([tmp_path / "a.npy", tmp_path / "b.npy"], np.float32, (-1, -1, 2))
    with pytest.raises(ValueError, match=r"c\.npy holds columns one after the other"):
        StoredArray([tmp_path / "c.npy"], np.float32, (-1, -1, 2))


@pytest.mark.parametrize("sizes", [[], [7], [2, 0, 5]])
def test_parts_are_written_as_numpy_writes_the_whole(tmp_path: Path, sizes: list[int]) -> None:
    rows = ROWS[: sum(sizes)]
    np.save(tmp_path / "whole.npy", rows)
    write_array(tmp_path / "parts.npy", np.float32, rows.shape, np.split(rows, np.cumsum(sizes)[:-1]))
    assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    with pytest.raises(ValueError, match=r"2 rows were given of 3 that parts\.npy should hold"):
        write_array(tmp_path / "parts.npy", np.float32, (3, 3, 2), [ROWS[:2]])

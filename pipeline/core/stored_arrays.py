"""Arrays in .npy files, read row by row as they are asked for, and written part by part.

The rows are read into arrays of their own, not mapped: pages of a mapped file count as memory of the process, and of
random rows the kernel reads more than is wanted. The file cache of the system keeps what fits.
"""

import os
from collections.abc import Iterable, Sequence
from io import BufferedReader
from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.plain_files import check_plain
from facial_keypoints.core.text import brief, shown


def load_array(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    """An array of a .npy file, memory-mapped; -1 in `shape` is any length. Raises OSError, and ValueError for others.

    NumPy maps no more than the file has, but makes room for whatever a header claims.
    """
    check_plain(path)
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # a header is a Python literal, and fails as Python does
        raise ValueError(f"{path.name} is no array of NumPy ({brief(str(error), 120)})") from None
    fits = len(array.shape) == len(shape) and all(w in (-1, n) for w, n in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits:
        found = f"{brief(str(array.dtype))} {shown(array.shape)}"
        raise ValueError(f"{path.name} holds {found} where {np.dtype(dtype)} {shape} is expected")
    return array


class StoredArray:
    """An array on disk, in one file or cut along its first axis into several; rows of it are arrays in memory."""

    def __init__(self, files: Sequence[Path], dtype: type, shape: tuple[int, ...]) -> None:
        """Look at one or more .npy files, as `load_array` does. Raises OSError and ValueError."""
        arrays = [load_array(path, dtype, shape) for path in files]
        if odd := [path for path, array in zip(files, arrays, strict=True) if array.shape[1:] != arrays[0].shape[1:]]:
            raise ValueError(f"{odd[0].name} holds rows of another shape than {files[0].name}")
        if odd := [path for path, array in zip(files, arrays, strict=True) if not array.flags.c_contiguous]:
            raise ValueError(f"{odd[0].name} holds columns one after the other where rows are expected")
        self.files, self.dtype = list(files), np.dtype(dtype)
        self.shape: tuple[int, ...] = (sum(map(len, arrays)), *arrays[0].shape[1:])
        self._first_bytes = [array.offset for array in arrays]
        self._ends = np.cumsum([len(array) for array in arrays])

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """Rows by number, slice, (N,) bool or (M,) numbers from 0. Raises IndexError, and DataError or OSError."""
        if isinstance(rows, slice):
            return self._read(np.arange(*rows.indices(len(self))))
        if isinstance(rows, np.ndarray) and rows.ndim == 1:
            if rows.dtype == bool and len(rows) != len(self):
                raise IndexError(f"{len(rows)} flags of {len(self)} rows")
            return self._read(np.flatnonzero(rows) if rows.dtype == bool else rows)
        row = range(len(self))[int(rows)]
        return np.asarray(self._read(np.array([row]))[0])

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """(M, ...) rows, read in the order in which they lie."""
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        order = np.argsort(rows, kind="stable")
        lying = rows[order]
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        starts = [0, *self._ends[:-1].tolist()]
        cuts = np.searchsorted(lying, [*starts, len(self)])
        for number in np.flatnonzero(np.diff(cuts)).tolist():
            part = slice(cuts[number], cuts[number + 1])
            self._read_file(number, lying[part] - starts[number], found[part])
        if np.array_equal(lying, rows):
            return found
        asked = np.empty_like(found)
        asked[order] = found
        return asked

    def _read_file(self, number: int, rows: np.ndarray, found: np.ndarray) -> None:
        """Fill `found` with the rows of one file, in ascending order; neighbours are read together."""
        row_bytes = found[:1].nbytes
        begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist()
        runs = list(zip(begins, [*begins[1:], len(rows)], strict=True))
        with self.files[number].open("rb") as file:
            places = [self._first_bytes[number] + int(rows[begin]) * row_bytes for begin, _ in runs]
            for place, (begin, end) in zip(places, runs, strict=True):  # the disk may fetch all of them at once
                os.posix_fadvise(file.fileno(), place, (end - begin) * row_bytes, os.POSIX_FADV_WILLNEED)
            for place, (begin, end) in zip(places, runs, strict=True):
                _fill(file, place, found[begin:end])


def _fill(file: BufferedReader, place: int, found: np.ndarray) -> None:
    file.seek(place)
    if found.nbytes and file.readinto(found.reshape(-1).view(np.uint8).data) != found.nbytes:
        raise DataError(f"{file.name} ends before its last row; make it again with: dvc repro -fs preprocess")


def write_array(path: Path, dtype: type, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
    """Write a .npy file of parts that follow each other, as np.save writes the whole of this shape."""
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        written = 0
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data)
            written += len(part)
    if written != shape[0]:
        raise ValueError(f"{written} rows were given of {shape[0]} that {path.name} should hold")

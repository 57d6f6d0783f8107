"""A buffer of frames in bounded memory: what does not fit goes to a file without a name, gone with the process."""

import math
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import DataError

_MEMORY_BYTES = 2**28
_FILE_BYTES = 2**33
"""Most bytes on disk: half a second of 4K at 240 frames a second takes 3 GB."""


class FrameBuffer(AbstractContextManager["FrameBuffer"]):
    """Holds (H, W, 3) uint8 frames of one size, each under a number, until the context ends."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: on whose disk there is room; None is the system's folder for such files."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed at the end of the context)
        self._shape: tuple[int, ...] = ()
        self._in_memory: dict[int, np.ndarray] = {}
        self._places: dict[int, int] = {}
        self._free: list[int] = []
        self._count = 0

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def keep(self, image: np.ndarray) -> int:
        """Hold a frame; returns its number. Raises DataError beyond the limits, OSError where the disk is full."""
        number, self._count = self._count, self._count + 1
        if (len(self._in_memory) + 1) * image.nbytes <= _MEMORY_BYTES or not self._in_memory:
            self._in_memory[number] = image
        else:
            self._places[number] = self._write(image)
            self._shape = image.shape
        return number

    def __getitem__(self, number: int) -> np.ndarray:
        """The (H, W, 3) frame of a number, which stays held."""
        if number in self._in_memory:
            return self._in_memory[number]
        size = math.prod(self._shape)
        self._file.seek(self._places[number] * size)
        return np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape)

    def take(self, number: int) -> np.ndarray:
        """The frame, which is then no longer held."""
        image = self[number]
        if self._in_memory.pop(number, None) is None:
            self._free.append(self._places.pop(number))
        return image

    def _write(self, image: np.ndarray) -> int:
        place = self._free.pop() if self._free else len(self._places)
        if (place + 1) * image.nbytes > _FILE_BYTES:
            raise DataError(
                f"more than {_FILE_BYTES >> 30} GB of its frames come within half a second; convert it to a lower rate"
            )
        self._file.seek(place * image.nbytes)
        self._file.write(image.tobytes())
        return place

"""Labelled frames that stay on disk, as more than a shard of them do: read ahead of the training, in its order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import Scheme
from pipeline.core.arrays import StoredArrays
from pipeline.models.network import to_unit
from pipeline.training.frames import MEAN_OF, Batch, LabelledFrames, TrainingFrames, in_order, mean_shape

_WINDOW = 512
"""Frames that are read together, in the order in which they lie, while as many that were read before are trained on."""


class StoredFrames:
    """The labelled frames of a split on disk, row by row; batches are those that `LabelledFrames` gives."""

    def __init__(self, arrays: StoredArrays, scheme: Scheme, device: torch.device) -> None:
        self.scheme, self.device = scheme, device
        self._arrays, self._rows = arrays, arrays.labelled_rows()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def mean_shape(self) -> Tensor:
        parts = np.split(self._rows, range(MEAN_OF, len(self), MEAN_OF))
        return mean_shape((torch.from_numpy(self._arrays.keypoints_crop[rows]) for rows in parts), len(self))

    def batches(self, size: int, first: int = 0, every: int = 1) -> Iterator[Batch]:
        return self.chosen_batches(in_order(len(self), size, first, every))

    def chosen_batches(self, rows: Iterable[Tensor]) -> Iterator[Batch]:
        """A batch for each (B,) rows; a thread reads those of the next window while those of one are used."""
        chosen = iter(rows)
        with ThreadPoolExecutor(1) as reader:
            coming: deque[Future[list[tuple[Tensor, Tensor]]]] = deque()
            while window := _window(chosen):
                coming.append(reader.submit(self._read, window))
                if len(coming) > 1:
                    yield from self._on_device(coming.popleft().result())
            for last in coming:
                yield from self._on_device(last.result())

    def _read(self, window: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Images as bytes and keypoints of each batch of a window, on the CPU."""
        rows, sizes = self._rows[torch.cat(window).numpy()], [len(batch) for batch in window]
        images, keypoints = (
            torch.from_numpy(array[rows]) for array in (self._arrays.images, self._arrays.keypoints_crop)
        )
        return list(zip(torch.split(images, sizes), torch.split(keypoints, sizes), strict=True))

    def _on_device(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[Batch]:
        for images, keypoints in batches:  # copied: products of matrices may depend on where in memory these begin
            yield to_unit(images.to(self.device)), keypoints.to(self.device, copy=True)


def _window(batches: Iterator[Tensor]) -> list[Tensor]:
    """The next batches of rows, together a window or a little more; none at the end."""
    first = next(batches, None)
    return [] if first is None else [first, *islice(batches, max(0, _WINDOW // len(first) - 1))]


def load_labelled_frames(folder: Path, size_px: int, scheme: Scheme, device: torch.device) -> TrainingFrames:
    """The labelled frames of a split that preprocess wrote to `folder`, S = `size_px`.

    Those of one shard are held in memory, on the device; more are read when they are needed. Raises DataError.
    """
    arrays = StoredArrays(folder, scheme.count)
    if (found := arrays.images.shape[-1]) != size_px:
        raise DataError(
            f"{folder} holds frames of {found} pixels where preprocess.size_px is {size_px}; make them again with: "
            "dvc repro preprocess"
        )
    if len(arrays.images.files) > 1:
        return StoredFrames(arrays, scheme, device)
    labelled = arrays.whole().labelled()
    return LabelledFrames(
        torch.from_numpy(labelled.images).to(device),
        torch.from_numpy(labelled.keypoints_crop).to(device),
        scheme,
    )

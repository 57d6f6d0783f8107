"""Labelled frames as a training takes them, and those that are held in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from facial_keypoints.core.scheme import Scheme
from pipeline.models.network import to_unit

Batch = tuple[Tensor, Tensor]
"""(B, 1, S, S) float32 images in 0..1 and (B, K, 2) keypoints in crop pixels, NaN where a point is not labelled."""
MEAN_OF = 50_000
"""Frames whose mean is taken at once; of more, it is that of sums over so many each."""


class TrainingFrames(Protocol):
    """What a training needs of its frames, wherever they are: of the same frames it is given the same bits."""

    @property
    def scheme(self) -> Scheme:
        """What the K keypoints are."""

    @property
    def device(self) -> torch.device:
        """Where the batches are."""

    @property
    def mean_shape(self) -> Tensor:
        """(K, 2) mean of each point over the frames that label it, crop pixels, on the CPU.

        A point that none of them labels lies in the middle of the others.
        """

    def __len__(self) -> int: ...

    def chosen_batches(self, rows: Iterable[Tensor]) -> Iterator[Batch]:
        """A batch for each (B,) rows."""

    def batches(self, size: int, first: int = 0, every: int = 1) -> Iterator[Batch]:
        """All rows in their order, `size` at once; the last batch may be smaller.

        Of these batches, counted from 0, `first` and then each that is `every` further on.
        """


@dataclass(frozen=True)
class LabelledFrames:
    """Frames with keypoints in memory, row by row."""

    images: Tensor
    """(N, S, S) uint8 gray."""
    keypoints_crop: Tensor
    """(N, K, 2) float32, x then y, crop pixels; on the device of the images. NaN where a point is not labelled."""
    scheme: Scheme
    """What the K keypoints are."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def device(self) -> torch.device:
        return self.images.device

    @property
    def mean_shape(self) -> Tensor:
        return mean_shape(torch.split(self.keypoints_crop.cpu(), MEAN_OF), len(self))

    def batch(self, rows: Tensor) -> Batch:
        """The batch of (B,) rows."""
        rows = rows.to(self.device)
        return to_unit(self.images.index_select(0, rows)), self.keypoints_crop[rows]

    def chosen_batches(self, rows: Iterable[Tensor]) -> Iterator[Batch]:
        return map(self.batch, rows)

    def batches(self, size: int, first: int = 0, every: int = 1) -> Iterator[Batch]:
        return self.chosen_batches(in_order(len(self), size, first, every))

    def none(self) -> "LabelledFrames":
        """No frames, of the same size, scheme and device: what a training without validation validates on."""
        return replace(self, images=self.images[:0], keypoints_crop=self.keypoints_crop[:0])


def in_order(count: int, size: int, first: int, every: int) -> Iterator[Tensor]:
    """Rows of the batches of `TrainingFrames.batches`, of `count` frames."""
    return (torch.arange(start, min(start + size, count)) for start in range(first * size, count, every * size))


def mean_shape(parts: Iterable[Tensor], count: int) -> Tensor:
    """`TrainingFrames.mean_shape` of `count` frames, given as (M, K, 2) keypoints in parts of MEAN_OF frames."""
    if count <= MEAN_OF:
        mean = torch.cat(list(parts)).nanmean(0)
    else:
        sums = [(part.double().nansum(0), (~part.isnan()).sum(0)) for part in parts]
        mean = (torch.stack([one for one, _ in sums]).sum(0) / torch.stack([known for _, known in sums]).sum(0)).float()
    return torch.where(mean.isnan(), mean.nanmean(0), mean)

"""Labelled frames as a training holds them: all in memory, on one device."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import Scheme
from pipeline.core.arrays import load_arrays
from pipeline.models.network import to_unit


@dataclass(frozen=True)
class LabelledFrames:
    """Frames with keypoints, row by row."""

    images: Tensor
    """(N, S, S) uint8 gray."""
    keypoints_crop: Tensor
    """(N, K, 2) float32, x then y, crop pixels; on the device of the images. NaN where a point is not labelled."""
    scheme: Scheme
    """What the K keypoints are."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def mean_shape(self) -> Tensor:
        """(K, 2) mean of each point over the frames that label it, crop pixels, on the CPU.

        A point that none of them labels lies in the middle of the others.
        """
        mean = self.keypoints_crop.nanmean(0)
        return torch.where(mean.isnan(), mean.nanmean(0), mean).cpu()

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, S, S) float32 images in 0..1 and (B, K, 2) keypoints in crop pixels of (B,) rows."""
        rows = rows.to(self.images.device)
        return to_unit(self.images.index_select(0, rows)), self.keypoints_crop[rows]

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows in their order, `size` at once, as `batch` gives them; the last batch may be smaller."""
        return (self.batch(rows) for rows in torch.split(torch.arange(len(self)), size))

    def none(self) -> "LabelledFrames":
        """No frames, of the same size, scheme and device: what a training without validation validates on."""
        return replace(self, images=self.images[:0], keypoints_crop=self.keypoints_crop[:0])


def load_labelled_frames(folder: Path, size_px: int, scheme: Scheme, device: torch.device) -> LabelledFrames:
    """The labelled frames of a split that preprocess wrote to `folder`, S = `size_px`. Raises DataError."""
    arrays = load_arrays(folder, scheme.count)
    if (found := arrays.images.shape[-1]) != size_px:
        raise DataError(
            f"{folder} holds frames of {found} pixels where preprocess.size_px is {size_px}; make them again with: "
            "dvc repro preprocess"
        )
    labelled = arrays.labelled()
    return LabelledFrames(
        torch.from_numpy(np.ascontiguousarray(labelled.images)).to(device),
        torch.from_numpy(labelled.keypoints_crop).to(device),
        scheme,
    )

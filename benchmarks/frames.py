"""All labelled frames in memory, to be divided in other ways than the pipeline's split."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import metrics, paths
from pipeline.core.arrays import load_arrays
from pipeline.core.settings import Split
from pipeline.training.frames import LabelledFrames

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Frames:
    images: np.ndarray
    """(N, S, S) uint8 gray."""
    keypoints_crop: np.ndarray
    """(N, 68, 2) float32 crop pixels."""
    source_from_crop: np.ndarray
    """(N, 3, 3) float64."""
    samples: pd.DataFrame
    """Their rows of samples.csv."""

    def faces(self, chosen: np.ndarray, device: torch.device) -> LabelledFrames:
        """The (N,) chosen frames for the trainer."""
        images, keypoints = torch.from_numpy(self.images[chosen]), torch.from_numpy(self.keypoints_crop[chosen])
        return LabelledFrames(images.to(device), keypoints.to(device), IBUG_68)

    def errors(self, predicted_crop: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """NME in source pixels of keypoints predicted for the (N,) chosen frames."""
        source_from_crop = self.source_from_crop[chosen]
        truth = transform_points(source_from_crop, self.keypoints_crop[chosen])
        return metrics.nme(transform_points(source_from_crop, predicted_crop), truth, IBUG_68)


def load_frames() -> Frames:
    """Raises DataError where the prepared arrays are missing."""
    splits = [load_arrays(paths.PROCESSED / split).labelled() for split in ("train", "val", "test")]
    return Frames(
        np.concatenate([arrays.images for arrays in splits]),
        np.concatenate([arrays.keypoints_crop for arrays in splits]),
        np.linalg.inv(np.concatenate([arrays.crop_from_source for arrays in splits]).astype(np.float64)),
        pd.concat([arrays.samples for arrays in splits], ignore_index=True),
    )


def divide(samples: pd.DataFrame, fold: int, split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to train on, to validate on and to test on, (N,) bool each.

    Fold 0 is the pipeline's own split; where `split` holds nobody out, its validation frames train too. 1 to FOLDS test
    on every fifth person, in the order of their names, and train on all frames of the others.
    """
    if fold == 0:
        train, val, test = (samples["split"].to_numpy() == name for name in ("train", "val", "test"))
        return (train, val, test) if split.val_people_frac else (train | val, np.zeros_like(val), test)
    fold_of = {person: index % FOLDS + 1 for index, person in enumerate(sorted(samples["person"].unique()))}
    test = samples["person"].map(fold_of).to_numpy() == fold
    return ~test, np.zeros(len(samples), bool), test

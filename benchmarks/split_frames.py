"""Labelled frames of one split as pictures."""

import numpy as np

from facial_keypoints.inputs.pictures import read_picture
from pipeline.core import paths
from pipeline.core.arrays import load_arrays
from pipeline.core.labels import read_keypoints_csv


class SplitFrames:
    """Labelled frames of a split: RGB pictures and (N, 68, 2) truth in their pixels."""

    def __init__(self, split: str, most: int | None = None) -> None:
        """`most`: take no more than so many, chosen at random."""
        samples = load_arrays(paths.PROCESSED / split).samples
        samples = samples[samples["labelled"]]
        samples = samples.sample(min(most, len(samples)), random_state=0) if most else samples
        folder = samples["folder"].iloc[0]
        self.files = samples["file"].tolist()
        self.pictures = [read_picture(paths.RAW / folder / file) for file in self.files]
        table = dict(zip(*read_keypoints_csv(paths.RAW / f"{folder}_frames_keypoints.csv"), strict=True))
        self.truth = np.stack([table[file] for file in self.files])

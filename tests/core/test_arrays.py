"""Prepared arrays as they are opened."""

import numpy as np
import pandas as pd

from pipeline.core.arrays import Arrays


def test_the_labelled_rows_are_taken_of_every_array():
    images = np.arange(3, dtype=np.uint8).repeat(4).reshape(3, 2, 2)
    keypoints = np.full((3, 2, 2), np.nan, np.float32)
    keypoints[1:] = 5
    matrices = np.stack([np.eye(3) * scale for scale in (1, 2, 3)]).astype(np.float32)
    samples = pd.DataFrame({"file": ["a", "b", "c"], "labelled": [False, True, True]})
    labelled = Arrays(images, keypoints, matrices, samples).labelled()
    assert labelled.images[:, 0, 0].tolist() == [1, 2]
    assert np.isfinite(labelled.keypoints_crop).all()
    assert labelled.crop_from_source[:, 0, 0].tolist() == [2, 3]
    assert labelled.samples["file"].tolist() == ["b", "c"]

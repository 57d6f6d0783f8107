"""The faces on which two runs differ most, with the predictions of both."""

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from pipeline.core import paths
from pipeline.core.arrays import load_arrays
from pipeline.evaluation.grids import Faces
from pipeline.experiments.comparison import most_different
from pipeline.experiments.runs import Results, predicted


def differing_faces(first: Results, second: Results, split: str, count: int) -> tuple[Faces, Faces]:
    """The same `count` faces of a split with the predictions of the one and of the other run.

    Raises DataError or ModelError where their frames are not prepared here or a run keeps no predictions.
    """
    arrays = load_arrays(paths.PROCESSED / split)
    row_of = {sample: row for row, sample in enumerate(arrays.samples["sample_id"])}
    samples = most_different(first.nme(split), second.nme(split), count)
    if lacking := [sample for sample in samples if sample not in row_of]:
        raise DataError(
            f"{lacking[0]} is not among the frames of {paths.PROCESSED / split}; prepare them: dvc repro preprocess"
        )
    rows = np.array([row_of[sample] for sample in samples])
    files = arrays.samples["file"].iloc[rows].tolist()
    images, crop_from_source = arrays.images[rows], arrays.crop_from_source[rows].astype(np.float64)

    def faces(results: Results) -> Faces:
        keypoints = predicted(results, split, images, files, np.linalg.inv(crop_from_source))
        return Faces(
            images,
            arrays.keypoints_crop[rows],
            transform_points(crop_from_source, keypoints),
            results.nme(split)[samples].to_numpy(),
            results.faces.loc[samples, "known"].to_numpy(bool),
        )

    return faces(first), faces(second)

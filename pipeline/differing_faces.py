"""The test faces on which two runs differ most, with the predictions of both."""

import numpy as np

from pipeline import paths
from pipeline.compare import most_different
from pipeline.data import load_arrays
from pipeline.errors import DataError
from pipeline.geometry import transform_points
from pipeline.pictures import Faces
from pipeline.results import Results, predicted


def differing_faces(first: Results, second: Results, count: int) -> tuple[Faces, Faces]:
    """The same `count` faces with the predictions of the one and of the other run.

    Raises DataError or ModelError where their frames are not prepared here or a run keeps no predictions.
    """
    test = load_arrays(paths.PROCESSED / "test")
    row_of = {sample: row for row, sample in enumerate(test.samples["sample_id"])}
    samples = most_different(first.nme, second.nme, count)
    if lacking := [sample for sample in samples if sample not in row_of]:
        raise DataError(
            f"{lacking[0]} is not among the frames of {paths.PROCESSED / 'test'}; prepare them: dvc repro preprocess"
        )
    rows = np.array([row_of[sample] for sample in samples])
    files = test.samples["file"].iloc[rows].tolist()
    images, crop_from_source = test.images[rows], test.crop_from_source[rows].astype(np.float64)

    def faces(results: Results) -> Faces:
        keypoints = predicted(results, images, files, np.linalg.inv(crop_from_source))
        return Faces(
            images,
            test.keypoints_crop[rows],
            transform_points(crop_from_source, keypoints),
            results.nme[samples].to_numpy(),
            results.known[samples].to_numpy(bool),
        )

    return faces(first), faces(second)

"""The faces on which two runs differ most, with the predictions of both."""

import tempfile
from pathlib import Path

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.text import brief
from pipeline.core import paths
from pipeline.core.arrays import load_arrays
from pipeline.core.labels import read_keypoints_csv
from pipeline.evaluation.grids import Faces
from pipeline.experiments.comparison import most_different_samples
from pipeline.experiments.results import Results


def most_different_faces(first: Results, second: Results, split: str, count: int) -> tuple[Faces, Faces]:
    """The same `count` faces of a split with the predictions of the one and of the other run.

    Raises DataError or ModelError where their frames are not prepared here or a run keeps no predictions.
    """
    arrays = load_arrays(paths.PROCESSED / split)
    row_of = {sample: row for row, sample in enumerate(arrays.samples["sample_id"])}
    samples = most_different_samples(first.nme(split), second.nme(split), count)
    if missing := [sample for sample in samples if sample not in row_of]:
        raise DataError(
            f"{missing[0]} is not among the frames of {paths.PROCESSED / split}; prepare them: dvc repro preprocess"
        )
    rows = np.array([row_of[sample] for sample in samples])
    files = arrays.samples["file"].iloc[rows].tolist()
    images, crop_from_source = arrays.images[rows], arrays.crop_from_source[rows].astype(np.float64)

    def faces(results: Results) -> Faces:
        keypoints_source = predicted(results, split, images, files, np.linalg.inv(crop_from_source))
        return Faces(
            images,
            arrays.keypoints_crop[rows],
            transform_points(crop_from_source, keypoints_source),
            results.nme(split)[samples].to_numpy(),
            results.faces.loc[samples, "known"].to_numpy(bool),
        )

    return faces(first), faces(second)


def predicted(
    results: Results, split: str, images: np.ndarray, files: list[str], source_from_crop: np.ndarray
) -> np.ndarray:
    """(N, K, 2) keypoints in source pixels of N frames of a split: those the run wrote, else of its model in MLflow.

    Args:
        images: (N, S, S) uint8 gray crops of the frames.
        files: Names of the frames in the table of predictions.
        source_from_crop: (N, 3, 3) matrices from pixels of the crops to those of the frames.

    Raises DataError or ModelError where neither can be had.
    """
    if results.model_uri is None:
        return _written(results, split, files)
    from pipeline.experiments.tracking.model_location import locate_weights
    from pipeline.models.forward import predict_crops
    from pipeline.models.model_file import load_model

    with tempfile.TemporaryDirectory() as folder:
        network = load_model(locate_weights(results.model_uri, Path(folder)))
    return transform_points(source_from_crop, predict_crops(network, images))


def _written(results: Results, split: str, files: list[str]) -> np.ndarray:
    """(N, K, 2) keypoints of the table of predictions that the run wrote."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / paths.PREDICTIONS[split].name
        table.write_bytes(results.read(paths.PREDICTIONS[split]))
        names, keypoints = read_keypoints_csv(table)
    row_of = {name: row for row, name in enumerate(names)}
    if missing := [file for file in files if file not in row_of or np.isnan(keypoints[row_of[file]]).any()]:
        raise DataError(f"the predictions of {results.name} lack {brief(missing[0])}; run it again")
    return keypoints[[row_of[file] for file in files]]

"""The faces on which two runs differ most, with the predictions of both."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.text import brief
from pipeline.core import paths
from pipeline.core.arrays import load_arrays
from pipeline.core.frames import read_gray
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
    chosen = arrays.samples.iloc[rows]
    images, crop_from_source = arrays.images[rows], arrays.crop_from_source[rows].astype(np.float64)

    def faces(results: Results) -> Faces:
        return Faces(
            images,
            arrays.keypoints_crop[rows],
            transform_points(crop_from_source, predicted(results, split, chosen)),
            results.nme(split)[samples].to_numpy(),
            results.faces.loc[samples, "known"].to_numpy(bool),
        )

    return faces(first), faces(second)


def predicted(results: Results, split: str, samples: pd.DataFrame) -> np.ndarray:
    """(N, K, 2) keypoints in source pixels of N frames of a split: those the run wrote, else of its model in MLflow.

    `samples` are rows of the table of samples. The model sees frames as it was trained on, whatever those are that are
    prepared here. Raises DataError or ModelError where neither can be had.
    """
    if results.model_uri is None:
        return _written(results, split, samples["file"].tolist())
    from pipeline.experiments.tracking.model_location import locate_weights
    from pipeline.models.forward import predict_faces
    from pipeline.models.model_file import open_model_file

    with tempfile.TemporaryDirectory() as folder:
        description, network = open_model_file(locate_weights(results.model_uri, Path(folder)))
    pictures = [
        read_gray(paths.RAW / folder / file) for folder, file in samples[["folder", "file"]].itertuples(index=False)
    ]
    size_px, fit = description.preprocess.size_px, description.preprocess.fit
    return predict_faces(network, pictures, size_px=size_px, fit=fit).astype(np.float64)


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

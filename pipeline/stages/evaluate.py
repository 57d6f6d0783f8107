"""Measure the keypoint error on the labelled frames of val and test, in source pixels, and predict all of both.

What is chosen is chosen by val; the test is what one looks at when all is chosen.
"""

from typing import Any

import numpy as np
import pandas as pd

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import metrics, paths
from pipeline.core.arrays import Arrays, load_array, load_arrays
from pipeline.core.json_files import write_json
from pipeline.core.labels import LABELS, read_keypoints_csv, write_keypoints_csv
from pipeline.core.tables import write_table
from pipeline.evaluation.reports import read_dataset
from pipeline.evaluation.settings import Evaluate
from pipeline.models import count_parameters
from pipeline.models.forward import predict_crops
from pipeline.models.model_file import load_model, read_description
from pipeline.models.network import KeypointNetwork

THRESHOLDS = np.round(np.arange(0, 0.2001, 0.0005), 4)
"""NME at which the CED is tabulated."""


def run(*, evaluate: Evaluate) -> None:
    network = load_model(paths.MODEL)
    val, test = (_measured(network, split) for split in ("val", "test"))
    if not len(test.truth):
        raise DataError(f"{paths.RAW / LABELS['test']} labels no frame; at least one is needed to measure an error")
    baseline = metrics.nme(test.of_shape(_mean_training_shape()), test.truth, IBUG_68)
    report = {
        "dataset": read_dataset()["dataset"],
        "model": {"name": read_description(paths.MODEL).model.name, "parameters": count_parameters(network)},
        "val": val.measure(evaluate),
        "test": test.measure(evaluate),
        "test_known_people": test.measure(evaluate, test.known),
        "test_unseen_people": test.measure(evaluate, ~test.known),
        "regions": metrics.region_nme(test.predicted, test.truth, IBUG_68),
        "baseline_mean_shape": {"nme": float(baseline.mean())},
    }
    write_json(paths.METRICS, _rounded(report))
    _write_ced(test.nme, baseline)
    write_table(paths.PER_FRAME, pd.concat([val.table("val"), test.table("test")]))
    for name, faces in (
        ("val, to choose by", val.nme),
        ("test, to look at in the end", test.nme),
        ("mean face", baseline),
    ):
        if len(faces):
            print(f"{name}: NME {100 * faces.mean():.2f} % on {len(faces):,} faces of {report['dataset']}")


def _measured(network: KeypointNetwork, split: str) -> "LabelledFaces":
    """Predict all frames of a split, write that down, and measure those with labels."""
    arrays = load_arrays(paths.PROCESSED / split)
    predicted = to_source(arrays, predict_crops(network, arrays.images))
    write_keypoints_csv(paths.PREDICTIONS[split], arrays.samples["file"].tolist(), predicted)
    return LabelledFaces(arrays, predicted)


class LabelledFaces:
    """The labelled frames of a split, their truth read from the untouched label table, and their errors."""

    def __init__(self, arrays: Arrays, predicted: np.ndarray) -> None:
        """`predicted`: (N, 68, 2) source pixels of all frames of the split."""
        rows = np.flatnonzero(arrays.samples["labelled"])
        self.samples = arrays.samples.iloc[rows]
        self._arrays = Arrays(arrays.images, arrays.keypoints_crop[rows], arrays.crop_from_source[rows], self.samples)
        self.truth = _truth(self.samples)
        self.predicted = predicted[rows]
        self.known = self.samples["known"].fillna(False).to_numpy(bool)
        self.nme = metrics.nme(self.predicted, self.truth, IBUG_68)
        crop_from_source = self._arrays.crop_from_source.astype(np.float64)
        residuals = transform_points(crop_from_source, self.predicted) - self._arrays.keypoints_crop
        # The unit of the course losses: (p - 100) / 50 of pixels in a frame of 224.
        self.course_residuals = residuals * (224 / arrays.images.shape[-1]) / 50

    def of_shape(self, shape_crop: np.ndarray) -> np.ndarray:
        """(N, 68, 2) source pixels where every frame is given the same (68, 2) points in crop pixels."""
        return to_source(self._arrays, np.broadcast_to(shape_crop, self.truth.shape))

    def table(self, split: str) -> pd.DataFrame:
        """A row for each face."""
        worst = metrics.point_distances(self.predicted, self.truth).argmax(1)
        return pd.DataFrame(
            {
                "sample_id": self.samples["sample_id"].array,
                "split": split,
                "nme": self.nme.round(6),
                "known": self.known,
                "worst_point": worst,
            }
        )

    def measure(self, evaluate: Evaluate, chosen: np.ndarray | None = None) -> dict[str, Any]:
        """Metrics of the faces, or of the (N,) chosen ones; null where there is none."""
        chosen = np.ones(len(self.nme), bool) if chosen is None else chosen
        names = ("nme", "nme_median", "nme_ci95", "auc_08", "failure_rate_08", "nme_box", "smooth_l1", "mse")
        if not chosen.any():
            return {"faces": 0, **dict.fromkeys(names)}
        errors, residuals = self.nme[chosen], np.abs(self.course_residuals[chosen])
        people = self.samples["person"].to_numpy()[chosen]
        interval = metrics.bootstrap_interval(
            errors, people, samples=evaluate.bootstrap_samples, generator=np.random.default_rng(evaluate.seed)
        )
        values = (
            errors.mean(),
            np.median(errors),
            interval and list(interval),
            metrics.auc(errors),
            metrics.failure_rate(errors),
            metrics.nme_box(self.predicted[chosen], self.truth[chosen]).mean(),
            np.where(residuals < 1, residuals**2 / 2, residuals - 0.5).mean(),
            (residuals**2).mean(),
        )
        return {"faces": int(chosen.sum()), **dict(zip(names, values, strict=True))}


def to_source(arrays: Arrays, keypoints_crop: np.ndarray) -> np.ndarray:
    """(N, 68, 2) float64 crop pixels -> source pixels."""
    return transform_points(np.linalg.inv(arrays.crop_from_source.astype(np.float64)), keypoints_crop)


def _truth(samples: pd.DataFrame) -> np.ndarray:
    """(N, 68, 2) labels of frames in source pixels."""
    tables = {folder: dict(zip(*read_keypoints_csv(paths.RAW / LABELS[folder]), strict=True)) for folder in LABELS}
    try:
        rows = [tables[folder][file] for folder, file in zip(samples["folder"], samples["file"], strict=True)]
    except KeyError as error:
        raise DataError(f"no label table of {paths.RAW} has {error}; make the lists again with: dvc repro") from None
    return np.stack(rows) if rows else np.zeros((0, IBUG_68.count, 2), np.float32)


def _mean_training_shape() -> np.ndarray:
    """(68, 2) crop pixels."""
    path = paths.PROCESSED / "train" / "keypoints.npy"
    try:
        return np.asarray(np.nanmean(load_array(path, np.float32, (-1, IBUG_68.count, 2)), axis=0))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; make it again with: dvc repro preprocess") from None


def _rounded(value: Any) -> Any:
    """The same tree with every float to 6 decimals."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(float(value), 6) if isinstance(value, float | np.floating) else value


def _write_ced(errors: np.ndarray, baseline: np.ndarray) -> None:
    shares = {"model": metrics.ced(errors, THRESHOLDS), "mean_shape": metrics.ced(baseline, THRESHOLDS)}
    write_table(paths.CED, pd.DataFrame({"nme": THRESHOLDS, **shares}).round(6))

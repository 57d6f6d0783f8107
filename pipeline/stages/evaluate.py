"""Measure the keypoint error on the labelled test frames, in source pixels, and predict all test frames."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline import config, metrics, paths
from pipeline.checkpoint import load_model, read_description
from pipeline.data import (
    LABELS,
    Arrays,
    load_arrays,
    read_json,
    read_keypoints_csv,
    write_json,
    write_keypoints_csv,
    write_table,
)
from pipeline.errors import DataError
from pipeline.geometry import transform_points
from pipeline.models import count_parameters
from pipeline.predict import predict_crops

THRESHOLDS = np.round(np.arange(0, 0.2001, 0.0005), 4)
"""NME at which the CED is tabulated."""


def run(*, evaluate: config.Evaluate) -> None:
    network = load_model(paths.MODEL)
    test = load_arrays(paths.PROCESSED / "test")
    predicted = to_source(test, predict_crops(network, test.images))
    faces = LabelledFaces(test, predicted)
    mean_shape = to_source(test, np.broadcast_to(_mean_training_shape(), predicted.shape))[faces.rows]
    baseline = metrics.nme(mean_shape, faces.truth)
    report = {
        "dataset": read_json(paths.DATASET)["dataset"],
        "model": {"name": read_description(paths.MODEL)["model"]["name"], "parameters": count_parameters(network)},
        "test": faces.measure(np.ones(len(faces.rows), bool), evaluate),
        "test_known_people": faces.measure(faces.known, evaluate),
        "test_unseen_people": faces.measure(~faces.known, evaluate),
        "regions": metrics.region_nme(faces.predicted, faces.truth),
        "baseline_mean_shape": {"nme": float(baseline.mean())},
    }
    write_keypoints_csv(paths.PREDICTIONS, test.samples["file"].tolist(), predicted)
    write_json(paths.METRICS, _rounded(report))
    _write_ced(faces.nme, baseline)
    _write_per_frame(faces)
    model, mean = 100 * faces.nme.mean(), 100 * baseline.mean()
    print(f"{report['dataset']}: test NME {model:.2f} % on {len(faces.rows)} faces, mean shape {mean:.2f} %")


class LabelledFaces:
    """The labelled test frames, their truth read from the untouched label table, and their errors."""

    def __init__(self, test: Arrays, predicted: np.ndarray) -> None:
        self.rows = np.flatnonzero(test.samples["labelled"])
        if not len(self.rows):
            raise DataError(f"{paths.RAW / LABELS['test']} labels no frame; at least one is needed to measure an error")
        self.samples = test.samples.iloc[self.rows]
        table = dict(zip(*read_keypoints_csv(paths.RAW / LABELS["test"]), strict=True))
        self.truth = np.stack([table[file] for file in self.samples["file"]])
        self.predicted = predicted[self.rows]
        self.known = self.samples["known"].to_numpy(bool)
        self.nme = metrics.nme(self.predicted, self.truth)
        crop_from_source = test.crop_from_source[self.rows].astype(np.float64)
        residuals = transform_points(crop_from_source, self.predicted) - test.keypoints_crop[self.rows]
        # The unit of the course losses: (p - 100) / 50 of pixels in a frame of 224.
        self.course_residuals = residuals * (224 / test.images.shape[-1]) / 50

    def measure(self, chosen: np.ndarray, evaluate: config.Evaluate) -> dict[str, Any]:
        """Metrics of the (N,) chosen faces; null where there is none."""
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


def _mean_training_shape() -> np.ndarray:
    """(68, 2) crop pixels."""
    path = paths.PROCESSED / "train" / "keypoints.npy"
    try:
        return np.asarray(np.nanmean(np.load(path, allow_pickle=False), axis=0))
    except (OSError, ValueError, EOFError) as error:
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


def _write_per_frame(faces: LabelledFaces) -> None:
    worst = metrics.point_distances(faces.predicted, faces.truth).argmax(1)
    table = pd.DataFrame(
        {
            "sample_id": faces.samples["sample_id"].array,
            "nme": faces.nme.round(6),
            "known": faces.known,
            "worst_point": worst,
        }
    )
    write_table(paths.PER_FRAME, table)

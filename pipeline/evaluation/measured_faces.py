"""Predictions of one split beside the labels, and the errors between them, face by face.

A split is measured part by part: of the points of a part only what is summed up of each face is kept.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from facial_keypoints.core.certainty import radii_holding
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.percent import to_percent
from facial_keypoints.core.scheme import Scheme
from pipeline.core import metrics, paths
from pipeline.core.arrays import Arrays
from pipeline.core.label_file import RawLabels
from pipeline.evaluation.metrics_file import GroupMetrics

COURSE_SIDE_PX, COURSE_UNIT_PX = 224, 50
"""The course projects have labels (p - 100) / 50, of pixels p in a frame of this side."""
_SHARES = (0.5, 0.9)
"""Of the true points, that radii are told to hold and metrics.json counts."""


@dataclass(frozen=True)
class MeasuredPart:
    """N labelled faces of a part of a split that can be measured; errors are fractions, as in `core.metrics`."""

    samples: pd.DataFrame
    """Their rows of samples.csv."""
    truth: np.ndarray
    """(N, K, 2) source pixels, from the untouched label table; NaN where a point is not labelled."""
    hidden: np.ndarray
    """(N, K) bool: points that are labelled though something hides them."""
    predicted: np.ndarray
    """(N, K, 2) source pixels."""
    crop_from_source: np.ndarray
    """(N, 3, 3) float64."""
    course_residuals: np.ndarray
    """(N, K, 2) differences from the labels in the unit of the course losses; NaN where there is none."""
    point_errors: np.ndarray
    """(N, K) of each point, NaN where it is not labelled; the NME of a face is the mean of the others."""
    radii: np.ndarray | None
    """(N, K) that the network tells, see `facial_keypoints.core.certainty`, over the normalizing length as the errors
    are. None of a network that tells none."""
    distances_in_radii: np.ndarray | None
    """(N, K) of each point to its label, over its radius; NaN where it is not labelled. None where `radii` is."""

    def shape_nme(self, shape_crop: np.ndarray, scheme: Scheme) -> np.ndarray:
        """(N,) NME where every face is given the same (K, 2) points in crop pixels."""
        source_from_crop = np.linalg.inv(self.crop_from_source)
        predicted = transform_points(source_from_crop, np.broadcast_to(shape_crop, self.truth.shape))
        return metrics.nme(predicted, self.truth, scheme)

    def summed_up(self, scheme: Scheme) -> pd.DataFrame:
        """A row a face: the columns of `MeasuredFaces.table`."""
        residuals = np.abs(self.course_residuals)
        table = {
            **{name: self.samples[name].array for name in ("sample_id", "person")},
            "known": self.samples["known"].fillna(False).to_numpy(bool),
            "nme": metrics.nme(self.predicted, self.truth, scheme),
            "nme_box": metrics.nme_box(self.predicted, self.truth),
            "normalizing_length_px": metrics.normalizing_length(self.truth, scheme),
            "worst_point": np.nan_to_num(self.point_errors, nan=-1).argmax(1).astype(np.int16),
            "coordinates": np.isfinite(residuals).sum((1, 2)).astype(np.int16),
            "smooth_l1": np.nansum(np.where(residuals < 1, residuals**2 / 2, residuals - 0.5), (1, 2)),
            "squares": np.nansum(residuals**2, (1, 2)),
            "nme_seen": _mean_of_known(np.where(self.hidden, np.nan, self.point_errors)),
            "nme_hidden": _mean_of_known(np.where(self.hidden, self.point_errors, np.nan)),
        }
        if self.distances_in_radii is not None:
            for share in _SHARES:
                inside = self.distances_in_radii <= radii_holding(share)
                table[f"inside_{share}"] = inside.sum(1).astype(np.int16)
        return pd.DataFrame(table)


def _mean_of_known(errors: np.ndarray) -> np.ndarray:
    """(N,) mean of the errors of (N, K) points that are no NaN; NaN where all are."""
    known = np.isfinite(errors)
    means = np.full(len(errors), np.nan)
    some = known.any(1)
    means[some] = np.nanmean(errors[some], 1)
    return means


@dataclass(frozen=True)
class MeasuredFaces:
    """N labelled faces of a split that can be measured."""

    table: pd.DataFrame
    """A row a face: `sample_id`, `person`, `known` (whether the person is in the training split), `nme`, `nme_box`,
    `normalizing_length_px`, `worst_point`; of the labelled `coordinates` the number, and in the unit of the course
    losses the sums of `smooth_l1` and `squares`; means of the error of the points that are seen, `nme_seen`, and
    hidden, `nme_hidden`; of a network that tells radii the number of points `inside_0.5` and `inside_0.9`."""
    not_measured: int
    """Labelled faces of the split that are not among these."""

    def __len__(self) -> int:
        return len(self.table)

    @property
    def nme(self) -> np.ndarray:
        """(N,)"""
        return self.table["nme"].to_numpy()

    @property
    def known(self) -> np.ndarray:
        """(N,) whether the person is in the training split."""
        return self.table["known"].to_numpy()

    def per_frame(self, split: str) -> pd.DataFrame:
        """Rows of per_frame.csv, one a face."""
        return pd.DataFrame(
            {
                "sample_id": self.table["sample_id"],
                "split": split,
                "nme_percent": to_percent(self.nme).round(4),
                "known": self.known,
                "worst_point": self.table["worst_point"],
                "normalizing_length_px": self.table["normalizing_length_px"].round(3),
            }
        )

    def measure(self, chosen: np.ndarray, *, bootstrap_samples: int, seed: int) -> GroupMetrics:
        """Metrics of the (N,) chosen faces; `bootstrap_samples` and `seed` are those of the 95 % interval."""
        if not chosen.any():
            return GroupMetrics.empty()
        faces = self.table[chosen]
        errors, coordinates = faces["nme"].to_numpy(), faces["coordinates"].sum()
        interval = metrics.bootstrap_interval(
            errors,
            pd.factorize(faces["person"], sort=True)[0],
            samples=bootstrap_samples,
            generator=np.random.default_rng(seed),
        )
        low, high = interval or (None, None)
        told = np.isfinite(faces["nme_hidden"]).any()
        return GroupMetrics(
            faces=len(faces),
            nme_percent=to_percent(float(errors.mean())),
            nme_median_percent=to_percent(float(np.median(errors))),
            nme_ci95_low_percent=None if low is None else to_percent(low),
            nme_ci95_high_percent=None if high is None else to_percent(high),
            auc_08_percent=to_percent(metrics.auc(errors)),
            failure_rate_08_percent=to_percent(metrics.failure_rate(errors)),
            nme_box_percent=_percent_of_mean(faces["nme_box"]),
            smooth_l1=float(faces["smooth_l1"].sum() / coordinates),
            mse=float(faces["squares"].sum() / coordinates),
            nme_seen_points_percent=_percent_of_mean(faces["nme_seen"]) if told else None,
            nme_hidden_points_percent=_percent_of_mean(faces["nme_hidden"]) if told else None,
            coverage_50_percent=_coverage_percent(faces, 0.5),
            coverage_90_percent=_coverage_percent(faces, 0.9),
        )


def _coverage_percent(faces: pd.DataFrame, share: float) -> float | None:
    """Of the labelled points of faces, those inside the radii that are told to hold a share; None where none is told.

    x and y of a point are labelled together.
    """
    if f"inside_{share}" not in faces:
        return None
    return to_percent(float(faces[f"inside_{share}"].sum() / (faces["coordinates"].sum() / 2)))


def _percent_of_mean(errors: pd.Series) -> float | None:
    """Mean of the (N,) errors that are known, in percent; None where none is."""
    known = errors.to_numpy()
    return to_percent(float(np.nanmean(known))) if np.isfinite(known).any() else None


def measure_part(
    arrays: Arrays[np.ndarray],
    predicted: np.ndarray,
    scheme: Scheme,
    labels: RawLabels,
    radii_crop: np.ndarray | None = None,
) -> MeasuredPart:
    """Compare (N, K, 2) predictions in source pixels, of all frames of a part, with those that have labels.

    `radii_crop` are the (N, K) radii of a network that tells them, in crop pixels.
    Raises DataError where the label table has no row for a frame that is said to be labelled.
    """
    rows = metrics.measurable(arrays.keypoints_crop, scheme)
    samples, predicted = arrays.samples.iloc[rows], predicted[rows]
    truth, hidden = _labels(samples, labels)
    crop_from_source = arrays.crop_from_source[rows].astype(np.float64)
    residuals_px = transform_points(crop_from_source, predicted) - arrays.keypoints_crop[rows]
    length_px, radii = metrics.normalizing_length(truth, scheme), None if radii_crop is None else radii_crop[rows]
    pixels = np.sqrt(np.abs(np.linalg.det(crop_from_source[:, :2, :2])))
    return MeasuredPart(
        samples=samples,
        truth=truth,
        hidden=hidden,
        predicted=predicted,
        crop_from_source=crop_from_source,
        course_residuals=residuals_px * (COURSE_SIDE_PX / arrays.images.shape[-1]) / COURSE_UNIT_PX,
        point_errors=metrics.point_errors(predicted, truth, scheme),
        radii=None if radii is None else radii / (pixels * length_px)[:, None],
        distances_in_radii=None if radii is None else np.linalg.norm(residuals_px, axis=-1) / radii,
    )


def _labels(samples: pd.DataFrame, labels: RawLabels) -> tuple[np.ndarray, np.ndarray]:
    """(N, K, 2) labels of frames in source pixels, and (N, K) bool which of them are hidden."""
    found, truth, hidden = labels.of(samples)
    if not found.all():
        missing = samples["file"].to_numpy()[~found][0]
        raise DataError(f"no label table of {paths.RAW} has {missing!r}; make the lists again with: dvc repro")
    return truth, hidden

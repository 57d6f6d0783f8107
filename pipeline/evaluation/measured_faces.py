"""Predictions of one split beside the labels, and the errors between them, face by face."""

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
from pipeline.core.labels import LABELS, read_label_table
from pipeline.evaluation.metrics_file import GroupMetrics

COURSE_SIDE_PX, COURSE_UNIT_PX = 224, 50
"""The course projects have labels (p - 100) / 50, of pixels p in a frame of this side."""


@dataclass(frozen=True)
class MeasuredFaces:
    """N labelled faces of a split that can be measured; errors are fractions, as `pipeline.core.metrics` has them."""

    samples: pd.DataFrame
    """Their rows of samples.csv."""
    truth: np.ndarray
    """(N, K, 2) source pixels, from the untouched label table; NaN where a point is not labelled."""
    hidden: np.ndarray
    """(N, K) bool: points that are labelled though something hides them."""
    predicted: np.ndarray
    """(N, K, 2) source pixels."""
    course_residuals: np.ndarray
    """(N, K, 2) differences from the labels in the unit of the course losses; NaN where there is none."""
    nme: np.ndarray
    """(N,)"""
    point_errors: np.ndarray
    """(N, K) of each point, NaN where it is not labelled; `nme` is the mean of the others."""
    normalizing_length_px: np.ndarray
    """(N,) source pixels; the unit of the errors."""
    not_measured: int
    """Labelled faces of the split that are not among these."""
    radii: np.ndarray | None
    """(N, K) that the network tells, see `facial_keypoints.core.certainty`, over `normalizing_length_px` as the errors
    are. None of a network that tells none."""
    distances_in_radii: np.ndarray | None
    """(N, K) of each point to its label, over its radius; NaN where it is not labelled. None where `radii` is."""

    def __len__(self) -> int:
        return len(self.nme)

    @property
    def known(self) -> np.ndarray:
        """(N,) whether the person is in the training split."""
        return self.samples["known"].fillna(False).to_numpy(bool)

    def table(self, split: str) -> pd.DataFrame:
        """Rows of per_frame.csv, one a face."""
        return pd.DataFrame(
            {
                "sample_id": self.samples["sample_id"].array,
                "split": split,
                "nme_percent": to_percent(self.nme).round(4),
                "known": self.known,
                "worst_point": np.nan_to_num(self.point_errors, nan=-1).argmax(1),
                "normalizing_length_px": self.normalizing_length_px.round(3),
            }
        )

    def measure(self, chosen: np.ndarray, *, bootstrap_samples: int, seed: int) -> GroupMetrics:
        """Metrics of the (N,) chosen faces; `bootstrap_samples` and `seed` are those of the 95 % interval."""
        if not chosen.any():
            return GroupMetrics.empty()
        errors, residuals = self.nme[chosen], np.abs(self.course_residuals[chosen])
        interval = metrics.bootstrap_interval(
            errors,
            self.samples["person"].to_numpy()[chosen],
            samples=bootstrap_samples,
            generator=np.random.default_rng(seed),
        )
        low, high = interval or (None, None)
        boxed = metrics.nme_box(self.predicted[chosen], self.truth[chosen])
        seen, hidden = self._seen_and_hidden(chosen)
        return GroupMetrics(
            faces=int(chosen.sum()),
            nme_percent=to_percent(float(errors.mean())),
            nme_median_percent=to_percent(float(np.median(errors))),
            nme_ci95_low_percent=None if low is None else to_percent(low),
            nme_ci95_high_percent=None if high is None else to_percent(high),
            auc_08_percent=to_percent(metrics.auc(errors)),
            failure_rate_08_percent=to_percent(metrics.failure_rate(errors)),
            nme_box_percent=_percent_of_mean(boxed),
            smooth_l1=float(np.nanmean(np.where(residuals < 1, residuals**2 / 2, residuals - 0.5))),
            mse=float(np.nanmean(residuals**2)),
            nme_seen_points_percent=seen,
            nme_hidden_points_percent=hidden,
            coverage_50_percent=self._coverage_percent(chosen, 0.5),
            coverage_90_percent=self._coverage_percent(chosen, 0.9),
        )

    def _coverage_percent(self, chosen: np.ndarray, share: float) -> float | None:
        """Of the labelled points of the (N,) chosen faces, those inside the radii that are told to hold a `share`."""
        if self.distances_in_radii is None:
            return None
        return coverage_percent(self.distances_in_radii[chosen], share)

    def _seen_and_hidden(self, chosen: np.ndarray) -> tuple[float | None, float | None]:
        """Mean over the (N,) chosen faces of the mean error of their points that are seen, and of hidden ones, percent.

        None for both where none is called hidden.
        """
        errors, hidden = self.point_errors[chosen], self.hidden[chosen]
        if not hidden.any():
            return None, None
        parts = (np.where(which, errors, np.nan) for which in (~hidden, hidden))
        faces = (part[np.isfinite(part).any(1)] for part in parts)
        seen, unseen = (_percent_of_mean(np.nanmean(part, 1)) for part in faces)
        return seen, unseen


def coverage_percent(distances_in_radii: np.ndarray, share: float) -> float:
    """How many of these distances, NaN where there is none, lie inside the radii that are told to hold a `share`."""
    known = distances_in_radii[~np.isnan(distances_in_radii)]
    return to_percent(float((known <= radii_holding(share)).mean()))


def _percent_of_mean(errors: np.ndarray) -> float | None:
    """Mean of the (N,) errors that are known, in percent; None where none is."""
    return to_percent(float(np.nanmean(errors))) if np.isfinite(errors).any() else None


def measure_faces(
    arrays: Arrays, predicted: np.ndarray, scheme: Scheme, radii_crop: np.ndarray | None = None
) -> MeasuredFaces:
    """Compare (N, K, 2) predictions in source pixels, of all frames of a split, with those that have labels.

    `radii_crop` are the (N, K) radii of a network that tells them, in crop pixels.
    Raises DataError where the label table has no row for a frame that is said to be labelled.
    """
    rows = metrics.measurable(arrays.keypoints_crop, scheme)
    labelled, predicted = arrays.chosen(rows), predicted[rows]
    truth, hidden = _labels(labelled.samples, scheme)
    crop_from_source = labelled.crop_from_source.astype(np.float64)
    residuals_px = transform_points(crop_from_source, predicted) - labelled.keypoints_crop
    length_px, radii = metrics.normalizing_length(truth, scheme), None if radii_crop is None else radii_crop[rows]
    pixels = np.sqrt(np.abs(np.linalg.det(crop_from_source[:, :2, :2])))
    return MeasuredFaces(
        samples=labelled.samples,
        truth=truth,
        hidden=hidden,
        predicted=predicted,
        course_residuals=residuals_px * (COURSE_SIDE_PX / arrays.images.shape[-1]) / COURSE_UNIT_PX,
        nme=metrics.nme(predicted, truth, scheme),
        point_errors=metrics.point_errors(predicted, truth, scheme),
        normalizing_length_px=length_px,
        not_measured=int(arrays.samples["labelled"].sum() - rows.sum()),
        radii=None if radii is None else radii / (pixels * length_px)[:, None],
        distances_in_radii=None if radii is None else np.linalg.norm(residuals_px, axis=-1) / radii,
    )


def shape_nme(shape_crop: np.ndarray, faces: MeasuredFaces, arrays: Arrays, scheme: Scheme) -> np.ndarray:
    """(N,) NME where every measured frame of a split is given the same (K, 2) points in crop pixels."""
    rows = metrics.measurable(arrays.keypoints_crop, scheme)
    source_from_crop = np.linalg.inv(arrays.crop_from_source[rows].astype(np.float64))
    predicted = transform_points(source_from_crop, np.broadcast_to(shape_crop, faces.truth.shape))
    return metrics.nme(predicted, faces.truth, scheme)


def _labels(samples: pd.DataFrame, scheme: Scheme) -> tuple[np.ndarray, np.ndarray]:
    """(N, K, 2) labels of frames in source pixels, and (N, K) bool which of them are hidden."""
    tables = {folder: read_label_table(paths.RAW / LABELS[folder], scheme.count) for folder in LABELS}
    row_of = {folder: {name: row for row, name in enumerate(table.names)} for folder, table in tables.items()}
    places = list(zip(samples["folder"], samples["file"], strict=True))
    truth = np.zeros((len(places), scheme.count, 2), np.float32)
    hidden = np.zeros((len(places), scheme.count), bool)
    try:
        for place, (folder, file) in enumerate(places):
            row = row_of[folder][file]
            truth[place], hidden[place] = tables[folder].keypoints_source[row], tables[folder].hidden[row]
    except KeyError as error:
        raise DataError(f"no label table of {paths.RAW} has {error}; make the lists again with: dvc repro") from None
    return truth, hidden

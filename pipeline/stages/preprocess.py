"""Turn frames into square grayscale arrays, one folder a split."""

import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd

from facial_keypoints.core.atomic_files import whole_folder
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import face_size, fit_square, transform_points
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import Scheme
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import brief
from pipeline.core import metrics, paths
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.frames import read_gray
from pipeline.core.labels import LABELS, read_keypoints_csv
from pipeline.core.near_duplicates import warn_of_near_duplicates
from pipeline.core.samples import read_samples
from pipeline.core.settings import Preprocess
from pipeline.core.tables import write_table

SPLITS = ("train", "val", "test")


def run(*, preprocess: Preprocess) -> None:
    samples, scheme = read_samples(paths.SAMPLES), read_scheme()
    parts = [samples[samples["split"] == split] for split in SPLITS]
    samples = pd.concat(parts)
    with ThreadPoolExecutor(1) as beside:
        labels = beside.submit(_labels, samples, scheme.count)
        images, crop_from_source = _squares(samples, preprocess)
    _refuse_flat(samples, labels.result(), scheme)
    warn_of_near_duplicates(samples, images)
    keypoints_crop = transform_points(crop_from_source, labels.result()).astype(np.float32)
    _tell_unlabelled(keypoints_crop[: len(parts[0])], scheme)
    # Nothing is written before everything is read, so that a broken frame leaves no half of a dataset.
    ends = np.cumsum([len(part) for part in parts])
    for split, part, end in zip(SPLITS, parts, ends, strict=True):
        rows = slice(end - len(part), end)  # a view: a mask would copy the images
        with whole_folder(paths.PROCESSED / split) as folder:
            np.save(folder / "images.npy", images[rows])
            np.save(folder / "keypoints.npy", keypoints_crop[rows])
            np.save(folder / "crop_from_source.npy", crop_from_source[rows])
            write_table(folder / "samples.csv", part)


def _refuse_flat(samples: pd.DataFrame, keypoints: np.ndarray, scheme: Scheme) -> None:
    """Raise DataError for a label of all points in whose units no error can be measured.

    One of some points passes: where it has no unit, its frame is not measured.
    """
    whole = np.isfinite(keypoints).all((1, 2))
    flat = whole & ((metrics.normalizing_length(keypoints, scheme) == 0) | (face_size(keypoints) == 0))
    if flat.any():
        folder, file = samples.loc[flat, ["folder", "file"]].iloc[0]
        raise DataError(
            f"{paths.RAW / LABELS[folder]}: the points of {file} that its error is divided by, or "
            "all its points, lie on one point or line, so its error has no unit; mend its label or remove it"
        )


def _tell_unlabelled(train: np.ndarray, scheme: Scheme) -> None:
    """Name the points that no training frame labels, if any does."""
    labelled = np.isfinite(train).all(-1).any(0)
    if labelled.any() and not labelled.all():
        names = ", ".join(scheme.name_of(point) for point in np.flatnonzero(~labelled).tolist())
        tell(f"note: no training frame labels {brief(names, 300)}: at most mirrored pictures teach these points")


def _squares(samples: pd.DataFrame, preprocess: Preprocess) -> tuple[np.ndarray, np.ndarray]:
    """(N, S, S) uint8 images and their (N, 3, 3) float32 `crop_from_source`, read on all cores."""
    images = np.empty((len(samples), preprocess.size_px, preprocess.size_px), np.uint8)
    crop_from_source = np.empty((len(samples), 3, 3), np.float32)

    def read_square(row: int, folder: str, file: str) -> None:
        gray = read_gray(paths.RAW / folder / file)
        images[row], crop_from_source[row] = fit_square(gray, preprocess.size_px, preprocess.fit)

    cv2.setNumThreads(1)  # frames are the unit of parallel work
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(read_square, range(len(samples)), samples["folder"], samples["file"])
        for _ in progress(done, label="preprocess", total=len(samples), unit="frames"):
            pass
    return images, crop_from_source


def _labels(samples: pd.DataFrame, points: int) -> np.ndarray:
    """(N, K, 2) float32 keypoints in source pixels, NaN where there is no label."""
    tables = {
        folder: dict(zip(*read_keypoints_csv(paths.RAW / table, points), strict=True))
        for folder, table in LABELS.items()
    }
    unlabelled = np.full((points, 2), np.nan, np.float32)
    rows = zip(samples["folder"], samples["file"], strict=True)
    return np.stack([tables[folder].get(file, unlabelled) for folder, file in rows])

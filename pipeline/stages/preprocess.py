"""Turn frames into square grayscale arrays, one folder a split."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from pipeline import config, paths
from pipeline.data import LABELS, read_gray, read_keypoints_csv, read_samples, write_table
from pipeline.files import whole
from pipeline.geometry import fit_square, transform_points
from pipeline.progress import progress
from pipeline.scheme import POINTS

SPLITS = ("train", "val", "test")


def run(*, preprocess: config.Preprocess) -> None:
    cv2.setNumThreads(1)  # frames are the unit of parallel work
    samples = read_samples(paths.SAMPLES)
    samples = pd.concat([samples[samples["split"] == split] for split in SPLITS])
    labels = {
        folder: dict(zip(*read_keypoints_csv(paths.RAW / table), strict=True)) for folder, table in LABELS.items()
    }
    squares = progress(_squares(samples, preprocess), label="preprocess", total=len(samples), unit="frames")
    for split in SPLITS:
        rows = samples[samples["split"] == split]
        _write_split(paths.PROCESSED / split, rows, labels, squares, preprocess.size_px)


def _squares(samples: pd.DataFrame, preprocess: config.Preprocess) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(S, S) uint8 images and their (3, 3) `crop_from_source`, in row order, read on all cores."""

    def read_square(path: Path) -> tuple[np.ndarray, np.ndarray]:
        return fit_square(read_gray(path), preprocess.size_px, preprocess.fit)

    files = [paths.RAW / folder / file for folder, file in zip(samples["folder"], samples["file"], strict=True)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(read_square, files)


def _write_split(
    folder: Path,
    rows: pd.DataFrame,
    labels: dict[str, dict[str, np.ndarray]],
    squares: Iterator[tuple[np.ndarray, np.ndarray]],
    size_px: int,
) -> None:
    images = np.zeros((len(rows), size_px, size_px), np.uint8)
    keypoints = np.full((len(rows), POINTS, 2), np.nan, np.float32)
    crop_from_source = np.zeros((len(rows), 3, 3), np.float32)
    for row, (source, file) in enumerate(zip(rows["folder"], rows["file"], strict=True)):
        images[row], crop_from_source[row] = next(squares)
        if file in labels[source]:
            keypoints[row] = transform_points(crop_from_source[row], labels[source][file])
    with whole(folder) as partial:
        partial.mkdir()
        np.save(partial / "images.npy", images)
        np.save(partial / "keypoints.npy", keypoints)
        np.save(partial / "crop_from_source.npy", crop_from_source)
        write_table(partial / "samples.csv", rows)

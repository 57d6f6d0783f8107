"""Show what was measured: charts of the errors, pictures of faces and of the first layer, and the model card."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import metrics, paths
from pipeline.core.arrays import Arrays, load_arrays
from pipeline.core.labels import read_keypoints_csv
from pipeline.core.params import flatten
from pipeline.core.samples import read_samples
from pipeline.core.settings import Preprocess
from pipeline.core.tables import read_numbers
from pipeline.evaluation import breakdowns, curves, grids
from pipeline.evaluation.model_card import model_card
from pipeline.evaluation.reports import read_dataset, read_metrics
from pipeline.evaluation.settings import Render
from pipeline.evaluation.style import CHART_DPI, DPI, save, style
from pipeline.models.model_file import load_model
from pipeline.training.settings import Pretrain, Train


@dataclass(frozen=True)
class Measured:
    """The labelled test frames and the errors of the predictions that evaluate wrote for them."""

    report: dict[str, Any]
    """metrics.json."""
    test: Arrays
    truth: np.ndarray
    """(N, 68, 2) source pixels, as `predicted`."""
    predicted: np.ndarray
    interocular_px: np.ndarray
    """(N,)"""
    errors: np.ndarray
    """(N, 68) distances over `interocular_px`."""

    @property
    def nme(self) -> np.ndarray:
        """(N,) fractions, to nine digits: the last bits of a sum depend on where it lies in memory."""
        return np.asarray(self.errors.mean(1).round(9))


def run(*, preprocess: Preprocess, pretrain: Pretrain, train: Train, render: Render) -> None:
    measured = _read_measured()
    with style():
        drawn = progress(_figures(measured, render), label="render", total=len(paths.FIGURES), unit="figures")
        for path, figure in zip(paths.FIGURES, drawn, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            save(figure, path, CHART_DPI if path in paths.CHARTS else DPI)
    first = {"pretrain": pretrain} if pretrain.epochs else {}
    settings = flatten({"preprocess": preprocess, **first, "train": train})
    sizes = breakdowns.by_size(measured.nme, measured.interocular_px)
    card = model_card(measured.report, read_dataset(), read_samples(paths.SAMPLES), settings, sizes)
    with whole(paths.MODEL_CARD) as partial:
        partial.write_text(card, encoding="utf-8")


def _read_measured() -> Measured:
    report = read_metrics()
    test = _labelled(load_arrays(paths.PROCESSED / "test"))
    truth = transform_points(np.linalg.inv(test.crop_from_source), test.keypoints_crop)
    predicted = _predictions_of(test.samples["file"].tolist())
    interocular_px = metrics.normalizing_length(truth, IBUG_68)
    errors = metrics.point_distances(predicted, truth) / interocular_px[:, None]
    return Measured(report, test, truth, predicted, interocular_px, errors)


def _figures(measured: Measured, render: Render) -> Iterator[Figure]:
    """The figures of paths.FIGURES, in that order."""
    report, test, nme = measured.report, measured.test, measured.nme
    dataset = report["dataset"]
    yield curves.ced_figure(read_numbers(paths.CED, ("nme", "model", "mean_shape")), report["test"], dataset=dataset)
    yield _learning_curves(dataset)
    yield breakdowns.error_by_point_figure(breakdowns.mean_face(measured.truth), measured.errors, dataset=dataset)
    yield breakdowns.error_by_group_figure(report, nme, measured.interocular_px, dataset=dataset)
    known = test.samples["known"].fillna(False).to_numpy(bool)
    predicted_crop = transform_points(test.crop_from_source, measured.predicted)
    faces = grids.Faces(test.images, test.keypoints_crop, predicted_crop, nme, known)
    rows = grids.choose_faces(nme, per_row=render.faces_per_row, random_rows=render.random_rows, seed=render.seed)
    yield grids.faces_figure(faces, rows, dataset=dataset)
    layer = grids.first_layer(load_model(paths.MODEL), test.images[nme.argmin()])
    yield grids.first_layer_figure(layer, dataset=dataset)


def _learning_curves(dataset: str) -> Figure:
    samples = read_samples(paths.SAMPLES)
    faces = samples[samples["labelled"]]["split"].value_counts()
    return curves.learning_curves_figure(
        read_numbers(paths.HISTORY, ("epoch", "train_loss", "val_loss", "val_nme", "lr")),
        train_faces=int(faces.get("train", 0)),
        val_faces=int(faces.get("val", 0)),
        dataset=dataset,
    )


def _labelled(arrays: Arrays) -> Arrays:
    rows = np.flatnonzero(arrays.samples["labelled"])
    if not len(rows):
        raise DataError("no test frame has labels to draw errors of; label some in the test table of data/raw")
    return Arrays(
        arrays.images[rows], arrays.keypoints_crop[rows], arrays.crop_from_source[rows], arrays.samples.iloc[rows]
    )


def _predictions_of(files: list[str]) -> np.ndarray:
    """(N, 68, 2) predictions in source pixels of the test frames with these file names, in their order."""
    names, predicted = read_keypoints_csv(paths.TEST_PREDICTIONS)
    row_of = {name: row for row, name in enumerate(names)}
    if lacking := [file for file in files if file not in row_of]:
        raise DataError(f"{paths.TEST_PREDICTIONS} lacks {lacking[0]}; make it again with: dvc repro -fs evaluate")
    return predicted[[row_of[file] for file in files]]

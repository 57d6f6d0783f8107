"""Show what was measured: charts of the errors, pictures of faces and of the first layer, and the model card."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import Scheme
from pipeline.core import paths
from pipeline.core.arrays import Arrays, load_arrays
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.labels import read_keypoints_csv
from pipeline.core.metrics import measurable
from pipeline.core.params import flatten
from pipeline.core.samples import read_samples
from pipeline.core.tables import read_numbers
from pipeline.evaluation import breakdowns, curves, grids
from pipeline.evaluation.metrics_file import Metrics, read_metrics
from pipeline.evaluation.model_card import model_card
from pipeline.evaluation.per_frame import read_test_faces, read_test_point_errors
from pipeline.evaluation.reliability import read_reliability
from pipeline.evaluation.reliability_figure import reliability_figure
from pipeline.evaluation.reports import read_dataset
from pipeline.evaluation.settings import Render
from pipeline.evaluation.style import CHART_DPI, DPI, save, style
from pipeline.models.model_file import load_model, read_description
from pipeline.training.settings import Pretrain, Train


@dataclass(frozen=True)
class Measured:
    """The N faces of the test that were measured and what evaluate wrote of them."""

    report: Metrics
    scheme: Scheme
    test: Arrays
    faces: pd.DataFrame
    """(N) rows of per_frame.csv."""
    point_errors: np.ndarray
    """(N, K) percent of each face's normalizing length, NaN where a point is not labelled."""
    predicted_crop: np.ndarray
    """(N, K, 2) crop pixels."""

    @property
    def nme(self) -> np.ndarray:
        """(N,) percent."""
        return self.faces["nme_percent"].to_numpy()

    @property
    def size_px(self) -> np.ndarray:
        """(N,) normalizing length of each face, pixels of its frame."""
        return self.faces["normalizing_length_px"].to_numpy()


def run(*, pretrain: Pretrain, train: Train, render: Render) -> None:
    measured = _read_measured()
    with style():
        drawn = progress(_figures(measured, render), label="render", total=len(paths.FIGURES), unit="figures")
        for path, figure in zip(paths.FIGURES, drawn, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            save(figure, path, CHART_DPI if path in paths.CHARTS else DPI)
    first = {"pretrain": asdict(pretrain)} if pretrain.epochs else {}
    preprocess = asdict(read_description(paths.MODEL).preprocess)
    settings = flatten({"preprocess": preprocess, **first, "train": asdict(train)})
    sizes = breakdowns.by_size(measured.nme, measured.size_px)
    card = model_card(
        measured.report, read_dataset(), measured.scheme, read_samples(paths.SAMPLES), settings=settings, sizes=sizes
    )
    with whole(paths.MODEL_CARD) as partial:
        partial.write_text(card, encoding="utf-8")


def _read_measured() -> Measured:
    report, scheme = read_metrics(), read_scheme()
    frames = load_arrays(paths.PROCESSED / "test", scheme.count)
    test = frames.chosen(measurable(frames.keypoints_crop, scheme))
    if not len(test.samples):
        raise DataError("no test frame has labels to draw errors of; label some in the test table of data/raw")
    predicted = _predictions_of(test.samples["file"].tolist(), scheme)
    return Measured(
        report=report,
        scheme=scheme,
        test=test,
        faces=read_test_faces(test.samples["sample_id"].tolist()),
        point_errors=read_test_point_errors(len(predicted), scheme.count),
        predicted_crop=transform_points(test.crop_from_source.astype(np.float64), predicted),
    )


def _figures(measured: Measured, render: Render) -> Iterator[Figure]:
    """The figures of paths.FIGURES, in that order."""
    report, scheme, test, nme = measured.report, measured.scheme, measured.test, measured.nme
    dataset = report.dataset
    ced = read_numbers(paths.CED, ("nme_percent", "model_percent", "mean_shape_percent"))
    yield curves.ced_figure(ced, report.test, scheme, dataset=dataset)
    yield _learning_curves(dataset, scheme)
    mean_face = breakdowns.mean_face(_truth_source(test), scheme)
    regions = report.test_regions_nme_percent
    yield breakdowns.error_by_point_figure(mean_face, measured.point_errors, regions, scheme, dataset=dataset)
    yield breakdowns.error_by_group_figure(report, nme, measured.size_px, scheme, dataset=dataset)
    yield reliability_figure(read_reliability(), report, scheme, dataset=dataset)
    faces = grids.Faces(
        test.images, test.keypoints_crop, measured.predicted_crop, nme, measured.faces["known"].to_numpy()
    )
    rows = grids.choose_faces(nme, per_row=render.faces_per_row, random_rows=render.random_rows, seed=render.seed)
    yield grids.faces_figure(faces, rows, dataset=dataset, scheme=scheme)
    layer = grids.first_layer(load_model(paths.MODEL), test.images[nme.argmin()])
    yield grids.first_layer_figure(layer, dataset=dataset, scheme=scheme)


def _learning_curves(dataset: str, scheme: Scheme) -> Figure:
    samples = read_samples(paths.SAMPLES)
    faces = samples[samples["labelled"]]["split"].value_counts()
    return curves.learning_curves_figure(
        read_numbers(paths.HISTORY, ("epoch", "train_loss", "val_loss", "val_nme_percent", "lr")),
        train_faces=int(faces.get("train", 0)),
        val_faces=int(faces.get("val", 0)),
        dataset=dataset,
        scheme=scheme,
    )


def _truth_source(arrays: Arrays) -> np.ndarray:
    """(N, K, 2) labels in source pixels, for their form alone: errors are those that evaluate measured."""
    return transform_points(np.linalg.inv(arrays.crop_from_source.astype(np.float64)), arrays.keypoints_crop)


def _predictions_of(files: list[str], scheme: Scheme) -> np.ndarray:
    """(N, K, 2) predictions in source pixels of the test frames with these file names, in their order."""
    names, predicted = read_keypoints_csv(paths.TEST_PREDICTIONS, scheme.count)
    row_of = {name: row for row, name in enumerate(names)}
    if missing := [file for file in files if file not in row_of or np.isnan(predicted[row_of[file]]).any()]:
        raise DataError(f"{paths.TEST_PREDICTIONS} lacks {missing[0]}; make it again with: dvc repro -fs evaluate")
    return predicted[[row_of[file] for file in files]]

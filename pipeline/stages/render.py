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
from pipeline.core.label_file import LabelFile
from pipeline.core.metrics import measurable
from pipeline.core.params import flatten
from pipeline.core.samples import read_samples
from pipeline.core.stored_arrays import StoredArray
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
    test: Arrays[StoredArray]
    """All frames of the test."""
    rows: np.ndarray
    """(N,) which of them the faces are."""
    faces: pd.DataFrame
    """(N) rows of per_frame.csv."""
    point_errors: np.ndarray
    """(N, K) percent of each face's normalizing length, NaN where a point is not labelled."""

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
    description = read_description(paths.MODEL)
    if description.model.weights == "pretrained":
        first["model"] = {"weights": description.model.weights}
    settings = flatten({"preprocess": asdict(description.preprocess), **first, "train": asdict(train)})
    sizes = breakdowns.by_size(measured.nme, measured.size_px)
    card = model_card(
        measured.report, read_dataset(), measured.scheme, read_samples(paths.SAMPLES), settings=settings, sizes=sizes
    )
    with whole(paths.MODEL_CARD) as partial:
        partial.write_text(card, encoding="utf-8")


def _read_measured() -> Measured:
    report, scheme = read_metrics(), read_scheme()
    test = load_arrays(paths.PROCESSED / "test", scheme.count)
    rows = np.flatnonzero(measurable(test.keypoints_crop, scheme))
    if not len(rows):
        raise DataError("no test frame has labels to draw errors of; label some in the test table of data/raw")
    return Measured(
        report=report,
        scheme=scheme,
        test=test,
        rows=rows,
        faces=read_test_faces(test.samples["sample_id"].iloc[rows].tolist()),
        point_errors=read_test_point_errors(len(rows), scheme.count),
    )


def _figures(measured: Measured, render: Render) -> Iterator[Figure]:
    """The figures of paths.FIGURES, in that order."""
    report, scheme, nme = measured.report, measured.scheme, measured.nme
    dataset = report.dataset
    ced = read_numbers(paths.CED, ("nme_percent", "model_percent", "mean_shape_percent"))
    yield curves.ced_figure(ced, report.test, scheme, dataset=dataset)
    yield _learning_curves(dataset, scheme)
    mean_face = breakdowns.mean_face(_truth_source(measured), scheme)
    regions = report.test_regions_nme_percent
    yield breakdowns.error_by_point_figure(mean_face, measured.point_errors, regions, scheme, dataset=dataset)
    yield breakdowns.error_by_group_figure(report, nme, measured.size_px, scheme, dataset=dataset)
    yield reliability_figure(read_reliability(), report, scheme, dataset=dataset)
    rows = grids.choose_faces(nme, per_row=render.faces_per_row, random_rows=render.random_rows, seed=render.seed)
    faces, drawn, count = _drawn(measured, rows)
    yield grids.faces_figure(faces, drawn, dataset=dataset, scheme=scheme, count=count)
    layer = grids.first_layer(load_model(paths.MODEL), measured.test.images[measured.rows[nme.argmin()]])
    yield grids.first_layer_figure(layer, dataset=dataset, scheme=scheme)


Rows = list[tuple[str, np.ndarray]]
"""Labels and indices of faces, as `grids.choose_faces` gives them."""


def _drawn(measured: Measured, rows: Rows) -> tuple[grids.Faces, Rows, int]:
    """The faces of these rows alone, the rows with their new indices, and the number of all faces."""
    drawn = np.unique(np.concatenate([indices for _, indices in rows]))
    frames, test = measured.rows[drawn], measured.test
    predicted = _predictions_of(test.samples["file"].iloc[frames].tolist(), measured.scheme)
    faces = grids.Faces(
        test.images[frames],
        test.keypoints_crop[frames],
        transform_points(test.crop_from_source[frames].astype(np.float64), predicted),
        measured.nme[drawn],
        measured.faces["known"].to_numpy()[drawn],
    )
    return faces, [(label, np.searchsorted(drawn, indices)) for label, indices in rows], len(measured.rows)


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


def _truth_source(measured: Measured) -> np.ndarray:
    """(N, K, 2) labels in source pixels, for their form alone: errors are those that evaluate measured."""
    test, rows = measured.test, measured.rows
    return transform_points(np.linalg.inv(test.crop_from_source[rows].astype(np.float64)), test.keypoints_crop[rows])


def _predictions_of(files: list[str], scheme: Scheme) -> np.ndarray:
    """(N, K, 2) predictions in source pixels of the test frames with these file names, in their order."""
    found, predicted, _ = LabelFile(paths.TEST_PREDICTIONS, scheme.count).rows(files)
    known = found & np.isfinite(predicted).all((1, 2))
    if not known.all():
        missing = files[int(np.argmin(known))]
        raise DataError(f"{paths.TEST_PREDICTIONS} lacks {missing}; make it again with: dvc repro -fs evaluate")
    return predicted

"""Measure the keypoint error on the labelled frames of val and test, in source pixels, and predict all of both.

What is chosen is chosen by val; the test is what one looks at when all is chosen.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError, ModelError
from facial_keypoints.core.geometry import transform_points
from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import Scheme
from facial_keypoints.core.text import reason_of
from pipeline.core import metrics, paths
from pipeline.core.arrays import PART_ROWS, StoredArrays
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.label_file import RawLabels
from pipeline.core.labels import LABELS, keypoints_csv
from pipeline.core.merged import datasets_of
from pipeline.core.stored_arrays import StoredArray, write_array
from pipeline.core.tables import write_table, write_tables
from pipeline.evaluation.measured_faces import MeasuredFaces, MeasuredPart, measure_part
from pipeline.evaluation.measured_split import MeasuredSplit
from pipeline.evaluation.metrics_file import Baseline, GroupMetrics, Metrics, Network, write_metrics
from pipeline.evaluation.reliability import write_reliability
from pipeline.evaluation.reports import dataset_cards, read_dataset
from pipeline.evaluation.settings import Evaluate
from pipeline.models import count_parameters
from pipeline.models.forward import predict_crops_and_radii
from pipeline.models.model_file import open_model_file
from pipeline.models.network import KeypointNetwork

CED_NME = np.round(np.arange(0, 0.2001, 0.0005), 4)
"""NME at which the CED is tabulated."""


def run(*, evaluate: Evaluate) -> None:
    scheme, (description, network) = read_scheme(), open_model_file(paths.MODEL)
    if description.scheme != scheme:
        raise DataError(
            f"{paths.MODEL} has {description.scheme.title} and the dataset {scheme.title}; train again: dvc repro"
        )
    mean_shape, missing = _mean_training_shape(scheme)
    splits = _predicted_and_measured(network, mean_shape, scheme)
    val, test = (splits[split].faces() for split in ("val", "test"))
    baseline = splits["test"].shape_nme()
    dataset = read_dataset()
    report = Metrics(
        dataset=dataset["dataset"],
        model=Network(description.model.name, count_parameters(network)),
        **_groups(val, test, evaluate),
        test_regions_nme_percent={region: to_percent(error) for region, error in splits["test"].regions().items()},
        test_mean_shape=Baseline(to_percent(float(baseline.mean()))),
        test_by_dataset=_by_dataset(test, [card.dataset for card in dataset_cards(dataset)], evaluate),
        points_in_no_training_frame=[scheme.name_of(point) for point in missing.tolist()] or None,
    )
    measured = write_metrics(report)
    _write_ced(test.nme, baseline)
    write_tables(paths.PER_FRAME, (faces.per_frame(split) for split, faces in (("val", val), ("test", test))))
    write_reliability({split: one.told_points() for split, one in splits.items()})
    _tell(measured, scheme)


def _predicted_and_measured(
    network: KeypointNetwork, mean_shape: np.ndarray, scheme: Scheme
) -> dict[str, MeasuredSplit]:
    """Predict all frames of val and test, write that down, and measure those with labels; the errors of test too."""
    arrays = {split: StoredArrays(paths.PROCESSED / split, scheme.count) for split in ("val", "test")}
    counts = {split: _count_labelled(of_split, scheme) for split, of_split in arrays.items()}
    _refuse_unmeasured_test(*counts["test"], scheme)
    labels = RawLabels(paths.RAW, scheme.count)
    measured = {}
    for split, (labelled, measurable) in counts.items():
        measured[split] = MeasuredSplit(scheme, mean_shape, labelled=labelled, measurable=measurable)
        parts = measured[split].passing(_predicted_parts(network, split, arrays[split], scheme, labels))
        if split == "test":
            _write_point_errors((to_percent(part.point_errors) for part in parts), (measurable, scheme.count))
        else:
            deque(parts, maxlen=0)
    return measured


def _count_labelled(arrays: StoredArrays, scheme: Scheme) -> tuple[int, int]:
    """Frames with labels, and those of them whose errors can be measured."""
    labelled, measurable = 0, 0
    for part in arrays.parts(images=False):
        labelled += int(part.samples["labelled"].sum())
        measurable += int(metrics.measurable(part.keypoints_crop, scheme).sum())
    return labelled, measurable


def _refuse_unmeasured_test(labelled: int, measurable: int, scheme: Scheme) -> None:
    if not measurable:
        unit = f" with the {metrics.normalizer_in_words(scheme)}, that errors are divided by" if labelled else ""
        raise DataError(
            f"{paths.RAW / LABELS['test']} labels no frame{unit}; at least one is needed to measure an error"
        )


def _predicted_parts(
    network: KeypointNetwork, split: str, arrays: StoredArrays, scheme: Scheme, labels: RawLabels
) -> Iterator[MeasuredPart]:
    """Predict the frames of a split part by part, write that down, and compare those that have labels."""
    count = -(-len(arrays) // PART_ROWS)
    with keypoints_csv(paths.PREDICTIONS[split], scheme.count) as write:
        for part in progress(arrays.parts(), label=f"predict {split}", total=count, unit="parts"):
            source_from_crop = np.linalg.inv(part.crop_from_source.astype(np.float64))
            predicted_crop, radii = predict_crops_and_radii(network, part.images)
            predicted = transform_points(source_from_crop, predicted_crop)
            if not np.isfinite(predicted).all():
                raise ModelError(f"{paths.MODEL} predicts points that are no numbers; train again: dvc repro -fs train")
            write(part.samples["file"].tolist(), predicted)
            yield measure_part(part, predicted, scheme, labels, radii)


def _groups(val: MeasuredFaces, test: MeasuredFaces, evaluate: Evaluate) -> dict[str, GroupMetrics]:
    """Metrics of each group of faces that metrics.json names."""
    chosen = {
        "val": (val, np.ones(len(val), bool)),
        "test": (test, np.ones(len(test), bool)),
        "test_known_people": (test, test.known),
        "test_unseen_people": (test, ~test.known),
    }
    interval = {"bootstrap_samples": evaluate.bootstrap_samples, "seed": evaluate.seed}
    groups = {name: faces.measure(rows, **interval) for name, (faces, rows) in chosen.items()}
    left_out = {name: faces.not_measured for name, faces in (("val", val), ("test", test)) if faces.not_measured}
    return groups | {name: replace(groups[name], not_measured=count) for name, count in left_out.items()}


def _by_dataset(test: MeasuredFaces, datasets: list[str], evaluate: Evaluate) -> dict[str, GroupMetrics] | None:
    """Metrics of the test of each of several datasets that are merged."""
    if len(datasets) < 2:
        return None
    interval = {"bootstrap_samples": evaluate.bootstrap_samples, "seed": evaluate.seed}
    of = datasets_of(test.table["person"]).to_numpy()
    return {name: test.measure(of == name, **interval) for name in datasets}


def _mean_training_shape(scheme: Scheme) -> tuple[np.ndarray, np.ndarray]:
    """(K, 2) mean of the training labels, crop pixels, and the points that none labels: they lie in the middle."""
    path = paths.PROCESSED / "train" / "keypoints.npy"
    try:
        labels = StoredArray([path], np.float32, (-1, scheme.count, 2))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {reason_of(error, path)}; make it again with: dvc repro preprocess") from None
    sums, counts = np.zeros((scheme.count, 2)), np.zeros((scheme.count, 2), int)
    for start in range(0, len(labels), PART_ROWS):
        part = labels[start : start + PART_ROWS]
        sums += np.nansum(part, 0, np.float64)
        counts += np.isfinite(part).sum(0)
    missing = ~counts.any(-1)
    shape = sums / np.maximum(counts, 1)
    shape[missing] = shape[~missing].mean(0)
    return shape, np.flatnonzero(missing)


def _write_ced(errors: np.ndarray, baseline: np.ndarray) -> None:
    """Share of the test faces with an NME up to each of `CED_NME`, by the model and by the mean shape, all percent."""
    shares = {"model_percent": metrics.ced(errors, CED_NME), "mean_shape_percent": metrics.ced(baseline, CED_NME)}
    table = {"nme_percent": CED_NME, **shares}
    write_table(paths.CED, pd.DataFrame({name: to_percent(values) for name, values in table.items()}).round(4))


def _write_point_errors(parts: Iterable[np.ndarray], shape: tuple[int, int]) -> None:
    """(N, K) errors of each point of the labelled test faces, in the order of per_frame.csv, in percent."""
    with whole(paths.TEST_ERRORS) as partial:
        write_array(partial, np.float64, shape, parts)


def _tell(measured: Metrics, scheme: Scheme) -> None:
    groups = {"val, to choose by": measured.val, "test, to look at in the end": measured.test}
    for name, group in groups.items():
        if group.faces:
            told = f"NME {percent_text(group.nme_percent)} on {group.faces:,} {scheme.things} of {measured.dataset}"
            left_out = f"; {group.not_measured:,} cannot be measured" if group.not_measured else ""
            print(f"{name}: {told}{left_out}")
    for name, group in (measured.test_by_dataset or {}).items():
        print(f"test of {name}: NME {percent_text(group.nme_percent)} on {group.faces:,} {scheme.things}")
    print(f"mean shape: NME {percent_text(measured.test_mean_shape.nme_percent)} on the same test {scheme.things}")

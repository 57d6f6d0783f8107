"""The stage evaluate on a few faces of three points, whose errors are worked out by hand.

Every face has its eyes at (10, 10) and (30, 10) and its nose at (20, 15): 20 px between the eyes, by which errors are
divided, and a box of 20 by 5 px, whose size is 10 px. A crop has two pixels where its frame has one.
"""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from torch import nn

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import Scheme
from pipeline.core import paths
from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.json_files import read_json, write_json
from pipeline.core.labels import LABELS, read_label_table, write_keypoints_csv
from pipeline.core.samples import SAMPLE_COLUMNS
from pipeline.evaluation.metrics_file import GroupMetrics, Metrics, read_metrics
from pipeline.evaluation.per_frame import read_test_faces, read_test_point_errors
from pipeline.evaluation.reliability import read_reliability
from pipeline.evaluation.settings import Evaluate
from pipeline.stages import evaluate, track

SCHEME = Scheme("three", "three points", 3, ((0, 1),), {"eyes": (0, 1), "nose": (2,)}, (), (0, 1))
FACE = np.array([[10, 10], [30, 10], [20, 15]], np.float32)
SIDE = 112
CROP_FROM_SOURCE = np.array([[2, 0, 4], [0, 2, 6], [0, 0, 1]], np.float32)

Row = tuple[str, bool, bool, list[list[float]]]
"""Person, whether labelled, whether the person trains, and by how many source pixels each point is missed."""

EXACT, UNLABELLED = [[0.0, 0.0]] * 3, [[50.0, 50.0]] * 3
VAL: list[Row] = [("V", True, False, [[0, 0], [0, 0], [1.2, 0]]), ("V", False, False, UNLABELLED)]
TEST: list[Row] = [
    ("A", True, True, [[0, 6], [0, 0], [0, 0]]),  # 6 px in one of three points, over 20 px: 10 %
    ("A", False, True, UNLABELLED),
    ("A", True, True, EXACT),  # 0 %
    ("B", True, False, [[0.8, 0]] * 3),  # 4 %
    ("B", True, False, [[0, 0], [0, 0], [1.2, 0]]),  # 2 %
]


def to_crop(points: np.ndarray) -> np.ndarray:
    return 2 * points + np.array([4, 6])


def write_split(split: str, folder: str, rows: list[Row]) -> None:
    """Arrays of a split, as preprocess leaves them; a frame's gray level is its row."""
    count, labelled = len(rows), np.array([row[1] for row in rows])
    place = paths.PROCESSED / split
    place.mkdir(parents=True)
    keypoints = np.where(labelled[:, None, None], to_crop(FACE), np.nan).astype(np.float32)
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], (count, SIDE, SIDE))
    np.save(place / "images.npy", images)
    np.save(place / "keypoints.npy", keypoints)
    np.save(place / "crop_from_source.npy", np.tile(CROP_FROM_SOURCE, (count, 1, 1)))
    table = [
        [f"{folder}/{person}_{i}", f"{person}_{i}.jpg", folder, person, f"{person}_0", i, has_labels, split, known]
        for i, (person, has_labels, known, _) in enumerate(rows)
    ]
    samples = pd.DataFrame(table, columns=SAMPLE_COLUMNS)
    samples.to_csv(place / "samples.csv", index=False)
    names = samples["file"][samples["labelled"]].tolist()[::-1]  # found by name, not by row
    write_keypoints_csv(paths.RAW / LABELS[folder], names, np.stack([FACE] * len(names)))


@pytest.fixture
def prepared(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stages before leave, and a network that misses each point by what its row says."""
    paths.RAW.mkdir(parents=True)
    write_scheme(SCHEME)
    write_json(paths.DATASET, {"dataset": "by hand", "revision": "1", "files": 7, "sha256": "ab" * 32})
    write_split("val", "training", VAL)
    write_split("test", "test", TEST)
    # The mean shape: every point 2 px right of the truth, 10 % of the distance between the eyes.
    shapes = np.stack([FACE, FACE]) + np.array([[[1, 0]], [[3, 0]]])
    (paths.PROCESSED / "train").mkdir()
    train = np.concatenate([to_crop(shapes), np.full((1, 3, 2), np.nan)])
    np.save(paths.PROCESSED / "train" / "keypoints.npy", train.astype(np.float32))
    missed = {len(VAL): VAL, len(TEST): TEST}
    description = SimpleNamespace(model=SimpleNamespace(name="stub"), scheme=SCHEME)
    monkeypatch.setattr(evaluate, "open_model_file", lambda path: (description, nn.Linear(2, 3)))
    monkeypatch.setattr(
        evaluate,
        "predict_crops_and_radii",
        lambda network, images: (to_crop(FACE + np.array([row[3] for row in missed[len(images)]])), None),
    )
    return workspace


def run() -> Metrics:
    evaluate.run(evaluate=Evaluate(bootstrap_samples=1000, seed=0))
    return read_metrics()


def test_each_of_several_datasets_has_its_own_test(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run().test_by_dataset is None
    assert "test_by_dataset" not in read_json(paths.METRICS)
    facts = dict.fromkeys(("title", "licence", "origin", "revision"), "told")
    write_json(paths.DATASET, read_json(paths.DATASET) | {"parts": [{"dataset": name, **facts} for name in "abc"]})
    samples = paths.PROCESSED / "test/samples.csv"
    table = pd.read_csv(samples).replace({"person": {"A": "a+A", "B": "b+A"}})
    table.to_csv(samples, index=False)
    measured = run()
    assert measured.test_by_dataset is not None
    errors = {name: (group.faces, group.nme_percent) for name, group in measured.test_by_dataset.items()}
    assert errors == {"a": (2, 5.0), "b": (2, 3.0), "c": (0, None)}  # of 10 and 0 %, of 4 and 2 %
    assert measured.flat()["test_by_dataset.b.nme_percent"] == 3.0
    assert "test of b: NME 3.00 % on 2 faces" in capsys.readouterr().out
    assert "By dataset, test: 5.00 % on the 2 faces of a, 3.00 % on the 2 faces of b" in track.describe(measured)


@pytest.mark.slow
def test_every_number_is_that_worked_out_by_hand(prepared: Path) -> None:
    measured = run()
    assert (measured.dataset, measured.model.name, measured.model.parameters) == ("by hand", "stub", 9)
    # Two people with means 5 and 3 %: the mean of two drawn is 3, 4, 4 or 5 %, so that the interval ends at 3 and 5.
    assert measured.test == GroupMetrics(
        faces=4,
        nme_percent=4.0,  # of 10, 0, 4 and 2 %
        nme_median_percent=3.0,
        nme_ci95_low_percent=3.0,
        nme_ci95_high_percent=5.0,
        auc_08_percent=56.25,  # mean of 0, 1, 1 - 4/8 and 1 - 2/8
        failure_rate_08_percent=25.0,
        nme_box_percent=8.0,  # over 10 px instead of 20
        # A source pixel is 2 of a crop of 112 and 4 of one of 224, over 50: 0.08. So one coordinate is 0.48 off, three
        # are 0.064, one is 0.096, and 19 are right.
        smooth_l1=0.005248,
        mse=0.010496,
    )
    assert measured.test_regions_nme_percent == {"eyes": 4.75, "nose": 2.5}  # 15, 0, 4, 0 and 0, 0, 4, 6 %
    assert measured.test_mean_shape.nme_percent == 10.0


def write_partly_labelled() -> None:
    """A_0 has no nose, of B_3 an eye is not labelled, the nose of B_4 is hidden; no training frame labels the nose."""
    table = read_label_table(paths.RAW / LABELS["test"])
    points, flags = table.keypoints_source, np.full((4, 3), 2)
    row = {name: number for number, name in enumerate(table.names)}
    points[row["A_0.jpg"], 2] = points[row["B_3.jpg"], 1] = np.nan
    flags[row["A_0.jpg"], 2] = flags[row["B_3.jpg"], 1] = 0
    flags[row["B_4.jpg"], 2] = 1
    write_keypoints_csv(paths.RAW / LABELS["test"], table.names, points, flags)
    for split, missing in (("test", [(0, 2), (3, 1)]), ("train", [(0, 2), (1, 2)])):
        crops = np.load(paths.PROCESSED / split / "keypoints.npy")
        for frame, point in missing:
            crops[frame, point] = np.nan
        np.save(paths.PROCESSED / split / "keypoints.npy", crops)


def test_labels_of_some_points_are_measured_by_hand(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_partly_labelled()
    measured = run()
    test = measured.test
    assert (test.faces, test.not_measured, measured.val.not_measured) == (3, 1, None)
    assert test.nme_percent == pytest.approx((15 + 0 + 2) / 3, abs=1e-4)  # 6 px in one of two points, over 20 px: 15 %
    assert (test.nme_seen_points_percent, test.nme_hidden_points_percent) == (5.0, 6.0)  # of 15, 0, 0 and of 6 %
    assert test.nme_box_percent == 2.0  # of 0 and 4 %: two eyes alone, side by side, make no box
    assert measured.test_regions_nme_percent == {"eyes": 5.0, "nose": 3.0}  # 15, 0, 0 and 0, 6 %
    assert measured.points_in_no_training_frame == ["2"]
    assert "1 cannot be measured" in capsys.readouterr().out
    names = ["test/A_0", "test/A_2", "test/B_4"]
    assert read_test_faces(names)["worst_point"].tolist()[::2] == [0, 2]
    errors = np.array([[30, 0, np.nan], [0, 0, 0], [0, 0, 6]])
    assert read_test_point_errors(3, 3) == pytest.approx(errors, abs=1e-4, nan_ok=True)


def test_what_a_network_tells_of_its_certainty_is_compared_with_what_is_found(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Radii of 1, 2 and 4 px of the crop, which are 2.5, 5 and 10 % of the eye distance.

    In radii the points of the test are missed by 12 and 1.6, by 0.8, by 0.4 and 0.6, and the seven others by 0.
    """
    missing = vars(evaluate)["predict_crops_and_radii"]
    monkeypatch.setattr(
        evaluate,
        "predict_crops_and_radii",
        lambda network, images: (missing(network, images)[0], np.tile([1.0, 2.0, 4.0], (len(images), 1))),
    )
    measured = run()
    assert measured.test.coverage_percent == (83.3333, 91.6667)  # 10 and 11 of 12
    assert measured.val.coverage_percent == (100, 100)
    groups = list(read_reliability().groupby(["split", "measure"]))
    told, found = ({key: rows[f"{kind}_percent"].to_list() for key, rows in groups} for kind in ("told", "found"))
    assert told["test", "share"] == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    inside = np.array([7, 8, 9, 10, 10, 10, 10, 10, 11])  # radii 0.38, 0.56, 0.71, 0.86, 1, 1.15, 1.32, 1.53 and 1.84
    assert found["test", "share"] == pytest.approx(100 * inside / 12, abs=1e-4)
    assert told["test", "radius"] == [2.5] * 2 + [5] * 4 + [10] * 4
    # Errors of 30, 0, 4, 0 and 0, 0, 4, 0 and 0, 0, 4, 6 %, in two groups of two and eight of one.
    assert found["test", "radius"] == [15, 2, 0, 0, 4, 0, 0, 0, 4, 6]
    assert found["val", "radius"] == [0, 0, 6]


def test_of_a_network_that_tells_no_radii_nothing_is_written(prepared: Path) -> None:
    assert run().test.coverage_percent is None
    assert read_reliability().empty
    paths.RELIABILITY.write_text("split,measure,told_percent,found_percent\nval,share,50,inf\n")
    with pytest.raises(DataError, match=r"reliability\.csv: a share or radius is no number; make it again with: dvc"):
        read_reliability()


def test_what_only_labels_of_some_points_have_stands_in_no_report_of_whole_ones(prepared: Path) -> None:
    run()
    report = json.loads(paths.METRICS.read_text())
    assert "points_in_no_training_frame" not in report
    assert not {"not_measured", "nme_seen_points_percent"} & set(report["test"])


def test_a_test_of_which_no_face_can_be_measured_is_refused(prepared: Path) -> None:
    crops = np.load(paths.PROCESSED / "test" / "keypoints.npy")
    crops[:, 0] = np.nan
    np.save(paths.PROCESSED / "test" / "keypoints.npy", crops)
    with pytest.raises(DataError, match="labels no frame with the distance between points 0 and 1, that errors are"):
        run()


def test_people_who_train_and_people_who_do_not_are_measured_apart(prepared: Path) -> None:
    measured = run()
    known, unseen, val = measured.test_known_people, measured.test_unseen_people, measured.val
    assert [(group.faces, group.nme_percent) for group in (known, unseen, val)] == [(2, 5.0), (2, 3.0), (1, 2.0)]
    assert known.nme_ci95_percent is None  # one person tells nothing of others


def test_each_face_and_each_point_has_its_error(prepared: Path) -> None:
    run()
    names = ["test/A_0", "test/A_2", "test/B_3", "test/B_4"]
    faces = read_test_faces(names)
    assert faces["nme_percent"].tolist() == [10, 0, 4, 2]
    assert faces["known"].tolist() == [True, True, False, False]
    assert faces["worst_point"].tolist()[::3] == [0, 2]
    assert faces["normalizing_length_px"].tolist() == [20] * 4
    assert read_test_point_errors(4, 3) == pytest.approx(
        np.array([[30, 0, 0], [0, 0, 0], [4, 4, 4], [0, 0, 6]]), abs=1e-4
    )


def test_the_distribution_counts_faces_in_percent(prepared: Path) -> None:
    run()
    ced = pd.read_csv(paths.CED).set_index("nme_percent")
    assert ced.loc[[0.05, 2.05, 4.05, 10.05], "model_percent"].tolist() == [25, 50, 75, 100]
    assert ced.loc[[9.95, 10.05], "mean_shape_percent"].tolist() == [0, 100]


def test_the_predictions_are_those_of_all_frames_in_source_pixels(prepared: Path) -> None:
    run()
    table = pd.read_csv(paths.TEST_PREDICTIONS, index_col=0)
    assert table.loc["B_3.jpg"].tolist() == [10.8, 10, 30.8, 10, 20.8, 15]
    assert table.index.tolist() == [f"{row[0]}_{i}.jpg" for i, row in enumerate(TEST)]


def test_the_same_faces_give_the_same_bytes(prepared: Path) -> None:
    run()
    outputs = [paths.METRICS, paths.CED, paths.PER_FRAME, paths.TEST_ERRORS, *paths.PREDICTIONS.values()]
    first = [path.read_bytes() for path in outputs]
    run()
    assert [path.read_bytes() for path in outputs] == first


def test_a_val_without_faces_is_measured_as_none(prepared: Path) -> None:
    samples = pd.read_csv(paths.PROCESSED / "val" / "samples.csv").assign(labelled=False)
    samples.to_csv(paths.PROCESSED / "val" / "samples.csv", index=False)
    np.save(paths.PROCESSED / "val" / "keypoints.npy", np.full((2, 3, 2), np.nan, np.float32))
    assert run().val == GroupMetrics.empty()


def test_a_test_without_labels_is_refused(prepared: Path) -> None:
    samples = pd.read_csv(paths.PROCESSED / "test" / "samples.csv").assign(labelled=False)
    samples.to_csv(paths.PROCESSED / "test" / "samples.csv", index=False)
    np.save(paths.PROCESSED / "test" / "keypoints.npy", np.full((5, 3, 2), np.nan, np.float32))
    with pytest.raises(DataError, match=r"test_frames_keypoints\.csv labels no frame"):
        run()


def test_a_model_of_other_points_than_the_dataset_is_refused(prepared: Path) -> None:
    write_scheme(replace(SCHEME, title="three other points"))
    with pytest.raises(DataError, match=r"has three points and the dataset three other points; train again: dvc repro"):
        run()


def test_a_frame_that_lost_its_label_is_named(prepared: Path) -> None:
    write_keypoints_csv(paths.RAW / LABELS["test"], ["A_0.jpg"], FACE[None])
    with pytest.raises(DataError, match=r"no label table of data/raw has 'A_2\.jpg'"):
        run()


def test_names_of_what_is_written_say_percent(prepared: Path) -> None:
    run()
    report = json.loads(paths.METRICS.read_text())
    assert {name for name in report["test"] if not name.endswith("_percent")} == {"faces", "smooth_l1", "mse"}

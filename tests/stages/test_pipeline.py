"""The whole pipeline by its own commands, on a few synthetic faces."""

import csv
import json

import numpy as np
import pytest

from tests.checkout import report

RUNS = "select run_uuid, name, status from runs where lifecycle_stage = 'active' order by start_time"

pytestmark = pytest.mark.long


def table(path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_metrics_hold_exactly_what_they_should(built):
    metrics = report(built)
    assert list(metrics) == [
        "dataset",
        "model",
        "val",
        "test",
        "test_known_people",
        "test_unseen_people",
        "test_regions_nme_percent",
        "test_mean_shape",
    ]
    assert metrics["dataset"] == "synthetic"
    assert set(metrics["model"]) == {"name", "parameters"}
    groups = [metrics[name] for name in ("val", "test", "test_known_people", "test_unseen_people")]
    assert groups[0]["faces"] > 0
    assert groups[1]["faces"] == groups[2]["faces"] + groups[3]["faces"] > 0
    for group in groups:
        assert list(group) == [
            "faces",
            "nme_percent",
            "nme_median_percent",
            "nme_ci95_low_percent",
            "nme_ci95_high_percent",
            "auc_08_percent",
            "failure_rate_08_percent",
            "nme_box_percent",
            "smooth_l1",
            "mse",
            "coverage_50_percent",
            "coverage_90_percent",
        ]
    val = groups[0]
    assert val["nme_ci95_low_percent"] <= val["nme_percent"] <= val["nme_ci95_high_percent"]


def test_predictions_complete_the_labels(built):
    data = built.folder / "data"
    frames = sorted(path.name for path in (data / "raw" / "test").iterdir())
    predicted = table(data / "predictions" / "test_frames_keypoints.csv")
    labels = table(data / "raw" / "test_frames_keypoints.csv")
    assert [row[0] for row in predicted[1:]] == frames
    assert predicted[0] == labels[0]
    assert 0 < len(labels) - 1 < len(frames)


@pytest.mark.parametrize(("split", "labels"), [("val", "training"), ("test", "test")])
def test_the_reported_error_is_that_of_the_predictions(built, split, labels):
    data = built.folder / "data"
    predicted, truth = (
        {row[0]: np.array(row[1:], float).reshape(68, 2) for row in table(path)[1:]}
        for path in (data / f"predictions/{split}_frames_keypoints.csv", data / f"raw/{labels}_frames_keypoints.csv")
    )
    errors = [
        100 * np.linalg.norm(predicted[name] - points, axis=1).mean() / np.linalg.norm(points[36] - points[45])
        for name, points in truth.items()
        if name in predicted
    ]
    assert report(built)[split]["faces"] == len(errors) > 0
    assert report(built)[split]["nme_percent"] == pytest.approx(np.mean(errors), abs=1e-2)
    header, *rows = table(built.folder / "reports" / "per_frame.csv")
    per_frame = [float(row[header.index("nme_percent")]) for row in rows if row[header.index("split")] == split]
    assert np.mean(per_frame) == pytest.approx(np.mean(errors), abs=1e-2)


def test_every_figure_is_a_picture(built):
    figures = sorted((built.folder / "reports" / "figures").glob("*.png"))
    assert len(figures) == 7
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in figures)


def test_one_repro_is_one_complete_run(first_results):
    ((run, _, status),) = first_results.mlflow(RUNS)
    assert status == "FINISHED"
    params = dict(first_results.mlflow(f"select key, value from params where run_uuid = '{run}'"))
    assert params["fetch.source"] == "synthetic"
    assert params["train.epochs"] == "2"
    assert params["render.seed"] == "0"
    points = (
        f"select step, value from metrics where run_uuid = '{run}' and key = 'curves/val_nme_percent' order by step"
    )
    curve = first_results.mlflow(points)
    history = table(first_results.folder / "reports" / "history.csv")
    assert [step for step, _ in curve] == [1, 2]
    assert [value for _, value in curve] == pytest.approx([float(row[-1]) for row in history[1:]], abs=1e-6)
    assert history[0][-1] == "val_nme_percent"
    metrics = dict(first_results.mlflow(f"select key, value from latest_metrics where run_uuid = '{run}'"))
    assert metrics["test/nme_percent"] == report(first_results)["test"]["nme_percent"]


def test_dvc_knows_the_metrics_the_plots_and_the_parameters(built):
    shown = json.loads(built.run("dvc", "metrics", "show", "--json"))
    assert shown[""]["data"]["reports/metrics.json"]["data"] == report(built)
    page = built.run("dvc", "plots", "show").strip()
    assert page.endswith("dvc_plots/index.html")
    assert "dvc_plots" not in built.run("git", "status", "--porcelain")


def test_nothing_changed_runs_nothing_and_adds_no_run(built):
    before, runs = (built.folder / "dvc.lock").read_bytes(), built.mlflow(RUNS)
    assert "Running stage" not in built.run("dvc", "repro")
    assert (built.folder / "dvc.lock").read_bytes() == before
    assert built.mlflow(RUNS) == runs


def test_an_experiment_reruns_what_it_changes_and_is_one_more_run(built, tried):
    told, _ = tried
    assert "Running stage 'evaluate'" in told
    assert "Running stage 'train'" not in told
    assert [status for _, name, status in built.mlflow(RUNS) if name.startswith("bootstrap ")] == ["FINISHED"]
    changed = json.loads(built.run("dvc", "params", "diff", "--json", "HEAD", "bootstrap"))
    assert changed["params.yaml"]["evaluate.seed"] == {"old": 0, "new": 1, "diff": 1}
    assert "bootstrap" in built.run("dvc", "exp", "show", "--csv")


def test_a_damaged_frame_stops_the_pipeline_with_one_line(built):
    frame = next((built.folder / "data" / "raw" / "test").iterdir())
    content = frame.read_bytes()
    frame.unlink()  # a link into the cache
    frame.write_bytes(content[:100])
    done = built.attempt("python", "-m", "pipeline", "preprocess")
    frame.write_bytes(content)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(f"error: data/raw/test/{frame.name} is empty, truncated or no image")
    assert "Traceback" not in done.stdout

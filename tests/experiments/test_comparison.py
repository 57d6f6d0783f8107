"""Two runs side by side, from git, from the workspace and from MLflow's store."""

import json
import os
import subprocess
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from facial_keypoints.core.errors import DataError
from pipeline.cli import app
from pipeline.core import paths
from pipeline.experiments.comparison import changed, most_different_samples, paired_difference
from pipeline.experiments.lookup import find_results
from pipeline.experiments.most_different_faces import predicted
from pipeline.models.network import KeypointNetwork
from tests.core.test_yaml_files import aliases

PEOPLE = 12
FACES = [f"test/Person_{chr(65 + person)}_0{frame}" for person in range(PEOPLE) for frame in range(3)]


def nme(shift: float = 0.0) -> pd.Series:
    """NME of each face, percent."""
    return pd.Series(np.linspace(3, 6, len(FACES)) + shift, FACES)


def test_a_constant_difference_has_an_interval_of_no_width():
    difference = paired_difference(nme(), nme(-1))
    assert (difference.faces, difference.people, difference.verdict) == (36, 12, "B is better")
    assert difference.mean == pytest.approx(-1)
    assert difference.interval == pytest.approx((-1, -1))


def test_pairing_finds_what_two_separate_intervals_would_hide():
    first = pd.Series(np.linspace(1, 20, len(FACES)), FACES)
    second = first + 0.1 + 0.05 * np.sin(np.arange(len(FACES)))
    assert paired_difference(first, second).verdict == "A is better"


def test_one_odd_person_is_no_difference():
    second = nme()
    second[FACES[:3]] += 5
    difference = paired_difference(nme(), second)
    assert difference.mean == pytest.approx(5 / PEOPLE)
    assert difference.interval[0] == pytest.approx(0, abs=1e-12)
    assert difference.verdict == "no difference beyond chance"


def test_faces_of_one_person_tell_nothing_of_others():
    difference = paired_difference(nme()[FACES[:3]], nme(-1)[FACES[:3]])
    assert difference.interval is None
    assert difference.verdict == "one person tells nothing of others"
    assert str(difference) == "-1.00 points, 95 % interval unknown"


def test_only_common_faces_count():
    assert paired_difference(nme(), nme(1)[FACES[:6]]).faces == 6
    with pytest.raises(ValueError, match="no face in common"):
        paired_difference(nme(), nme().rename(lambda name: f"other/{name}"))


def test_faces_that_differ_most_come_first_either_way():
    second = nme()
    second[FACES[5]] -= 2
    second[FACES[2]] += 1
    assert most_different_samples(nme(), second, 2) == [FACES[5], FACES[2]]


def test_a_run_without_an_error_on_val_cannot_be_ranked(two_revisions):
    """As where no frame of val labels the points that the error is divided by."""
    report = json.loads(paths.METRICS.read_text())
    paths.METRICS.write_text(json.dumps(report | {"val": {"nme_percent": None}}))
    with pytest.raises(DataError, match="measured no error on val, by which runs are ranked; label the points"):
        find_results("workspace").val_nme_percent()
    assert find_results("first").val_nme_percent() == pytest.approx(4.5)


class Centre(KeypointNetwork):
    """Places each point in the middle of the (S, S) frames that it is shown."""

    def __init__(self) -> None:
        super().__init__(68)
        self.sides: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sides.append(images.shape[-1])
        return torch.full((len(images), 1, 68, 2), (images.shape[-1] - 1) / 2)


@pytest.mark.parametrize("size_px", [64, 96])
def test_a_run_in_mlflow_sees_frames_as_it_was_trained_on(workspace, monkeypatch, size_px):
    """Not those of another size that are prepared here; it answers in pixels of the frame as it came."""
    description = SimpleNamespace(preprocess=SimpleNamespace(size_px=size_px, fit="pad"))
    network = Centre().eval()
    monkeypatch.setattr("pipeline.models.model_file.open_model_file", lambda path: (description, network))
    monkeypatch.setattr("pipeline.experiments.tracking.model_location.locate_weights", lambda uri, folder: folder)
    (paths.RAW / "train").mkdir(parents=True)
    cv2.imwrite(str(paths.RAW / "train" / "a.png"), np.zeros((101, 201), np.uint8))
    samples = pd.DataFrame({"folder": ["train"], "file": ["a.png"]})
    found = predicted(SimpleNamespace(model_uri="runs:/1/model"), "val", samples)
    assert network.sides == [size_px]
    assert found == pytest.approx(np.full((1, 68, 2), (100.0, 50.0)))


def test_changed_values_come_with_both_sides():
    assert changed({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == {"b": (2, 3), "c": (None, 4)}


def test_a_number_written_in_another_way_is_no_change():
    assert changed({"a": "25", "b": "l1"}, {"a": "25.0", "b": "l1"}) == {}


def write_reports(shift: float, lr: float) -> None:
    for path in (paths.METRICS, paths.PARAMS):
        path.parent.mkdir(exist_ok=True, parents=True)
    paths.PARAMS.write_text(f"train:\n  lr: {lr}\n  loss: l1\nmodel: {{name: one}}\n")
    error = {"nme_percent": float(nme(shift).mean()), "auc_08_percent": 50}
    measured = {"dataset": "synthetic", "val": error, "test": error}
    paths.METRICS.write_text(json.dumps(measured))
    table = pd.DataFrame({"sample_id": FACES, "split": "val", "nme_percent": nme(shift).to_numpy(), "known": True})
    table.to_csv(paths.PER_FRAME, index=False)


def git(*arguments: str, environment: dict[str, str] | None = None) -> str:
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *arguments]
    variables = os.environ | (environment or {})
    return subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout.strip()


@pytest.fixture
def two_revisions(workspace):
    """A repository whose tag `first` and experiment `tried` differ, and a workspace worse than both."""
    git("init", "-q")
    write_reports(0.0, 0.004)
    git("add", "-A")
    git("commit", "-qm", "first")
    git("tag", "first")
    write_reports(-0.5, 0.002)
    git("commit", "-qam", "tried")
    git("update-ref", "refs/exps/ab/cd/tried", "HEAD")
    git("reset", "-q", "--hard", "first")
    write_reports(1, 0.1)
    return workspace


@pytest.mark.parametrize("baseline", ["aa/aa", "zz/zz"])
def test_of_experiments_with_one_name_the_newest_is_meant(two_revisions, baseline):
    older = find_results("tried").params["train.lr"]
    tree, date = git("rev-parse", "first^{tree}"), "2090-01-01T00:00:00 +0000"
    newest = git("commit-tree", tree, "-m", "again", environment={"GIT_COMMITTER_DATE": date})
    git("update-ref", f"refs/exps/{baseline}/tried", newest)
    assert (older, find_results("tried").params["train.lr"]) == ("0.002", "0.004")


def test_results_come_from_a_revision_an_experiment_and_the_workspace(two_revisions):
    found = [find_results(name) for name in ("first", "tried", "workspace")]
    assert [results.params["train.lr"] for results in found] == ["0.004", "0.002", "0.1"]
    assert [results.params["train.loss"] for results in found] == ["l1"] * 3
    assert [results.metrics["test.nme_percent"] for results in found] == pytest.approx([4.5, 4.0, 5.5])
    assert list(found[0].nme("val").index) == FACES


def test_reports_of_an_older_checkout_say_the_same(two_revisions):
    """They held fractions, and of the test alone before there was a val."""
    now = find_results("workspace")
    values = [now.metrics[f"{split}.nme_percent"] / 100 for split in ("val", "test")]
    older = {"dataset": "synthetic", "val": {"nme": values[0]}, "test": {"nme": values[1], "auc_08": 0.5}}
    paths.METRICS.write_text(json.dumps(older))
    faces = now.faces.assign(nme=now.faces["nme_percent"] / 100).drop(columns=["nme_percent", "split"])
    faces.to_csv(paths.PER_FRAME)
    then = find_results("workspace")
    assert then.metrics["test.nme_percent"] == pytest.approx(now.metrics["test.nme_percent"])
    assert then.metrics["test.auc_08_percent"] == 50
    assert then.nme("test").to_numpy() == pytest.approx(now.nme("val").to_numpy())


def test_the_command_tells_parameters_metrics_and_the_verdict(two_revisions):
    done = CliRunner().invoke(app, ["compare", "first", "tried"])
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines()]
    assert ["train.lr", "0.004", "0.002"] in rows
    assert ["val", "NME", "4.50", "%", "4.00", "%"] in rows
    assert ["test", "NME", "4.50", "%", "4.00", "%"] in rows
    assert not [row for row in rows if row and row[0] == "train.loss"]
    assert "radii" not in done.output
    assert "-0.50 points, 95 % interval -0.50 to -0.50, over 36 faces of 12 people: B is better" in " ".join(
        done.output.split()
    )
    assert (two_revisions / "comparison" / "ced.png").read_bytes().startswith(b"\x89PNG")
    assert "no picture of faces" in done.stderr


def test_the_command_tells_how_many_points_lie_inside_radii_where_a_network_tells_them(two_revisions):
    report = json.loads(paths.METRICS.read_text())
    report["val"] |= {"coverage_50_percent": 48.5, "coverage_90_percent": 89.25}
    paths.METRICS.write_text(json.dumps(report))
    done = CliRunner().invoke(app, ["compare", "first"])
    rows = [line.split() for line in done.output.splitlines()]
    for told, found in ("50", "48.50"), ("90", "89.25"):
        assert ["val", "points", "in", "radii", "for", told, "%", "unknown", found, "%"] in rows


def test_an_unknown_name_is_one_line(two_revisions, monkeypatch):
    monkeypatch.setattr("pipeline.experiments.lookup.find_run", lambda name: None)
    done = CliRunner().invoke(app, ["compare", "first", "--", "--nobody"])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "--nobody is neither workspace, a DVC experiment, a git revision nor an MLflow run" in done.stderr


def test_damaged_reports_are_named(two_revisions):
    paths.METRICS.write_text("{")
    with pytest.raises(DataError, match="the reports of workspace are damaged"):
        find_results("workspace")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (paths.PARAMS, aliases(20)),
        (paths.PARAMS, "[" * 50_000),
        (paths.PARAMS, "train: [1"),
        (paths.PARAMS, "just text"),
        (paths.PARAMS, "a: [{[1, 2]: 3}]"),
        (paths.PARAMS, "a: 2001-99-99"),
        (paths.METRICS, "[" * 100_000),
        (paths.METRICS, '{"test":' * 500 + "{}" + "}" * 500),
        (paths.METRICS, '{"dataset": "synthetic", "test": {"nme": NaN}}'),
        (paths.METRICS, '{"dataset": "synthetic", "test": {"nme": 1e400}}'),
        (paths.METRICS, '{"dataset": "synthetic", "test": {"nme": ' + "9" * 5000 + "}}"),
        (paths.METRICS, "[]"),
        (paths.METRICS, "null"),
        (paths.METRICS, "{}"),
        (paths.PER_FRAME, ""),
        (paths.PER_FRAME, "sample_id,nme\n"),
        (paths.PER_FRAME, "sample_id,nme,known\na,nan,True\n"),
        (paths.PER_FRAME, "sample_id,nme,known\na,1e999,True\n"),
        (paths.PER_FRAME, "sample_id,nme,known\na,much,True\n"),
        (paths.PER_FRAME, "sample_id,nme,known\na,0.1,perhaps\n"),
        (paths.PER_FRAME, "sample_id,nme,known\na,0.1,True\na,0.2,True\n"),
        (paths.PER_FRAME, "sample_id,nme,known\n" + "x" * 200_000),
    ],
)
def test_hostile_reports_of_a_run_are_one_line(two_revisions, path, content):
    path.write_text(content)
    git("commit", "-qam", "hostile")
    for name in ("workspace", "HEAD"):
        done = CliRunner().invoke(app, ["compare", "first", name])
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1), done.output
        assert f"of {name} " in done.stderr
        assert len(done.stderr) < 400


def test_dates_in_parameters_of_a_run_are_shown(two_revisions):
    paths.PARAMS.write_text("a: 2001-01-01\nb: [2001-01-01]\n")
    assert find_results("workspace").params == {"a": '"2001-01-01"', "b": '["2001-01-01"]'}


def test_reports_that_are_no_plain_files_are_refused(two_revisions):
    paths.METRICS.unlink()
    os.mkfifo(paths.METRICS)
    with pytest.raises(DataError, match="it is no plain file"):
        find_results("workspace")

"""The list of all runs: in what order, under which names, and what it leaves alone."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from facial_keypoints.core.errors import ModelError, TrackingError
from pipeline.cli import app
from pipeline.core import paths
from pipeline.experiments.dvc.experiments import experiment_commits
from pipeline.experiments.lookup import find_results
from pipeline.experiments.run_list import ListedRun, listed_runs, ranked, recorded_as, short_names
from pipeline.experiments.tracking import mlflow_store, run_search
from pipeline.experiments.tracking.model_location import locate_model
from pipeline.experiments.tracking.run_search import find_run
from tests.experiments.test_comparison import git, two_revisions, write_reports

__all__ = ["two_revisions"]  # fixture

BASELINE = {"fetch.source": "youtube-faces", "split.seed": "0", "train.lr": "0.004", "train.seed": "0"}


def run(name: str, val: float | None, test: float = 3.0, **changed: str) -> ListedRun:
    params = BASELINE | {key.replace("__", "."): value for key, value in changed.items()}
    metrics = {"test.nme_percent": test} | ({} if val is None else {"val.nme_percent": val})
    return ListedRun(name, None, params, metrics)


def names(rows) -> list[str]:
    return [row.run.dvc_name for row in rows]


def test_the_best_on_val_comes_first_whatever_the_test_says():
    runs = [run("worse", 4.1, test=3.0), run("best", 3.9, test=3.9), run("middle", 4.0, test=1.0)]
    assert names(ranked(runs, BASELINE)) == ["best", "middle", "worse"]


def test_runs_on_other_faces_and_runs_without_val_do_not_lead():
    runs = [
        run("no val", None, test=1.0),
        run("no val either", None, test=0.5),
        run("other people", 0.1, split__seed="1"),
        run("synthetic", 0.2, fetch__source="synthetic"),
        run("honest", 9.0),
    ]
    assert names(ranked(runs, BASELINE)) == ["honest", "other people", "synthetic", "no val either", "no val"]


def test_settings_of_synthetic_frames_decide_on_faces_only_where_there_are_some():
    for source, expected in {"youtube-faces": ["best", "worse"], "a+synthetic": ["worse", "best"]}.items():
        baseline = BASELINE | {"fetch.source": source, "fetch.synthetic.people": "70"}
        runs = [
            run("worse", 4.0, fetch__source=source, fetch__synthetic__people="70"),
            run("best", 3.0, fetch__source=source, fetch__synthetic__people="100"),
        ]
        assert names(ranked(runs, baseline)) == expected


def test_of_the_parameters_only_what_differs_is_told():
    (row,) = ranked([run("tried", 4.0, train__lr="0.0040", train__seed="1")], BASELINE)
    assert dict(row.differs) == {"train.seed": "1"}
    assert not row.other_version


def test_a_run_with_other_parameters_is_of_another_version():
    (row,) = ranked([run("older", 4.0, train__momentum="0.9")], BASELINE)
    assert dict(row.differs) == {}
    assert row.other_version


def test_parameters_are_called_by_as_little_as_tells_them_apart():
    names = ["train.seed", "split.seed", "model.coarse_to_fine.fine_width", "seed", "model.seed.width"]
    assert list(short_names(names).values()) == ["train.seed", "split.seed", "fine_width", "seed", "width"]


def finished(params: dict[str, str], metrics: dict[str, float], **tags: str) -> str:
    """Id of a finished run in MLflow."""
    store = mlflow_store.open_store()
    made = store.client.create_run(store.experiment_id, tags=tags, run_name="a network").info.run_id
    mlflow_store.log_params(store, made, params)
    mlflow_store.log_epochs(store, made, {0: metrics})
    store.client.set_terminated(made)
    return str(made)


@pytest.fixture
def store(workspace: Path, empty_store: Path) -> Path:
    """A workspace whose MLflow database is there and empty."""
    (workspace / "mlflow.db").write_bytes(empty_store.read_bytes())
    return workspace


PARAMS = {"train.lr": "0.002", "train.loss": "l1", "model.name": "one"}
"""Those of the experiment `tried`."""


def listed(*arguments: str, columns: int = 80) -> str:
    done = CliRunner().invoke(app, ["runs", *arguments], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= columns
    return done.stdout


def test_a_run_that_both_keep_is_one_line_with_both_names(store, two_revisions):
    # MLflow kept fractions by dotted names once.
    recorded = finished(PARAMS, {"val.nme": 0.04, "test.nme": 0.04})
    other = finished(PARAMS | {"train.lr": "0.1"}, {"val.nme": 0.055, "test.nme": 0.055})
    runs, faults = listed_runs()
    assert faults == []
    assert [(each.dvc_name, each.run_id) for each in runs] == [("HEAD", None), ("tried", recorded), (None, other)]


def test_an_experiment_is_registered_by_its_own_name_though_mlflow_calls_it_otherwise(store, two_revisions):
    recorded = finished(PARAMS, {"val.nme": 0.04, "test.nme": 0.04}, dvc_experiment="did-the-same")
    assert recorded_as("tried") == recorded
    assert recorded_as("nobody's") is None
    done = CliRunner().invoke(app, ["register", "tried"])
    assert "no finished run" not in done.stderr


def test_runs_that_are_not_finished_are_counted(store, two_revisions):
    finished(PARAMS, {"val.nme": 0.04, "test.nme": 0.04})
    assert "Not shown" not in listed()
    opened = mlflow_store.open_store()
    opened.client.create_run(opened.experiment_id)
    pruned = opened.client.create_run(opened.experiment_id, tags={"trial_state": "PRUNED"}).info.run_id
    opened.client.set_terminated(pruned, "KILLED")
    assert "Not shown: 1 run of MLflow, unfinished, failed or interrupted." in listed()


def test_the_table_fits_80_columns_and_leads_with_the_best(store, two_revisions):
    recorded = finished(PARAMS, {"val.nme": 0.04, "test.nme": 0.04})
    heading, first, second, *_ = (line.split() for line in listed().splitlines())
    assert first == ["tried", recorded[:8], "4.00", "-", "lr=0.002", "4.00"]
    assert second == ["HEAD", "-", "4.50", "-", "4.50"]
    assert " ".join(heading) == "experiment MLflow val % interval differs from HEAD test %"


def test_a_wide_terminal_shows_more_and_a_long_difference_goes_on_below(store, two_revisions):
    finished(PARAMS | {"model.name": "m" * 100}, {"val.nme": 0.03, "val.auc_08": 0.5, "val.failure_rate_08": 0.25})
    assert "AUC %" not in listed()
    assert listed().count("m" * 10) > 1
    wide = listed(columns=240).splitlines()
    assert "AUC %" in wide[0]
    assert "above 8 %" in wide[0]
    assert wide[1].split()[4:6] == ["50.0", "25.0"]
    assert "name=" + "m" * 100 in wide[1]


def test_the_table_says_what_is_not_to_be_ranked_and_why(store, two_revisions):
    finished(PARAMS, {"test.nme": 0.04})
    told = " ".join(listed().split())
    assert "no val, as nobody was held out or the run is older: ranked by the test" in told
    assert "look at the test when all is chosen" in told
    assert "other faces" not in told


def test_an_experiment_whose_reports_are_damaged_is_told_and_left_out(two_revisions):
    write_reports(0.0, 0.004)
    paths.METRICS.write_text("{")
    git("add", "-A")
    git("commit", "-qam", "damaged")
    git("update-ref", "refs/exps/ab/cd/damaged", "HEAD")
    git("reset", "-q", "--hard", "first")
    done = CliRunner().invoke(app, ["runs"])
    assert done.exit_code == 0
    assert "left out: reports/metrics.json of damaged is damaged" in done.stderr
    assert "tried" in done.stdout
    assert not Path("mlflow.db").exists()


def test_names_from_outside_are_text_in_the_table(store):
    finished({"model.name": "\x1b[2J[red]one[/red]"}, {"val.nme": 0.04})
    paths.PARAMS.write_text("model: {name: two}\n")
    told = listed(columns=150)
    assert r"name=\x1b[2J[red]one[/red]" in told
    assert "differs from workspace" in told


EMPTY = [["runs"], ["compare", "anything"], ["register"], ["register", "anything"]]


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_where_nothing_is_kept_it_is_said_in_one_line_and_nothing_is_made(workspace, arguments):
    done = CliRunner().invoke(app, arguments)
    assert done.output.count("\n") == 1
    assert list(workspace.iterdir()) == []


def test_the_line_of_no_run_names_the_way_to_one(workspace):
    done = CliRunner().invoke(app, ["runs"])
    assert done.exit_code == 0
    assert "no run yet, neither here nor in MLflow at /" in done.stdout
    assert done.stdout.endswith("make it one: git init && git add -A && git commit -m start\n")
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "empty")
    assert CliRunner().invoke(app, ["runs"]).stdout.endswith("; make one with: dvc repro\n")


@pytest.mark.slow
def test_without_git_the_runs_of_mlflow_are_listed_and_the_reason_is_told(store):
    made = finished(PARAMS, {"val.nme": 0.04})
    done = CliRunner().invoke(app, ["runs"])
    assert made[:8] in done.stdout
    assert "left out: DVC's experiments cannot be listed: " in done.stderr


def test_an_unknown_name_makes_no_store_in_a_repository(two_revisions):
    done = CliRunner().invoke(app, ["compare", "first", "nobody"])
    assert "nobody is neither workspace, a DVC experiment" in done.stderr
    assert not list(two_revisions.glob("mlflow*"))
    assert not (two_revisions / "mlartifacts").exists()


def test_the_beginning_of_an_id_stands_for_the_run(store, tmp_path):
    made = finished(PARAMS, {"val.nme": 0.04})
    assert find_run(made[:8]).info.run_id == made
    assert find_run(made[:3]) is None
    assert find_run("") is None


def test_the_beginning_of_several_ids_is_refused(store, monkeypatch):
    made = finished(PARAMS, {"val.nme": 0.04})
    twice = run_search.finished_runs(run_search.find_store()) * 2
    monkeypatch.setattr(run_search, "finished_runs", lambda store, condition="": [] if condition else twice)
    with pytest.raises(TrackingError, match=f"the ids of 2 runs of MLflow begin with {made[:8]}; give more"):
        find_run(made[:8])


def test_a_run_is_predicted_with_by_its_short_id_and_by_its_experiment(store, tmp_path):
    made = finished(PARAMS, {"val.nme": 0.04}, dvc_experiment="brave-hat")
    (store / "model.safetensors").write_bytes(b"weights")
    mlflow_store.open_store().client.log_artifact(made, str(store / "model.safetensors"), "model")
    for number, name in enumerate((made, made[:8], "brave-hat")):
        assert locate_model(f"runs:/{name}/model", tmp_path / str(number)).read_bytes() == b"weights"
    with pytest.raises(ModelError, match="cannot be had from MLflow"):
        locate_model("runs:/timid-hat/model", tmp_path / "none")


def test_a_run_is_compared_by_its_short_id(store):
    write_reports(0.0, 0.004)
    made = finished(PARAMS, {"val.nme": 0.045})
    client = mlflow_store.open_store().client
    for path in (paths.METRICS, paths.PER_FRAME):
        client.log_artifact(made, str(path), "reports")
    assert find_results(made[:8]).metrics["val.nme_percent"] == pytest.approx(4.5)


def test_all_runs_are_found_however_many_pages_mlflow_makes(store, monkeypatch):
    made = {finished(PARAMS, {"val.nme": 0.04}) for _ in range(3)}
    found = run_search.find_store()
    search = found.client.search_runs
    monkeypatch.setattr(found.client, "search_runs", lambda *a, **k: search(*a, max_results=2, **k))
    assert {each.info.run_id for each in run_search.finished_runs(found)} == made


def test_what_dvc_notes_of_work_under_way_is_no_experiment(two_revisions):
    for reference in ("exec/EXEC_HEAD", "exec/EXEC_BASELINE", "stash", "celery/stash", "celery/failed", "apply/stash"):
        git("update-ref", f"refs/exps/{reference}", "HEAD")
    assert set(experiment_commits()) == {"tried"}


def test_without_parameters_to_compare_with_those_of_the_best_are_taken(store):
    finished(PARAMS, {"val.nme": 0.05})
    finished(PARAMS | {"train.lr": "0.1"}, {"val.nme": 0.04})
    heading, first, second, *_ = listed().splitlines()
    assert "differs from the first" in heading
    assert "lr=" not in first
    assert "lr=0.002" in second

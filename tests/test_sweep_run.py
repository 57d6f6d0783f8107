"""A sweep from the command to the table, in DVC's own queue."""

import csv

import pytest

from tests.test_pipeline import RUNS, built  # noqa: F401 (fixture)

pytestmark = pytest.mark.slow


def test_a_sweep_outlives_a_member_that_fails_and_ranks_the_others(built):  # noqa: F811
    before = len(built.mlflow(RUNS))
    settings = ["-S", "preprocess.size_px=64", "-S", "model.name=coarse_to_fine,udacity_5conv"]
    done = built.attempt("python", "-m", "pipeline", "sweep", *settings, "--seeds", "0,1", "--jobs", "2")
    assert done.returncode == 1  # udacity_5conv cannot take so small frames
    assert "Traceback" not in done.stdout
    assert done.stdout.count("queued sweep1-") == 4
    assert done.stdout.count("validation NME") == 2
    assert done.stdout.splitlines()[-1].startswith("error: 2 of 4 members failed: sweep1-03, sweep1-04")
    with (built.folder / "sweeps" / "sweep1.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["model.name"], row["seeds"], row["preprocess.size_px"]) == ("coarse_to_fine", "2", "64")
    assert f"dvc exp apply {row['best']}" in done.stdout
    assert (built.folder / "sweeps" / "sweep1.png").read_bytes().startswith(b"\x89PNG")
    finished = [name for _, name, status in built.mlflow(RUNS)[before:] if status == "FINISHED"]
    assert sorted(name.split()[0] for name in finished) == ["sweep1-01", "sweep1-02"]
    built.run("dvc", "exp", "apply", row["best"])
    assert "size_px: 64" in (built.folder / "params.yaml").read_text()


def test_a_wrong_value_queues_nothing(built):  # noqa: F811
    done = built.attempt("python", "-m", "pipeline", "sweep", "-S", "train.lr=0.001,7")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("error: train.lr is 7 but should be less than or equal to 1")
    assert "0.001" not in built.run("dvc", "queue", "status")

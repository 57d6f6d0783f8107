"""A search from the command to the table, each training an experiment of DVC, over a pipeline of one quick stage."""

import csv
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.experiments.test_sweep_run import STAGE, Repository, fresh, repository
from tests.signals import as_in_a_terminal

__all__ = ["fresh", "repository"]  # fixtures

pytestmark = pytest.mark.long

EPOCHS = """
import os, time
from pipeline.experiments.sweeps.trial import running_trial
trial = running_trial()
for epoch in range(1, train["epochs"] + 1) if trial else ():
    time.sleep(float(os.environ.get("EPOCH_S", "0")))
    trial.report(epoch, 3 + 100 * train["lr"] + (100 if trial.number > 5 else 0))
"""


@pytest.fixture
def searched(repository: Repository) -> Repository:
    """The repository, its stage telling the search its errors: the higher the rate, the worse; bad from trial 6 on."""
    (repository.folder / "stage.py").write_text(
        STAGE.replace('Path("reports").mkdir', EPOCHS + 'Path("reports").mkdir')
    )
    params = repository.folder / "params.yaml"
    params.write_text(re.sub(r"(?m)^(train:.*\n  epochs:) \d+", r"\1 4", params.read_text()))
    for command in ("dvc repro -q", "git add -A", "git commit -qm epochs"):
        done = repository.run(*command.split())
        assert done.returncode == 0, done.stdout
    return repository


def test_a_search_ranks_what_two_workers_trained_and_breaks_bad_trainings_off(searched: Repository) -> None:
    arguments = ("-S", "train.lr=0.001..0.5", "-S", "train.loss=l1", "--search", "8", "--jobs", "2")
    done = searched.sweep(*arguments)
    assert done.returncode == 0, done.stdout
    (name,) = set(re.findall(r"^(search-\w{6}): 8 trainings", done.stdout, re.MULTILINE))
    with (searched.folder / "sweeps" / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    complete = [row for row in rows if row["state"] == "COMPLETE"]
    pruned = [row for row in rows if row["state"] == "PRUNED"]
    assert len(rows) in (8, 9)  # two workers may each begin the last one
    assert len(complete) >= 5
    assert pruned
    assert done.stdout.count(": pruned after epoch 2 ") == len(pruned)
    assert all(float(row["val_nme_percent"]) == pytest.approx(3 + 100 * float(row["train.lr"])) for row in complete)
    best = complete[0]
    assert float(best["train.lr"]) == min(float(row["train.lr"]) for row in complete)
    assert f"Apply the best: dvc exp apply {best['experiment']}" in done.stdout
    for ending in ("history", "importances"):
        assert (searched.folder / "sweeps" / f"{name}-{ending}.png").read_bytes().startswith(b"\x89PNG")
    listed = searched.run("dvc", "exp", "list", "--name-only").stdout.split()
    assert set(listed) == {row["experiment"] for row in complete}
    assert searched.run("dvc", "exp", "apply", best["experiment"]).returncode == 0
    assert f"lr: {best['train.lr']}" in (searched.folder / "params.yaml").read_text()
    searched.run("git", "checkout", ".")
    again = searched.sweep(*arguments)
    assert "Apply the best" in again.stdout
    assert ": validation NME" not in again.stdout  # all is done


def test_an_interrupted_search_leaves_nothing_at_work_and_goes_on(searched: Repository) -> None:
    command = [sys.executable, "-m", "pipeline", "sweep", "-S", "train.lr=0.001..0.5", "--search", "2", "--jobs", "2"]
    process = subprocess.Popen(
        command,
        cwd=searched.folder,
        env=searched.environment | {"EPOCH_S": "30"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=as_in_a_terminal,
    )
    while not all_begun(searched):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=50)[0]  # DVC hears it, and need not be killed after a minute
    assert process.returncode == 130, told
    assert "waits to be gone on with, by the same command" in told
    assert "Traceback" not in told
    done = searched.run(*command)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": validation NME") == 2


def all_begun(searched: Repository) -> bool:
    logs = list(searched.folder.glob("sweeps/search-*/*.log"))
    return len(logs) == 2 and all("python stage.py" in log.read_text() for log in logs)

"""A sweep from the command to the table, in DVC's own queue, over a pipeline of one quick stage."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import ROOT
from tests.checkout import IDENTITY

pytestmark = pytest.mark.long

STAGE = """
import json
from pathlib import Path
from ruamel.yaml import YAML
train = YAML(typ="safe").load(Path("params.yaml"))["train"]
assert train["lr"] != 5e-3, "this experiment fails"
nme = 3 + 100 * train["lr"] + 0.01 * train["seed"]
Path("reports").mkdir(exist_ok=True)
measured = {"dataset": "synthetic", "val": {"nme_percent": nme}, "test": {"nme_percent": nme + 1}}
Path("reports/metrics.json").write_text(json.dumps(measured))
Path("reports/per_frame.csv").write_text(f"sample_id,split,nme_percent,known,worst_point\\nval/A_00,val,{nme},False,0\\n")
"""
DEFINITION = """
stages:
  train:
    cmd: python stage.py
    deps: [stage.py]
    params: [train]
    metrics:
      - reports/metrics.json:
          cache: false
    plots:
      - reports/per_frame.csv:
          cache: false
"""


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        site = {"DVC_SITE_CACHE_DIR": str(folder.parent / "site"), "DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(ROOT)}
        self.environment = os.environ | IDENTITY | site | {"PATH": path}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def sweep(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "pipeline", "sweep", *arguments)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The folder of a repository whose pipeline has run."""
    repository = Repository(tmp_path_factory.mktemp("fresh") / "repository")
    repository.folder.mkdir()
    shutil.copy(ROOT / "params.yaml", repository.folder)
    (repository.folder / "stage.py").write_text(STAGE)
    (repository.folder / "dvc.yaml").write_text(DEFINITION)
    (repository.folder / ".gitignore").write_text("/sweeps/\n")
    for command in ("git init -q", "dvc init -q", "dvc repro -q", "git add -A", "git commit -qm first"):
        done = repository.run(*command.split())
        assert done.returncode == 0, done.stdout
    return repository.folder


@pytest.fixture
def repository(fresh, tmp_path):
    return Repository(shutil.copytree(fresh, tmp_path / "repository"))


TAKE_BACK = """
from pipeline.experiments.dvc.queue import statuses, put, take_back
for name in ("a", "b", "c"):
    put(name, {"train.lr": "0.002", "train.seed": str(ord(name))})
take_back(["a", "c"])
print(statuses())
"""


def test_what_is_taken_back_waits_no_more(repository):
    done = repository.run(sys.executable, "-c", TAKE_BACK)
    assert done.stdout.splitlines()[-1] == "{'b': 'Queued'}", done.stdout


def test_a_sweep_outlives_experiments_that_fail_and_ranks_the_others(repository):
    done = repository.sweep("-S", "train.lr=2e-3,1e-3,5e-3", "-S", "train.loss=l1", "--seeds", "0,1", "--jobs", "2")
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout
    assert done.stdout.count("queued sweep1-") == 6
    assert done.stdout.count(": validation NME") == 4
    assert done.stdout.count(": FAILED, see: dvc queue logs sweep1-") == 2
    assert "error: 2 of 6 experiments failed: " in done.stdout.splitlines()[-1]
    with (repository.folder / "sweeps" / "sweep1.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["train.lr"], first["seeds"], first["val_nme_percent"], first["best"]) == (
        "1e-3",
        "2",
        "3.105",
        "sweep1-03",
    )
    assert (second["train.lr"], second["behind"], second["significant"]) == ("2e-3", "0.1", "yes")
    assert (repository.folder / "sweeps" / "sweep1.png").read_bytes().startswith(b"\x89PNG")
    assert "Apply the best: dvc exp apply sweep1-03" in done.stdout
    assert repository.run("dvc", "exp", "apply", "sweep1-03").returncode == 0
    assert "lr: 0.001" in (repository.folder / "params.yaml").read_text()


def test_a_wrong_value_queues_nothing(repository):
    done = repository.sweep("-S", "train.lr=0.001,7")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["error: train.lr is 7 but should be less than or equal to 1; change it"]
    assert "No experiment tasks in the queue." in repository.run("dvc", "queue", "status").stdout

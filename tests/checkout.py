"""A copy of the working tree with its own git and DVC, to run the whole pipeline in."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from facial_keypoints.core.atomic_files import file_sha256
from pipeline.experiments.recipe import write_values
from tests.architecture import ROOT

SMALL = {
    "fetch.source": "synthetic",
    "fetch.synthetic.people": 8,
    "fetch.synthetic.clips": 1,
    "split.val_people_frac": 0.25,
    "model.coarse_to_fine.fine_width": 8,
    "model.coarse_to_fine.mirrored_view": False,  # a network that looks twice takes three times as long to export
    "pretrain.epochs": 1,
    "pretrain.people": 4,
    "pretrain.frames": 2,
    "train.batch_size": 8,
    "evaluate.bootstrap_samples": 50,
}

IDENTITY = {f"GIT_{role}_{what}": "tester" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
"""Where git knows no name, commits and experiments need one."""


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))},
            "DVC_SITE_CACHE_DIR": str(folder.parent / "dvc-site"),
            "DVC_NO_ANALYTICS": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": str(os.cpu_count()),
            **IDENTITY,
        }
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith("reports/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        self.run("git", "init", "-q")
        self.commit()

    def make_small(self, *, epochs: int, shards: int = 1) -> None:
        """Set and commit parameters with which the whole pipeline takes a minute."""
        write_values({**SMALL, "train.epochs": epochs, "train.shards": shards}, self.folder / "params.yaml")
        self.commit()

    def at(self, folder: Path, *, site: Path) -> "Checkout":
        """A clone that lies in `folder`, with the same environment but its own state of DVC."""
        other = object.__new__(Checkout)
        other.folder, other.environment = folder, {**self.environment, "DVC_SITE_CACHE_DIR": str(site)}
        return other

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", "state")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The checkout as the present folder, its environment as that of this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name in [name for name in os.environ if name.startswith(("DVC_", "MLFLOW_"))]:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield

    def go_back(self) -> None:
        """Take back what was tried since the commit, dvc.lock too, which `dvc repro` puts into git's index."""
        self.run("git", "checkout", "-q", "HEAD", "--", ".")
        self.run("dvc", "checkout", "-q")

    def run(self, *command: str) -> str:
        """Standard output and error of a command that must succeed."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
        return done.stdout

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def copy_results(self, name: str) -> None:
        """Keep reports/ and MLflow's store in a folder beside the checkout."""
        shutil.copytree(self.folder / "reports", self.folder.parent / name / "reports")
        for file in self.folder.glob("mlflow.db*"):
            shutil.copy2(file, self.folder.parent / name)

    def digests(self, *places: str) -> dict[str, str]:
        """Name and SHA-256 of every file that is one of `places` or lies below one."""
        files = [path for place in places for path in [self.folder / place, *(self.folder / place).rglob("*")]]
        return {path.relative_to(self.folder).as_posix(): file_sha256(path) for path in files if path.is_file()}

    def mlflow(self, query: str) -> list[tuple]:
        """Rows of the embedded MLflow store."""
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as store:
            return store.execute(query).fetchall()


def stages_run(told: str) -> list[str]:
    """Names of the stages that `dvc repro` says it ran, or would run."""
    return re.findall(r"Running stage '(\w+)'", told)


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Names that do not stand for the same in both."""
    return sorted(name for name in one | other if one.get(name) != other.get(name))


def report(checkout: Checkout) -> dict:
    """What its reports/metrics.json holds."""
    return json.loads((checkout.folder / "reports" / "metrics.json").read_text())

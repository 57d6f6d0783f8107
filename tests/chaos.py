"""Kill the pipeline at random moments and compare what comes of it with an undisturbed build: python -m tests.chaos

The faces are synthetic and few. Every kill is a SIGKILL, of the stage alone or of DVC and the stage together, and the
next `make repro` follows it. With `--workers 2` so many processes train, and it is in the training that all kills are,
half of them of one worker, after which torchrun starts all anew; undisturbed, one process trains. Ends with status 1 if
a file, or the MLflow run, differs from the undisturbed ones.
"""

import argparse
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import yaml

from pipeline.cli import STAGES
from tests.checkout import Checkout, differing
from tests.own_folder import own_folder

EPOCHS = 8
SHARDS = 4
PATIENCE_S = 60  # in which the processes that a killed stage had started must end
STAGE_LINE = "Running stage '"


class Build:
    """A `make repro` on its way."""

    def __init__(self, checkout: Checkout, *arguments: str) -> None:
        self.born = time.time()
        self.started: dict[str, float] = {}
        self.output = ""
        self.checkpoints = checkout.folder / ".checkpoints" / "train"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.repro", *arguments],
            cwd=checkout.folder,
            env=checkout.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.output += line
            if line.startswith(STAGE_LINE):
                self.started[line.split("'")[1]] = time.monotonic()

    def finish(self) -> None:
        """Wait for the end, which must be a good one."""
        self._reader.join()
        if self.process.wait():
            sys.exit(f"the build failed:\n{self.output}")

    def stage(self) -> str:
        """The one that began last."""
        return max(self.started, key=self.started.__getitem__, default="DVC")

    def wait_until(self, stage: str, seconds: float, *, epoch: bool) -> None:
        """Until so many seconds after the beginning of a stage, or after its first `epoch`; or until the end."""
        since = float("inf")
        while self.process.poll() is None and time.monotonic() < since + seconds:
            if since == float("inf") and stage in self.started and (not epoch or self._finished_an_epoch()):
                since = time.monotonic()
            time.sleep(0.01)

    def _finished_an_epoch(self) -> bool:
        return any(path.stat().st_mtime > self.born for path in self.checkpoints.glob("*.safetensors"))

    def kill(self, *, stage_alone: bool) -> str:
        """Kill and say what. Raises NoSuchProcess if the build has ended."""
        dvc = psutil.Process(self.process.pid)
        below = dvc.children(recursive=True)
        stage = [process for process in below if "pipeline" in process.cmdline()][:1]
        killed = stage if stage_alone and stage else [dvc, *below]
        killed[0].kill()
        for process in killed[1:]:
            with suppress(psutil.NoSuchProcess):  # ended by itself just now
                process.kill()
        self.process.wait()
        self._reader.join(timeout=PATIENCE_S)
        if self._reader.is_alive():
            sys.exit(f"processes of the killed {self.stage()} live on")
        return "the stage" if killed == stage else "DVC and the stage" if stage else "DVC"

    def kill_worker(self, chance: random.Random) -> str:
        """Kill one of the processes that train together; the build goes on. Raises NoSuchProcess if none trains."""
        workers = [p for p in psutil.Process(self.process.pid).children(recursive=True) if "RANK" in p.environ()]
        if not workers:
            raise psutil.NoSuchProcess(self.process.pid)
        worker = chance.choice(workers)
        number = worker.environ()["RANK"]
        worker.kill()
        self.born, self.started["train"] = time.time(), time.monotonic()
        return f"worker {number}"


def undisturbed(checkout: Checkout) -> dict[str, float]:
    """Build everything; returns the seconds of each stage, what DVC does after it included."""
    build = Build(checkout)
    build.finish()
    times = [*build.started.values(), time.monotonic()]
    return dict(zip(build.started, (end - start for start, end in pairwise(times)), strict=True))


def torment(checkout: Checkout, seconds: dict[str, float], kills: int, chance: random.Random) -> Counter[str]:
    """Build with `kills` kills spread over the stages, each at a random moment of its stage; counts them by stage."""
    done: Counter[str] = Counter()
    build = Build(checkout)
    several = "KEYPOINTS_WORKERS" in checkout.environment
    stages = ["train"] if several else list(STAGES)
    for stage in sorted((stages[number % len(stages)] for number in range(kills)), key=stages.index):
        killed = ""
        while not killed:
            if build.process.poll() is not None:
                build = Build(checkout)
            epoch = stage == "train" and chance.random() < 0.75
            moment = chance.uniform(0, seconds[stage] / (EPOCHS if epoch else 1))
            build.wait_until(stage, moment, epoch=epoch)
            one = several and chance.random() < 0.5
            try:
                killed = build.kill_worker(chance) if one else build.kill(stage_alone=chance.random() < 0.5)
            except psutil.NoSuchProcess:  # it was faster this time: let it do the work again
                build.finish()
                forget(checkout, stage)
        done[build.stage()] += 1
        print(
            f"kill {done.total():2}/{kills}: {killed} in {build.stage()}, {moment:.1f} s after {stage} began",
            flush=True,
        )
    if build.process.poll() is None:
        build.finish()
    Build(checkout).finish()
    return done


def forget(checkout: Checkout, stage: str) -> None:
    """Let this stage have been another for DVC, so that it has to run; its place in dvc.lock stays."""
    path = checkout.folder / "dvc.lock"
    lock = yaml.safe_load(path.read_text())
    lock["stages"][stage]["cmd"] = "forgotten"
    path.write_text(yaml.safe_dump(lock, sort_keys=False))
    shutil.rmtree(checkout.folder / ".dvc" / "cache" / "runs", ignore_errors=True)


def recorded(checkout: Checkout) -> tuple[list[tuple], list[tuple]]:
    """Names and states of the MLflow runs, and how often each point of each curve is there."""
    runs = checkout.mlflow("select name, status from runs where lifecycle_stage = 'active' order by name, status")
    points = (
        "select key, step, value, count(*) from metrics join runs using (run_uuid) where lifecycle_stage = 'active' "
        "group by key, step, value order by key, step, value"
    )
    return runs, checkout.mlflow(points)


def report(calm: Checkout, shaken: Checkout, kills: Counter[str]) -> bool:
    """Tell what differs; whether nothing does."""
    one, other = (checkout.digests("dvc.lock", "data", "reports") for checkout in (calm, shaken))
    unlike = differing(one, other)
    left = list((shaken.folder / ".checkpoints" / "train").glob("*"))
    (runs, points), (shaken_runs, shaken_points) = recorded(calm), recorded(shaken)
    print(f"{kills.total()} kills: " + ", ".join(f"{kills[stage]} in {stage}" for stage in STAGES))
    print(f"dvc.lock and {len(one) - 1} files: " + (f"DIFFERENT: {', '.join(unlike)}" if unlike else "identical"))
    print(f"MLflow runs: {shaken_runs}, points " + ("identical" if points == shaken_points else "DIFFERENT"))
    print(f"checkpoints left: {len(left)}")
    return not unlike and not left and runs == shaken_runs and points == shaken_points


def same_after(kills: int, workers: int, chance: random.Random, folder: Path) -> bool:
    """Build once undisturbed and once with kills; whether both come to the same."""
    calm, shaken = (Checkout(folder / name / "checkout") for name in ("calm", "shaken"))
    for checkout in (calm, shaken):
        checkout.make_small(epochs=EPOCHS, shards=1 if workers == 1 else SHARDS)
    if workers > 1:
        calm.environment["OMP_NUM_THREADS"] = shaken.environment["OMP_NUM_THREADS"] = "1"
        shaken.environment |= {"KEYPOINTS_WORKERS": str(workers), "PET_MAX_RESTARTS": str(kills)}
    start = time.monotonic()
    seconds = undisturbed(calm)
    print(f"undisturbed build: {time.monotonic() - start:.0f} s", flush=True)
    good = report(calm, shaken, torment(shaken, seconds, kills, chance))
    print(f"{time.monotonic() - start:.0f} s in all")
    return good


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=25)
    arguments.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments.add_argument(
        "--workers", type=int, default=1, choices=(1, 2, 4), help="processes that train where it is killed"
    )
    options = arguments.parse_args()
    with own_folder() as folder:
        if not same_after(options.kills, options.workers, random.Random(options.seed), folder):
            sys.exit(1)


if __name__ == "__main__":
    main()

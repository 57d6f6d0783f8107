"""One training by one, two and four workers, from memory and from shards: what it takes, and that it stays the same.

    python -m benchmarks.workers    # the default with fewer epochs, on the frames of data/processed; minutes

The first row is the batch as one part in one process, as `dvc repro` trains, but on one thread; the others are that
batch in four parts, with a thread for each worker. Writes reports/workers.csv. Ends with status 1 where those in parts
have not all the same weights.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core import paths
from pipeline.experiments.recipe import write_values

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path("reports/workers.csv")
WORKERS, PARTS, SHARDS = (1, 2, 4), 4, 4
EPOCHS = 4


@dataclass(frozen=True)
class Measured:
    """A row of reports/workers.csv."""

    parts: int
    workers: int
    frames: str
    """In memory, or read from shards."""
    epoch_seconds: float
    """Mean of all epochs but the first, the fit of the correction after the last one included."""
    ratio: float
    """To the first row."""
    weights_md5: str


def prepare(folder: Path, *, parts: int, epochs: int, on_disk: bool) -> None:
    """Make a folder of what train reads; frames that shall stay on disk are cut into shards."""
    folder.mkdir()
    (folder / paths.PARAMS).write_bytes(paths.PARAMS.read_bytes())
    write_values({"train.shards": parts, "train.epochs": epochs}, folder / paths.PARAMS)
    splits = [file for split in ("train", "val") for file in (paths.PROCESSED / split).iterdir()]
    for file in (paths.SCHEME, paths.PRETRAINED, *splits):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if on_disk and file.name == "images.npy":
            for number, images in enumerate(np.array_split(np.load(file, mmap_mode="r"), SHARDS)):
                np.save((folder / file).with_name(f"images-{number:05}.npy"), images)
        else:
            (folder / file).symlink_to(file.resolve())


def train(folder: Path, workers: int) -> tuple[float, str]:
    """Seconds of an epoch, and the MD5 of the weights."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"KEYPOINTS_WORKERS": str(workers), "DVC_ROOT": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipeline", "train"]
    ends = []
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if line.startswith("epoch "):
                ends.append(time.monotonic())
    if process.returncode:
        sys.exit(f"a training by {workers} workers ended with status {process.returncode}")
    digest = hashlib.md5((folder / paths.MODEL).read_bytes()).hexdigest()
    return (ends[-1] - ends[0]) / (len(ends) - 1), digest


def measure(folder: Path, epochs: int) -> list[Measured]:
    rows: list[Measured] = []
    in_parts = [(PARTS, workers, frames) for frames in ("memory", "shards") for workers in WORKERS]
    for parts, workers, frames in [(1, 1, "memory"), *in_parts]:
        of_its_own = folder / f"{parts}-{workers}-{frames}"
        prepare(of_its_own, parts=parts, epochs=epochs, on_disk=frames == "shards")
        seconds, digest = train(of_its_own, workers)
        ratio = seconds / (rows[0].epoch_seconds if rows else seconds)
        rows.append(Measured(parts, workers, frames, round(seconds, 2), round(ratio, 2), digest))
        told = f"parts {parts}, workers {workers}, frames in {frames}"
        print(f"{told}: {seconds:.1f} s an epoch, ratio {ratio:.2f}, {digest}", flush=True)
    return rows


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--epochs", type=int, default=EPOCHS, help="2 or more; the table is of the default number")
    epochs = arguments.parse_args().epochs
    if epochs < 2:
        arguments.error("--epochs must be 2 or more: the first one is not timed")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder).resolve(), epochs)
    if epochs == EPOCHS:
        pd.DataFrame(map(asdict, rows)).to_csv(TABLE, index=False)
    same = len({row.weights_md5 for row in rows if row.parts == PARTS}) == 1
    print("the same weights" if same else "DIFFERENT weights")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())

"""Time, memory and disk a frame from thousands of frames to a million: python -m benchmarks.scale

Frames are some synthetic ones under many names, of ten each for a person; half of the people train. Each stage runs in
a process of its own: preprocess; train for some steps of the default, which tells how long a step waits for its frames;
evaluate with a small network, beside which reading and writing weigh more; and DVC's hashing of what lies there. Writes
reports/scale.csv and the table of docs/scale.md where all sizes are run. A million frames of 64 pixels take 8 GB below
.checkpoints while they are measured.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.core.terminal import tell
from pipeline.core import paths
from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.json_files import write_json
from pipeline.core.labels import LABELS, keypoints_csv
from pipeline.core.samples import SAMPLE_COLUMNS
from pipeline.core.tables import write_table, write_tables
from pipeline.datasets.synthetic import draw_face, random_identity

ROOT = Path(__file__).resolve().parents[1]
TABLE, PAGE = ROOT / "reports/scale.csv", ROOT / "docs/scale.md"
COUNTS = (3_000, 30_000, 300_000, 1_000_000)
DRAWN, OF_A_PERSON, AT_ONCE = 64, 10, 10_000
SPLIT_OF = ("train", "train", "train", "train", "train", "val", "test", "test", "test", "test")
"""Split of a person by the last digit of its number."""
START, END = "<!-- measured -->\n", "<!-- end -->\n"


@dataclass(frozen=True)
class Measured:
    """A row of reports/scale.csv."""

    frames: int
    size_px: int
    stage: str
    stage_frames: int
    """Frames that the stage worked on."""
    seconds: float
    peak_anonymous_mb: int
    """Most memory of its own that the process held."""
    peak_resident_mb: int
    """The same with mapped files, code among them."""
    waiting_percent: float | None
    """Of the time of training steps, that for which they waited for their frames."""
    disk_mb: int
    """What the stage wrote, or hashed."""


def draw() -> tuple[list[bytes], np.ndarray]:
    """Frames as JPEG, and their (N, 68, 2) keypoints."""
    rng = np.random.default_rng(0)
    faces = [draw_face(random_identity(rng), rng) for _ in range(DRAWN)]
    files = [cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes() for picture, _ in faces]
    return files, np.stack([keypoints for _, keypoints in faces])


def samples_of(count: int) -> Iterator[pd.DataFrame]:
    """samples.csv in parts, by folder and name as split has it."""
    for folder in LABELS:
        for start in range(0, count, AT_ONCE):
            numbers = np.arange(start, min(start + AT_ONCE, count))
            people, frames = numbers // OF_A_PERSON, numbers % OF_A_PERSON
            names = [f"Person_{person:07d}" for person in people]
            part = pd.DataFrame({"person": names, "clip": [f"{name}_0" for name in names], "frame": frames})
            part["file"] = [f"{clip}{frame}.jpg" for clip, frame in zip(part["clip"], frames, strict=True)]
            part["split"] = np.array(SPLIT_OF)[people % len(SPLIT_OF)]
            part = part[(part["split"] == "test") == (folder == "test")].assign(folder=folder, labelled=True)
            part["sample_id"] = folder + "/" + part["file"].str.removesuffix(".jpg")
            yield part.assign(known=pd.array([False if folder == "test" else None] * len(part), "boolean"))


def write_raw(count: int, files: list[bytes], keypoints: np.ndarray) -> None:
    """What fetch and split leave, of so many frames."""
    for number, content in enumerate(files):
        Path(f"{number}.jpg").write_bytes(content)
    for folder, table in LABELS.items():
        (paths.RAW / folder).mkdir(parents=True)
        with keypoints_csv(paths.RAW / table, IBUG_68.count) as write:
            for part in samples_of(count):
                names = part["file"][part["folder"] == folder].tolist()
                drawn = [drawn_of(name) for name in names]
                for name, number in zip(names, drawn, strict=True):
                    os.link(f"{number}.jpg", paths.RAW / folder / name)
                write(names, keypoints[drawn])
    write_tables(paths.SAMPLES, (part[SAMPLE_COLUMNS] for part in samples_of(count)))
    write_scheme(IBUG_68)
    write_json(paths.DATASET, {"dataset": "tiled", "revision": "1", "files": count, "sha256": "0" * 64})


def drawn_of(name: str) -> int:
    """Which of the drawn frames has this name: of a person several, one after the other."""
    _, person, frame = name.removesuffix(".jpg").split("_")
    return (int(person) * OF_A_PERSON + int(frame)) % DRAWN


def disk_mb(folders: list[Path]) -> int:
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files) >> 20


def measure(count: int, size_px: int, steps: int) -> Iterator[Measured]:
    """Every stage on frames that lie in the present folder."""
    shares = {split: SPLIT_OF.count(split) / len(SPLIT_OF) for split in SPLIT_OF}
    for stage, frames, written in (
        ("preprocess", count, [paths.PROCESSED]),
        ("train", 0, []),
        ("evaluate", round(count * (shares["val"] + shares["test"])), [paths.TEST_PREDICTIONS.parent]),
    ):
        tell(f"{count:,} frames: {stage}")
        told = run([sys.executable, "-m", "benchmarks.scale_stages", stage, str(size_px), str(steps)])
        told["stage_frames"] = told.get("stage_frames") or frames
        yield Measured(frames=count, size_px=size_px, stage=stage, disk_mb=disk_mb(written), **told)
    run(["dvc", "init", "-q", "--no-scm"])
    for stage, folder in (("hash prepared", paths.PROCESSED), ("hash raw", paths.RAW)):
        tell(f"{count:,} frames: {stage}")
        start = time.perf_counter()
        run(["dvc", "add", "-q", "--no-commit", folder.as_posix()])
        seconds = time.perf_counter() - start
        yield Measured(count, size_px, stage, count, seconds, 0, 0, None, disk_mb([folder]))


def run(command: list[str]) -> dict[str, Any]:
    """What a command says as JSON in its last line, if it says anything."""
    place = {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(Path.cwd()), "DVC_SITE_CACHE_DIR": str(Path.cwd() / "site")}
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = subprocess.run(command, env={**os.environ, **place, **path}, stdout=subprocess.PIPE, text=True, check=True)
    last = said.stdout.strip().rpartition("\n")[2]
    return dict(json.loads(last)) if last.startswith("{") else {}


def page_table(rows: list[Measured]) -> str:
    """The rows as a table of the page."""
    lines = ["| frames | stage | ms a frame | peak memory | with mapped files | waiting | disk |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        each = 1000 * row.seconds / row.stage_frames
        waiting = "" if row.waiting_percent is None else f"{row.waiting_percent:.1f} %"
        memory = [f"{size:,} MB" if size else "" for size in (row.peak_anonymous_mb, row.peak_resident_mb)]
        disk = f"{row.disk_mb:,} MB" if row.disk_mb else ""
        lines.append(f"| {row.frames:,} | {row.stage} | {each:.3f} | {' | '.join(memory)} | {waiting} | {disk} |")
    return "\n".join(lines) + "\n"


def write_results(rows: list[Measured]) -> None:
    write_table(TABLE, pd.DataFrame(map(asdict, rows)).round(3))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    told = f"Frames of {rows[0].size_px} pixels, on {os.cpu_count()} cores.\n\n"
    PAGE.write_text(before + START + told + page_table(rows) + END + after, encoding="utf-8")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--frames", type=int, nargs="+", default=COUNTS)
    arguments.add_argument("--size-px", type=int, default=64)
    arguments.add_argument("--steps", type=int, default=100, help="training steps that are timed")
    asked = arguments.parse_args()
    folder = paths.workspace_root().resolve() / ".checkpoints" / "scale"
    files, keypoints = draw()
    rows: list[Measured] = []
    for count in asked.frames:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.chdir(folder)
        tell(f"{count:,} frames: naming")
        write_raw(count, files, keypoints)
        rows += measure(count, asked.size_px, asked.steps)
        os.chdir(ROOT)
        print(page_table(rows), flush=True)
    shutil.rmtree(folder)
    if tuple(asked.frames) == COUNTS:
        write_results(rows)


if __name__ == "__main__":
    main()

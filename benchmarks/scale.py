"""Time, memory and disk a frame from thousands of frames to a million: python -m benchmarks.scale

Frames are some synthetic ones under many names, of ten each for a person; seven tenths train. Each stage runs in a
process of its own, one after the other on all sizes, so that a machine that slows down slows all of them:

- reading samples.csv; preprocess;
- reading frames in random order, and training for some steps of the default, whose images must come from the disk;
- evaluate with a small network, beside which reading and writing weigh more;
- DVC's hashing of what lies there.

Writes reports/scale.csv and the tables of docs/scale.md where all sizes are run. Frames of 64 pixels take 9 GB below
.checkpoints while they are measured.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from benchmarks.pages import write_between
from benchmarks.scale_stages import STAGES
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
SPLIT_OF = ("train",) * 7 + ("val", "test", "test")
"""Split of a person by the last digit of its number."""
WRITES = {
    "preprocess": [paths.PROCESSED],
    "evaluate": [paths.TEST_PREDICTIONS.parent, paths.PER_FRAME.parent],
    "read samples.csv": [paths.SAMPLES],
    "hash prepared": [paths.PROCESSED],
    "hash raw": [paths.RAW],
}
"""Stage -> what it writes, reads whole or hashes."""
SIZES = ("peak_anonymous_mb", "peak_resident_mb", "disk_mb")
START = "<!-- measured -->\n"


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


def disk_mb(places: list[Path]) -> int:
    files = (file for place in places for file in (place, *place.rglob("*")) if file.is_file())
    return sum(file.stat().st_size for file in files) >> 20


def measure(stage: str, count: int, size_px: int, steps: int) -> dict[str, Any]:
    """A row of reports/scale.csv: a stage on frames that lie in the present folder.

    `seconds` on the clock and `cpu_seconds` are those of `stage_frames`. `peak_anonymous_mb` is the most memory of its
    own that the process held, `peak_resident_mb` the same with mapped files, code among them. `waiting_percent`, of the
    time of training steps, is that for which they waited for their frames.
    """
    tell(f"{count:,} frames: {stage}")
    evaluated = round(count * (1 - SPLIT_OF.count("train") / len(SPLIT_OF)))
    row = {"stage": stage, "frames": count, "size_px": size_px, "waiting_percent": None}
    row["stage_frames"] = evaluated if stage == "evaluate" else count
    row |= run([sys.executable, "-m", "benchmarks.scale_stages", stage, str(size_px), str(steps)])
    return row | {"disk_mb": disk_mb(WRITES.get(stage, []))}


def run(command: list[str]) -> dict[str, Any]:
    """What a command says as JSON in its last line."""
    place = {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(Path.cwd()), "DVC_SITE_CACHE_DIR": str(Path.cwd() / "site")}
    said = subprocess.run(command, env={**os.environ, **place}, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(said.stdout.strip().rpartition("\n")[2]))


def measured_table(rows: pd.DataFrame) -> str:
    """The rows as a table of the page."""
    lines = ["| stage | frames | CPU, ms a frame | peak memory | with mapped files | waiting | disk |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows.to_dict("records"):
        waiting = "" if pd.isna(row["waiting_percent"]) else f"{row['waiting_percent']:.1f} %"
        memory, mapped, disk = (f"{row[size]:,} MB" if row[size] else "" for size in SIZES)
        each = f"{1000 * row['cpu_seconds'] / row['stage_frames']:.3f}"
        cells = [row["stage"], f"{row['frames']:,}", each, memory, mapped, waiting, disk]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def growth_table(rows: pd.DataFrame) -> str:
    """What becomes more from the second size on, where fixed costs weigh little, to the last."""
    lines = ["| stage | peak memory | CPU time a frame |", "|---|---|---|"]
    for stage, found in rows.groupby("stage", sort=False):
        few, many = (found[found["frames"] == count].iloc[0] for count in (COUNTS[1], COUNTS[-1]))
        each = [row["cpu_seconds"] / row["stage_frames"] for row in (few, many)]
        memory = many["peak_anonymous_mb"] - few["peak_anonymous_mb"]
        lines.append(f"| {stage} | {memory:+,.0f} MB | {100 * (each[1] / each[0] - 1):+.0f} % |")
    return "\n".join(lines) + "\n"


def page_tables(rows: pd.DataFrame) -> str:
    """What docs/scale.md has of the rows."""
    return f"{measured_table(rows)}\nFrom {COUNTS[1]:,} to {COUNTS[-1]:,} frames:\n\n{growth_table(rows)}"


def write_results(rows: pd.DataFrame) -> None:
    write_table(TABLE, rows)
    write_between(PAGE, START, page_tables(rows))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--frames", type=int, nargs="+", default=COUNTS)
    arguments.add_argument("--size-px", type=int, default=64)
    arguments.add_argument("--steps", type=int, default=24, help="training steps that are timed")
    asked = arguments.parse_args()
    folder = paths.workspace_root().resolve() / ".checkpoints" / "scale"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        rows = measure_all(folder, asked.frames, asked.size_px, asked.steps)
    finally:
        os.chdir(ROOT)
        shutil.rmtree(folder, ignore_errors=True)
    print(measured_table(rows))
    if tuple(asked.frames) == COUNTS:
        write_results(rows)


def measure_all(folder: Path, counts: Sequence[int], size_px: int, steps: int) -> pd.DataFrame:
    """Rows by stage, of all sizes, each of which gets a folder below `folder`."""
    files, keypoints = draw()
    for count in counts:
        tell(f"{count:,} frames: naming")
        place = folder / str(count)
        place.mkdir(parents=True)
        os.chdir(place)
        write_raw(count, files, keypoints)
        subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], check=True)
    rows = []
    for stage in STAGES:
        for count in counts:
            os.chdir(folder / str(count))
            rows.append(measure(stage, count, size_px, steps))
            tell(str(rows[-1]))
    return pd.DataFrame(rows).round(3)


if __name__ == "__main__":
    main()

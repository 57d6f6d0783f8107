"""A folder of small odd files, looked at as a whole: every one is done or named, no input changes.

`python -m tests.odd_files --count 10000` makes the folder, runs predict and filter on it and counts.
"""

import argparse
import contextlib
import hashlib
import io
import os
import random
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from facial_keypoints.core.atomic_files import is_partial
from facial_keypoints.core.text import printable
from facial_keypoints.filters.apply import picture_filter
from facial_keypoints.filters.files import Job as FilterJob
from facial_keypoints.filters.files import filter_files
from facial_keypoints.inputs.search import find_sources
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder
from facial_keypoints.prediction.batch import Tally
from facial_keypoints.prediction.files import Job, predict_files
from facial_keypoints.prediction.messages import announce
from tests.discs import disc_detector
from tests.odd_contents import ANIMATIONS, OTHERS, PAGES, PICTURES, damaged, names_for, videos

MEMORY_MB = 1500
"""What this process and the one that reads pictures may have, each."""


@dataclass
class Account:
    """What became of the files of one run."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def make_folder(folder: Path, count: int, seed: int = 0) -> None:
    """Fill `folder` with `count` odd files in subfolders of 500, links and loops among them."""
    chance = random.Random(seed)
    kinds: list[tuple[list[bytes], int]] = [(PICTURES, 40), (ANIMATIONS, 6), (PAGES, 5), (OTHERS, 22), (videos(), 20)]
    names = names_for(chance)
    for number in range(count):
        place = folder / f"part {number // 500}"
        if number % 500 == 0:
            place.mkdir(parents=True)
            (place / "round").symlink_to(folder, target_is_directory=True)
        path = place / next(names)
        while os.path.lexists(path):
            path = place / next(names)
        [pool] = chance.choices([pool for pool, _ in kinds], [weight for _, weight in kinds])
        content = chance.choice(pool)
        if chance.random() < 0.3:
            content = damaged(content, chance)
        make_entry(path, content, chance)


def make_entry(path: Path, content: bytes, chance: random.Random) -> None:
    match chance.randrange(60):
        case 0:
            path.symlink_to("nowhere")
        case 1:
            path.symlink_to(path.name)
        case 2:
            os.mkfifo(path)
        case 3:
            (beside := path.with_name(f"target {path.parent.name}")).write_bytes(content)
            path.symlink_to(beside.name)
        case _:
            path.write_bytes(content)


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            regular = path.is_file() and not path.is_symlink()
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest() if regular else "no file"
    return found


def run_predict(output: OutputFolder, sources: list[Source]) -> Tally:
    return predict_files(Job(disc_detector(), output, "json", overlay=True, smooth=True), sources)


def run_filter(output: OutputFolder, sources: list[Source]) -> Tally:
    return filter_files(
        FilterJob(
            disc_detector(), "pixelate", picture_filter("pixelate", crop_px=64, sticker=None), output, every=True
        ),
        sources,
    )


def look_at(folder: Path, out: Path, ending: str, run: Callable[[OutputFolder, list[Source]], Tally]) -> Account:
    """Run on the whole folder and account for each file in it."""
    output, told = OutputFolder(out), io.StringIO()
    with contextlib.redirect_stderr(told):
        inputs = find_sources([str(folder)], output, ending)
        announce(inputs)
        tally = run(output, inputs.sources)
    account = Account()
    lines = told.getvalue().splitlines()
    account.faults += [line for line in lines if "Traceback" in line]
    account.faults += [line for line in lines if "report this" in line]
    shown_names = {source.shown for source in inputs.sources} | {printable(str(path)) for path in digests(folder)}
    skipped = skipped_of(lines, shown_names)
    account.faults += [f"a line tells of no file: {text}" for text in skipped if text not in shown_names]
    written = {path.name for path in out.iterdir()} if out.exists() else set()
    for source in inputs.sources:
        done = any(name.startswith(f"{source.name}{ending}.") for name in written)
        ends = [skipped[source.shown] and "skipped", done and not skipped[source.shown] and "done"]
        count(account, source.shown, [end for end in ends if end])
    taken = {str(source.path) for source in inputs.sources}
    left_out = Counter(str(path) for paths in inputs.left_out.values() for path in paths)
    for path in digests(folder):
        if path not in taken:
            shown = printable(str(path))
            count(
                account, shown, ["skipped"] * (skipped[shown] > 0) + ["left out"] * left_out[path] or passed_over(path)
            )
    if tally.pictures + tally.videos != account.counts["done"]:
        account.faults.append(f"{tally} where {account.counts['done']} are done")
    return account


def skipped_of(lines: list[str], shown_names: set[str]) -> Counter[str]:
    """How many lines tell of each file: that of the longest name with which the line begins, else the line itself."""
    told = Counter[str]()
    for line in lines:
        if line.startswith("skipped: "):
            text = line.removeprefix("skipped: ")
            told[next((text[:end] for end in range(len(text), 0, -1) if text[:end] in shown_names), text)] += 1
    return told


def passed_over(path: str) -> list[str]:
    """Of what need not be told: notes of systems, unfinished files, other names of what is done."""
    name = Path(path).name
    noise = name.startswith(".") or is_partial(Path(path)) or Path(path).is_symlink()
    return ["left out"] if noise else []


def count(account: Account, shown: str, ends: list[str]) -> None:
    if len(ends) == 1:
        account.counts[ends[0]] += 1
    else:
        account.faults.append(f"{shown} is {' and '.join(ends) or 'unaccounted for'}")


def prove(files: int, seed: int, folder: Path) -> list[str]:
    """Make the folder and run everything; prints what became of the files and answers what is wrong."""
    given = folder / "given"
    make_folder(given, files, seed)
    before, faults = digests(given), []
    for name, ending, run in (("predict", "", run_predict), ("filter", "_pixelate", run_filter)):
        account = look_at(given, folder / name, ending, run)
        parts = ", ".join(f"{kind} {account.counts[kind]}" for kind in ("done", "skipped", "left out"))
        print(f"{name}: {files} files: {parts}; {len(account.faults)} at fault", flush=True)
        faults += account.faults
    if digests(given) != before:
        faults.append("inputs were changed")
    return faults


def memory_faults() -> list[str]:
    """Of a process that did nothing else, and of those that it started."""
    peaks = [resource.getrusage(who).ru_maxrss >> 10 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return [f"{peak} MB of memory were taken" for peak in peaks if peak > MEMORY_MB]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faults = prove(options.count, options.seed, Path(folder)) + memory_faults()
    for fault in faults[:50]:
        print(printable(fault))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

"""Prove that a rebuild gives the same bytes: python -m tests.verify

Builds the pipeline on a few synthetic faces twice, in two clones whose environments differ in folder, locale, time
zone, hash seed, terminal and number of cores, and compares what each stage made. Ends with status 1 if anything
differs.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from pipeline.cli import STAGES
from tests.checkout import Checkout, differing
from tests.own_folder import own_folder

EPOCHS = 4
ENVIRONMENTS = {
    "one": {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "0", "COLUMNS": "80", "HOME": "/nonexistent"},
    "another place": {"LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "4242", "COLUMNS": "200"},
}
"""Folder of a clone -> what is set there. Threads are as many in both: their number may change the last bits."""


def build(folder: Path, settings: dict[str, str], cores: set[int]) -> Checkout:
    os.sched_setaffinity(0, cores)  # what is started from here on inherits it
    checkout = Checkout(folder / "checkout")
    checkout.environment |= settings
    checkout.make_small(epochs=EPOCHS)
    start = time.monotonic()
    checkout.run("dvc", "repro")
    told = ", ".join(f"{name}={value}" for name, value in settings.items())
    print(f"built in {time.monotonic() - start:.0f} s on {len(cores)} cores with {told}", flush=True)
    return checkout


def made(checkout: Checkout, stage: dict[str, Any]) -> dict[str, str]:
    """Name and SHA-256 of every file among the outputs of a stage of dvc.lock."""
    return checkout.digests(*(output["path"] for output in stage.get("outs", [])))


def compare(one: Checkout, other: Checkout) -> bool:
    """Print a line for each stage; whether all is the same."""
    locks = [yaml.safe_load((checkout.folder / "dvc.lock").read_text())["stages"] for checkout in (one, other)]
    same = True
    for name in STAGES:
        files, others = made(one, locks[0][name]), made(other, locks[1][name])
        unlike = differing(files, others)
        told = f"DIFFERENT: {', '.join(unlike)}" if unlike else f"{len(files)} files identical"
        print(f"{name:10} {told if files or unlike else 'makes no file'}")
        same &= not unlike
    equal_locks = locks[0] == locks[1]
    print(f"{'dvc.lock':10} {'identical' if equal_locks else 'DIFFERENT'}")
    return same and equal_locks


def main() -> None:
    all_cores = os.sched_getaffinity(0)
    cores = [all_cores, {min(all_cores)}]
    with own_folder() as folder:
        clones = [
            build(folder / name, settings, usable)
            for (name, settings), usable in zip(ENVIRONMENTS.items(), cores, strict=True)
        ]
        if not compare(*clones):
            sys.exit(1)


if __name__ == "__main__":
    main()

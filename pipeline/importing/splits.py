"""Which groups are held out for the test, where labels do not tell."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from facial_keypoints.core.terminal import tell
from pipeline.datasets.label_table import Sample, read_label_table, write_label_table
from pipeline.importing.dataset_folder import Tally

_UNEVEN = 2
"""Factor between the test's share of the objects and that asked for, from which it is told."""


def write_with_splits(spool: Path, table: Path, count: int, tally: Tally, test_frac: float, seed: int) -> str:
    """Write the table with the splits as they should be, remove the spool, and say how they were chosen."""
    if tally.objects["test"]:
        spool.rename(table)
        return "as the labels have it"
    if test_frac and len(tally.groups) == 1:
        tell("note: all objects are in one group, so that none can be held out for the test; see --group-by")
    held_out = _held_out(list(tally.groups), test_frac, seed)
    samples = (
        replace(sample, split="test" if sample.group in held_out else "training")
        for sample in read_label_table(spool, count)
    )
    tally.objects = {"training": 0, "test": 0}
    write_label_table(table, count, _counted(samples, tally))
    spool.unlink()
    if not held_out:
        return "no group is held out: the test repeats the training"
    _tell_of_uneven_groups(tally, test_frac)
    drawn = f"{len(held_out):,} of {len(tally.groups):,} groups"
    return f"{drawn}, chosen at random with the seed {seed}, are the test"


def _tell_of_uneven_groups(tally: Tally, test_frac: float) -> None:
    """Tell where the test is far larger or smaller than asked for, as groups stay together."""
    objects = sum(tally.objects.values())
    share = tally.objects["test"] / objects
    if len(tally.groups) < objects and not test_frac / _UNEVEN < share < test_frac * _UNEVEN:
        tell(
            f"note: the test has {share:.0%} of the objects where {test_frac:.0%} are asked for, as the "
            f"{len(tally.groups):,} groups stay together; another --seed draws others"
        )


def _counted(samples: Iterator[Sample], tally: Tally) -> Iterator[Sample]:
    for sample in samples:
        tally.objects[sample.split] += 1
        yield sample


def _held_out(groups: list[str], test_frac: float, seed: int) -> set[str]:
    """Groups of the test: at least one where any are asked for, and never all."""
    if not test_frac or len(groups) == 1:
        return set()
    number = min(max(1, round(test_frac * len(groups))), len(groups) - 1)
    return set(np.random.default_rng(seed).choice(sorted(groups), number, replace=False).tolist())

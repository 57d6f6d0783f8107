"""Two runs side by side: what was set differently, what came of it, and whether the difference is more than chance."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.core.merged import MARK
from pipeline.core.metrics import bootstrap_interval
from pipeline.experiments.results import Results

BOOTSTRAP_SAMPLES = 2000
_SYNTHETIC = "fetch.synthetic."


@dataclass(frozen=True)
class Difference:
    """NME of B minus NME of A over the faces that both measured, percentage points."""

    faces: int
    people: int
    mean: float
    interval: tuple[float, float] | None
    """95 % bootstrap interval of the mean, the same people resampled for both runs; None for a single person."""

    @property
    def b_is_better(self) -> bool:
        """Whether B errs less beyond chance: the whole interval lies below zero."""
        return self.interval is not None and self.interval[1] < 0

    @property
    def verdict(self) -> str:
        """Which run is better, in words."""
        if self.interval is None:
            return "one person tells nothing of others"
        if self.b_is_better:
            return "B is better"
        return "A is better" if self.interval[0] > 0 else "no difference beyond chance"

    def __str__(self) -> str:
        bounds = "unknown" if self.interval is None else " to ".join(f"{bound:+.2f}" for bound in self.interval)
        return f"{self.mean:+.2f} points, 95 % interval {bounds}"


def person_of(sample_id: str) -> str:
    """The name before the clip and frame number, as "test/Jane_Doe" of "test/Jane_Doe_012"."""
    return sample_id.rsplit("_", 1)[0]


def paired_difference(first: pd.Series, second: pd.Series) -> Difference:
    """How the NME of two runs differs over their common faces; each Series is NME in percent by sample_id.

    Raises ValueError if they have no face in common.
    """
    faces = first.index.intersection(second.index)
    if faces.empty:
        raise ValueError("no face in common")
    changes = (second[faces] - first[faces]).to_numpy(np.float64)
    people = np.array([person_of(face) for face in faces])
    interval = bootstrap_interval(changes, people, samples=BOOTSTRAP_SAMPLES, generator=np.random.default_rng(0))
    return Difference(len(faces), len(set(people)), float(changes.mean()), interval)


def paired(first: Results, second: Results) -> tuple[str, Difference]:
    """How the NME differs over the common faces, and of which split: val, or test where val has none in common.

    Raises ValueError if neither has.
    """
    if measured_on(first.dataset, first.params) != measured_on(second.dataset, second.params):
        raise ValueError("no face in common")
    split = "test" if first.nme("val").index.intersection(second.nme("val").index).empty else "val"
    return split, paired_difference(first.nme(split), second.nme(split))


def measured_on(dataset: str, params: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """What decides which frames a run has: synthetic ones of other settings bear the same names."""
    return dataset, {name: value for name, value in params.items() if _of_synthetic_frames(name, dataset)}


def decides_on_faces(parameter: str, source: str) -> bool:
    """Whether a parameter decides on which faces of a source, as `fetch.source` names it, val is measured."""
    if parameter.startswith(_SYNTHETIC):
        return _of_synthetic_frames(parameter, source)
    return parameter.startswith(("fetch.", "split."))


def _of_synthetic_frames(parameter: str, source: str) -> bool:
    return parameter.startswith(_SYNTHETIC) and "synthetic" in source.split(MARK)


def most_different_samples(first: pd.Series, second: pd.Series, count: int) -> list[str]:
    """The sample_ids of the `count` common faces whose NME differs most, the largest difference first."""
    changes = (second - first).dropna().abs().sort_values(ascending=False, kind="stable")
    return [str(face) for face in changes.index[:count]]


def changed(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Names whose values differ, with both values; None where one side has none. In the order of the first."""
    names = dict.fromkeys([*first, *second])
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if not same_value(*pair)}


def same_value(one: object, other: object) -> bool:
    """Whether two values of a parameter are equal, also numbers written in two ways, such as 25 and 25.0."""
    try:
        return one == other or float(str(one)) == float(str(other))
    except ValueError:
        return False

"""Which trainings a sweep consists of."""

import itertools
import math
from collections.abc import Mapping, Sequence

from facial_keypoints.core.errors import ConfigError

SEED = "train.seed"
_MOST_TRAININGS = 1000


def planned_trainings(choices: Mapping[str, Sequence[str]], seeds: Sequence[int]) -> list[dict[str, str]]:
    """Every combination of the values of each parameter, with every seed; dotted name -> text as in params.yaml.

    Raises ConfigError where these are more than anybody waits for.
    """
    if math.prod(map(len, choices.values())) * len(seeds) > _MOST_TRAININGS:
        raise ConfigError(f"these are more than {_MOST_TRAININGS:,} trainings; try fewer values or seeds at a time")
    combined = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    return [{**setting, SEED: str(seed)} for setting in combined for seed in seeds]

"""Many settings tried in turn: which members a sweep has, and what its results say. Pure."""

import itertools
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from facial_keypoints.core.errors import ConfigError

SEED = "train.seed"
_LEVEL = 0.05
_MOST_MEMBERS = 1000


def members(choices: Mapping[str, Sequence[str]], seeds: Sequence[int]) -> list[dict[str, str]]:
    """Every combination of the values of each parameter, with every seed; dotted name -> text as in params.yaml.

    Raises ConfigError where these are more than anybody waits for.
    """
    if math.prod(map(len, choices.values())) * len(seeds) > _MOST_MEMBERS:
        raise ConfigError(f"these are more than {_MOST_MEMBERS:,} trainings; try fewer values or seeds at a time")
    combined = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    return [{**setting, SEED: str(seed)} for setting in combined for seed in seeds]


def leaderboard(results: pd.DataFrame, settings: Sequence[str]) -> pd.DataFrame:
    """One row for each setting, the best first.

    `results`: a row for each finished member, with the `settings` as text, `name`, `val_nme_percent` and
    `test_nme_percent`. A row has the mean `val_nme_percent` and `test_nme_percent` over the seeds, the number of
    `seeds`, their `spread` (standard deviation of `val_nme_percent`), how far its mean is `behind` the best row's,
    `clear`, and as `best` the name of the member with the least `val_nme_percent`.

    `clear` is "yes" where Welch's t-test finds the row's `val_nme_percent` apart from the best row's at a level of 5 %,
    divided by the number of rows so tested (Bonferroni), "no" where it does not, and "unknown" where one has a single
    seed.
    """
    rows = []
    for _, group in results.groupby(list(settings), sort=False):
        rows.append(
            {
                **{name: group[name].iloc[0] for name in settings},
                "val_nme_percent": group["val_nme_percent"].mean(),
                "test_nme_percent": group["test_nme_percent"].mean(),
                "seeds": len(group),
                "spread": group["val_nme_percent"].std(ddof=1),
                "best": group.sort_values("val_nme_percent", kind="stable")["name"].iloc[0],
            }
        )
    table = pd.DataFrame(rows).sort_values("val_nme_percent", kind="stable", ignore_index=True)
    first = table.iloc[0]
    table["behind"] = table["val_nme_percent"] - first["val_nme_percent"]
    table["clear"] = [_clear(first, row, len(table) - 1) if index else "" for index, row in table.iterrows()]
    return table


def _clear(first: pd.Series, other: pd.Series, tests: int) -> str:
    """Whether two rows differ by more than their seeds do, as one of so many tests."""
    from scipy.stats import ttest_ind_from_stats

    if min(first["seeds"], other["seeds"]) < 2:
        return "unknown"
    if first["spread"] == other["spread"] == 0:
        return "yes" if other["val_nme_percent"] > first["val_nme_percent"] else "no"
    groups = [value for row in (first, other) for value in (row["val_nme_percent"], row["spread"], row["seeds"])]
    return "yes" if ttest_ind_from_stats(*groups, equal_var=False).pvalue < _LEVEL / tests else "no"

"""What the trainings of a sweep say: the settings in order, and whether they differ by more than their seeds do. Pure.

The test here is over seeds: would the same settings, trained again, come out in the same order? That of
`pipeline.experiments.comparison` is over people: would two trained models come out so on other people?
"""

import math
from collections.abc import Sequence

import pandas as pd

LEVEL = 0.05
"""Of all tests in a table together: how often it calls settings different that are not."""
POWER = 0.8
"""How often a difference that is there shall be found; the usual choice (Cohen, "Statistical Power Analysis for the
Behavioral Sciences", 2nd ed. 1988, section 2.4)."""
MOST_SEEDS = 100
"""More than anybody trains with."""


def leaderboard(results: pd.DataFrame, settings: Sequence[str]) -> pd.DataFrame:
    """One row for each combination of the settings, the best first.

    Args:
        results: A row for each finished training, with the `settings` as text, the `name` of its experiment,
            `val_nme_percent` and `test_nme_percent`.
        settings: Dotted names of the parameters that were tried.

    Returns:
        The `settings`, the means `val_nme_percent` and `test_nme_percent` over the seeds, the number of `seeds`, the
        `spread` of `val_nme_percent` over them (standard deviation), how far a row is `behind` the first, whether it is
        `significant`, and as `best` the name of the experiment with the least `val_nme_percent`. `spread` and `behind`
        are in percentage points. `significant` is "yes" where Welch's t-test finds the row apart from the first at
        LEVEL divided by the number of rows so tested (Bonferroni), "no" where it does not, "unknown" where one of the
        two has a single seed, and "" in the first row.
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
    tests = len(table) - 1
    table["significant"] = [_significant(first, row, tests) if index else "" for index, row in table.iterrows()]
    return table


def _significant(first: pd.Series, other: pd.Series, tests: int) -> str:
    """Whether two rows differ by more than their seeds do, as one of so many tests: "yes", "no" or "unknown"."""
    from scipy.stats import ttest_ind_from_stats

    if min(first["seeds"], other["seeds"]) < 2:
        return "unknown"
    if first["spread"] == other["spread"] == 0:
        return "yes" if other["val_nme_percent"] > first["val_nme_percent"] else "no"
    groups = [value for row in (first, other) for value in (row["val_nme_percent"], row["spread"], row["seeds"])]
    return "yes" if ttest_ind_from_stats(*groups, equal_var=False).pvalue < LEVEL / tests else "no"


def pooled_spread(table: pd.DataFrame) -> float | None:
    """Standard deviation of a training over seeds, percentage points: the root of the mean variance in all rows.

    Each row of the leaderboard weighs as its seeds less one. None where no row has two seeds.
    """
    repeated = table[table["seeds"] > 1]
    if repeated.empty:
        return None
    freedom = repeated["seeds"] - 1
    return math.sqrt(float((freedom * repeated["spread"] ** 2).sum() / freedom.sum()))


def seeds_needed(gap: float, spread: float, tests: int) -> int | None:
    """Least number of seeds of two settings for a t-test to find them apart; None for more than MOST_SEEDS.

    That many find a true difference of `gap` with probability POWER, at LEVEL over `tests`, if a training varies by
    the standard deviation `spread`, in the unit of `gap`. With n seeds each, t has 2(n - 1) degrees of freedom and
    the noncentrality gap / (spread * sqrt(2 / n)) (Cohen 1988, section 2.2 and appendix).
    """
    from scipy.stats import nct, t

    if gap <= 0:
        return None
    if spread == 0:
        return 2
    for seeds in range(2, MOST_SEEDS + 1):
        freedom = 2 * (seeds - 1)
        critical = t.isf(LEVEL / tests / 2, freedom)
        if nct.sf(critical, freedom, gap / (spread * math.sqrt(2 / seeds))) >= POWER:
            return seeds
    return None


def varied(table: pd.DataFrame, settings: Sequence[str]) -> list[str]:
    """The settings that tell rows apart; all of them where there is one row."""
    return [name for name in settings if table[name].nunique() > 1] or list(settings)

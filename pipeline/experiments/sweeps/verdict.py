"""What a leaderboard proves, in a sentence for who reads it."""

import pandas as pd

from pipeline.experiments.sweeps.leaderboard import LEVEL, MOST_SEEDS, POWER, pooled_spread, seeds_needed


def verdict(table: pd.DataFrame) -> str:
    """What the column `significant` of a leaderboard of two rows or more tests, and how many seeds it would take."""
    return (
        "significant: would training again, with other seeds, leave the first row ahead (Welch's t-test, "
        f"{100 * LEVEL:.0f} % for the whole table), whereas `keypoints compare` asks whether two trained models would "
        f"differ so on other people; {_seeds(table)}."
    )


def _seeds(table: pd.DataFrame) -> str:
    """How many seeds would tell the first row from the nearest one that is not told from it yet."""
    spread = pooled_spread(table)
    if spread is None:
        return "one seed says nothing of how much seeds differ: add more, as --seeds 0,1,2"
    rarely = "two seeds rarely suffice" if table["seeds"].min() == 2 else "few seeds rarely suffice"
    open_rows = table[table["significant"].isin(["no", "unknown"])]
    if open_rows.empty:
        return f"{rarely}, but do here, where seeds spread by {spread:.2f} points"
    gap = float(open_rows["behind"].iloc[0])
    needed = seeds_needed(gap, spread, len(table) - 1)
    about = f"more than {MOST_SEEDS} seeds" if needed is None else f"about {needed} seeds"
    return (
        f"{rarely}: where they spread by {spread:.2f} points, as here, it takes {about} of each setting to find a "
        f"difference of {gap:.2f} points {100 * POWER:.0f} times in 100"
    )

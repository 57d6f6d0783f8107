"""Tables and chart of the studies, in reports/: leaderboard, shorter and ablation (csv), unseen_people.json.

python -m benchmarks.report
"""

import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmarks import costs
from benchmarks.frames import FOLDS
from benchmarks.jobs import KEY, TABLE, read_table
from benchmarks.leaderboard_figure import leaderboard_figure
from benchmarks.studies import OURS, STUDIES
from benchmarks.trainings import FOLD_ERRORS
from pipeline.core import metrics
from pipeline.core.json_files import write_json
from pipeline.evaluation.metrics_file import read_metrics
from pipeline.evaluation.style import save, style
from pipeline.experiments.params import load_params

LEADERBOARD = Path("reports/leaderboard.csv")
UNSEEN_PEOPLE = Path("reports/unseen_people.json")
ABLATION = Path("reports/ablation.csv")
SHORTER = Path("reports/shorter.csv")
FIGURE = Path("reports/figures/leaderboard.png")
MEASURES = ["nme", "auc_08", "failure_rate_08", "nme_known_people", "nme_unseen_people"]
COSTS = ["parameters", "mega_macs", "forward_1_threads_1_ms", "training_minutes", "device"]


def trainings_of(study: str) -> pd.DataFrame:
    """Rows of a study's trainings as they are defined now; tells which are not done."""
    asked = pd.DataFrame([job.key() for job in STUDIES[study]()], columns=KEY)
    done = asked.merge(read_table(), on=KEY)
    if lacking := len(asked) - len(done):
        print(f"{study}: {lacking} of {len(asked)} trainings are not done; go on with: make studies")
    return done


def leaderboard(trainings: pd.DataFrame) -> pd.DataFrame:
    """One row an entry, best first: means over seeds, the spread of the NME, and what the entry costs."""
    groups = trainings.groupby("entry")
    table = groups[["epochs", *MEASURES]].mean()
    table.insert(2, "nme_spread", groups["nme"].std())
    table.insert(0, "seeds", groups.size())
    table = table.join(pd.read_csv(costs.TABLE).set_index("entry")[COSTS])
    table.loc["mean_shape", "nme"] = read_metrics().test_mean_shape.nme_percent / 100
    return table.sort_values("nme").reset_index()


def leaderboard_rows(board: pd.DataFrame) -> list[str]:
    """Rows of the leaderboard in docs/results.md: errors in percent, parameters and multiply-adds in millions."""

    def number(value: float, digits: int, scale: float = 1.0) -> str:
        return "-" if pd.isna(value) else f"{value * scale:.{digits}f}"

    def cells(row: pd.Series) -> list[str]:
        return [
            f"**`{OURS}`**" if row["entry"] == OURS else f"`{row['entry']}`",
            _mean_and_spread(row["nme"], row["nme_spread"]),
            number(row["auc_08"], 1, 100),
            number(row["failure_rate_08"], 1, 100),
            number(row["nme_unseen_people"], 2, 100),
            number(row["epochs"], 0),
            number(row["training_minutes"], 0),
            number(row["parameters"], 1, 1e-6),
            number(row["mega_macs"], 0),
            number(row["forward_1_threads_1_ms"], 1),
        ]

    rows = [cells(row) for _, row in board.iterrows()]
    return [f"| {' | '.join(row)} |" for row in rows]


def _mean_and_spread(mean: float, spread: float, sign: Literal["-", "+"] = "-") -> str:
    """In percent, with `sign` "+" also of what is positive; of one seed there is no spread."""
    return f"{100 * mean:{sign}z.2f}" + ("" if pd.isna(spread) else f" ± {100 * spread:.2f}")


_ABLATED = {"val_nme": "change", "corrupted_val_nme": "corrupted_change"}
"""Errors of the ablation -> their differences to those of ours with the same seed, whose weights start the same."""


def ablation(trainings: pd.DataFrame) -> pd.DataFrame:
    """One row for ours and each change, best first: errors on `val` and on bad pictures, means and spread over seeds.

    And of their differences to ours of the same seed.
    """
    ours = trainings[trainings["entry"] == OURS].set_index("seed")
    changes = {change: trainings[error] - trainings["seed"].map(ours[error]) for error, change in _ABLATED.items()}
    columns = [column for names in _ABLATED.items() for column in names]
    groups = trainings.assign(**changes).groupby("entry")[columns]
    spread = groups.std().add_suffix("_spread")
    table = groups.mean().join(spread)[[name for column in columns for name in (column, f"{column}_spread")]]
    table.insert(0, "seeds", groups.size())
    return table.sort_values("val_nme").reset_index()


def ablation_rows(table: pd.DataFrame) -> list[str]:
    """Rows of the ablation table in benchmarks/README.md: errors in percent."""

    def cells(row: pd.Series) -> list[str]:
        found = []
        for error, change in _ABLATED.items():
            found += [_mean_and_spread(row[error], row[f"{error}_spread"])]
            found += ["" if row["entry"] == OURS else _mean_and_spread(row[change], row[f"{change}_spread"], sign="+")]
        return [row["entry"], str(row["seeds"]), *found]

    return [f"| {' | '.join(cells(row))} |" for _, row in table.iterrows()]


def shorter(trainings: pd.DataFrame, board: pd.DataFrame) -> pd.DataFrame:
    """Our errors after fewer epochs, fewest first, and the minutes that these take."""
    table = trainings[["epochs", "val_nme", "nme"]].astype({"epochs": int}).sort_values("epochs", ignore_index=True)
    epoch_minutes = board.set_index("entry")["training_minutes"][OURS] / load_params().train.epochs
    table.insert(1, "training_minutes", epoch_minutes * table["epochs"])
    return table


def unseen_people(table: pd.DataFrame) -> dict[str, Any]:
    """Errors on all labelled faces, each of a network that never saw its person, with a 95 % interval over people."""
    errors = table["nme"].to_numpy()
    interval = metrics.bootstrap_interval(
        errors, table["person"].to_numpy(), samples=2000, generator=np.random.default_rng(0)
    )
    return {
        "folds": int(table["fold"].nunique()),
        "people": int(table["person"].nunique()),
        "faces": len(errors),
        "nme": round(float(errors.mean()), 6),
        "nme_ci95": interval and [round(end, 6) for end in interval],
        "auc_08": round(metrics.auc(errors), 6),
        "failure_rate_08": round(metrics.failure_rate(errors), 6),
    }


def main() -> None:
    ranked = trainings_of("leaderboard")
    board = leaderboard(ranked)
    board.round(6).to_csv(LEADERBOARD, index=False, lineterminator="\n")
    quick = shorter(trainings_of("shorter"), board)
    quick.round(6).to_csv(SHORTER, index=False, lineterminator="\n")
    with style():
        figure = leaderboard_figure(board, quick, ours=OURS, dataset=read_metrics().dataset)
        save(figure, FIGURE)
    print(*leaderboard_rows(board), sep="\n")
    print(quick.to_string(index=False))
    without = ablation(pd.concat([ranked[ranked["entry"] == OURS], trainings_of("ablation")]))
    without.round(6).to_csv(ABLATION, index=False, lineterminator="\n")
    print(*ablation_rows(without), sep="\n")
    folds = trainings_of("unseen_people")[["fold", "digest"]]
    if len(folds) == FOLDS:
        faces = folds.merge(pd.read_csv(FOLD_ERRORS, dtype={"fold": str}), on=["fold", "digest"])
        if faces["sample_id"].duplicated().any():
            sys.exit(f"error: {FOLD_ERRORS} has faces twice; delete their rows and those of their folds in {TABLE}")
        unseen = unseen_people(faces)
        write_json(UNSEEN_PEOPLE, unseen)
        print(unseen)


if __name__ == "__main__":
    main()

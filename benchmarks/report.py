"""Tables and chart of the studies: reports/leaderboard.csv, ablation.csv, figures/leaderboard.png.

python -m benchmarks.report
"""

from pathlib import Path

import pandas as pd

from benchmarks import costs
from benchmarks.leaderboard_figure import leaderboard_figure
from benchmarks.studies import OURS
from benchmarks.trainings import read_table
from pipeline import paths
from pipeline.data import read_json
from pipeline.style import DPI, style

LEADERBOARD = Path("reports/leaderboard.csv")
ABLATION = Path("reports/ablation.csv")
FIGURE = Path("reports/figures/leaderboard.png")
_MEASURES = ["nme", "auc_08", "failure_rate_08", "nme_known_people", "nme_unseen_people"]


def leaderboard() -> pd.DataFrame:
    """One row an entry, best first: means over seeds, the spread of the NME, and what the entry costs."""
    trainings = read_table().query("study == 'leaderboard'")
    groups = trainings.groupby("entry")
    table = groups[_MEASURES].mean()
    table.insert(1, "nme_spread", groups["nme"].std())
    table.insert(0, "seeds", groups.size())
    table = table.join(pd.read_csv(costs.TABLE).set_index("entry").drop(columns=["threads", "step_ms"]))
    baseline = read_json(paths.METRICS)["baseline_mean_shape"]["nme"]
    table.loc["mean_shape", "nme"] = baseline
    return table.sort_values("nme").reset_index()


def ablation() -> pd.DataFrame:
    """One row an ingredient taken away: mean and spread of the validation NME over seeds, and what it costs."""
    groups = read_table().query("study == 'ablation'").groupby("entry")["val_nme"]
    table = pd.DataFrame({"seeds": groups.size(), "val_nme": groups.mean(), "val_nme_spread": groups.std()})
    table["change"] = table["val_nme"] - table.loc["the default", "val_nme"]
    return table.sort_values("val_nme").reset_index()


def main() -> None:
    board = leaderboard()
    board.round(6).to_csv(LEADERBOARD, index=False, lineterminator="\n")
    with style():
        figure = leaderboard_figure(board, ours=OURS, dataset=read_json(paths.METRICS)["dataset"])
        figure.savefig(FIGURE, dpi=DPI, metadata={"Software": None})
    print(board.to_string(index=False))
    without = ablation()
    if len(without):
        without.round(6).to_csv(ABLATION, index=False, lineterminator="\n")
        print(without.to_string(index=False))


if __name__ == "__main__":
    main()

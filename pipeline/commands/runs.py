"""`keypoints runs`: every run that is kept, the best on val first."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from facial_keypoints.core.terminal import say, tell
from facial_keypoints.core.text import amount
from pipeline.commands.fitted_table import Side, say_fitted, say_wrapped, terminal_width

if TYPE_CHECKING:
    from pipeline.experiments.run_list import RankedRun

SHORT_ID = 8
"""Characters of a run id that are shown; any command takes them for the whole."""
_ROOMY = 110
"""From so many columns on, AUC and failure rate are shown too."""
_COLUMNS_EXPLAINED = (
    "val %, test %: NME, the mean distance of the points from the truth over that of the outer eye corners. Choose by "
    "val, people who were held out; look at the test when all is chosen. Interval: 95 %, over people."
)
_ROOMY_EXPLAINED = "AUC %: area under the curve of the faces' errors on val up to 8 %; above 8 %: share of its faces."
_OTHER_FACES = "val holds other faces there, as fetch or split differ: not to be ranked with the others"
_NO_VAL = "no val, as nobody was held out or the run is older: ranked by the test"
_PRUNED = "its search ended the training early, as it was worse than half of the others so far"
_OTHER_VERSION = "made by another version, which has other parameters too: see compare"


def runs() -> None:
    """Show the runs of DVC and MLflow, the best on val first, and what differs in each from params.yaml of HEAD.

    `experiment` is the name for `dvc exp apply`; `MLflow` is the one for `keypoints predict --model runs:/NAME/model`;
    `keypoints compare` and `register` take either.
    """
    from pipeline.core import paths
    from pipeline.experiments.run_list import baseline_params, listed_runs, ranked, short_names
    from pipeline.experiments.tracking.store_location import shown_store

    found, faults = listed_runs()
    if not found:
        nowhere = faults[0] if faults else f"make one with: {paths.in_root('dvc repro')}"
        say(f"no run yet, neither here nor in MLflow at {shown_store()}; {nowhere}")
        _say_unfinished()
        return
    for fault in faults:
        tell(f"left out: {fault}")
    whose, baseline = baseline_params()
    rows = ranked(found, baseline)
    if not baseline:
        whose, baseline = "the first", rows[0].run.params
        rows = ranked(found, baseline)
    short = short_names(list(baseline))
    say_fitted(_columns(whose), [_cells(row, short) for row in rows])
    say("")
    for note in _notes(rows):
        say_wrapped(note)
    _say_unfinished()


def _say_unfinished() -> None:
    from pipeline.experiments.tracking.run_search import count_unfinished

    if unfinished := count_unfinished():
        say_wrapped(f"Not shown: {amount(unfinished, 'run')} of MLflow, unfinished, failed or interrupted.")


def _columns(whose: str) -> dict[str, Side]:
    roomy: dict[str, Side] = {"AUC %": "right", "above 8 %": "right"} if terminal_width() >= _ROOMY else {}
    return {
        "experiment": "left",
        "MLflow": "left",
        "val %": "right",
        "interval": "left",
        **roomy,
        f"differs from {whose}": "left",
        "test %": "right",
    }


def _cells(row: "RankedRun", short: Mapping[str, str]) -> list[str]:
    """The cells of a row, under `_columns`; `short`: dotted name of a parameter -> what it is called here."""
    from pipeline.experiments.results import TEST_NME

    metrics = row.run.metrics
    roomy = ["val.auc_08_percent", "val.failure_rate_08_percent"] if terminal_width() >= _ROOMY else []
    low, high = (_number(metrics.get(f"val.nme_ci95_{end}_percent")) for end in ("low", "high"))
    return [
        row.run.dvc_name or "-",
        (row.run.run_id or "-")[:SHORT_ID],
        _val(row),
        "-" if "-" in (low, high) else f"{low}-{high}",
        *(_number(metrics.get(name), 1) for name in roomy),
        _differences(row, short),
        _number(metrics.get(TEST_NME)),
    ]


def _val(row: "RankedRun") -> str:
    """The error on val and its mark, or that there is none to rank by."""
    from pipeline.experiments.results import VAL_NME

    if row.run.pruned:
        return "PRUNED"
    return _number(row.run.metrics.get(VAL_NME)) + ("*" if row.run.has_val and row.other_faces else "")


def _number(percent: float | None, digits: int = 2) -> str:
    return "-" if percent is None else f"{percent:.{digits}f}"


def _differences(row: "RankedRun", short: Mapping[str, str]) -> str:
    told = [f"{short[name]}={value}" for name, value in row.differs.items()]
    return " ".join([*told, "(other version)"] if row.other_version else told)


def _notes(rows: "list[RankedRun]") -> list[str]:
    """What the reader has to know of the columns, and of the marks that occur."""
    notes = [_COLUMNS_EXPLAINED]
    notes += [_ROOMY_EXPLAINED] if terminal_width() >= _ROOMY else []
    marks = {
        f"* {_OTHER_FACES}.": any(row.run.has_val and row.other_faces for row in rows),
        f"- {_NO_VAL}.": any(not row.run.has_val for row in rows),
        f"PRUNED: {_PRUNED}.": any(row.run.pruned for row in rows),
        f"(other version) {_OTHER_VERSION}.": any(row.other_version for row in rows),
    }
    notes += [note for note, occurs in marks.items() if occurs]
    return [
        *notes,
        "Next, by either name: keypoints compare A B, keypoints register NAME; by that of MLflow: keypoints predict "
        "--model runs:/ID/model",
    ]

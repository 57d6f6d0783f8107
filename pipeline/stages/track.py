"""Complete this pipeline run in MLflow: parameters, metrics, figures, model."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.percent import percent_text
from facial_keypoints.core.plain_files import read_plain
from facial_keypoints.core.terminal import say
from facial_keypoints.core.text import brief
from pipeline.core import paths
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.json_files import write_json
from pipeline.core.metrics import groups_in_words, normalizer_in_words
from pipeline.core.params import flatten
from pipeline.core.settings import Preprocess, Split
from pipeline.datasets.settings import Fetch
from pipeline.evaluation.metrics_file import Metrics, read_metrics
from pipeline.evaluation.reports import read_dataset
from pipeline.evaluation.settings import Evaluate, Render
from pipeline.experiments.tracking.finished_run import RunRecord, keep
from pipeline.experiments.tracking.mlflow_store import Value
from pipeline.experiments.tracking.store_location import shown_store
from pipeline.models.settings import Model
from pipeline.training.settings import Augment, Pretrain, Train

_HISTORY_BYTES = 10_000_000
"""Ten times what 10,000 epochs take."""


def run(
    *,
    fetch: Fetch,
    split: Split,
    preprocess: Preprocess,
    model: Model,
    augment: Augment,
    pretrain: Pretrain,
    train: Train,
    evaluate: Evaluate,
    render: Render,
) -> None:
    sections = {
        "fetch": fetch,
        "split": split,
        "preprocess": preprocess,
        "model": model,
        "augment": augment,
        "pretrain": pretrain,
        "train": train,
        "evaluate": evaluate,
        "render": render,
    }
    record = read_record(flatten(sections))
    news = keep(record)
    # The same for every run, so that who goes back to another one finds nothing changed.
    write_json(paths.TRACKED, {"recorded": True})
    say(f"track: {'recorded' if news else 'already recorded'} in MLflow at {shown_store()}; see it with: make ui")


def read_record(params: Mapping[str, Value]) -> RunRecord:
    """Gather what the earlier stages wrote. Raises DataError for a missing or damaged file."""
    measured = read_metrics()
    return RunRecord(
        name=f"{os.environ.get('DVC_EXP_NAME') or measured.model.name} {_headline(measured)}",
        description=describe(measured),
        model=paths.MODEL,
        model_digest=file_sha256(paths.MODEL),
        dataset=read_dataset(),
        params=params,
        metrics=measured.flat(),
        curves=read_history(paths.HISTORY),
        artifacts=_artifacts(measured),
        lock=paths.LOCK,
    )


def _artifacts(measured: Metrics) -> dict[Path, str]:
    """Files and their folders; those on how certain points are only of a network that tells it."""
    reports = [paths.METRICS, paths.HISTORY, paths.CED, paths.PER_FRAME, paths.RELIABILITY, paths.MODEL_CARD]
    kept = dict.fromkeys(paths.FIGURES, "figures") | dict.fromkeys(reports, "reports")
    told = measured.test.coverage_percent is not None
    return {path: folder for path, folder in kept.items() if told or path.stem != paths.RELIABILITY.stem}


def read_history(path: Path) -> dict[int, dict[str, float | None]]:
    """Epoch -> column -> value of history.csv; None for an empty field."""
    try:
        rows = list(csv.DictReader(io.StringIO(read_plain(path, _HISTORY_BYTES).decode(), newline="")))
        return {
            int(row.pop("epoch")): {name: float(text) if text else None for name, text in row.items()} for row in rows
        }
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path} is no history ({brief(str(error), 120)}); make it again with: dvc repro -fs train"
        ) from None


def _by_dataset(measured: Metrics) -> str:
    """A paragraph on the test of each of several datasets that are merged."""
    parts = [
        f"{percent_text(group.nme_percent)} on the {group.faces:,} faces of {name}"
        for name, group in (measured.test_by_dataset or {}).items()
        if group.faces
    ]
    return f"By dataset, test: {', '.join(parts)}.\n\n" if parts else ""


def _headline(measured: Metrics) -> str:
    """The error by which runs are chosen; the test's where nobody was held out."""
    name, group = ("val", measured.val) if measured.val.faces else ("test", measured.test)
    return f"{name} {percent_text(group.nme_percent)}"


def describe(measured: Metrics) -> str:
    """A few lines of Markdown for whoever opens the run."""
    val, test, unseen = measured.val, measured.test, measured.test_unseen_people
    scheme = read_scheme()
    held_out = f"**{percent_text(val.nme_percent)}** on the {val.faces} {scheme.things} of val, by which one chooses"
    never = f"{percent_text(unseen.nme_percent)} on the {unseen.faces} of" if unseen.faces else "none of which shows"
    length = normalizer_in_words(scheme)
    return (
        f"**{measured.model.name}** on **{measured.dataset}**: keypoint error (NME) "
        f"{held_out if val.faces else 'unknown on val, as nobody was held out'}.\n\n"
        f"When all is chosen: {percent_text(test.nme_percent)} on the {test.faces} labelled test {scheme.things}, "
        f"{never} {groups_in_words(scheme)} the network never saw. The mean {scheme.thing}, which looks at no picture, "
        f"has {percent_text(measured.test_mean_shape.nme_percent)}.\n\n"
        f"{_by_dataset(measured)}"
        f"NME: mean distance of the points over the {length}, in percent. "
        "Curves: the first charts of *Model metrics*. Pictures: *Artifacts*. Model: column *Models*. "
        "Rebuild: `git_commit`, `dvc.lock`."
    )

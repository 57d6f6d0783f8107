"""How far points are off on bad pictures: the `val` frames under graded corruptions (benchmarks/corruptions.py).

    python -m benchmarks.robustness                                  # the model of the workspace
    python -m benchmarks.robustness data/model/model.safetensors resnet18.safetensors
    python -m benchmarks.robustness --frames 60                      # a sixth of the frames: a quick look

Writes reports/robustness.csv and reports/figures/robustness.png; a model is named by its file, or by its network where
that is called model. The score of a model is the mean of its NME over the kinds of corruption, each the mean of its
grades. Mirrored frames have mirrored labels, moved by how far a network has learned that labels lie to one side.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.corruptions import CORRUPTIONS, MIRROR, corrupt
from benchmarks.robustness_figure import robustness_figure
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import face_size
from facial_keypoints.core.percent import to_percent
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import metrics, paths
from pipeline.core.arrays import load_arrays
from pipeline.evaluation.metrics_file import read_metrics
from pipeline.evaluation.style import save, style
from pipeline.models.forward import BATCH, keypoints_on_cpu
from pipeline.models.model_file import open_model_file
from pipeline.models.network import KeypointNetwork

TABLE = Path("reports/robustness.csv")
FIGURE = Path("reports/figures/robustness.png")
CLEAN = "none"


def rows_of(
    networks: Mapping[str, KeypointNetwork], frames: np.ndarray, keypoints: np.ndarray
) -> Iterator[dict[str, str | float]]:
    """A row for each network on (N, S, S) frames as they are, and on those of each grade of each corruption."""
    for name, network in networks.items():
        yield _row(name, network, CLEAN, 0, "", frames, keypoints)
    for corruption in CORRUPTIONS:
        for grade in corruption.grades:
            changed = corrupt(frames, keypoints, corruption, grade)
            for name, network in networks.items():
                images, truth = changed
                if corruption.name == MIRROR:
                    truth = truth + _mirror_shift(network) * face_size(truth)[:, None, None]
                yield _row(name, network, corruption.name, grade, corruption.unit, images, truth)


def _mirror_shift(network: KeypointNetwork) -> np.ndarray:
    """(K, 2) face sizes by which labels of mirrored frames differ from mirrored labels, 0 where none was learned."""
    shift = network.learned_mirror_shift()
    return np.zeros((network.points, 2)) if shift is None else shift.detach().numpy()


def _row(
    name: str, network: KeypointNetwork, kind: str, grade: float, unit: str, images: np.ndarray, truth: np.ndarray
) -> dict[str, str | float]:
    errors = metrics.nme(_predicted(network, images), truth, IBUG_68)
    error, failures = to_percent(float(errors.mean())), to_percent(metrics.failure_rate(errors))
    values: dict[str, str | float] = {
        "grade": grade,
        "unit": unit,
        "nme_percent": error,
        "failure_rate_percent": failures,
    }
    return {"model": name, "corruption": kind, **values}


def _predicted(network: KeypointNetwork, images: np.ndarray) -> np.ndarray:
    """(N, K, 2) keypoints in crop pixels of (N, S, S) frames."""
    batches = np.array_split(images, range(BATCH, len(images), BATCH))
    return np.concatenate([keypoints_on_cpu(network, batch) for batch in batches])


def means(table: pd.DataFrame) -> pd.DataFrame:
    """NME in percent of each model by kind of corruption, the mean over its grades, and the mean over the kinds."""
    order = [CLEAN, *(corruption.name for corruption in CORRUPTIONS)]
    by_kind = table.pivot_table(index="model", columns="corruption", values="nme_percent", sort=False)[order]
    return by_kind.assign(mean=by_kind.drop(columns=CLEAN).mean(axis=1))


def corrupted_nme(network: KeypointNetwork, frames: np.ndarray, keypoints: np.ndarray) -> float:
    """Mean NME of a network over the kinds of corruption of (N, S, S) frames with (N, 68, 2) keypoints; a fraction."""
    return float(means(pd.DataFrame(rows_of({"": network}, frames, keypoints)))["mean"].iloc[0]) / 100


def some_rows(rows: np.ndarray, count: int) -> np.ndarray:
    """`count` of the (N,) rows, evenly chosen, or all where there are no more."""
    chosen: np.ndarray = rows[np.unique(np.linspace(0, len(rows) - 1, count).round().astype(int))]
    return chosen


def open_named(files: Sequence[Path]) -> dict[str, KeypointNetwork]:
    """The networks of model files by their names in the table. Raises DataError where two are called alike."""
    networks: dict[str, KeypointNetwork] = {}
    for path in files:
        description, network = open_model_file(path)
        name = description.model.name if path.stem == "model" else path.stem
        if name in networks:
            raise DataError(f"two models are called {name}, by which they are told apart; rename the file {path}")
        networks[name] = network
    return networks


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("models", nargs="*", type=Path, default=[paths.MODEL], help="model files")
    arguments.add_argument("--frames", type=int, help="so many frames only, and nothing is written")
    arguments.add_argument("--val", type=Path, default=paths.PROCESSED / "val", help="folder of the prepared frames")
    options = arguments.parse_args()
    frames = load_arrays(options.val, IBUG_68.count).labelled()
    rows = some_rows(np.arange(len(frames.images)), options.frames or len(frames.images))
    networks = open_named(options.models)
    total = len(networks) * (1 + sum(len(corruption.grades) for corruption in CORRUPTIONS))
    measured = rows_of(networks, frames.images[rows], frames.keypoints_crop[rows])
    table = pd.DataFrame(progress(measured, label="predict", total=total, unit="grades"))
    print(means(table).round(2).T.to_string())
    if not options.frames:
        table.round(4).to_csv(TABLE, index=False, lineterminator="\n")
        with style():
            save(robustness_figure(table, dataset=read_metrics().dataset), FIGURE)


if __name__ == "__main__":
    main()

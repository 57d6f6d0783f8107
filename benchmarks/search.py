"""Optuna's TPE with pruning, as `keypoints sweep --search` has it, against random search at equal cost.

    python -m benchmarks.search     # 22 minutes of one core

Both look for the lowest error on val of short trainings of a small network on half of the training frames, made small.
Each may take as many training steps as TRAININGS of full length; one that is pruned counts for the steps it took.
The search is that of the product, its study, sampler, pruner and worker, but trains in this process instead of through
DVC. Every training is a row of reports/search.csv; a search that is whole there is not done again. Writes the
table of docs/experiments.md.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.few_labels import some
from benchmarks.frames import divide, load_frames
from benchmarks.pages import write_between
from facial_keypoints.core.errors import KeypointsError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.percent import percent_text, to_percent
from pipeline.core import paths
from pipeline.core.json_files import write_json
from pipeline.core.tables import write_table
from pipeline.experiments.breaking_off import PrunedError
from pipeline.experiments.params import Params, load_params
from pipeline.experiments.sweeps.search import Search, work
from pipeline.experiments.sweeps.settings import parse_settings, typed_value
from pipeline.experiments.sweeps.space import parse_space
from pipeline.experiments.sweeps.study import choose, study_name
from pipeline.experiments.sweeps.trial import RunningTrial
from pipeline.training.frames import LabelledFrames
from pipeline.training.initial_weights import new_network
from pipeline.training.trainer import Epoch, fit

TABLE = Path("reports/search.csv")
PAGE, START = Path("docs/experiments.md"), "<!-- searched -->\n"
SPACE = ("train.lr=0.0003..0.1", "train.weight_decay=0.001..1", "train.ema_decay=0.5..0.999", "train.warmup_frac=0..1")
SEEDS = (0, 1, 2)
SIZE_PX, FRAMES, BATCH, EPOCHS, TRAININGS = 96, 1536, 32, 4, 18
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the steps, after which the best error so far is told."""
RANDOM, SEARCH = "random", "search"
METHODS = {RANDOM: "at random", SEARCH: "by search"}
"""Name in the table of trainings -> on the page."""


def short(params: Params) -> Params:
    """Those of params.yaml, with small frames, a small network and few epochs."""
    options = replace(params.model.coarse_to_fine, coarse_px=32, coarse_width=8, fine_px=64, fine_width=8)
    options = replace(options, fine_pyramid=8, mirrored_view=False)
    model = replace(params.model, name="coarse_to_fine", coarse_to_fine=options)
    train = replace(params.train, epochs=EPOCHS, batch_size=BATCH)
    return replace(params, preprocess=replace(params.preprocess, size_px=SIZE_PX), model=model, train=train)


def shrunk(faces: LabelledFrames) -> LabelledFrames:
    """The same of SIZE_PX pixels."""
    squares, matrices = zip(*(fit_square(image, SIZE_PX, "pad") for image in faces.images.numpy()), strict=True)
    keypoints = transform_points(np.stack(matrices), faces.keypoints_crop.numpy()).astype(np.float32)
    return replace(faces, images=torch.from_numpy(np.stack(squares)), keypoints_crop=torch.from_numpy(keypoints))


@dataclass
class Trainings:
    """Trainings of one method and seed, a row of the table for each."""

    method: str
    seed: int
    train: LabelledFrames
    val: LabelledFrames
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Of all so far."""
        return sum(row["steps"] for row in self.rows)

    def make(self, search: Search, trial: Any, report: Callable[[int, float], None]) -> float:
        """Train with what is chosen next; returns the last error on val, percent.

        Raises what `report`, which is told each epoch's number and error, raises, and KeypointsError.
        """
        settings, errors = choose(trial, search.space), list[float]()
        params = with_settings(load_params(), settings)
        torch.manual_seed(self.seed)
        network = new_network(params.model, params.preprocess, self.train)

        def on_epoch(epoch: Epoch, state: object) -> None:
            assert epoch.val_nme is not None  # there are validation frames
            errors.append(to_percent(epoch.val_nme))
            report(epoch.epoch, errors[-1])

        try:
            fit(network, self.train, self.val, settings=params.train, amounts=params.augment, on_epoch=on_epoch)
        finally:
            whole = len(errors) == EPOCHS
            steps = max(1, len(errors)) * (len(self.train) // params.train.batch_size)
            nme = round(errors[-1], 3) if whole else None
            row = {"method": self.method, "seed": self.seed, "training": len(self.rows), "steps": steps}
            self.rows.append(row | {"nme_percent": nme} | settings)
            print(self.rows[-1], flush=True)
        return errors[-1]


def with_settings(params: Params, settings: dict[str, str]) -> Params:
    """The parameters with some of them set, named as section and key."""
    for name, text in settings.items():
        section, _, key = name.partition(".")
        changed = replace(getattr(params, section), **{key: typed_value(name, text)})
        params = replace(params, **{section: changed})
    return params


def search_until(trainings: Trainings, search: Search, most_steps: int) -> None:
    """The product's search, one training after the other."""
    from optuna import TrialPruned

    def training(search: Search, trial: Any) -> float:
        told = RunningTrial(search.storage, search.study, trial.number)
        try:
            return trainings.make(search, trial, told.report)
        except PrunedError:
            raise TrialPruned from None

    while trainings.steps < most_steps:
        work(replace(search, trainings=len(trainings.rows) + 1), training)


def try_at_random(trainings: Trainings, search: Search, most_steps: int) -> None:
    """Settings of the same space, each drawn by itself, each trained to its end."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(search.seed))
    while trainings.steps < most_steps:
        study.optimize(lambda trial: trainings.make(search, trial, lambda *_: None), n_trials=1, catch=KeypointsError)


def compare(table: Path, train: LabelledFrames, val: LabelledFrames) -> None:
    """Add to the table what it lacks of methods and seeds; works in a folder that has the params.yaml of `short`."""
    most_steps = TRAININGS * EPOCHS * (len(train) // BATCH)
    space = parse_space(parse_settings(list(SPACE)))
    for seed in SEEDS:
        search = Search(f"sqlite:///{Path.cwd()}/search.db", study_name(space, seed), space, seed, 0)
        for method, run in {RANDOM: try_at_random, SEARCH: search_until}.items():
            done = pd.read_csv(table).to_dict("records") if table.exists() else []
            if not any(row["method"] == method and row["seed"] == seed for row in done):
                trainings = Trainings(method, seed, train, val)
                run(trainings, search, most_steps)
                write_table(table, pd.DataFrame([*done, *trainings.rows]))


def best_after(trainings: pd.DataFrame, steps: float) -> float:
    """Lowest error among the trainings, in their order, that came to their end within so many steps of all."""
    return float(trainings.loc[trainings["steps"].cumsum() <= steps, "nme_percent"].min())


def as_markdown(table: pd.DataFrame) -> str:
    """The table of docs/experiments.md: best NME on val so far by share of the steps, mean over seeds, and counts."""
    most_steps = table[table["method"] == RANDOM].groupby("seed")["steps"].sum().min()
    lines = ["| | " + " | ".join(f"after {share:.0%}" for share in SHARES) + " | of each seed | trainings |"]
    lines.append("|---" * (len(SHARES) + 3) + "|")
    for method, shown in METHODS.items():
        done = table[table["method"] == method]
        of_seeds = [rows for _, rows in done.groupby("seed")]
        best = pd.DataFrame([[best_after(rows, share * most_steps) for share in SHARES] for rows in of_seeds])
        last = ", ".join(f"{error:.2f}" for error in best.iloc[:, -1])
        counts = f"{len(done)}, {done['nme_percent'].isna().sum()} pruned"
        cells = [shown, *map(percent_text, best.mean()), last, counts]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    torch.set_num_threads(1)
    params, frames, table, page = load_params(), load_frames(), TABLE.resolve(), PAGE.resolve()
    train, val, _ = (frames.faces(rows, torch.device("cpu")) for rows in divide(frames.samples, 0, params.split))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder
        os.chdir(folder)
        write_json(paths.PARAMS, asdict(short(params)))
        compare(table, shrunk(some(train, FRAMES, 0)), shrunk(val))
    write_between(page, START, as_markdown(pd.read_csv(table)) + "\n")
    print(as_markdown(pd.read_csv(table)))


if __name__ == "__main__":
    main()

"""Train and measure what a study lists; every training becomes one row of reports/trainings.csv and is then skipped.

    python -m benchmarks.trainings leaderboard         # or another study of benchmarks/studies.py
    python -m benchmarks.trainings leaderboard:resnet18    # one entry of it

A training that was stopped goes on after its last whole epoch. Several may run at once: each takes the next training
that nobody has begun. Two of them with OMP_NUM_THREADS=1 get more out of two cores than one; what a training costs is
therefore measured apart, in benchmarks/costs.py.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from ruamel.yaml import YAML

from benchmarks import robustness
from benchmarks.frames import Frames, divide, load_frames
from benchmarks.jobs import KEY, TABLE, Job, is_done
from benchmarks.kept_models import FOLDER, keep
from benchmarks.studies import STUDIES
from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import DataError
from pipeline.core import metrics, paths
from pipeline.core.params import flatten
from pipeline.experiments.params import Params
from pipeline.export.shipped import locked_md5
from pipeline.models import count_parameters
from pipeline.models.coarse_to_fine import CoarseToFine
from pipeline.models.device import best_device
from pipeline.models.forward import predict_crops
from pipeline.models.model_file import load_model
from pipeline.models.network import KeypointNetwork
from pipeline.training.checkpoint import resumable, resume_training, training_key
from pipeline.training.frames import LabelledFrames
from pipeline.training.initial_weights import Weights, load_transferred, new_network, transferable_weights
from pipeline.training.pretraining import pretraining
from pipeline.training.trainer import Epoch, fit, refine, validate
from pipeline.training.training_state import State

FOLD_ERRORS = Path("reports/unseen_people.csv")
_BAD_PICTURES = 118
"""Validation frames, a third of them, on which the error on bad pictures is measured."""
_STUDIES_OF_BAD_PICTURES = {"leaderboard", "ablation"}
_STAGES = {"split", "pretrain", "train"}  # their parameters decide what is trained
_LAST_OPTIONS = {"mirrored_view": True, "correction_ridge": 1.0}
"""Options of coarse_to_fine that count only once the weights are trained, so that any value will do for training."""


def run_all(jobs: Iterable[Job], frames: Frames) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        name = " ".join(f"{part} {value}" for part, value in job.key().items())
        try:
            with FileLock(FOLDER / f"{name.replace(' ', '-')}.lock", timeout=0):
                if is_done(job):
                    print(f"{name}: done already", flush=True)
                    continue
                print(name, flush=True)
                train_and_measure(job, frames)
        except Timeout:
            print(f"{name}: another process is at it", flush=True)


def train_and_measure(job: Job, frames: Frames) -> None:
    device = best_device()
    train_rows, val_rows, test_rows = divide(frames.samples, job.fold, job.params.split)
    train = frames.faces(train_rows, device)
    network = committed_model(job) or _last_trained(_without_last_options(job.params), job.fold, frames)
    network.to(device)  # a cached one was last measured on the CPU
    refine_as_asked(network, job.params, train)
    keep(job, network)
    errors = frames.errors(predict_crops(network, frames.images[test_rows]), test_rows)
    val_nme = validate(network, frames.faces(val_rows, device), job.params.train)[1]
    tested = frames.samples[test_rows]
    row = {
        "epochs": job.params.train.epochs,
        "parameters": count_parameters(network),
        "val_nme": val_nme,
        "faces": len(errors),
        "nme": errors.mean(),
        "auc_08": metrics.auc(errors),
        "failure_rate_08": metrics.failure_rate(errors),
        **_by_people(tested["person"].isin(frames.samples["person"][train_rows]).to_numpy(), errors),
        "corrupted_val_nme": _on_bad_pictures(job, network, frames, val_rows),
    }
    if job.fold:
        faces = tested[["sample_id", "person"]].assign(nme=errors, fold=job.fold, digest=job.key()["digest"])
        _put(FOLD_ERRORS, faces, ["fold", "digest"])
    _put(TABLE, pd.DataFrame([job.key() | row]), KEY)


def committed_model(job: Job) -> KeypointNetwork | None:
    """The pipeline's own model, where by dvc.lock it is what the job would train, but for its last options."""
    if job.fold:
        return None
    try:
        locked_md5("train", paths.MODEL)
    except DataError:  # another experiment's, or none
        return None
    stages = YAML(typ="safe").load(paths.LOCK)["stages"]
    if not set(stages) >= _STAGES:
        return None
    of_stages = [stages[name]["params"][paths.PARAMS.as_posix()] for name in _STAGES]
    locked = {section: values for sections in of_stages for section, values in sections.items()}
    asked = {section: values for section, values in asdict(job.params).items() if section in locked}
    for option in _LAST_OPTIONS:
        asked["model"]["coarse_to_fine"][option] = locked["model"]["coarse_to_fine"][option]
    return load_model(paths.MODEL).to(best_device()) if asked == locked else None


@lru_cache(maxsize=1)
def _last_trained(params: Params, fold: int, frames: Frames) -> KeypointNetwork:
    """Kept until another is trained: jobs that follow each other and differ in their last options alone share it."""
    train_rows, _, _ = divide(frames.samples, fold, params.split)
    device = best_device()
    key = training_key("train", flatten({"fold": fold, "params": params}), [paths.SAMPLES, paths.PROCESSED], device)
    with resumable(key) as checkpoint:
        training = partial(train_network, params, frames.faces(train_rows, device))
        return resume_training(training, checkpoint, lambda _: None)[0]


def _without_last_options(params: Params) -> Params:
    coarse_to_fine = replace(params.model.coarse_to_fine, **cast(dict[str, Any], _LAST_OPTIONS))
    return replace(params, model=replace(params.model, coarse_to_fine=coarse_to_fine))


def refine_as_asked(network: KeypointNetwork, params: Params, train: LabelledFrames) -> None:
    """Give a trained network the last options of `params`; one that has them, or knows none, stays as it is."""
    asked = params.model.coarse_to_fine
    if not isinstance(network, CoarseToFine):
        return
    if (network.mirrored_view, network.correction_ridge) != (asked.mirrored_view, asked.correction_ridge):
        network.mirrored_view, network.correction_ridge = asked.mirrored_view, asked.correction_ridge
        refine(network, train)


def train_network(
    params: Params,
    train: LabelledFrames,
    *,
    on_epoch: Callable[[Epoch, State], None] = lambda epoch, state: None,
    resume: State | None = None,
) -> KeypointNetwork:
    """A network trained by params.yaml's sections as the train stage does it, without validation on the way.

    `on_epoch` and `resume` are those of `trainer.fit`.
    """
    device = train.images.device
    weights = pretrained_weights(params, device) if params.pretrain.epochs else {}
    torch.manual_seed(params.train.seed)
    network = new_network(params.model, params.preprocess, train)
    if weights:
        load_transferred(network, weights)
    training = partial(fit, network, train, train.none(), settings=params.train, amounts=params.augment)
    return training(on_epoch=on_epoch, resume=resume)


def pretrained_weights(params: Params, device: torch.device) -> Weights:
    """What the pretrain stage leaves to train."""
    sections = ("preprocess", "model", "augment", "train", "pretrain")
    training = pretraining(**{name: getattr(params, name) for name in sections}, device=device)
    return transferable_weights(training(on_epoch=lambda *_: None))


def _by_people(known: np.ndarray, errors: np.ndarray) -> dict[str, float | None]:
    """Mean error on people who are and are not among the training frames."""
    return {
        "nme_known_people": errors[known].mean() if known.any() else None,
        "nme_unseen_people": errors[~known].mean() if not known.all() else None,
    }


def _on_bad_pictures(job: Job, network: KeypointNetwork, frames: Frames, val_rows: np.ndarray) -> float | None:
    """Mean error over the corruptions of `benchmarks.robustness`, where the study asks for it."""
    if job.study not in _STUDIES_OF_BAD_PICTURES or not val_rows.any():
        return None
    chosen = robustness.some_rows(np.flatnonzero(val_rows), _BAD_PICTURES)
    return robustness.corrupted_nme(network.cpu(), frames.images[chosen], frames.keypoints_crop[chosen])


def _put(path: Path, rows: pd.DataFrame, key: list[str]) -> None:
    """Put rows into a table in place of those of the same `key`: of a training that was killed as it wrote them.

    The others stay as they are written, and have nothing in new columns.
    """
    with FileLock(FOLDER / f"{path.name}.lock"):
        there = []
        if path.exists():
            found = pd.read_csv(path, dtype=str, keep_default_na=False)
            keys = set(rows[key].astype(str).itertuples(index=False, name=None))
            there = [found[[row not in keys for row in found[key].itertuples(index=False, name=None)]]]
        table = pd.concat([*there, rows.round(6).astype(object)], ignore_index=True)
        with whole(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n")


def main() -> None:
    asked = [name.partition(":") for name in sys.argv[1:]]
    if not asked or not {study for study, _, _ in asked} <= set(STUDIES):
        sys.exit(f"error: name one or more studies, or study:entry; there are {', '.join(STUDIES)}")
    jobs = (job for study, _, entry in asked for job in STUDIES[study]() if entry in ("", job.entry))
    run_all(jobs, load_frames())


if __name__ == "__main__":
    main()

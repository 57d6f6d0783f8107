"""Train the network and write its averaged weights."""

import csv
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from facial_keypoints.core.atomic_files import file_sha256, whole
from facial_keypoints.core.errors import DataError
from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.terminal import tell
from pipeline.core import paths
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.params import flatten
from pipeline.core.settings import Preprocess
from pipeline.experiments.breaking_off import PrunedError
from pipeline.experiments.sweeps.trial import running_trial
from pipeline.experiments.tracking.live_run import training_run
from pipeline.models import count_parameters
from pipeline.models.device import best_device
from pipeline.models.model_file import save_model
from pipeline.models.settings import Model
from pipeline.training.checkpoint import resumable, resume_training, training_key
from pipeline.training.initial_weights import load_transferred, new_network, read_weights, refuse_small_parts
from pipeline.training.launch import launched
from pipeline.training.settings import Augment, Train
from pipeline.training.stored_frames import load_labelled_frames
from pipeline.training.trainer import Epoch, fit
from pipeline.training.workers import Workers, joined


def run(*, preprocess: Preprocess, model: Model, augment: Augment, train: Train) -> None:
    if not launched("train", train.shards):
        with joined(train.shards) as workers:
            _train(workers, preprocess, model, augment, train)


def _train(workers: Workers, preprocess: Preprocess, model: Model, augment: Augment, train: Train) -> None:
    """Do the work of one worker; the first writes what comes of it."""
    device = best_device()
    torch.manual_seed(train.seed)  # initial weights, dropout and jitter inside networks
    folders = [paths.PROCESSED / split for split in ("train", "val")]
    scheme = read_scheme()
    frames, val_frames = (load_labelled_frames(folder, preprocess.size_px, scheme, device) for folder in folders)
    if not len(frames):
        raise DataError(f"{folders[0]} holds no labelled frame; mend the labels, then: dvc repro -fs split")
    network = new_network(model, preprocess, frames)
    if weights := read_weights(paths.PRETRAINED):
        load_transferred(network, weights)
    refuse_small_parts(network, min(train.batch_size, len(frames)), train.shards, model.name)
    print(f"{model.name}, {count_parameters(network)} parameters, {len(frames)} frames, on {device.type}", flush=True)
    params = flatten({"preprocess": preprocess, "model": model, "augment": augment, "train": train})
    key = training_key("train", params, [paths.SCHEME, *folders, paths.PRETRAINED], device)
    workers.refuse_differing(key)
    training = partial(fit, network, frames, val_frames, settings=train, amounts=augment, workers=workers)
    if not workers.first:
        training(on_epoch=lambda epoch, state: None)
        return
    with resumable(key) as checkpoint, training_run(params, key, running_trial()) as live:

        def log(epochs: Sequence[Epoch]) -> None:
            live.log(dict(map(curves, epochs)))

        try:
            averaged, history = resume_training(training, checkpoint, log)
        except PrunedError:
            checkpoint.remove()
            raise
        _warn_of_nothing_learned(history[-1])
        write_history(paths.HISTORY, history)
        save_model(paths.MODEL, averaged, {"model": asdict(model), "preprocess": asdict(preprocess)}, scheme)
        live.finish(file_sha256(paths.MODEL))


def _warn_of_nothing_learned(last: Epoch) -> None:
    """Say where points are further off than what the error is divided by is long: a loss can stay finite so."""
    if last.val_nme is not None and last.val_nme > 1:
        percent = percent_text(to_percent(last.val_nme))
        tell(f"warning: the NME on val is {percent}, so that nothing was learned; lower train.lr and run again")


def curves(epoch: Epoch) -> tuple[int, dict[str, float | None]]:
    """Number of an epoch, and its values by their column of history.csv."""
    values = asdict(epoch)
    val_nme = values.pop("val_nme")
    return values.pop("epoch"), {**values, "val_nme_percent": None if val_nme is None else to_percent(val_nme)}


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write history.csv, a row an epoch."""
    rows = [{"epoch": number, **values} for number, values in map(curves, history)]
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: round(v, 8) if isinstance(v, float) else v for name, v in row.items()})

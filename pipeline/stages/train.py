"""Train the network and write its averaged weights."""

import csv
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipeline import config, paths, tracking
from pipeline.augment import Augmentation
from pipeline.checkpoint import save_model
from pipeline.data import load_arrays
from pipeline.device import best_device
from pipeline.errors import ConfigError, DataError
from pipeline.files import file_sha256, whole
from pipeline.models import build_network, count_parameters
from pipeline.trainer import Epoch, Faces, Recipe, fit


def run(*, preprocess: config.Preprocess, model: config.Model, augment: config.Augment, train: config.Train) -> None:
    device = best_device()
    torch.manual_seed(train.seed)  # initial weights, dropout and jitter inside networks
    faces, val_faces = (labelled_faces(paths.PROCESSED / split, device) for split in ("train", "val"))
    if not len(faces):
        raise DataError(
            f"{paths.PROCESSED / 'train'} holds no labelled frame; mend the labels, then: dvc repro -f split"
        )
    network = new_network(model, preprocess, faces.keypoints_crop.mean(0).cpu()).to(device)
    print(f"{model.name}, {count_parameters(network)} parameters, {len(faces)} frames, on {device.type}", flush=True)
    description = {"model": model.model_dump(), "preprocess": preprocess.model_dump()}
    sections = {"preprocess": preprocess, "model": model, "augment": augment, "train": train}
    history: list[Epoch] = []
    with tracking.training_run(config.flatten_all(sections)) as live:

        def on_epoch(epoch: Epoch) -> None:
            history.append(epoch)
            values = asdict(epoch)
            live.log(values.pop("epoch"), values)

        averaged = fit(
            network,
            faces,
            val_faces,
            recipe=Recipe(**train.model_dump()),
            amounts=Augmentation(**augment.model_dump()),
            on_epoch=on_epoch,
        )
        write_history(paths.HISTORY, history)
        save_model(paths.MODEL, averaged, description)
        live.finish(file_sha256(paths.MODEL))


def new_network(model: config.Model, preprocess: config.Preprocess, mean_shape: torch.Tensor) -> nn.Module:
    try:
        return build_network(model.model_dump(), side=preprocess.size_px, mean_shape=mean_shape)
    except ValueError as error:
        raise ConfigError(f"model.name {model.name} and preprocess.size_px do not go together: {error}") from None


def labelled_faces(folder: Path, device: torch.device) -> Faces:
    arrays = load_arrays(folder)
    rows = arrays.samples["labelled"].to_numpy()
    return Faces(
        torch.from_numpy(np.ascontiguousarray(arrays.images[rows])).to(device),
        torch.from_numpy(arrays.keypoints_crop[rows]).to(device),
    )


def write_history(path: Path, history: list[Epoch]) -> None:
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        for epoch in history:
            writer.writerow({name: round(v, 8) if isinstance(v, float) else v for name, v in asdict(epoch).items()})

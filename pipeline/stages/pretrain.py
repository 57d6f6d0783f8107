"""The weights that train starts from: new ones, those of a trained model, or those trained here on synthetic faces."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from facial_keypoints.core.errors import ConfigError, ModelError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import paths
from pipeline.core.dataset_scheme import read_scheme
from pipeline.core.params import flatten
from pipeline.core.settings import Preprocess
from pipeline.experiments.tracking.model_location import locate_weights
from pipeline.models.device import best_device
from pipeline.models.model_file import Description, open_model_file
from pipeline.models.network import KeypointNetwork
from pipeline.models.onnx_file import open_onnx_file
from pipeline.models.settings import Model
from pipeline.training.checkpoint import resumable, resume_training, training_key
from pipeline.training.initial_weights import transferable_weights, write_weights
from pipeline.training.pretraining import pretraining, synthetic_faces
from pipeline.training.settings import Augment, Pretrain, Train
from pipeline.training.start import (
    SCRATCH,
    SHIPPED,
    check_content,
    place_of,
    refuse_second_start,
    weights_that_serve,
)

_SHOWN_FACES = Pretrain(epochs=0, people=32, frames=1, seed=0)
"""Synthetic faces by which the normalizations of an ONNX file are made anew; they take 2 seconds on two cores."""


def run(
    *,
    preprocess: Preprocess,
    model: Model,
    augment: Augment,
    train: Train,
    pretrain: Pretrain,
) -> None:
    if train.start != SCRATCH:
        refuse_second_start(train.start, model.weights, pretrain)
        _take_over(train.start, Description(model, preprocess, read_scheme()))
        return
    if not pretrain.epochs:
        print("pretrain.epochs is 0: train starts from new weights")
        write_weights(paths.PRETRAINED, {})
        return
    scheme = read_scheme()
    if scheme != IBUG_68:
        raise ConfigError(f"synthetic faces have {IBUG_68.title}, not {scheme.title}; set pretrain.epochs to 0")
    device = best_device()
    sections = {"preprocess": preprocess, "model": model, "augment": augment, "train": train, "pretrain": pretrain}
    with resumable(training_key("pretrain", flatten(sections), [], device)) as checkpoint:
        training = pretraining(
            preprocess=preprocess, model=model, augment=augment, train=train, pretrain=pretrain, device=device
        )
        network, _ = resume_training(training, checkpoint, lambda _: None)
        write_weights(paths.PRETRAINED, transferable_weights(network))


def _take_over(start: str, wanted: Description) -> None:
    """Write the weights of a trained model that serve a training of the network `wanted`. Raises KeypointsError."""
    with TemporaryDirectory() as folder:
        found, network = _open(_file_of(start, Path(folder)))
    weights = weights_that_serve(network, found, wanted)
    write_weights(paths.PRETRAINED, weights)
    told = (
        "all layers" if found.scheme == wanted.scheme else f"all layers but the last, which gave {found.scheme.title}"
    )
    print(f"train starts from {place_of(start)}: {told}")


def _file_of(start: str, folder: Path) -> Path:
    """The model file that `train.start` names; one in MLflow is brought to `folder`."""
    if start == SHIPPED:
        return paths.SHIPPED
    place = place_of(start)
    in_root = paths.workspace_root() / place  # an experiment of DVC in a folder of its own lacks what git does not know
    try:
        file = in_root if in_root.is_file() else locate_weights(place, folder)
    except ModelError as error:
        raise ModelError(f"train.start: {error}; or set it to {SCRATCH} or {SHIPPED}") from None
    check_content(start, file)
    return file


def _open(file: Path) -> tuple[Description, KeypointNetwork]:
    return open_onnx_file(file, _faces) if file.suffix == ".onnx" else open_model_file(file)


def _faces(description: Description) -> np.ndarray:
    """(N, S, S) uint8 synthetic faces, prepared as a network takes them."""
    return synthetic_faces(_SHOWN_FACES, description.preprocess, torch.device("cpu")).images.numpy()

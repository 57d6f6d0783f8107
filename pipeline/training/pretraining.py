"""Training on synthetic faces, before the one on the frames: they show the network more people than those do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import torch

from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.progress import progress
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core.parallel import map_on_cores
from pipeline.core.settings import Preprocess
from pipeline.datasets.synthetic import Identity, draw_face, random_identity
from pipeline.models.network import KeypointNetwork
from pipeline.models.settings import Model
from pipeline.training.frames import LabelledFrames
from pipeline.training.initial_weights import new_network, refuse_small_parts
from pipeline.training.settings import Augment, Pretrain, Train
from pipeline.training.trainer import fit


def pretraining(
    *,
    preprocess: Preprocess,
    model: Model,
    augment: Augment,
    train: Train,
    pretrain: Pretrain,
    device: torch.device,
) -> Callable[..., KeypointNetwork]:
    """`trainer.fit` of a new network on synthetic faces; whoever calls it gives `on_epoch` and `resume`.

    It trains as the settings of train say, but for `pretrain.epochs`. Raises ConfigError.
    """
    faces = synthetic_faces(pretrain, preprocess, device)
    torch.manual_seed(train.seed)
    network = new_network(model, preprocess, faces)
    refuse_small_parts(network, min(train.batch_size, len(faces)), train.shards, model.name)
    settings = replace(train, epochs=pretrain.epochs)
    return partial(fit, network, faces, faces.none(), settings=settings, amounts=augment)


@dataclass(frozen=True)
class _Person:
    """What a process needs to draw all frames of one synthetic person."""

    number: int
    frames: int
    seed: int
    size_px: int
    fit: str


def synthetic_faces(pretrain: Pretrain, preprocess: Preprocess, device: torch.device) -> LabelledFrames:
    """`pretrain.people` times `pretrain.frames` synthetic faces, drawn on all cores and prepared as the dataset's are.

    Each frame is as of a video of its own. The same settings give the same bytes.
    """
    size_px, fit = preprocess.size_px, preprocess.fit
    people = [_Person(number, pretrain.frames, pretrain.seed, size_px, fit) for number in range(pretrain.people)]
    drawn = progress(map_on_cores(_draw_person, people), label="synthetic faces", total=len(people), unit="people")
    images, keypoints_crop = (np.concatenate(part) for part in zip(*drawn, strict=True))
    return LabelledFrames(torch.from_numpy(images).to(device), torch.from_numpy(keypoints_crop).to(device), IBUG_68)


def _draw_person(person: _Person) -> tuple[np.ndarray, np.ndarray]:
    """(F, S, S) uint8 gray frames of one person and their (F, 68, 2) float32 keypoints in crop pixels."""
    identity = random_identity(np.random.default_rng([person.seed, person.number]))
    squares = [_draw_square(identity, person, frame) for frame in range(person.frames)]
    images, keypoints_crop = zip(*squares, strict=True)
    return np.stack(images), np.stack(keypoints_crop)


def _draw_square(identity: Identity, person: _Person, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """(S, S) uint8 gray frame and its (68, 2) float32 keypoints in crop pixels."""
    rgb, keypoints_source = draw_face(identity, np.random.default_rng([person.seed, person.number, frame]))
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    square, crop_from_source = fit_square(gray, person.size_px, person.fit)
    return square, transform_points(crop_from_source, keypoints_source).astype(np.float32)

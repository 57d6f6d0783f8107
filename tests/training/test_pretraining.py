"""A training on synthetic faces, and one that starts from its weights."""

from dataclasses import asdict, replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.geometry import fit_square, transform_points
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import parallel, paths
from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.settings import Preprocess
from pipeline.datasets.synthetic import draw_face, random_identity
from pipeline.experiments.params import load_params
from pipeline.models import build_network
from pipeline.stages import preprocess, pretrain, split, train
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.initial_weights import load_transferred, read_weights, transferable_weights, write_weights
from pipeline.training.pretraining import synthetic_faces
from pipeline.training.settings import Pretrain
from tests.architecture import ROOT
from tests.payload import PLANTS

CPU = torch.device("cpu")
PARAMS = load_params(ROOT / "params.yaml")
SQUARES = Preprocess(size_px=96, fit="pad")
SMALL: dict[str, Any] = {"coarse_px": 32, "fine_px": 64, "fine_width": 8, "fine_pyramid": 8}
MODEL = replace(PARAMS.model, coarse_to_fine=replace(PARAMS.model.coarse_to_fine, **SMALL))
OF_THE_LABELS = {"mean_shape", "mirror_shift", "correction", "half_within"}


def crowd(**values: int) -> Pretrain:
    return replace(PARAMS.pretrain, **{"people": 3, "frames": 2, "epochs": 2} | values)


def sections(**training: float) -> dict:
    changed: dict[str, Any] = {"batch_size": 2, "precision": "float32", "epochs": 1} | training
    settings = replace(PARAMS.train, **changed)
    return {"preprocess": SQUARES, "model": MODEL, "augment": PARAMS.augment, "train": settings}


def network(side: int = 96) -> torch.nn.Module:
    return build_network(
        asdict(MODEL), side=side, mean_shape=torch.rand(IBUG_68.count, 2) * side, flip_index=IBUG_68.flip_index
    )


@pytest.mark.slow
def test_drawn_faces_are_those_of_the_people_prepared_as_frames_are():
    faces = synthetic_faces(crowd(seed=5), SQUARES, CPU)
    assert faces.images.shape == (6, 96, 96)
    rgb, keypoints = draw_face(random_identity(np.random.default_rng([5, 1])), np.random.default_rng([5, 1, 0]))
    square, crop_from_source = fit_square(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 96, "pad")
    assert np.array_equal(faces.images[2], square)
    assert faces.keypoints_crop[2].numpy() == pytest.approx(transform_points(crop_from_source, keypoints), abs=1e-4)
    assert len({image.numpy().tobytes() for image in faces.images}) == 6


@pytest.mark.long
def test_drawn_faces_are_the_same_from_one_process_and_from_many(monkeypatch):
    drawn = []
    for inline in (0, 10**6):
        monkeypatch.setattr(parallel, "_INLINE_TASKS", inline)
        drawn.append(synthetic_faces(crowd(), SQUARES, CPU))
    assert torch.equal(drawn[0].images, drawn[1].images)
    assert torch.equal(drawn[0].keypoints_crop, drawn[1].keypoints_crop)


def test_a_network_takes_over_all_but_what_is_of_the_labels():
    given, taker = network(), network()
    for tensor in given.state_dict().values():
        tensor.fill_(3)
    before = {name: taker.state_dict()[name].clone() for name in OF_THE_LABELS}
    weights = transferable_weights(given)
    assert set(weights) == set(taker.state_dict()) - OF_THE_LABELS
    load_transferred(taker, weights)
    assert all(taker.state_dict()[name].eq(3).all() for name in weights)
    assert all(torch.equal(taker.state_dict()[name], tensor) for name, tensor in before.items())


def test_weights_of_another_network_are_refused_and_nothing_is_taken():
    other = replace(MODEL, coarse_to_fine=replace(MODEL.coarse_to_fine, fine_networks=2))
    large = build_network(
        asdict(other), side=96, mean_shape=torch.rand(IBUG_68.count, 2), flip_index=IBUG_68.flip_index
    )
    taker = network()
    before = {name: tensor.clone() for name, tensor in taker.state_dict().items()}
    with pytest.raises(ModelError, match="make them again with: dvc repro pretrain"):
        load_transferred(taker, transferable_weights(large))
    assert all(torch.equal(tensor, before[name]) for name, tensor in taker.state_dict().items())


def test_weights_come_back_as_they_were(tmp_path):
    weights = transferable_weights(network())
    write_weights(tmp_path / "weights", weights)
    read = read_weights(tmp_path / "weights")
    assert set(read) == set(weights)
    assert all(torch.equal(read[name], weights[name]) for name in weights)


@pytest.mark.parametrize("plant", [lambda path: path.write_bytes(b"half"), *PLANTS])
def test_weights_that_are_none_are_named_with_the_remedy(tmp_path, plant):
    with pytest.raises(ModelError, match="weights is missing; make it with: dvc repro pretrain"):
        read_weights(tmp_path / "weights")
    plant(tmp_path / "weights")
    with pytest.raises(ModelError, match=r"weights is damaged .*; make it again with: dvc repro -fs pretrain"):
        read_weights(tmp_path / "weights")


def test_without_epochs_nothing_is_drawn_and_nothing_handed_on(workspace, capsys):
    pretrain.run(**sections(), pretrain=crowd(epochs=0))
    assert read_weights(paths.PRETRAINED) == {}
    assert capsys.readouterr().out == "pretrain.epochs is 0: train starts from new weights\n"


@pytest.mark.slow
def test_train_starts_from_what_pretrain_left(raw, stored):
    split.run(split=replace(PARAMS.split, val_people_frac=0.25))
    preprocess.run(preprocess=SQUARES)
    pretrain.run(**sections(), pretrain=crowd())
    left = read_weights(paths.PRETRAINED)
    train.run(**sections(lr=1e-12, weight_decay=0.0, ema_decay=0.0))
    trained = read_weights(paths.MODEL)  # a model file holds its weights in the same way
    learned = {name for name in left if "running" not in name and "num_batches" not in name}
    assert all(torch.allclose(trained[name], left[name], atol=1e-6) for name in learned)
    assert not torch.equal(trained["mean_shape"], synthetic_faces(crowd(), SQUARES, CPU).keypoints_crop.mean(0))


@pytest.mark.slow
def test_a_killed_pretraining_goes_on_and_leaves_the_same_weights(workspace, monkeypatch, capsys):
    paths.SCHEME.parent.mkdir()
    write_scheme(IBUG_68)
    pretrain.run(**sections(), pretrain=crowd())
    whole = paths.PRETRAINED.read_bytes()
    write = Checkpoint.write

    def die(checkpoint, state, history):
        write(checkpoint, state, history)
        raise KeyboardInterrupt

    with monkeypatch.context() as killer:
        killer.setattr(Checkpoint, "write", die)
        with pytest.raises(KeyboardInterrupt):
            pretrain.run(**sections(), pretrain=crowd())
    pretrain.run(**sections(), pretrain=crowd())
    assert "going on after epoch 1" in capsys.readouterr().out
    assert paths.PRETRAINED.read_bytes() == whole

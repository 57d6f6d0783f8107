"""A training that starts from a trained model."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import ConfigError, ModelError
from facial_keypoints.core.scheme import IBUG_68, Scheme
from facial_keypoints.network import SHIPPED, OnnxNetwork
from pipeline.core import paths
from pipeline.core.dataset_scheme import write_scheme
from pipeline.core.settings import Preprocess
from pipeline.datasets.shipped_schemes import find_scheme
from pipeline.experiments.params import load_params
from pipeline.export.sample_frames import synthetic_frames
from pipeline.models import NETWORKS, build_network
from pipeline.models.layers import standardize
from pipeline.models.model_file import Description, planned, save_model
from pipeline.models.network import KeypointNetwork
from pipeline.models.onnx_file import open_onnx_file
from pipeline.stages import pretrain
from pipeline.training.initial_weights import (
    load_transferred,
    read_weights,
    tensor_kinds,
    transferable_weights,
    write_weights,
)
from pipeline.training.start import check_content, place_of, refuse_second_start, weights_that_serve
from tests.architecture import ROOT

PARAMS = load_params(ROOT / "params.yaml")
FIVE = find_scheme("five")
SQUARES = Preprocess(size_px=224, fit="pad")


def model(name: str = "coarse_to_fine", share: float = 1.0, **options: Any) -> Any:
    own = replace(PARAMS.model.coarse_to_fine, **options)
    return replace(PARAMS.model, name=name, window_frac=share, coarse_to_fine=own)


def network(settings: Any, points: int = 68) -> KeypointNetwork:
    torch.manual_seed(points)
    shape = torch.rand(points, 2) * 224
    return build_network(asdict(settings), side=224, mean_shape=shape, flip_index=np.arange(points))


MODELS = {
    **{name: model(name) for name in NETWORKS},
    "window": model("resnet18", share=0.9),
    "several": model(fine_networks=2, spread=True, coarse_blocks=1),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_head_is_what_depends_on_the_number_of_points(name):
    ours, theirs = (planned(Description(MODELS[name], SQUARES, scheme)) for scheme in (IBUG_68, FIVE))
    kinds, others = tensor_kinds(ours.state_dict()), tensor_kinds(theirs.state_dict())
    assert set(kinds) == set(others)
    of_any_points = {"half_within"}  # it is of the labels, but one number
    changed = ours.head_tensors() | ours.label_tensors() - of_any_points
    assert {key for key in kinds if kinds[key] != others[key]} == changed


def test_for_other_points_the_trunk_is_taken_and_the_head_stays_new(tmp_path):
    given, taker = network(model()), network(model(), 5)
    head = {name: taker.state_dict()[name].clone() for name in taker.head_tensors()}
    found, wanted = Description(model(), SQUARES, IBUG_68), Description(model(), SQUARES, FIVE)
    write_weights(tmp_path / "weights", weights_that_serve(given, found, wanted))
    load_transferred(taker, read_weights(tmp_path / "weights"))
    assert all(torch.equal(taker.state_dict()[name], tensor) for name, tensor in head.items())
    trunk = transferable_weights(given, head=False)
    assert all(torch.equal(taker.state_dict()[name], tensor) for name, tensor in trunk.items())


def test_for_the_same_points_the_head_is_taken_too():
    given, told = network(model()), Description(model(), SQUARES, IBUG_68)
    assert set(weights_that_serve(given, told, told)) == set(transferable_weights(given)) > given.head_tensors()


@pytest.mark.parametrize(
    ("settings", "size_px", "told"),
    [
        (model(fine_width=48), 224, "has model.coarse_to_fine.fine_width 32 where params.yaml says 48; set what"),
        (model("resnet18"), 224, "has model.name coarse_to_fine where params.yaml says resnet18; set what"),
        (model(fine_px=128), 96, None),  # looks closer or at other frames, by the same layers
    ],
)
def test_another_network_is_told_by_what_differs(settings, size_px, told):
    given, found = network(model()), Description(model(), SQUARES, IBUG_68)
    wanted = Description(settings, replace(SQUARES, size_px=size_px), FIVE)
    if told is None:
        assert weights_that_serve(given, found, wanted)
        return
    with pytest.raises(ConfigError, match=told):
        weights_that_serve(given, found, wanted)


def test_dense_layers_are_those_of_one_size_of_frames():
    given, found = network(model("udacity_4conv")), Description(model("udacity_4conv"), SQUARES, IBUG_68)
    wanted = Description(model("udacity_4conv"), replace(SQUARES, size_px=96), IBUG_68)
    with pytest.raises(ConfigError, match=r"preprocess\.size_px 224 where params\.yaml says 96"):
        weights_that_serve(given, found, wanted)


def test_a_file_is_named_with_its_content_and_refused_with_another(tmp_path):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"one")
    digest = file_sha256(file)
    check_content(f"{file}@sha256:{digest}", file)
    check_content(f"{file}@sha256:{digest[:12]}", file)
    assert place_of(f"{file}@sha256:{digest}") == str(file)
    named = rf"train\.start={file}@sha256:{digest[:16]}"
    with pytest.raises(ConfigError, match=f"may change unseen; name that too: {named}"):
        check_content(str(file), file)
    with pytest.raises(ConfigError, match=f"is another one by now; bring it back, or take the present one: {named}"):
        check_content(f"{file}@sha256:{'0' * 64}", file)


@pytest.mark.parametrize("digest", ["", "zz", "00", "0" * 65, "ABCDEF012345"])
def test_a_digest_that_is_none_is_named(tmp_path, digest):
    with pytest.raises(ConfigError, match=r"with the SHA-256 .* hexadecimal digits; mend it"):
        place_of(f"{tmp_path}/m.safetensors@sha256:{digest}")


@pytest.mark.parametrize(
    ("place", "fixed"),
    [
        ("runs:/abc/model", True),
        ("models:/faces/3", True),
        ("models:/faces/latest", False),
        ("models:/faces@champion", False),
        ("s3://bucket/m.safetensors", False),
    ],
)
def test_what_mlflow_never_changes_needs_no_digest(tmp_path, place, fixed):
    (tmp_path / "m").write_bytes(b"one")
    if fixed:
        check_content(place, tmp_path / "m")
        return
    with pytest.raises(ConfigError, match="may change unseen"):
        check_content(place, tmp_path / "m")


def test_a_training_has_one_start():
    refuse_second_start("shipped", "scratch", replace(PARAMS.pretrain, epochs=0))
    with pytest.raises(ConfigError, match=r"set pretrain\.epochs to 0 or train\.start to scratch"):
        refuse_second_start("shipped", "scratch", replace(PARAMS.pretrain, epochs=3))
    with pytest.raises(ConfigError, match=r"set model\.weights to scratch or train\.start to scratch"):
        refuse_second_start("shipped", "pretrained", replace(PARAMS.pretrain, epochs=0))


def frames(_: object = None) -> np.ndarray:
    return synthetic_frames(224)


@pytest.mark.slow
def test_the_shipped_model_comes_back_and_trains_as_it_predicts():
    told, back = open_onnx_file(SHIPPED, frames)
    assert (told.model, told.preprocess, told.scheme) == (PARAMS.model, SQUARES, IBUG_68)
    assert back.mirror_shift[:, 0].mean() > 0.01  # labels lie to the right: exporters must not fold the shift away
    images = torch.from_numpy(frames())[:, None] / 255
    with torch.inference_mode():
        points = back(images)
        assert (points - torch.from_numpy(OnnxNetwork(SHIPPED)(frames()))).abs().max() < 0.5  # 8 bits round activations
        # Normalized by the statistics of these frames and their mirror images, both of which it looks at, as in
        # training, the layers give what they gave before.
        both = torch.cat([images, images.flip(-1)])
        small = standardize(torch.nn.functional.interpolate(both, size=(56, 56), mode="area"))
        before = back.coarse(small)
        assert (back.coarse.train()(small) - before).abs().max() < 0.01


def spoiled(path: Path, change: Any) -> Path:
    exported = onnx.load(SHIPPED)
    change(exported)
    path.write_bytes(exported.SerializeToString())
    return path


def without_model(exported: Any) -> None:
    kept = [entry for entry in exported.metadata_props if entry.key != "model"]
    del exported.metadata_props[:]
    exported.metadata_props.extend(kept)


def with_told(name: str, value: str) -> Any:
    def change(exported: Any) -> None:
        next(entry for entry in exported.metadata_props if entry.key == name).value = value

    return change


def with_tensor(name: str, change: Any) -> Any:
    return lambda exported: change(next(t for t in exported.graph.initializer if t.name == f"network.{name}"))


def elsewhere(tensor: Any) -> None:
    tensor.data_location = onnx.TensorProto.EXTERNAL


def infinite(tensor: Any) -> None:
    tensor.raw_data = np.full(list(tensor.dims), np.inf, np.float32).tobytes()


def short(tensor: Any) -> None:
    tensor.raw_data = tensor.raw_data[:-4]


def renamed(tensor: Any) -> None:
    tensor.name = "other"


WIDER = json.dumps(asdict(model(fine_width=40)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_model, "it does not say its model, as of an older version; export it again"),
        (with_told("model", "[" * 100_000), "nested too deeply"),
        (with_told("model", "3"), "in its description model is 3"),
        (with_told("model", WIDER), r"has the shape \[32, 1, 5, 5\] where \[40, 1, 5, 5\] is expected"),
        (with_told("size_px", "-3"), "its size_px is '-3' where a number is expected"),
        (with_told("scheme", "{}"), "a scheme holds"),
        (with_tensor("coarse.hidden.bias", elsewhere), "its weights lie in other files"),
        (with_tensor("coarse.hidden.bias", infinite), "values that are no numbers"),
        (with_tensor("coarse.hidden.bias", short), "damaged or no model"),
        (with_tensor("coarse.hidden.bias", renamed), "it lacks the tensor coarse.hidden.bias"),
        (with_tensor("fine.0.smooth.0.weight_scale", renamed), "it lacks the tensor fine.0.smooth.0.weight_scale"),
    ],
)
def test_a_foreign_onnx_file_ends_in_one_line(tmp_path, change, told):
    path = spoiled(tmp_path / "m.onnx", change)
    with pytest.raises(ModelError, match=told) as error:
        open_onnx_file(path, lambda _: np.zeros((1, 224, 224), np.uint8))
    assert "\n" not in str(error.value)
    assert "give another" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"half", SHIPPED.read_bytes()[:100_000]])
def test_a_damaged_onnx_file_ends_in_one_line(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx is damaged or no model of this project"):
        open_onnx_file(tmp_path / "m.onnx", frames)


def run(start: str, scheme: Scheme = FIVE, **changed: Any) -> None:
    paths.SCHEME.parent.mkdir(exist_ok=True)
    write_scheme(scheme)
    pretrain.run(
        **{
            "preprocess": SQUARES,
            "model": model(),
            "augment": PARAMS.augment,
            "train": replace(PARAMS.train, start=start),
            "pretrain": PARAMS.pretrain,
            **changed,
        }
    )


@pytest.mark.slow
def test_pretrain_hands_the_shipped_trunk_to_a_training_of_other_points(workspace, monkeypatch, capsys):
    monkeypatch.setattr(pretrain, "_faces", frames)
    monkeypatch.setattr(paths, "SHIPPED", SHIPPED)
    run("shipped")
    assert (
        capsys.readouterr().out
        == "train starts from shipped: all layers but the last, which gave 68 points of the iBUG 300-W scheme\n"
    )
    assert tensor_kinds(read_weights(paths.PRETRAINED)) == tensor_kinds(
        transferable_weights(network(model(), 5), head=False)
    )
    first = paths.PRETRAINED.read_bytes()
    run("shipped")
    assert paths.PRETRAINED.read_bytes() == first


def test_pretrain_hands_on_the_weights_of_a_file_of_the_main_workspace(workspace, monkeypatch, capsys):
    given = network(model())
    file = workspace / "m.safetensors"
    save_model(file, given, {"model": asdict(model()), "preprocess": asdict(SQUARES)})
    experiment = workspace / ".dvc" / "tmp" / "exps" / "one"
    experiment.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    monkeypatch.chdir(experiment)
    run(f"m.safetensors@sha256:{file_sha256(file)[:16]}", IBUG_68)
    assert capsys.readouterr().out == "train starts from m.safetensors: all layers\n"
    left = read_weights(paths.PRETRAINED)
    assert all(torch.equal(left[name], tensor) for name, tensor in transferable_weights(given).items())


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("shiped", "shiped is no file; .* or set it to scratch or shipped"),
        pytest.param(
            "runs:/nothing/model",
            "no run has been recorded there yet.* list the runs with: keypoints runs",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_start_that_is_not_there_is_named_with_the_remedy(workspace, start, told):
    with pytest.raises(ModelError, match=told):
        run(start)
    assert not paths.PRETRAINED.exists()

"""Exported files answer as the network does, and say what they are."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from facial_keypoints import KeypointDetector
from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import DataError, ModelError
from facial_keypoints.core.scheme import IBUG_68, scheme_from
from facial_keypoints.finding.windows import to_gray
from facial_keypoints.network import OnnxNetwork
from pipeline.cli import app
from pipeline.core import paths
from pipeline.core.settings import Preprocess, Split
from pipeline.experiments.tracking.model_location import open_model
from pipeline.export import formats
from pipeline.export.quantization import quantize
from pipeline.export.sample_frames import frames_to_compare, labelled_error, training_frames
from pipeline.models.model_file import load_model, save_model
from pipeline.stages import preprocess, split
from tests.architecture import ROOT
from tests.dataset import face_points
from tests.models.test_models import NAMES, description, network
from tests.project.pages import python_examples

pytestmark = pytest.mark.long

(EXAMPLE,) = (example for example in python_examples("docs/using.md") if "InferenceSession" in example)
FRAMES = np.random.default_rng(0).integers(0, 256, (5, 224, 224), np.uint8)


def by_network(path, frames=FRAMES):
    with torch.inference_mode():
        return load_model(path)(torch.from_numpy(frames)[:, None] / 255)[:, -1].numpy()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.safetensors"
    section = description()
    section["model"]["coarse_to_fine"] |= {"spread": True}
    save_model(path, network(spread=True), section)
    return path


@pytest.fixture(scope="module")
def onnx_file(model):
    path = model.with_suffix(".onnx")
    formats.export_model(model, load_model(model), path, kind="onnx", frames=FRAMES)
    return path


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """What the command tells of the model of a workspace, and the file that it makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("workspace"))
        paths.MODEL.parent.mkdir(parents=True)
        paths.MODEL.symlink_to(model)
        return invoke("--output", "face.pt2"), Path("face.pt2").absolute()


@pytest.fixture(scope="module")
def pt2_file(exported):
    return exported[1]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_onnxruntime_answers_as_the_network_for_any_batch(model, onnx_file, count):
    session = onnxruntime.InferenceSession(onnx_file)
    (keypoints,) = session.run(["keypoints"], {"frames": FRAMES[:count]})
    assert keypoints.dtype == np.float32
    np.testing.assert_allclose(keypoints, by_network(model)[:count], atol=0.01)


def test_both_backends_estimate_the_same(model, onnx_file):
    by_onnx, by_torch = OnnxNetwork(onnx_file), open_model(model)
    assert (by_onnx.size_px, by_onnx.fit, by_onnx.scheme) == (by_torch.size_px, by_torch.fit, by_torch.scheme)
    assert by_onnx.trained_digest == by_torch.digest
    np.testing.assert_allclose(by_onnx(FRAMES), by_torch(FRAMES), atol=0.05)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_pt2_file_answers_as_the_network_for_any_batch(model, pt2_file, count):
    keypoints = torch.export.load(pt2_file).module()(torch.from_numpy(FRAMES[:count]))
    np.testing.assert_allclose(keypoints.detach(), by_network(model)[:count], atol=0.01)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "coarse_to_fine"])
def test_every_network_exports_as_pt2(tmp_path, name):
    """As ONNX: test_logged_model.py."""
    path = tmp_path / "model.safetensors"
    save_model(path, network(name), description(name))
    assert formats.export_model(path, load_model(path), tmp_path / "file", kind="pt2", frames=FRAMES) < 0.05


def test_a_file_says_what_it_takes_and_answers(model, onnx_file, pt2_file):
    session = onnxruntime.InferenceSession(onnx_file)
    (taken,), (answered, estimates, radii, views) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("frames", "tensor(uint8)", ["batch", 224, 224])
    assert (answered.name, answered.type, answered.shape) == ("keypoints", "tensor(float)", ["batch", 68, 2])
    assert (estimates.name, estimates.type, estimates.shape) == ("estimates", "tensor(float)", ["batch", 2, 68, 2])
    assert (radii.name, radii.type, radii.shape) == ("radii", "tensor(float)", ["batch", 68])
    assert (views.name, views.type, views.shape) == ("views", "tensor(float)", ["batch", 2, 2, 68, 2])
    inside = session.get_modelmeta().custom_metadata_map
    assert set(inside) >= {"points", "input", "crop", "normalization", "output", "licence"}
    assert (inside["size_px"], inside["fit"]) == ("224", "pad")
    assert inside["model_digest"] == file_sha256(model)
    files = {formats.METADATA_FILE: ""}
    torch.export.load(pt2_file, extra_files=files)
    assert scheme_from(json.loads(inside["scheme"])) == IBUG_68
    del inside["estimates"], inside["radii"], inside["views"]  # which ONNX alone gives
    assert inside == json.loads(files[formats.METADATA_FILE])


def test_both_backends_tell_the_same_views_and_radii(model, onnx_file):
    by_onnx, by_torch = OnnxNetwork(onnx_file).predict(FRAMES), open_model(model).predict(FRAMES)
    np.testing.assert_allclose(by_onnx.estimates, by_torch.estimates, atol=0.05)
    np.testing.assert_allclose(by_onnx.views, by_torch.views, atol=0.05)
    np.testing.assert_allclose(by_onnx.radii, by_torch.radii, rtol=0.01)
    # As it starts: 1.35 spreads of 0.01 of the side of the cut-out, which is the mean face and 0.15 on either side.
    np.testing.assert_allclose(
        by_onnx.radii, 1.35 * 0.01 * 1.3 * np.ptp(face_points(224, 224), axis=0).max(), rtol=0.05
    )


def test_a_file_holds_no_path_of_this_machine(onnx_file, pt2_file):
    for path in (onnx_file, pt2_file):
        assert str(ROOT).encode() not in path.read_bytes()
        assert b"site-packages" not in path.read_bytes()


@pytest.mark.parametrize(("height", "width"), [(301, 259), (90, 131), (224, 224)])
def test_the_example_answers_as_predict_whole(model, onnx_file, tmp_path, height, width):
    noise = np.random.default_rng(1).integers(0, 256, (9, 9, 3), np.uint8)
    picture = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "me.png"), picture)
    shutil.copy(onnx_file, tmp_path / "face.onnx")
    # A JPEG would lose what is compared.
    code = EXAMPLE.replace("me.jpg", "me.png") + "\nnp.savez('made', gray=gray, points=points)"
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True)
    made, rgb = np.load(tmp_path / "made.npz"), picture[..., ::-1]
    np.testing.assert_array_equal(made["gray"], to_gray(rgb))  # of which an untrained network makes little
    np.testing.assert_allclose(made["points"], KeypointDetector.load(model).whole(rgb).keypoints, atol=0.01)


def test_the_example_needs_nothing_of_this_project_and_thirty_lines():
    assert set(re.findall(r"^(?:import|from) (\w+)", EXAMPLE, re.MULTILINE)) == {"cv2", "numpy", "onnxruntime"}
    assert len(EXAMPLE.splitlines()) <= 30


def test_a_point_too_far_off_is_an_error_and_leaves_no_file(workspace, model, monkeypatch):
    def run(path, frames):
        return by_network(model, frames) + np.array([0.06, 0], np.float32)

    monkeypatch.setattr(formats, "trace", lambda *_: None)
    monkeypatch.setitem(formats.WRITE_AND_RUN, "onnx", (lambda path, *_: path.touch(), run))
    done = invoke("--output", "face.onnx", "--model", model)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0] == "exporting to onnx and comparing: half a minute to two"
    assert done.stderr.count("\n") == 2
    assert "0.06 px from where PyTorch does, and 0.05 px is the most" in done.stderr
    assert not list(workspace.iterdir())


@pytest.mark.parametrize(("off_px", "exports"), [(0.4, True), (0.6, False), (float("nan"), False)])
def test_points_off_the_frame_may_differ_by_more_as_rounding_grows_with_them(
    model, tmp_path, monkeypatch, off_px, exports
):
    """Ten sides of the frame, and so half a pixel: a network of a search whose rate was too high."""
    far = np.full((len(FRAMES), 68, 2), -2240, np.float32)
    monkeypatch.setattr(formats, "trace", lambda *_: None)
    monkeypatch.setattr(formats, "run_torch", lambda *_: far)
    monkeypatch.setitem(formats.WRITE_AND_RUN, "onnx", (lambda *_: None, lambda *_: far + np.float32(off_px)))
    with nullcontext() if exports else pytest.raises(ModelError, match=r"PyTorch does, and 0\.5 px is the"):
        told = formats.export_model(model, load_model(model), tmp_path / "m.onnx", kind="onnx", frames=FRAMES)
        assert told == pytest.approx(off_px, abs=1e-3)


def test_int8_leaves_what_moves_points_most_and_moves_them_little(onnx_file, tmp_path):
    quantize(onnx_file, tmp_path / "int8.onnx", FRAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]
    before, after = onnx.load(onnx_file), onnx.load(tmp_path / "int8.onnx")
    floats = {tensor.name for tensor in after.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    halves = {tensor.name for tensor in after.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16}
    in_float = floats | {f"{name}_float32" for name in halves}
    kept = [node for node in after.graph.node if node.op_type == "Conv" and node.input[1] in in_float]
    convolutions = [node for node in before.graph.node if node.op_type == "Conv"]
    assert len(kept) == 10  # the coarse network; of the fine one, which looks twice, the first two and the heatmaps
    assert len(convolutions) == len([node for node in after.graph.node if node.op_type == "Conv"]) > 20
    difference = np.abs(formats.run_onnx(onnx_file, FRAMES) - formats.run_onnx(tmp_path / "int8.onnx", FRAMES))
    assert 0 < difference.max() < 1


@pytest.fixture
def prepared(raw):
    split.run(split=Split(val_people_frac=0.25, drop_test_copies=False, seed=0))
    preprocess.run(preprocess=Preprocess(size_px=96, fit="stretch"))


def test_frames_to_compare_are_validation_frames_of_the_right_size_else_synthetic(prepared):
    frames, whose = frames_to_compare(96)
    assert (frames.shape, whose) == ((3, 96, 96), "frames of data/processed/val")
    frames, whose = frames_to_compare(128)
    assert (frames.shape[1:], frames.dtype.name, whose) == ((128, 128), "uint8", "synthetic faces")


def test_calibration_needs_training_frames_of_the_right_size(prepared):
    assert training_frames(96).shape == (9, 96, 96)
    with pytest.raises(DataError, match="no frames of the 128 px the model takes; make them: dvc repro preprocess"):
        training_frames(128)


def test_the_error_of_labelled_frames_counts_source_pixels(prepared):
    def two_pixels_right(frames):
        truth = (face_points(90, 110) + 0.5) * [96 / 90, 96 / 110] - 0.5
        return np.stack([truth + np.array([2, 0], np.float32)] * len(frames))

    points = face_points(90, 110)
    expected = 2 * 90 / 96 / np.linalg.norm(points[36] - points[45])
    assert labelled_error("test", IBUG_68, two_pixels_right) == pytest.approx((expected, 4), rel=1e-4)


def test_no_prepared_frames_give_no_error(workspace):
    assert labelled_error("test", IBUG_68, lambda frames: frames) is None


def invoke(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_the_command_exports_the_model_of_the_workspace(exported):
    done, _ = exported
    assert done.exit_code == 0, done.output
    assert re.search(r"no point is further than 0.* px from PyTorch's on 4 synthetic faces", done.output)
    assert "\nface.pt2: " in done.output


def test_what_cannot_be_exported_is_one_line(workspace, model):
    for arguments, expected in {
        ("--output", "a.onnx"): "data/model/model.safetensors is missing; train a model with: dvc repro train",
        ("--output", "a.pt2", "--format", "pt2", "--int8", "--model", model): "--int8 is for ONNX; call the file .onnx",
        ("--output", "a.onnx", "--int8", "--model", model): "make it again with: dvc repro preprocess",
        ("--output", "a.xyz", "--model", model): "--output is a.xyz but should end in .onnx or .pt2; call it so",
        ("--output", "a.onnx", "--format", "pt2"): "--output is a.onnx but should end in .pt2; call it so",
        ("--output", "out/a.onnx", "--model", model): "there is no folder out; make it first",
    }.items():
        done = invoke(*arguments)
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
        assert expected in done.stderr
    assert not list(workspace.iterdir())

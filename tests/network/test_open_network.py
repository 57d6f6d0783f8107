"""Which file predicts, and what runs it."""

import json
import struct
import sys

import pytest
from typer.testing import CliRunner

from facial_keypoints import network as room
from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.errors import ModelError
from facial_keypoints.network import SHIPPED, OnnxNetwork, is_onnx, open_network, tell_model
from pipeline.cli import app
from pipeline.core import paths
from pipeline.models.model_file import save_model
from pipeline.models.torch_network import TorchNetwork
from tests.dataset import write_frame
from tests.models.test_models import description, network
from tests.network.small_onnx import METADATA, write_small_onnx


@pytest.fixture
def own_model(workspace):
    """A PyTorch model file where the workspace has its own."""
    (workspace / paths.MODEL).parent.mkdir(parents=True)
    save_model(workspace / paths.MODEL, network(), description())
    return workspace / paths.MODEL


def no_plugin():
    raise ImportError("no plugin is installed")


def test_without_a_model_of_its_own_a_workspace_has_the_shipped_one(workspace):
    opened = open_network()
    assert isinstance(opened, OnnxNetwork)
    assert opened.path == SHIPPED


def test_the_model_of_a_workspace_predicts_in_pytorch(own_model, capsys):
    opened = open_network()
    assert isinstance(opened, TorchNetwork)
    assert opened.digest == file_sha256(own_model)
    tell_model(opened)
    assert capsys.readouterr().err == f"model: that of the workspace; SHA-256 {opened.digest[:12]}\n"


def test_the_model_that_the_shipped_file_was_exported_from_is_run_by_that_file(own_model, tmp_path, monkeypatch):
    made_of_it = METADATA | {"model_digest": file_sha256(own_model)}
    monkeypatch.setattr(room, "SHIPPED", write_small_onnx(tmp_path / "shipped.onnx", metadata=made_of_it))
    assert isinstance(open_network(), OnnxNetwork)
    assert isinstance(open_network(own_model), TorchNetwork)  # who names it has its own numbers


def test_the_library_alone_has_the_shipped_model_and_onnx_files(own_model, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_plugin", no_plugin)
    assert open_network().digest == file_sha256(SHIPPED)
    assert open_network(write_small_onnx(tmp_path / "small.onnx")).size_px == 64
    for other in (own_model, "runs:/0123/model", "runs:/0123/model/face.onnx", "https://a.b/c.onnx", tmp_path / "none"):
        with pytest.raises(ModelError) as caught:
            open_network(other)
        assert str(caught.value).startswith(
            f"{other} is no ONNX file here, and the pipeline, which other models need, is not"
        )
        assert "make install" in str(caught.value)


@pytest.mark.parametrize("ending", ["", ".onnx"])
def test_a_name_that_no_file_can_have_is_told_in_a_line(ending):
    with pytest.raises(ModelError) as caught:
        open_network(300 * "x" + ending)
    told = str(caught.value)
    assert told.endswith(" cannot be read (File name too long); look at the name, or give another")
    assert told.startswith("xxx")
    assert len(told) < 200
    with pytest.raises(ModelError, match=r"^a\\nb is no file; "):
        open_network("a\nb")


def test_an_onnx_file_that_lies_in_mlflow_is_brought_here(tmp_path, monkeypatch):
    class Brings:
        @staticmethod
        def locate_model(model, folder):
            assert model == "runs:/0123/model/face.onnx"
            return write_small_onnx(folder / "face.onnx")

    monkeypatch.setattr(room, "_plugin", lambda: Brings)
    assert open_network("runs:/0123/model/face.onnx").size_px == 64


def test_a_package_that_a_model_needs_is_named(own_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "pipeline.models.torch_network", None)
    with pytest.raises(
        ModelError, match=r"safetensors is no ONNX file here, and pipeline.models.torch_network, which other"
    ):
        open_network()


def test_onnx_is_known_by_its_name_or_its_first_bytes(tmp_path):
    assert is_onnx(write_small_onnx(tmp_path / "model"))
    assert is_onnx(tmp_path / "missing.onnx")
    header = b"{}" + b" " * 6  # 8 bytes, so that the file begins as ONNX does
    for content in (struct.pack("<Q", len(header)) + header, b"", b"\x00" * 20):
        (tmp_path / "weights").write_bytes(content)
        assert not is_onnx(tmp_path / "weights")
    assert not is_onnx(tmp_path)


def predict(*arguments):
    return CliRunner().invoke(app, ["predict", "me.jpg", "--whole", "--no-overlay", *map(str, arguments)])


def test_predict_says_which_model_it_took_and_writes_its_digest(workspace):
    write_frame(workspace / "me.jpg")
    done = predict()
    assert done.exit_code == 0, done.output
    shipped = file_sha256(SHIPPED)
    told, no_face = done.stderr.splitlines()
    assert no_face.startswith("warning: the model sees no face where it is told to look in me.jpg")
    assert told == f"model: ibug68.onnx, which comes with the package; SHA-256 {shipped[:12]}"
    assert json.loads((workspace / "predicted/me.json").read_text())["model_sha256"] == shipped


def test_predict_takes_an_onnx_file_and_says_no_more(workspace, tmp_path):
    write_frame(workspace / "me.jpg")
    file = write_small_onnx(tmp_path / "small.onnx")
    done = predict("--model", file)
    no_face = "warning: the model sees no face where it is told to look in me.jpg (score 0.00)\n"
    assert (done.exit_code, done.stderr) == (0, no_face)
    assert json.loads((workspace / "predicted/me.json").read_text())["model_sha256"] == file_sha256(file)


@pytest.mark.parametrize("command", [["inspect", "me.jpg"], ["export", "--output", "face.onnx"]])
def test_what_needs_weights_refuses_an_onnx_file_in_one_line(workspace, tmp_path, command):
    write_frame(workspace / "me.jpg")
    file = write_small_onnx(tmp_path / "small.onnx")
    done = CliRunner().invoke(app, [*command, "--model", str(file)])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert f"{file} is an ONNX file, and {command[0]} needs PyTorch; give the model.safetensors that" in done.stderr

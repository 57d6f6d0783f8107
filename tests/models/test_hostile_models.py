"""Model files made to harm whoever opens them: one line, in bounded memory, and no tensor that the network lacks."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save, save_file
from typer.testing import CliRunner

from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.cli import app
from pipeline.experiments.tracking.model_location import open_model
from pipeline.models import NETWORKS, build_network
from pipeline.models.model_file import load_model, read_description, save_model
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.initial_weights import load_transferred, read_weights, transferable_weights
from tests.dataset import write_frame
from tests.models.test_models import MEAN_SHAPE, description, network

KEY = "facial_keypoints"


def written(header: object, data: bytes = b"") -> bytes:
    """A safetensors file by its format: length, header, data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def described(text: str, **tensors: object) -> bytes:
    return written({"__metadata__": {KEY: text}, **tensors})


def with_value(section: str, name: str, value: object) -> bytes:
    told = description()
    place = told["model"]["coarse_to_fine"] if section == "coarse_to_fine" else told[section]
    place[name] = value
    return described(json.dumps(told))


def tensor(dtype: str = "F32", shape: object = (0,), offsets: object = (0, 0)) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


DESCRIPTIONS = {
    "too many networks": with_value("coarse_to_fine", "fine_networks", 100_000_000),
    "too wide": with_value("coarse_to_fine", "fine_width", 2**40),
    "too large": with_value("preprocess", "size_px", 64_000_000),
    "negative": with_value("coarse_to_fine", "fine_px", -64),
    "a text": with_value("preprocess", "size_px", "224"),
    "a switch": with_value("preprocess", "size_px", True),
    "nothing": with_value("model", "name", None),
    "a list": with_value("model", "name", ["coarse_to_fine"]),
    "a long name": with_value("model", "name", "x" * 500_000),
    "an unknown fit": with_value("preprocess", "fit", "crop"),
    "no number": with_value("coarse_to_fine", "correction_ridge", float("nan")),
    "infinite": with_value("coarse_to_fine", "fine_margin_frac", float("inf")),
    "an unknown key": with_value("coarse_to_fine", "__class__", "x"),
    "a window of nothing": with_value("model", "window_frac", 0),
    "a window that this network has not": with_value("model", "window_frac", 0.5),
    "5,000 digits": described(json.dumps(description()).replace("224", "9" * 5000)),
    "nested": described("[" * 400_000),
    "nested sections": described('{"model":' * 50_000),
    "no object": described("[]"),
    "text": described('"model"'),
    "null": described("null"),
    "empty": described(""),
    "not for us": written({"__metadata__": {"other": "{}"}}),
    "no metadata": written({}),
}
HEADERS = {
    "empty file": b"",
    "seven bytes": bytes(7),
    "no header": bytes(8),
    "header of 2**63": struct.pack("<Q", 2**63) + b"{}",
    "header of 100 MB": struct.pack("<Q", 100_000_000) + b"{" + b" " * 99_999_999,
    "header longer than the file": struct.pack("<Q", 4000) + b"{}",
    "header that is no text": written(b"\xff" * 1000),
    "header that is no object": written(b"[]"),
    "nested header": written(b'{"a":' * 100_000),
    "many tensors": written({str(n): tensor() for n in range(14_000)}),
    "a long name": written({"n" * 900_000: tensor()}),
    "a long shape": written({"a": tensor(shape=[1] * 300_000)}),
    "a text for a shape": written({"a": tensor(shape="x" * 900_000)}),
    "a shape beyond 64 bits": written({"a": tensor(shape=[2**40, 2**40], offsets=(0, 4))}, bytes(4)),
    "offsets beyond the end": written({"a": tensor(shape=[2**40], offsets=(0, 2**42))}),
    "offsets that overlap": written({"a": tensor(shape=[2], offsets=(0, 8)), "b": tensor(shape=[2], offsets=(4, 12))}),
    "offsets that run back": written({"a": tensor(shape=[1], offsets=(4, 0))}, bytes(4)),
    "an unknown type": written({"a": tensor("F1", [1], (0, 4))}, bytes(4)),
    "a key that comes twice": written(b'{"a": 1, "__metadata__": {}, "__metadata__": {}}'),
}


def refused(path: Path, open_file=open_model) -> str:
    with pytest.raises(ModelError) as caught:
        open_file(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.endswith("train again: dvc repro -fs train")
    assert len(message) < 500 + len(str(path))
    assert message.isprintable()
    return message


@pytest.mark.parametrize("open_file", [open_model, load_model, read_description])
@pytest.mark.parametrize("content", [*DESCRIPTIONS.values(), *HEADERS.values()], ids=[*DESCRIPTIONS, *HEADERS])
def test_a_hostile_file_is_refused_in_one_line(tmp_path, content, open_file):
    (tmp_path / "m.safetensors").write_bytes(content)
    if open_file is read_description and content == DESCRIPTIONS["a window that this network has not"]:
        return  # each value is sound; only the network says that they do not go together
    refused(tmp_path / "m.safetensors", open_file)


LIMITED = """
import resource, sys
from pathlib import Path
import torch
from facial_keypoints.core.errors import ModelError
from pipeline.experiments.tracking.model_location import open_model
before = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (before + 400_000_000,) * 2)
for path in sys.argv[1:]:
    try:
        open_model(path)
    except ModelError:
        continue
    sys.exit(f"{path} was taken")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
"""Opens files with 400 MB of address space to spare."""


@pytest.mark.slow
def test_no_file_takes_more_memory_than_a_small_model(tmp_path):
    for number, content in enumerate([*DESCRIPTIONS.values(), *HEADERS.values(), *(c for _, c in spoilt_models())]):
        (tmp_path / f"{number:03}.safetensors").write_bytes(content)
    with (tmp_path / "zeros.safetensors").open("wb") as sparse:
        sparse.write(written({"a": tensor(shape=[2**33], offsets=(0, 2**35))}))
        sparse.truncate(sparse.tell() + 2**35)
    files = sorted(map(str, tmp_path.glob("*.safetensors")))
    done = subprocess.run([sys.executable, "-c", LIMITED, *files], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def largest_network(told: dict) -> dict:
    """The most that a description may ask for: a gigabyte of weights."""
    return {"model": told["model"] | {"name": "naimishnet"}, "preprocess": {"size_px": 512, "fit": "pad"}}


def spoilt_models() -> list[tuple[str, bytes]]:
    """Sound descriptions with tensors that are not those of the network."""
    sound = network().state_dict()
    text = {KEY: json.dumps(description())}
    some, scalar = "coarse.hidden.bias", "coarse.trunk.0.1.num_batches_tracked"
    spoil = {
        "float64": {some: sound[some].double()},
        "float16": {some: sound[some].half()},
        "float8": {some: sound[some].to(torch.float8_e4m3fn)},
        "int8": {some: sound[some].to(torch.int8)},
        "bool": {some: sound[some].bool()},
        "complex": {some: sound[some].to(torch.complex64)},
        "counter as float": {scalar: sound[scalar].float()},
        "counter as list": {scalar: sound[scalar].reshape(1)},
        "shorter": {some: sound[some][:-1]},
        "another shape": {some: sound[some].reshape(2, 128)},
        "no values": {some: sound[some][:0]},
        "NaN": {some: sound[some] * float("nan")},
        "infinity": {some: sound[some] + float("inf")},
        "67 points": {"mean_shape": torch.zeros(67, 2)},
        "one too many": {"extra\x1b[31m": torch.zeros(1)},
    }
    made = [(name, save(sound | change, text)) for name, change in spoil.items()]
    made.append(("one too few", save({n: t for n, t in sound.items() if n != some}, text)))
    made.append(("nothing in it", save({}, {KEY: json.dumps(largest_network(description()))})))
    cut = save(sound, text)
    return [*made, ("cut", cut[:-100]), ("longer", cut + bytes(100))]


@pytest.mark.parametrize(("name", "content"), spoilt_models(), ids=[name for name, _ in spoilt_models()])
def test_tensors_that_are_not_the_networks_are_refused(tmp_path, name, content):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    message = refused(path)
    if name in {"float64", "float16", "float8", "int8", "shorter", "no values"}:
        assert "its coarse.hidden.bias is" in message
        assert "where F32 [256] is expected" in message
    if name in {"NaN", "infinity"}:
        assert "its coarse.hidden.bias holds values that are no numbers" in message


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.slow
def test_nothing_of_a_network_stays_without_memory(tmp_path, name):
    """Whatever tensors it has, all come from the file and none from the plan."""
    save_model(tmp_path / "m", network(name), description(name))
    again = load_model(tmp_path / "m")
    assert not [key for key, value in again.state_dict().items() if value.is_meta]
    assert {name for name, _ in again.named_buffers()} <= set(again.state_dict())
    assert all(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.slow
def test_to_open_a_model_loads_no_compiler(tmp_path):
    """It would take seconds; torchvision loads it by itself, for the networks that are its."""
    save_model(tmp_path / "m", network(), description())
    code = (
        "import sys; from pathlib import Path; from pipeline.models.model_file import load_model;"
        "load_model(Path('m')); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_a_model_stays_what_it_was_when_its_file_changes(tmp_path):
    path = tmp_path / "m"
    save_model(path, network(), description())
    loaded, before = load_model(path), load_file(path)["mean_shape"].clone()
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(loaded.state_dict()["mean_shape"], before)


def test_what_is_no_plain_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/zero"), Path("/dev/null")):
        for open_file in (load_model, read_description):
            assert "it is no plain file" in refused(path, open_file)


@pytest.mark.parametrize(
    "command", ["predict picture.png", "inspect picture.png", "filter picture.png --name blur", "export --output m.pt2"]
)
@pytest.mark.parametrize("name", ["too many networks", "nested", "a long name"])
def test_every_command_refuses_it(workspace, command, name):
    (workspace / "m.safetensors").write_bytes(DESCRIPTIONS[name])
    write_frame(workspace / "picture.png")
    result = CliRunner().invoke(app, [*command.split(), "--model", "m.safetensors"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.output
    assert result.stderr.startswith("error: m.safetensors is damaged or no model of this project")
    assert len(result.stderr) < 600


# What training leaves for itself lies in folders that can be damaged too.


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_damaged_pretrained_weights_are_one_line(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    if content == HEADERS["many tensors"] or content == HEADERS["a long name"]:
        net = build_network(description()["model"], side=224, mean_shape=MEAN_SHAPE, flip_index=IBUG_68.flip_index)
        with pytest.raises(ModelError, match="of another network"):
            load_transferred(net, read_weights(path))
        return
    with pytest.raises(ModelError, match=r"is damaged .* make it again with: dvc repro -fs pretrain") as caught:
        read_weights(path)
    assert len(str(caught.value)) < 400


def test_pretrained_weights_of_another_type_are_refused(tmp_path):
    net = network()
    save_file({name: value.double() for name, value in transferable_weights(net).items()}, tmp_path / "w")
    with pytest.raises(ModelError, match="of another network"):
        load_transferred(net, read_weights(tmp_path / "w"))


def test_pretrained_weights_that_are_no_plain_file_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="it is no plain file"):
        read_weights(tmp_path / "pipe")


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "[" * 100_000, "1" * 5000, "{}", '{"key": []}'])
def test_a_checkpoint_with_an_odd_header_is_set_aside(tmp_path, capsys, text):
    checkpoint = Checkpoint(tmp_path / "state", "ab" * 32)
    checkpoint.path.write_bytes(written({"__metadata__": {"facial_keypoints_training": text}}))
    assert checkpoint.read() == (None, [])
    line = capsys.readouterr().err
    assert (line.count("\n"), len(line) < 500 + 2 * len(str(tmp_path))) == (1, True)


def test_a_checkpoint_that_is_a_pipe_is_set_aside(tmp_path, capsys):
    os.mkfifo(tmp_path / "state")
    assert Checkpoint(tmp_path / "state", "ab" * 32).read() == (None, [])
    assert "it is no plain file" in capsys.readouterr().err

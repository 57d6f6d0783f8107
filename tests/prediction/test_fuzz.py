"""Damaged pictures, videos and model files thrown at predict: an answer or one line, bounded memory, no hang."""

import io
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from facial_keypoints.core.errors import DataError, ModelError
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import KeypointDetector
from facial_keypoints.inputs.pictures import read_picture
from facial_keypoints.inputs.source import Source
from facial_keypoints.outputs.output_folder import OutputFolder
from facial_keypoints.prediction.files import Job, predict_files
from pipeline.experiments.params import load_params
from pipeline.models import build_network
from pipeline.models.model_file import save_model
from tests import odd_files
from tests.architecture import ROOT
from tests.dataset import face_points
from tests.discs import disc_detector, draw_discs

MEMORY_MB = 1500
"""More than any example needs, far less than a picture bomb takes."""


def encoded(form: str) -> bytes:
    picture = Image.fromarray(draw_discs([(40.0, 40.0, 12.0)], (80, 80)))
    file = io.BytesIO()
    (picture.convert("P") if form == "GIF" else picture).save(file, form)
    return file.getvalue()


PICTURES = [encoded(form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")]

damages = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "insert", "repeat", "zero"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=6,
)


def damaged(content: bytes, steps, header: int) -> bytes:
    """Damage of each kind, half of it in the first `header` bytes, where it does most."""
    for kind, place, value, length in steps:
        reach = header if value % 2 else len(content)
        at = int(place * min(reach, len(content)))
        head, tail = content[:at], content[at:]
        match kind:
            case "set":
                content = head + bytes([value]) + tail[1:]
            case "cut":
                content = head if value > 127 else head + tail[length:]
            case "insert":
                content = head + bytes([value]) * length + tail
            case "repeat":
                content = head + tail[:length] * 3 + tail[length:]
            case "zero":
                content = head + bytes(length) + tail[length:]
    return content


def try_picture(content: bytes) -> None:
    try:
        picture = read_picture(content)
    except DataError:
        return
    if picture.size < 30_000_000:
        disc_detector()(picture)


def try_model(path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        detector = KeypointDetector.load(path)
        face = detector.whole(draw_discs([(40.0, 40.0, 12.0)], (80, 80)))
    except ModelError:
        return
    assert np.isfinite(face.keypoints).all()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    sections = load_params(ROOT / "params.yaml")
    options = asdict(sections.model)
    options["coarse_to_fine"] |= {"fine_width": 8, "fine_px": 64, "fine_pyramid": 8, "coarse_px": 32}
    torch.manual_seed(0)
    network = build_network(
        options, side=64, mean_shape=torch.from_numpy(face_points(64, 64)).float(), flip_index=IBUG_68.flip_index
    )
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    preparation = asdict(sections.preprocess) | {"size_px": 64}
    save_model(path, network, {"model": options, "preprocess": preparation})
    return path.read_bytes()


@pytest.fixture(autouse=True)
def bounded_memory():
    before = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak that other tests left
    yield
    assert memory_mb("VmHWM") - before < MEMORY_MB


def memory_mb(what: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in status if line.startswith(what))


def test_what_is_not_damaged_is_answered(model, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(model)
    assert np.isfinite(KeypointDetector.load(tmp_path / "m.safetensors").whole(draw_discs([])).keypoints).all()
    assert [len(disc_detector()(read_picture(content))) for content in PICTURES] == [1] * len(PICTURES)


QUICK = settings(max_examples=60, deadline=None)
SLOW = settings(max_examples=800, deadline=None)
QUICK_MODELS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SLOW_MODELS = settings(QUICK_MODELS, max_examples=300)


@QUICK
@given(st.sampled_from(PICTURES), damages)
def test_damaged_pictures(content, steps):
    try_picture(damaged(content, steps, 200))


@pytest.mark.long
@SLOW
@given(st.sampled_from(PICTURES), damages)
def test_many_damaged_pictures(content, steps):
    try_picture(damaged(content, steps, 200))


@QUICK_MODELS
@given(steps=damages)
def test_damaged_models(model, tmp_path, steps):
    try_model(tmp_path / "model.safetensors", damaged(model, steps, 6000))


@pytest.mark.long
@SLOW_MODELS
@given(steps=damages)
def test_many_damaged_models(model, tmp_path, steps):
    try_model(tmp_path / "model.safetensors", damaged(model, steps, 6000))


@pytest.mark.long
@QUICK_MODELS
@given(content=st.binary(max_size=2000))
def test_any_bytes_as_picture_video_and_model(tmp_path, content):
    for name in ("noise.jpg", "noise.mp4"):
        (tmp_path / name).write_bytes(content)
        job = Job(disc_detector(), OutputFolder(tmp_path), "json", overlay=True, smooth=True)
        assert predict_files(job, [Source(tmp_path / name, "out")]).skipped == 1
    try_model(tmp_path / "model.safetensors", content)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"fine_width\\": 8', b'"fine_width\\": 99999999'),
        (b'"size_px\\": 64', b'"size_px\\": 64000000'),
        (b'"size_px\\": 64', b'"size_px\\": null'),
        (b'"name\\": \\"coarse_to_fine\\"', b'"name\\": [1]'),
    ],
)
def test_a_description_that_asks_for_too_much(model, tmp_path, old, new):
    assert old in model
    length = int.from_bytes(model[:8], "little") + len(new) - len(old)
    (tmp_path / "m.safetensors").write_bytes(length.to_bytes(8, "little") + model[8:].replace(old, new))
    with pytest.raises(ModelError):
        KeypointDetector.load(tmp_path / "m.safetensors")


@pytest.mark.long
def test_every_odd_file_of_a_folder_is_done_or_named_once(tmp_path):
    assert odd_files.prove(200, 1, tmp_path) == []

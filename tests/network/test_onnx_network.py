"""ONNX files as networks: their answers, their threads, and files that are none of ours."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from facial_keypoints.core import onnx_runtime
from facial_keypoints.core.errors import ModelError
from facial_keypoints.core.onnx_runtime import default_threads
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.network.onnx import SHIPPED, OnnxNetwork
from tests.architecture import ROOT
from tests.network.small_onnx import (
    ESTIMATED,
    ESTIMATES,
    FRAMES,
    KEYPOINTS,
    METADATA,
    POINTS,
    crops,
    outside,
    small_onnx,
    value,
    write_small_onnx,
)


@pytest.fixture
def file(tmp_path):
    return write_small_onnx(tmp_path / "small.onnx")


def test_a_file_says_how_pictures_are_prepared_and_what_its_points_are(file):
    network = OnnxNetwork(file)
    assert (network.size_px, network.fit, network.scheme) == (64, "pad", IBUG_68)
    assert network.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert network.trained_digest == "ab" * 32


@pytest.mark.parametrize("count", [0, 1, 16, 37])
def test_batches_of_any_size_are_answered_in_their_order(file, count):
    estimates = OnnxNetwork(file)(crops(*range(count)))
    assert (estimates.shape, estimates.dtype.name) == ((count, ESTIMATES, 68, 2), "float64")
    np.testing.assert_array_equal(estimates, POINTS + np.arange(count)[:, None, None, None])


def test_radii_are_answered_where_a_file_tells_them(file, tmp_path):
    radii = value("radii", TensorProto.FLOAT, "batch", 68)
    telling = write_small_onnx(tmp_path / "m.onnx", outputs=[KEYPOINTS, ESTIMATED, radii], more=[RADII_OF_Y])
    answered = OnnxNetwork(telling).predict(crops(0, 5))
    np.testing.assert_array_equal(answered.estimates, OnnxNetwork(file)(crops(0, 5)))
    np.testing.assert_array_equal(answered.radii, [POINTS[-1, :, 1], POINTS[-1, :, 1] + 5])
    assert OnnxNetwork(telling).predict(crops()).radii.shape == (0, 68)
    assert OnnxNetwork(file).predict(crops(0, 5))[1:] == (None, None)


def test_views_are_answered_where_a_file_has_them_with_radii_or_without(tmp_path):
    views = value("views", TensorProto.FLOAT, "batch", 2, ESTIMATES, 68, 2)
    telling = write_small_onnx(tmp_path / "m.onnx", outputs=[KEYPOINTS, views, ESTIMATED], more=TWO_VIEWS)
    answered = OnnxNetwork(telling).predict(crops(0, 5))
    np.testing.assert_array_equal(answered.views, np.stack([answered.estimates] * 2, 1))
    assert answered.radii is None


def test_a_mirrored_view_of_crops_is_answered_as_its_copy(file):
    view = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)[:, :, ::-1]
    np.testing.assert_array_equal(OnnxNetwork(file)(view), OnnxNetwork(file)(view.copy()))


def test_threads_that_share_a_network_get_their_own_answers(file):
    network = OnnxNetwork(file, threads=2)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda level: network(crops(*[level] * 20)), range(200)))
    for level, answer in enumerate(answers):
        np.testing.assert_array_equal(answer, np.repeat(POINTS[None] + level, 20, 0))


def test_threads_are_those_asked_for_else_of_the_environment_else_the_cores(file, monkeypatch):
    def threads_of(network):
        return network._session._session.get_session_options().intra_op_num_threads

    assert threads_of(OnnxNetwork(file, threads=3)) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_of(OnnxNetwork(file)) == 2
    monkeypatch.setattr(onnx_runtime, "_QUOTA", Path("no quota"))
    for useless in ("", "0", "many", "9" * 20):
        monkeypatch.setenv("OMP_NUM_THREADS", useless)
        assert default_threads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), ("1 0", 8), ("", 8)],
)
def test_a_container_has_as_many_threads_as_its_quota(tmp_path, monkeypatch, quota, expected):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(onnx_runtime, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert default_threads() == expected


def test_a_network_goes_to_another_process_with_its_file(file):
    before = OnnxNetwork(file)
    crops = np.zeros((2, before.size_px, before.size_px), np.uint8)
    content = pickle.dumps(before)
    file.unlink()
    after = pickle.loads(content)
    np.testing.assert_array_equal(before(crops), after(crops))
    assert (after.digest, after.scheme) == (before.digest, before.scheme)


def test_outputs_that_nobody_asked_for_do_not_matter(tmp_path):
    more = value("confidence", TensorProto.FLOAT, "batch", 68, 2)
    copied = helper.make_node("Identity", ["keypoints"], ["confidence"])
    file = write_small_onnx(tmp_path / "m.onnx", outputs=[KEYPOINTS, ESTIMATED, more], more=[copied])
    np.testing.assert_array_equal(OnnxNetwork(file)(crops(5)), POINTS[None] + 5)


def with_frames(*shape):
    return small_onnx(inputs=[value("frames", TensorProto.UINT8, *shape)])


def with_scheme(text):
    return small_onnx(metadata=METADATA | {"scheme": text})


def without(name):
    return small_onnx(metadata={key: text for key, text in METADATA.items() if key != name})


def with_estimates(*shape, kind=TensorProto.FLOAT):
    return small_onnx(outputs=[KEYPOINTS, value("estimates", kind, *shape)])


SOUND = small_onnx()
RADII_OF_Y = helper.make_node("Gather", ["keypoints", "end"], ["radii"], axis=2)
"""The y coordinates of the points as their radii."""
TWO_VIEWS = [
    helper.make_node("Unsqueeze", ["estimates", "one"], ["view"]),
    helper.make_node("Concat", ["view", "view"], ["views"], axis=1),
]
"""The estimates as those of both sides."""
OUTSIDE, KEY, NAMED = small_onnx(weights=outside("f")), b"\x0a\x08location", b"\x12\x01f"
FIVE = json.dumps(IBUG_68.as_data() | {"points": 5})
HOSTILE = {
    "empty": (b"", ""),
    "text": (b"version https://git-lfs.github.com/spec/v1\n", ""),
    "page of a proxy": (b"<html><body>Please log in</body></html>" * 100, ""),
    "cut short": (SOUND[: len(SOUND) // 2], ""),
    "more at the end": (SOUND + b"\xff" * 100, ""),
    "another input": (small_onnx(inputs=[value("images", TensorProto.UINT8, "batch", 64, 64)]), "'images'"),
    "input of floats": (with_frames("batch", 64, 65), "frames, tensor(uint8), [batch, S, S] with S from 64 to 512"),
    "two inputs": (small_onnx(inputs=[FRAMES, value("more", TensorProto.UINT8, 1)]), "its inputs are"),
    "one size of batch": (with_frames(1, 64, 64), "its inputs are"),
    "frames of any size": (with_frames("batch", "height", "width"), "its inputs are"),
    "huge frames": (with_frames("batch", 100_000, 100_000), "its inputs are"),
    "small frames": (with_frames("batch", 63, 63), "its inputs are"),
    "no estimates": (small_onnx(outputs=[KEYPOINTS]), "of an older version"),
    "radii of other points": (
        small_onnx(outputs=[KEYPOINTS, ESTIMATED, value("radii", TensorProto.FLOAT, "batch", 5)], more=[RADII_OF_Y]),
        "radii, if any, should be tensor(float), [batch, 68]",
    ),
    "views of one estimate": (
        small_onnx(
            outputs=[KEYPOINTS, ESTIMATED, value("views", TensorProto.FLOAT, "batch", 2, 68, 2)],
            more=[helper.make_node("Identity", ["estimates"], ["views"])],
        ),
        "views, if any, should be tensor(float), [batch, 2, 2, 68, 2]",
    ),
    "too many estimates": (with_estimates("batch", 10_000, 68, 2), ""),
    "estimates of other points": (with_scheme(FIVE), "the regions do not hold each of the points 0 to 4"),
    "no scheme": (without("scheme"), "it does not say what its points are"),
    "no JSON": (with_scheme("ibug-68"), "what it says of its points is wrong: Expecting value"),
    "a list for a scheme": (with_scheme("[]"), "a scheme holds name, title, points"),
    "a nested scheme": (with_scheme("[" * 100_000), "what it says of its points is wrong"),
    "a scheme of many points": (with_scheme(json.dumps(IBUG_68.as_data() | {"points": 10**9})), "wrong"),
    "no fit": (without("fit"), "its fit is None where pad or stretch is expected"),
    "another fit": (small_onnx(metadata=METADATA | {"fit": "crop"}), "its fit is 'crop'"),
    "weights in another file": (small_onnx(weights=outside("points.bin")), "its weights lie in other files"),
    "weights in a file of the system": (small_onnx(weights=outside("/etc/passwd")), "lie in other files"),
    "weights in another file, its name first": (
        OUTSIDE.replace(KEY + NAMED, NAMED + KEY),
        "weights lie in other files",
    ),
    "weights in another file, with needless bytes": (
        OUTSIDE.replace(KEY, b"\x8a\x80\x00\x88\x00location"),
        "its weights lie in other files",
    ),
    "weights without an end": (small_onnx(weights=outside("/dev/zero")), "its weights lie in other files"),
}


@pytest.mark.parametrize(("content", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(tmp_path, content, expected, capfd):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        OnnxNetwork(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is damaged or no model of this project (")
    assert expected in message
    assert message.endswith("); give a file of keypoints export")
    assert message.isprintable()
    assert len(message) < 600 + len(str(path))
    assert capfd.readouterr() == ("", "")


def test_what_is_no_plain_file_or_too_large_is_not_read(tmp_path):
    sparse, pipe = tmp_path / "large.onnx", tmp_path / "pipe.onnx"
    with sparse.open("wb") as file:
        file.truncate(2**40)
    os.mkfifo(pipe)
    for path, expected in {
        sparse: "500,000,000 are the most",
        pipe: "no plain file",
        tmp_path: "no plain file",
    }.items():
        with pytest.raises(ModelError, match=expected):
            OnnxNetwork(path)
    with pytest.raises(ModelError, match=r"none\.onnx is missing; give a file of keypoints export"):
        OnnxNetwork(tmp_path / "none.onnx")


def test_an_answer_of_another_shape_than_promised_is_one_line(tmp_path):
    dropping_black_frames = [
        helper.make_node("Cast", ["middle"], ["light"], to=TensorProto.BOOL),
        helper.make_node("Squeeze", ["light"], ["lights"]),
        helper.make_node("Compress", ["all", "lights"], ["estimates"], axis=0),
    ]
    network = OnnxNetwork(write_small_onnx(tmp_path / "m.onnx", added="all", more=dropping_black_frames))
    assert len(network(crops(1, 2))) == 2
    with pytest.raises(ModelError, match=r"it answers \(1, 2, 68, 2\) where \(2, 2, 68, 2\) was promised"):
        network(crops(0, 2))


def test_without_onnxruntime_one_line_says_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"^onnxruntime cannot be imported \(.*\); install it: pip install"):
        OnnxNetwork(file)


def test_a_damaged_shipped_file_has_a_remedy_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("facial_keypoints.network.onnx.SHIPPED", tmp_path / SHIPPED.name)
    with pytest.raises(ModelError, match=r"is missing; install the package anew, or in a checkout: git checkout "):
        OnnxNetwork(tmp_path / SHIPPED.name)


def test_onnxruntime_tells_nobody_what_runs(file, tmp_path):
    code = f"from facial_keypoints import KeypointDetector; KeypointDetector.load({str(file)!r}, detector='haar')"
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={"HOME": str(home)})
    assert not [*home.rglob("*")]  # where it keeps the number of the computer and what is to be sent

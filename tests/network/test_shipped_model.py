"""The model that comes with the package is that of dvc.lock, and as good."""

import hashlib
import json

import numpy as np
import pytest
from ruamel.yaml import YAML

from facial_keypoints.core.atomic_files import file_sha256
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.network import SHIPPED, OnnxNetwork
from pipeline.core import paths
from pipeline.experiments.tracking.model_location import open_model
from pipeline.export.sample_frames import synthetic_frames
from pipeline.export.shipped import MOST_BYTES, MOST_NME_CHANGE_PERCENT
from tests.architecture import ROOT

STALE = "the shipped model is older than dvc.lock; make it anew: keypoints ship"


@pytest.fixture(scope="module")
def shipped():
    return OnnxNetwork(SHIPPED)


def test_it_is_made_from_the_model_of_dvc_lock(shipped):
    stages = YAML(typ="safe").load(ROOT / paths.LOCK)["stages"]
    locked = {output["path"]: output["md5"] for output in stages["train"]["outs"]}
    assert shipped.metadata["model_md5"] == locked[paths.MODEL.as_posix()], STALE


def test_its_card_is_that_of_dvc_lock():
    stages = YAML(typ="safe").load(ROOT / paths.LOCK)["stages"]
    (locked,) = (out["md5"] for out in stages["render"]["outs"] if out["path"] == paths.MODEL_CARD.as_posix())
    assert hashlib.md5(SHIPPED.with_suffix(".md").read_bytes()).hexdigest() == locked, STALE


def test_it_tells_the_errors_of_the_reports_and_its_own_which_are_near_them(shipped):
    told = json.loads(shipped.metadata["nme_percent"])
    reported = json.loads((ROOT / paths.METRICS).read_text())
    for split in ("val", "test"):
        assert told["trained"][split] == reported[split]["nme_percent"], STALE
        assert abs(told["in_8_bits"][split] - told["trained"][split]) <= MOST_NME_CHANGE_PERCENT
    page = " ".join((ROOT / "docs/how-it-works.md").read_text().split())
    assert (
        f"On the test the NME is {told['in_8_bits']['test']:.3f} %, before rounding {told['trained']['test']:.3f}."
        in page
    )


def test_it_is_small_and_tells_what_its_users_have_to_know(shipped):
    assert SHIPPED.stat().st_size <= MOST_BYTES
    assert (shipped.size_px, shipped.fit, shipped.scheme) == (224, "pad", IBUG_68)
    told = shipped.metadata
    assert told["licence"] == "MIT"
    assert told["precision"].startswith("convolutions in int8, all else float32")
    assert "YouTube Faces" in told["data"]
    assert "/" not in told["network"]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / paths.MODEL).is_file(), reason="no model is trained: dvc repro train")
def test_its_points_of_synthetic_faces_are_those_of_the_network(shipped):
    trained = open_model(ROOT / paths.MODEL)
    if file_sha256(ROOT / paths.MODEL) != shipped.trained_digest:
        pytest.skip("the model of this workspace is another one")
    frames = synthetic_frames(shipped.size_px)
    apart = np.linalg.norm(trained(frames)[:, -1] - shipped(frames)[:, -1], axis=-1)
    assert apart.max() < 0.3

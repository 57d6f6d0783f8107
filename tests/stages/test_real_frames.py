"""The whole pipeline for one epoch on the real frames, where KEYPOINTS_MIRROR says they are."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from facial_keypoints.network import SHIPPED, OnnxNetwork
from pipeline.export.sample_frames import labelled_error
from pipeline.export.shipped import MOST_NME_CHANGE_PERCENT
from tests.architecture import ROOT
from tests.checkout import Checkout

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        "KEYPOINTS_MIRROR" not in os.environ, reason="KEYPOINTS_MIRROR names no copy of the real frames"
    ),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    checkout = Checkout(tmp_path_factory.mktemp("real") / "checkout")
    print(checkout.run("dvc", "exp", "run", "-S", "train.epochs=1"))
    return checkout.folder


def test_every_frame_is_fetched(built):
    assert len(list((built / "data/raw/training").iterdir())) == 3462
    assert len(list((built / "data/raw/test").iterdir())) == 2308
    assert json.loads((built / "data/dataset.json").read_text())["dataset"] == "youtube-faces"


def test_every_frame_is_split(built):
    samples = pd.read_csv(built / "data/split/samples.csv", keep_default_na=False)
    assert len(samples) == 5770
    assert (samples["split"] == "test").sum() == 2308
    assert (samples[samples["split"] == "test"]["labelled"]).sum() == 770
    assert (samples["split"] == "").sum() == 7  # copies of five test frames
    assert samples["person"].nunique() == 347
    assert samples[samples["folder"] == "training"]["clip"].nunique() == 1154
    people = samples.groupby("split")["person"].nunique()
    assert people["val"] == 35
    assert people["test"] == 347


def test_every_frame_is_prepared(built):
    shapes = {
        split: np.load(built / "data/processed" / split / "images.npy", mmap_mode="r").shape
        for split in ("train", "val", "test")
    }
    assert shapes["train"][0] + shapes["val"][0] == 3462 - 7
    assert shapes["test"] == (2308, 224, 224)
    assert np.isnan(np.load(built / "data/processed/test/keypoints.npy")).all((1, 2)).sum() == 2308 - 770


def test_every_test_frame_is_predicted_and_every_label_measured(built):
    assert len(pd.read_csv(built / "data/predictions/test_frames_keypoints.csv")) == 2308
    metrics = json.loads((built / "reports/metrics.json").read_text())
    measured = pd.read_csv(built / "reports/per_frame.csv")["split"].value_counts()
    assert (measured["test"], measured["val"]) == (770, metrics["val"]["faces"])
    assert metrics["test"]["faces"] == 770
    baseline = metrics["test_mean_shape"]["nme_percent"]
    assert metrics["test"]["nme_percent"] < baseline
    assert 20 < baseline < 40


def test_the_shipped_model_has_the_reported_error(built, monkeypatch):
    monkeypatch.chdir(built)
    network = OnnxNetwork(SHIPPED)
    error, faces = labelled_error("test", network.scheme, lambda frames: network(frames)[:, -1])
    reported = json.loads((ROOT / "reports/metrics.json").read_text())["test"]
    assert faces == reported["faces"] == 770
    assert abs(100 * error - reported["nme_percent"]) <= MOST_NME_CHANGE_PERCENT

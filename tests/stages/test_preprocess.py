import os
from typing import Literal

import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import transform_points
from pipeline.core import paths
from pipeline.core.arrays import load_arrays
from pipeline.core.frames import read_gray
from pipeline.core.labels import LABELS, read_keypoints_csv, write_keypoints_csv
from pipeline.core.samples import read_samples
from pipeline.core.settings import Preprocess, Split
from pipeline.stages import preprocess, split
from tests.dataset import face_points, write_frame


@pytest.fixture
def samples(raw):
    for folder in ("training", "test"):
        write_frame(raw / folder / "Person_A_00.jpg", seed=99, width=300, height=260)
    split.run(split=Split(val_people_frac=0.25, drop_test_copies=False, seed=0))
    return read_samples(paths.SAMPLES)


def run(fit: Literal["pad", "stretch"] = "pad", size_px: int = 224):
    preprocess.run(preprocess=Preprocess(size_px=size_px, fit=fit))
    return {name: load_arrays(paths.PROCESSED / name) for name in ("train", "val", "test")}


def test_shapes_and_types(samples):
    for name, arrays in run().items():
        count = (samples["split"] == name).sum()
        assert (arrays.images.shape, arrays.images.dtype) == ((count, 224, 224), np.uint8)
        assert (arrays.keypoints_crop.shape, arrays.keypoints_crop.dtype) == ((count, 68, 2), np.float32)
        assert (arrays.crop_from_source.shape, arrays.crop_from_source.dtype) == ((count, 3, 3), np.float32)
        assert list(arrays.samples["sample_id"]) == list(samples.loc[samples["split"] == name, "sample_id"])


def test_images_can_be_read_without_loading_them(samples):
    run()
    images = np.load(paths.PROCESSED / "train" / "images.npy", mmap_mode="r")
    assert isinstance(images, np.memmap)


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_keypoints_go_back_to_the_labels(samples, fit):
    test = run(fit)["test"]
    back = transform_points(np.linalg.inv(test.crop_from_source.astype(float)), test.keypoints_crop)
    labelled = test.samples["labelled"].to_numpy()
    assert np.abs(back[labelled] - face_points(90, 110)).max() < 1e-3
    assert np.isnan(test.keypoints_crop[~labelled]).all()


def test_rows_hold_their_own_frames(samples, raw):
    arrays = run(size_px=110)["test"]  # frames 110 pixels high are not resized, only padded
    for row, sample in arrays.samples.iterrows():
        gray = read_gray(raw / sample["folder"] / sample["file"])
        if gray.shape == (110, 90):
            assert (arrays.images[row][:, 10:100] == gray).all()


def test_the_number_of_cores_does_not_matter(samples, monkeypatch):
    run()
    many = {path: path.read_bytes() for path in sorted(paths.PROCESSED.rglob("*.npy"))}
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    run()
    assert many == {path: path.read_bytes() for path in sorted(paths.PROCESSED.rglob("*.npy"))}


def test_a_broken_frame_is_named(samples, raw):
    (raw / "test" / "Person_B_01.jpg").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DataError, match=r"Person_B_01\.jpg is empty, truncated or no image"):
        run()
    assert not paths.PROCESSED.exists()


def test_a_missing_frame_is_named(samples, raw):
    (raw / "test" / "Person_B_01.jpg").unlink()
    with pytest.raises(DataError, match=r"Person_B_01\.jpg cannot be read \(No such file or directory\)"):
        run()


@pytest.mark.parametrize("folder", LABELS)
@pytest.mark.parametrize("points", [np.zeros((68, 2)), face_points(90, 110) * (1, 0), face_points(90, 110)])
def test_a_label_without_a_size_is_named(samples, raw, folder, points):
    names, keypoints = read_keypoints_csv(raw / LABELS[folder])
    keypoints[0] = points
    keypoints[0, 45] = keypoints[0, 36]  # the outer eye corners
    write_keypoints_csv(raw / LABELS[folder], names, keypoints)
    with pytest.raises(DataError, match=rf"{LABELS[folder]}: the points of {names[0]} that its error is divided by"):
        run()


def test_a_full_disk_leaves_what_was_there(samples, monkeypatch):
    run()
    before = {path: path.read_bytes() for path in sorted(paths.PROCESSED.rglob("*")) if path.is_file()}

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        run("stretch")
    assert before == {path: path.read_bytes() for path in sorted(paths.PROCESSED.rglob("*")) if path.is_file()}

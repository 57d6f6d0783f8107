import os
import shutil
import threading
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from filelock import FileLock

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.geometry import fit_square, transform_points
from pipeline.core import paths
from pipeline.core.arrays import image_files, load_arrays
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


@pytest.fixture
def shards_of_two(samples, monkeypatch) -> list[Path]:
    """A list that grows with every frame that is read."""
    monkeypatch.setattr("pipeline.core.arrays.SHARD_FRAMES", 2)
    read = []
    monkeypatch.setattr(preprocess, "read_gray", lambda path: read.append(path) or read_gray(path))
    return read


def contents(split: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (paths.PROCESSED / split).iterdir()}


def test_many_frames_come_in_shards_and_are_the_same(samples, monkeypatch):
    whole = {name: np.asarray(part.images) for name, part in run().items()}
    before = {name: contents(name) for name in preprocess.SPLITS}
    monkeypatch.setattr("pipeline.core.arrays.SHARD_FRAMES", 4)
    sharded = run()
    for name, part in sharded.items():
        assert np.array_equal(part.images, whole[name])
        assert len(image_files(paths.PROCESSED / name)) == -(-len(part.samples) // 4)
        one, many = (
            {file: held for file, held in files.items() if not file.startswith("images")}
            for files in (before[name], contents(name))
        )
        assert one == many
    assert not list(Path(".checkpoints/preprocess").iterdir())


def test_a_killed_process_loses_one_shard(shards_of_two, samples, monkeypatch):
    all_frames = int(samples["split"].isin(preprocess.SPLITS).sum())
    gray = vars(preprocess)["read_gray"]
    monkeypatch.setattr(preprocess, "read_gray", lambda path: gray(path) if len(shards_of_two) < 7 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run()
    assert not paths.PROCESSED.exists()
    (made,) = (folder for folder in Path(".checkpoints/preprocess").iterdir() if folder.is_dir())
    assert len(list(made.glob("*-*"))) == 3
    damaged = made / "train-00000" / "images.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(preprocess, "read_gray", gray)
    shards_of_two.clear()
    run()
    assert len(shards_of_two) == all_frames - 4


def test_a_frame_that_changed_since_is_read_anew(shards_of_two, raw):
    (raw / "test" / "Person_B_01.jpg").rename("aside.jpg")
    with pytest.raises(DataError):
        run()
    shutil.move("aside.jpg", raw / "test" / "Person_B_01.jpg")
    write_frame(raw / "training" / "Person_A_00.jpg", seed=5)
    shards_of_two.clear()
    split_of = read_samples(paths.SAMPLES).set_index("sample_id")["split"]
    part = run()[split_of["training/Person_A_00"]]
    assert raw / "training" / "Person_A_00.jpg" in [raw.parent.parent / path for path in shards_of_two]
    assert len(shards_of_two) < (split_of != "").sum() - 6
    expected, _ = fit_square(read_gray(raw / "training" / "Person_A_00.jpg"), 224, "pad")
    assert np.array_equal(part.images[part.samples["sample_id"].tolist().index("training/Person_A_00")], expected)


@pytest.mark.parametrize("end", ["is killed", "finishes"])
def test_a_second_process_takes_its_share_and_waits(shards_of_two, capfd, end):
    """The first holds the lock; then it is gone without its work being done, or with it done."""
    section = Preprocess(size_px=64, fit="pad")
    folder = Path(".checkpoints/preprocess") / preprocess._key(section)
    folder.mkdir(parents=True)
    lead = FileLock(folder.with_name(f"{folder.name}.lock"))
    lead.acquire()
    taken = FileLock(folder.with_name(f"{folder.name}-val-00000.lock"))  # one shard is at work in the first
    taken.acquire()
    second = threading.Thread(target=lambda: preprocess.run(preprocess=section))
    second.start()
    wait_for(lambda: (folder / "test-00003").exists())
    assert not (folder / "val-00000").exists()
    assert not paths.PROCESSED.exists()
    if end == "finishes":
        for name in preprocess.SPLITS:
            (paths.PROCESSED / name).mkdir(parents=True)
        folder.rename("finished")
    taken.release()
    lead.release()
    second.join(60)
    assert not second.is_alive()
    assert "another process prepares exactly these frames" in capfd.readouterr().err
    assert not folder.exists()
    assert bool(list(paths.PROCESSED.rglob("*.npy"))) == (end == "is killed")


def test_a_helper_leaves_what_is_there_of_frames_that_have_another_time_in_its_checkout(shards_of_two, raw):
    section = Preprocess(size_px=64, fit="pad")
    folder = Path("preparation")
    folder.mkdir()

    def made(*, helping):
        shards_of_two.clear()
        for _ in preprocess._made_frames(folder, preprocess._count_frames(), section, helping=helping):
            pass
        return len(shards_of_two)

    every = made(helping=False)
    for frame in raw.rglob("*.jpg"):
        os.utime(frame, (1, 1))
    shutil.rmtree(folder / "test-00000")
    assert made(helping=True) == 2
    assert made(helping=False) == every - 2


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)

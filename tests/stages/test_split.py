import shutil

import pytest

from facial_keypoints.core.errors import DataError
from pipeline.core import paths
from pipeline.core.json_files import read_json
from pipeline.core.samples import SAMPLE_COLUMNS, read_samples
from pipeline.core.settings import Split
from pipeline.stages import split
from tests.dataset import write_frame, write_raw


def run(fraction: float = 0.25, *, drop: bool = True, seed: int = 0):
    split.run(split=Split(val_people_frac=fraction, drop_test_copies=drop, seed=seed))
    return read_samples(paths.SAMPLES)


def test_every_frame_has_a_row(raw):
    samples = run()
    assert list(samples) == SAMPLE_COLUMNS
    assert len(samples) == samples["sample_id"].nunique() == 4 * 5
    row = samples.set_index("sample_id").loc["test/Person_B_01"]
    assert list(row[["file", "folder", "person", "clip", "frame"]]) == [
        "Person_B_01.jpg",
        "test",
        "Person_B",
        "Person_B_0",
        "1",
    ]
    assert not row["labelled"]


def test_no_person_is_in_train_and_val(raw):
    samples = run(0.5)
    people = samples.groupby("split")["person"].agg(set)
    assert len(people["train"]) == len(people["val"]) == 2
    assert not people["train"] & people["val"]
    assert people["test"] == people["train"] | people["val"]


def test_known_says_whether_the_person_is_in_train(raw):
    samples = run(0.5)
    test = samples[samples["split"] == "test"]
    train_people = set(samples.loc[samples["split"] == "train", "person"])
    assert (test["known"] == test["person"].isin(train_people)).all()
    assert samples.loc[samples["split"] != "test", "known"].isna().all()


def test_a_fraction_of_zero_trains_on_everybody(raw):
    samples = run(0)
    assert set(samples["split"]) == {"train", "test"}
    assert samples.loc[samples["split"] == "test", "known"].all()


def test_the_seed_chooses_the_people(raw):
    choices = {tuple(run(0.25, seed=seed).query("split == 'val'")["person"].unique()) for seed in range(12)}
    assert len(choices) > 1
    assert run(0.25).equals(run(0.25))


def test_a_copy_of_a_test_frame_is_in_no_split(raw):
    shutil.copy(raw / "test" / "Person_A_00.jpg", raw / "training" / "Person_B_01.jpg")
    samples = run(0).set_index("sample_id")
    assert samples.loc["training/Person_B_01", "split"] == ""
    assert samples.loc["test/Person_A_00", "split"] == "test"
    assert read_json(paths.SPLIT_SUMMARY)["dropped_test_copies"] == 1
    assert run(0, drop=False).set_index("sample_id").loc["training/Person_B_01", "split"] == "train"


def test_the_summary_counts(raw):
    run(0.25)
    assert read_json(paths.SPLIT_SUMMARY) == {
        "train": 9,
        "val": 3,
        "test": 8,
        "test_labelled": 4,
        "test_labelled_known_people": 3,
        "test_labelled_unseen_people": 1,
        "dropped_test_copies": 0,
    }


def test_a_label_without_its_frame_is_named(raw):
    (raw / "training" / "Person_A_00.jpg").unlink()
    with pytest.raises(DataError, match=r"1 row\(s\) have no frame.*Person_A_00\.jpg"):
        run()


def test_a_name_without_clip_and_frame_is_named(raw):
    write_frame(raw / "training" / "portrait.jpg")
    with pytest.raises(DataError, match=r"portrait\.jpg: the name should read"):
        run()


def test_an_empty_folder_is_named(raw):
    shutil.rmtree(raw / "test")
    with pytest.raises(DataError, match=r"test holds no frames"):
        run()


def test_nobody_left_to_train_on(workspace):
    write_raw(workspace / "data" / "raw", people=1)
    with pytest.raises(DataError, match=r"lower split\.val_people_frac"):
        run(0.5)

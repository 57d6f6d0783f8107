"""Labels that come with an official test, as those of most published datasets do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from facial_keypoints.core.errors import DataError
from pipeline.cli import app
from pipeline.core import paths
from pipeline.core.labels import LABELS, read_keypoints_csv
from pipeline.datasets.label_table import read_label_table
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.importing.importing import Imported, import_dataset
from pipeline.importing.request import Request
from pipeline.stages import fetch
from tests.importing.checked import faults_of

Ask = Callable[..., Request]


def write_coco(file: Path, *pictures: str, x: int = 40) -> Path:
    """Labels of one object in each picture, with three points, the first of them at (x, 50)."""
    entries = [{"id": number, "file_name": name} for number, name in enumerate(pictures)]
    points = [x, 50, 2, 60, 70, 2, 80, 50, 2]
    objects = [{"id": number, "image_id": number, "keypoints": points} for number in range(len(pictures))]
    category = {"name": "paw", "keypoints": ["a", "b", "c"]}
    file.write_text(json.dumps({"images": entries, "annotations": objects, "categories": [category]}))
    return file


def write_pts(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("version: 1\nn_points: 3\n{\n40 50\n60 70\n80 50\n}\n")
    cv2.imwrite(str(file.with_suffix(".png")), np.full((120, 120, 3), 90, np.uint8))


@pytest.fixture
def coco(images: Path) -> Path:
    """A folder as COCO's: train.json and val.json, and equal names of pictures in train2017/ and val2017/."""
    root = images.parent / "coco"
    for folder, picture in (("train2017", "ann_00.png"), ("val2017", "bob_00.png")):
        (root / folder).mkdir(parents=True)
        shutil.copy(images / picture, root / folder / "1.png")
    shutil.copy(images / "cy_00.png", root / "train2017" / "2.png")
    write_coco(root / "train.json", "1.png", "2.png")
    write_coco(root / "val.json", "1.png", x=44)
    return root


def splits_of(done: Imported) -> dict[str, str]:
    return {sample.picture: sample.split for sample in read_label_table(done.folder / "labels.csv", 3)}


def test_pictures_of_train_and_test_may_lie_in_folders_of_their_own(coco: Path) -> None:
    arguments = ["import", "--format", "coco", "--name", "mine", "--labels", str(coco / "train.json")]
    arguments += ["--images", str(coco / "train2017"), "--test-labels", str(coco / "val.json")]
    told = CliRunner().invoke(app, [*arguments, "--test-images", str(coco / "val2017")])
    assert told.exit_code == 0, told.output
    assert "3 objects" not in told.output
    assert "training 2, test 1 objects in 3 pictures" in told.output
    card = Path("datasets/mine/README.md").read_text()
    assert "| split | as the labels have it |" in card
    assert "labels train.json, pictures train2017; of the test: labels val.json, pictures val2017" in card
    fetch.run(fetch=Fetch(source="mine", synthetic=SyntheticFaces(people=2, clips=1, frames=2, seed=0)))
    for folder, count, picture in (("training", 2, "train2017/1.png"), ("test", 1, "val2017/1.png")):
        names, _ = read_keypoints_csv(paths.RAW / LABELS[folder])
        assert len(names) == count
        assert (Path("imported/mine/pictures") / picture).read_bytes() == (coco / picture).read_bytes()


def test_each_file_is_of_one_split_though_its_folder_holds_both(coco: Path, request_of: Ask) -> None:
    """The test's labels may lie among the others, which are a whole folder."""
    (coco / "pictures").mkdir()
    for place, name in (("train2017/1.png", "a.png"), ("train2017/2.png", "b.png"), ("val2017/1.png", "c.png")):
        shutil.copy(coco / place, coco / "pictures" / name)
    write_coco(coco / "train.json", "a.png", "b.png")
    test = write_coco(coco / "val.json", "c.png")
    ask = request_of("coco", coco, images=coco / "pictures", test_labels=(test, test), test_images=coco / "pictures")
    assert splits_of(import_dataset(ask)) == {"a.png": "training", "b.png": "training", "c.png": "test"}


def test_folders_of_pts_may_be_the_test_in_and_beside_the_others(images: Path, request_of: Ask) -> None:
    root = images.parent / "300w"
    for place in ("lfpw/trainset/1", "lfpw/testset/1", "helen/testset/1", "afw/1"):
        write_pts(root / f"{place}.pts")
    write_pts(images.parent / "ibug" / "1.pts")
    tests = (root / "lfpw" / "testset", root / "helen/testset", root / "../ibug")
    done = import_dataset(request_of("pts", root, images=root, test_labels=tests))
    assert splits_of(done) == {
        "300w/lfpw/trainset/1.png": "training",
        "300w/afw/1.png": "training",
        "300w/lfpw/testset/1.png": "test",
        "300w/helen/testset/1.png": "test",
        "ibug/1.png": "test",
    }


def test_rows_that_a_table_calls_test_stay_so(images: Path, request_of: Ask) -> None:
    header = "picture,split,x0,y0,x1,y1,x2,y2"
    for name, rows in {
        "some": ["ann_00.png,training,1,2,30,4,5,60", "bob_00.png,test,1,2,30,4,5,60"],
        "more": ["cy_00.png,training,1,2,30,4,5,60"],
    }.items():
        (images / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    done = import_dataset(request_of("csv", images / "some.csv", test_labels=(images / "more.csv",)))
    assert splits_of(done) == {"ann_00.png": "training", "bob_00.png": "test", "cy_00.png": "test"}


def test_an_object_of_the_test_that_also_trains_is_a_fault(coco: Path, request_of: Ask) -> None:
    leaked = write_coco(coco / "val.json", "2.png")
    ask = request_of(
        "coco", coco / "train.json", images=coco / "train2017", test_labels=(leaked,), test_images=coco / "train2017"
    )
    (fault,) = faults_of(ask)
    assert fault.where == "val.json annotation 0"
    assert fault.what == "an entry before it has the same points in the same picture"


def test_what_cannot_be_a_test_is_told(coco: Path, request_of: Ask) -> None:
    train, folder = coco / "train.json", coco / "train2017"
    for changes, told in (
        (
            {"test_labels": (train,)},
            r"train\.json has no labels but those of --test-labels; name those that train, too",
        ),
        ({"test_labels": (coco / "none.json",)}, r"there is no .*none\.json; name a file of labels"),
        ({"test_labels": (folder,)}, r"train2017 holds no \*\.json"),
        ({"test_labels": (coco / "val.json",), "test_images": coco / "no"}, r"no folder .*no; .* with --test-images"),
    ):
        with pytest.raises(DataError, match=told):
            import_dataset(request_of("coco", train, images=folder, **changes))
    arguments = ["import", "--format", "coco", "--name", "mine", "--labels", str(train), "--images", str(folder)]
    done = CliRunner().invoke(app, [*arguments, "--test-images", str(folder)])
    assert "--test-images are the pictures of --test-labels; give both, or neither" in done.output
    assert not Path("datasets/mine").exists()

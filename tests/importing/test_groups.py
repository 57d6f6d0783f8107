"""What `keypoints import` keeps together in one split, and what of that it cannot."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facial_keypoints.core.errors import DataError
from pipeline.cli import app
from pipeline.core import paths
from pipeline.core.labels import LABELS, read_keypoints_csv
from pipeline.core.samples import read_samples
from pipeline.core.settings import Split
from pipeline.datasets.label_table import read_label_table
from pipeline.datasets.object_frames import read_upright, write_object_frames
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.importing.importing import Imported, import_dataset
from pipeline.importing.request import Request
from pipeline.stages import fetch, split
from tests.importing.checked import faults_of

FETCH = Fetch(source="mine", synthetic=SyntheticFaces(people=2, clips=1, frames=2, seed=0))
Import = Callable[..., Imported]


@pytest.fixture
def of_table(images: Path, request_of: Callable[..., Request]) -> Import:
    """Imports a table of two points: columns beside the picture, then rows of picture and their values."""

    def make(columns: str, *rows: str, **changes: object) -> Imported:
        lines = [f"{row},{40 + place},50,60,70" for place, row in enumerate(rows)]
        (images / "labels.csv").write_text("\n".join([f"picture{columns},x0,y0,x1,y1", *lines]) + "\n")
        return import_dataset(request_of("csv", images / "labels.csv", **changes))

    return make


def groups_of(done: Imported) -> list[str]:
    return [sample.group for sample in read_label_table(done.folder / "labels.csv", 2)]


def card_of(done: Imported) -> str:
    return (done.folder / "README.md").read_text()


def test_any_column_may_be_the_group(of_table: Import) -> None:
    done = of_table(",Person", "ann_00.png,1", "bob_00.png, 1", "cy_00.png,2", group_by="person")
    assert groups_of(done) == ["1", "1", "2"]
    assert "| groups | 2: by person |" in card_of(done)
    assert "| split | 1 of 2 groups, chosen at random with the seed 0, are the test |" in card_of(done)


def test_folders_may_be_the_groups(images: Path, of_table: Import) -> None:
    for place in ("anna/1.png", "anna/2.png", "clips/3/1.png"):
        (images / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / "ann_00.png", images / place)
    done = of_table("", "anna/1.png", "anna/2.png", "clips/3/1.png", "ann_00.png", group_by="folder")
    assert groups_of(done) == ["anna", "anna", "clips/3", "."]
    assert "| groups | 3: each is a folder of pictures |" in card_of(done)


def test_pictures_may_be_the_groups_whatever_the_labels_say(of_table: Import) -> None:
    done = of_table(",group", "ann_00.png,a", "ann_00.png,b", "bob_00.png,b", group_by="picture")
    assert groups_of(done) == ["ann_00.png", "ann_00.png", "bob_00.png"]
    assert "| groups | 2: each is a picture with its objects |" in card_of(done)


def test_without_a_wish_the_labels_tell_and_else_the_pictures(of_table: Import, checkout: Path) -> None:
    told = of_table(",group", "ann_00.png,a", "bob_00.png,b")
    assert "| groups | 2: as the labels tell |" in card_of(told)
    picture = of_table("", "ann_00.png", "bob_00.png", name="other")
    assert "| groups | 2: each is a picture with its objects |" in card_of(picture)


def test_fields_of_coco_may_be_the_group(images: Path, request_of: Callable[..., Request]) -> None:
    pictures = [{"id": 1, "file_name": "ann_00.png", "video_id": 7}, {"id": 2, "file_name": "bob_00.png"}]
    annotations = [{"id": id_, "image_id": id_, "keypoints": [40, 50, 2, 60, 70, 2]} for id_ in (1, 2)]
    (images / "labels.json").write_text(json.dumps({"images": pictures, "annotations": annotations}))
    request = request_of("coco", images / "labels.json", group_by="video_id", skip_faulty=True)
    assert groups_of(import_dataset(request)) == ["7"]
    (fault,) = faults_of(replace(request, name="other"))
    assert fault.where == "labels.json annotation 2"
    assert "it has no 'video_id' that tells with what it is kept together" in fault.what


@pytest.mark.parametrize(
    ("columns", "rows", "group_by", "told"),
    [
        (",group", ["ann_00.png,a", "bob_00.png,"], None, "line 3: group is empty, but should tell in each row"),
        (",person", ["ann_00.png,a", "bob_00.png, "], "person", "line 3: it has no 'person' that tells"),
        ("", ["ann_00.png"], "person", "line 2: it has no 'person' that tells"),
        (",split", ["ann_00.png,test", "bob_00.png,"], None, "line 3: split is '', but should be training or test"),
        (",split", ["ann_00.png,val"], None, "line 2: split is 'val', but should be training or test"),
    ],
)
def test_gaps_are_named(of_table: Import, columns: str, rows: list[str], group_by: str | None, told: str) -> None:
    with pytest.raises(DataError, match=f"^labels.csv {told}"):
        of_table(columns, *rows, group_by=group_by)


def test_one_group_of_all_is_told(of_table: Import, capsys: pytest.CaptureFixture[str]) -> None:
    done = of_table(",group", "ann_00.png,a", "bob_00.png,a")
    assert "all objects are in one group, so that none can be held out" in capsys.readouterr().err
    assert "| split | no group is held out: the test repeats the training |" in card_of(done)


def test_groups_in_both_official_lists_are_told(images: Path, of_table: Import) -> None:
    done = of_table(",group,split", "ann_00.png,a,training", "bob_00.png,a,test", "cy_00.png,b,test")
    assert "| groups in training and test | 1 |" in card_of(done)
    assert "| split | as the labels have it |" in card_of(done)
    arguments = ["import", "--format", "csv", "--labels", str(images / "labels.csv"), "--name", "again"]
    told = CliRunner().invoke(app, arguments).stderr
    assert "note: 1 of 2 groups are in training and in test, as the labels say" in told


def test_a_dataset_of_a_test_alone_says_how_it_is_used(images: Path, of_table: Import) -> None:
    of_table(",split", "ann_00.png,test")
    arguments = ["import", "--format", "csv", "--labels", str(images / "labels.csv"), "--name", "again"]
    assert "none trains; merge it with a dataset that does: fetch.source=OTHER+again" in (
        CliRunner().invoke(app, arguments).stderr
    )


def test_groups_whose_names_are_alike_stay_apart(images: Path, of_table: Import, tmp_path: Path) -> None:
    """A slash, a space, other letters, and names that are the same in their last 60 characters."""
    long = [f"{letter}{'z' * 60}" for letter in "pq"]
    names = ["day/1", "day 1", "day-1", "顔", *long, "..", "--"]
    done = of_table(",group", *(f"ann_00.png,{name}" for name in names), test_frac=0)
    write_object_frames(done.folder / "labels.csv", images, tmp_path / "raw", 2)
    shutil.copytree(tmp_path / "raw/training", tmp_path / "raw/test", dirs_exist_ok=True)
    (paths.RAW).parent.mkdir(exist_ok=True)
    shutil.copytree(tmp_path / "raw", paths.RAW)
    (paths.RAW / LABELS["test"]).write_bytes((paths.RAW / LABELS["training"]).read_bytes())
    split.run(split=Split(val_people_frac=0.3, drop_test_copies=False, seed=0))
    samples = read_samples(paths.SAMPLES)
    assert samples.loc[samples["folder"] == "training", "person"].nunique() == len(names)


def test_rows_of_an_object_that_are_apart_are_named(images: Path, request_of: Callable[..., Request]) -> None:
    of_ann = ["ann_00.png,0,40,50", "ann_00.png,2,50,55", "ann_00.png,1,60,70"]
    rows = [*of_ann[:2], "bob_00.png,0,40,50", "bob_00.png,1,60,70", of_ann[2]]
    (images / "labels.csv").write_text("\n".join(["picture,point,x,y", *rows]) + "\n")
    faults = faults_of(request_of("csv", images / "labels.csv"))
    assert [(fault.where, fault.what) for fault in faults] == [
        ("labels.csv line 6", "rows of ann_00.png stand above too; put them together")
    ]


def test_a_picture_that_may_be_one_of_two_is_named(images: Path, of_table: Import) -> None:
    cv2.imwrite(str(images / "ann_00.jpg"), np.zeros((200, 200), np.uint8))
    with pytest.raises(DataError, match=r"'ann_00' may be ann_00.jpg or ann_00.png; name the ending, or remove one"):
        of_table("", "ann_00")
    assert of_table("", "ann_00.png").pictures == 1


def test_two_images_of_one_id_are_named(images: Path, request_of: Callable[..., Request]) -> None:
    pictures = [{"id": 1, "file_name": "ann_00.png"}, {"id": 1, "file_name": "bob_00.png"}]
    annotations = [{"id": 1, "image_id": 1, "keypoints": [40, 50, 2, 60, 70, 2]}]
    (images / "labels.json").write_text(json.dumps({"images": pictures, "annotations": annotations}))
    (fault,) = faults_of(request_of("coco", images / "labels.json"))
    assert (fault.where, fault.what) == ("labels.json image 1", "another image has this id already")


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("orientation", [6, 7])
def test_a_turned_picture_keeps_its_points_up_to_the_frames(
    images: Path, of_table: Import, stored: bool, orientation: int
) -> None:
    pixels = np.zeros((120, 200, 3), np.uint8)
    pixels[50, 40] = pixels[70, 60] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(images / "turned.png", exif=exif)
    seen = {6: ((69, 40), (49, 60)), 7: ((69, 159), (49, 139))}[orientation]
    (x0, y0), (x1, y1) = ((40, 50), (60, 70)) if stored else seen
    (images / "labels.csv").write_text(f"picture,x0,y0,x1,y1\nturned.png,{x0},{y0},{x1},{y1}\n")
    arguments = ["import", "--format", "csv", "--labels", str(images / "labels.csv"), "--name", "mine"]
    assert CliRunner().invoke(app, [*arguments, "--exif", "stored" if stored else "shown"]).exit_code == 0
    fetch.run(fetch=FETCH)
    ((name,), (points,)) = read_keypoints_csv(paths.RAW / LABELS["training"])
    frame = read_upright(paths.RAW / "training" / name)
    assert frame is not None
    assert [frame[int(y), int(x)].tolist() for x, y in points] == [[255] * 3] * 2


def test_a_point_outside_of_a_turned_picture_tells_of_the_turn(images: Path, of_table: Import) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((120, 200, 3), np.uint8)).save(images / "turned.png", exif=exif)
    (images / "labels.csv").write_text("picture,x0,y0,x1,y1\nturned.png,150,20,190,30\n")
    arguments = ["import", "--format", "csv", "--labels", str(images / "labels.csv"), "--name", "mine"]
    done = CliRunner().invoke(app, [*arguments, "--exif", "shown"])
    assert done.exit_code == 1
    told = "point 0 (from 0) at 150, 20 lies outside of its picture, which is 120 x 200, turned as its EXIF says"
    assert told in done.output


def test_a_turned_avif_is_refused(images: Path, of_table: Import) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((200, 200, 3), np.uint8)).save(images / "me.avif", exif=exif)
    with pytest.raises(DataError, match=r"me\.avif: its AVIF is turned by its orientation"):
        of_table("", "me.avif")

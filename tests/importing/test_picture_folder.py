"""Which picture is meant by what labels call it."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.datasets.label_table import read_label_table
from pipeline.importing.importing import Imported, import_dataset
from pipeline.importing.pictures import load_picture
from pipeline.importing.request import Request
from tests.importing.checked import faults_of
from tests.label_files import write_cofw

Ask = Callable[..., Request]


def write_table(path: Path, *pictures: str, x: int = 40) -> Path:
    """A table of one object of two points in each picture, the first at (x, 50), then one more to the right in each."""
    rows = [f'"{picture}",{x + place},50,60,70' for place, picture in enumerate(pictures)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["picture,x0,y0,x1,y1", *rows]) + "\n")
    return path


def pictures_of(done: Imported) -> list[str]:
    return [sample.picture for sample in read_label_table(done.folder / "labels.csv", done.scheme.count)]


def test_two_names_that_lead_to_one_file_are_told(images: Path, request_of: Ask) -> None:
    table = write_table(
        images / "labels.csv", "cam1/ann_00.png", "cam1/ann_00.png", "cam2/ann_00.png", "cam2/bob_00.png"
    )
    (fault,) = faults_of(request_of("csv", table))
    assert fault.where == "labels.csv line 4"
    assert fault.what == (
        "'cam1/ann_00.png' and 'cam2/ann_00.png' are both found as 'ann_00.png'; keep the pictures in folders as they "
        "are named"
    )


def test_pictures_of_the_test_that_lead_to_one_of_the_training_are_told(images: Path, request_of: Ask) -> None:
    table = write_table(images / "train.csv", "train/ann_00.png", "train/bob_00.png")
    test = write_table(images / "test.csv", "val/ann_00.png", "val/cy_00.png", x=44)
    (fault,) = faults_of(request_of("csv", table, test_labels=(test,)))
    assert fault.where == "test.csv line 2"
    assert "'train/ann_00.png' and 'val/ann_00.png' are both found as 'ann_00.png'" in fault.what


def test_the_same_name_may_come_from_several_files_of_labels(images: Path, request_of: Ask) -> None:
    write_table(images / "one.csv", "far/ann_00.png")
    write_table(images / "two.csv", "far/ann_00.png", x=44)
    assert pictures_of(import_dataset(request_of("csv", images))) == ["ann_00.png", "ann_00.png"]


def write_tasks(folder: Path, *addresses: str, **changes: Any) -> Path:
    """Labels of Label Studio: in each picture of 200 px one object of two points, the first ever 2 px to the right."""
    size = {"original_width": 200, "original_height": 200}
    tasks = []
    for place, address in enumerate(addresses):
        results = [
            {"type": "keypointlabels", "to_name": "image", "value": {"x": x, "y": y, "keypointlabels": [name]}, **size}
            for name, x, y in (("nose", 20 + place, 30), ("chin", 40, 50))
        ]
        tasks.append({"id": place, "data": {"image": address}, "annotations": [{"result": results}]} | changes)
    (folder / "tasks.json").write_text(json.dumps(tasks))
    return folder / "tasks.json"


def test_digits_before_a_name_are_left_away_only_where_there_is_no_such_picture(images: Path, request_of: Ask) -> None:
    shutil.copy(images / "ann_00.png", images / "20230101-cat.png")
    shutil.copy(images / "bob_00.png", images / "cat.png")
    labels = write_tasks(images, "/data/local-files/?d=set/20230101-cat.png", "s3://set/in/0a1b2c3d-bob_00.png")
    assert pictures_of(import_dataset(request_of("label-studio", labels))) == ["20230101-cat.png", "bob_00.png"]


def test_two_uploads_of_one_name_are_told(images: Path, request_of: Ask) -> None:
    labels = write_tasks(
        images, *(f"/data/upload/3/{digits}-ann_00.png" for digits in ("0a1b2c3d", "0a1b2c3d", "00000000"))
    )
    (fault,) = faults_of(request_of("label-studio", labels))
    assert fault.where == "tasks.json task 2"
    assert "'data/upload/3/0a1b2c3d-ann_00.png' and 'data/upload/3/00000000-ann_00.png' are both found as" in fault.what


def test_labels_on_several_pictures_of_a_task_are_told(images: Path, request_of: Ask) -> None:
    labels = write_tasks(images, "ann_00.png", "ann_00.png")
    tasks = json.loads(labels.read_text())
    tasks[1]["annotations"][0]["result"][1]["to_name"] = "other"
    labels.write_text(json.dumps(tasks))
    (fault,) = faults_of(request_of("label-studio", labels))
    assert (fault.where, fault.what) == (
        "tasks.json task 1",
        "it has labels on several pictures (image, other); make each a task",
    )


def test_labels_on_one_of_several_pictures_of_a_task_are_of_that(images: Path, request_of: Ask) -> None:
    labels = write_tasks(images, "", data={"before": "ann_00.png", "image": "bob_00.png"})
    assert pictures_of(import_dataset(request_of("label-studio", labels))) == ["bob_00.png"]


def test_pictures_that_two_files_hold_stay_apart(
    faces: dict[str, tuple[np.ndarray, np.ndarray]], images: Path, request_of: Ask
) -> None:
    labels = {name: points[:29] for name, (_, points) in faces.items()}
    pictures = {name: picture for name, (picture, _) in faces.items()}
    for folder, names in (("a", ["ann_00.png", "bob_00.png"]), ("b", ["cy_00.png"])):
        (images / folder).mkdir()
        write_cofw(images / folder, pictures, {name: labels[name] for name in names})
    done = import_dataset(request_of("cofw", images))
    assert pictures_of(done) == ["a/COFW_Tr-0001.png", "a/COFW_Tr-0002.png", "b/COFW_Tr-0001.png"]
    shown = cv2.imread(str(done.sheet.parent / "pictures/b/COFW_Tr-0001.png"))
    assert shown is not None
    assert (shown == pictures["cy_00.png"][..., ::-1]).all()
    ask = request_of(
        "cofw", images / "a", name="other", test_labels=(images / "b",)
    )  # both name from their own folders
    (fault,) = faults_of(ask)
    assert fault.where == "COFW_Tr.mat face 1"
    assert fault.what == "another picture is called 'COFW_Tr-0001.png' already; rename the file of labels"


@pytest.mark.parametrize("name", ["ann.JPG", "ann.tif", "ann.TIFF", "ann.Png", "ann.webp"])
def test_an_ending_may_be_missing_or_in_another_case(images: Path, request_of: Ask, name: str) -> None:
    cv2.imwrite(str(images / f"x{Path(name).suffix.lower()}"), np.full((90, 90, 3), 90, np.uint8))
    (images / f"x{Path(name).suffix.lower()}").rename(images / name)
    for place, called in enumerate(("ann", name.lower())):
        table = write_table(images / "labels.csv", called)
        assert pictures_of(import_dataset(request_of("csv", table, name=f"mine{place}"))) == [name]


@pytest.mark.parametrize("name", ["//server/share/ann_00.png", r"\\server\share\ann_00.png", "///ann_00.png"])
def test_a_name_may_begin_with_several_slashes(images: Path, request_of: Ask, name: str) -> None:
    table = write_table(images / "labels.csv", name, f"/{images}/bob_00.png")
    (fault,) = faults_of(request_of("csv", table))
    assert "there is no picture '//" in fault.what  # though there is a file of the whole name
    table = write_table(images / "labels.csv", name)
    assert pictures_of(import_dataset(request_of("csv", table))) == ["ann_00.png"]
    table = write_table(images / "labels.csv", f"/{images}/bob_00.png")
    assert pictures_of(import_dataset(request_of("csv", table, name="other"))) == ["bob_00.png"]


def test_a_picture_that_stands_in_the_table_itself_is_no_name(images: Path, request_of: Ask) -> None:
    pixels = " ".join(str(value % 256) for value in range(9216))
    folders = "/".join(["a" * 250] * 20)
    one, other = faults_of(request_of("csv", write_table(images / "labels.csv", pixels, folders, "ann_00.png")))
    assert one.what == "no picture can be called '0 1 2 3 4 5 6 7 8...51 252 253 254 255', which has 32,903 characters"
    assert other.what == f"no picture can be called '{'a' * 17}...{'a' * 18}', which has 5,019 characters"


def test_pictures_are_looked_for_beside_their_labels_first(images: Path, request_of: Ask) -> None:
    for x, folder, picture in ((40, "one", "ann_00.png"), (44, "two", "bob_00.png")):
        (images / folder).mkdir()
        (images / picture).rename(images / folder / "1.png")
        write_table(images / folder / "labels.csv", "1.png", "cy_00.png", x=x)
    assert pictures_of(import_dataset(request_of("csv", images))) == [
        "one/1.png",
        "cy_00.png",
        "two/1.png",
        "cy_00.png",
    ]


def write_pts(path: Path, x: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"version: 1\nn_points: 3\n{{\n{x} 50\n60 70\n80 50\n}}\n")


def test_a_test_among_the_labels_names_its_pictures_as_those_do(images: Path, request_of: Ask) -> None:
    """Its pictures lie in a tree of folders like that of the labels."""
    labels = images.parent / "labels"
    for place in ("lfpw/train/1", "lfpw/test/1", "helen/train/1", "helen/test/1"):
        (images / place).parent.mkdir(parents=True)
        shutil.copy(images / "ann_00.png", images / f"{place}.png")
        write_pts(labels / f"{place}.pts")
    tests = (labels / "lfpw/test", labels / "lfpw/../helen/test")
    done = import_dataset(request_of("pts", labels, test_labels=tests, test_images=images))
    assert {sample.picture: sample.split for sample in read_label_table(done.folder / "labels.csv", 3)} == {
        "lfpw/train/1.png": "training",
        "lfpw/test/1.png": "test",
        "helen/train/1.png": "training",
        "helen/test/1.png": "test",
    }


def test_a_fault_names_its_file_from_the_folder_of_the_labels(images: Path, request_of: Ask) -> None:
    for folder in ("anna", "bob"):
        write_pts(images / folder / "1.pts")
        shutil.copy(images / "ann_00.png", images / folder / "1.png")
    write_pts(images / "bob/2.pts")
    (fault,) = faults_of(request_of("pts", images))
    assert fault.where == "bob/2.pts"


def test_files_are_found_in_linked_folders_once_in_any_case_and_none_that_is_hidden(
    images: Path, request_of: Ask
) -> None:
    shutil.copytree(images, images.parent / "elsewhere")
    write_pts(images.parent / "elsewhere/ann_00.pts")
    write_pts(images / "real/bob_00.PTS")
    shutil.copy(images / "bob_00.png", images / "real")
    write_pts(images / ".trash/cy_00.pts")
    write_pts(images / "._cy_00.pts")
    (images / "a_link").symlink_to(images / "real")
    (images / "more").symlink_to("../elsewhere")
    (images / "real/round").symlink_to(images)
    assert pictures_of(import_dataset(request_of("pts", images))) == ["more/ann_00.png", "real/bob_00.png"]


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF>'
    "</x:xmpmeta>"
)


def encoded(kind: str, orientation: int, xmp: bool) -> bytes:
    """A picture of 80 x 48 pixels, white at 24 to 31, 8 to 15, with its orientation in EXIF, or 6 in XMP."""
    pixels = np.zeros((48, 80, 3), np.uint8)
    pixels[8:16, 24:32] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    how: dict[str, Any] = {"exif": exif} if not xmp else {"xmp": XMP.encode()}
    if xmp and kind == "PNG":
        how = {"pnginfo": PngInfo()}
        how["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP)
    if xmp and kind == "TIFF":
        how = {"tiffinfo": {700: XMP.encode()}}
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **how, **({"lossless": True} if kind == "WEBP" else {"quality": 100}))
    return content.getvalue()


@pytest.mark.parametrize("xmp", [False, True])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_counts_as_turned_where_it_is_decoded_so(kind: str, orientation: int, xmp: bool) -> None:
    """By its EXIF; what XMP says of it turns nothing."""
    picture = load_picture(encoded(kind, orientation, xmp))
    assert picture.orientation == (1 if xmp else orientation)
    ((x, y),) = picture.shown_from_stored(np.array([[27.5, 11.5]]))
    rows, columns = np.nonzero(picture.pixels[..., 0] > 128)
    assert (columns.mean(), rows.mean()) == (x, y)


def test_the_exif_of_a_png_may_stand_behind_its_pixels() -> None:
    content = encoded("PNG", 6, xmp=False)
    start = content.index(b"eXIf") - 4
    size = 12 + int.from_bytes(content[start : start + 4])
    end = content.index(b"IEND") - 4
    moved = content[:start] + content[start + size : end] + content[start : start + size] + content[end:]
    picture = load_picture(moved)
    assert (picture.orientation, picture.pixels.shape) == (6, (80, 48, 3))

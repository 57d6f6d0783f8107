"""COCO and CVAT files of a whole run."""

import csv
import json
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facial_keypoints.cli import new_app
from facial_keypoints.core.scheme import IBUG_68
from facial_keypoints.detector import KeypointDetector
from facial_keypoints.inputs.source import Source
from facial_keypoints.prediction import files
from facial_keypoints.prediction.annotations.coco import coco_text
from facial_keypoints.prediction.annotations.cvat import cvat_text
from facial_keypoints.prediction.annotations.image_names import ImageNames
from facial_keypoints.prediction.annotations.images import Image as Found
from pipeline.datasets.formats import FORMATS
from pipeline.datasets.formats.record import Record
from tests.discs import RADII, SIDE, DiscFinder, DiscNetwork, KnowingNetwork, disc_detector, draw_discs
from tests.films import discs_moving, write_film
from tests.written import written

app = new_app()
LEFT, RIGHT = (60.0, 100.0, 20.0), (200.0, 100.0, 20.0)
MODEL = ("--model", "discs")
COCO, CVAT = "keypoints.coco.json", "keypoints.cvat.xml"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Photos of no, one and two faces, of one name in two folders; `out` is beside them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(KeypointDetector, "load", lambda *_, **__: disc_detector())
    for name, discs in {"a/me.png": [LEFT, RIGHT], "b/me.png": [LEFT], "b/none.png": []}.items():
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_discs(discs)).save(Path("photos", name))
    return tmp_path


def predict(*arguments: str, form: str = "coco", status: int = 0):
    result = CliRunner().invoke(app, ["predict", *arguments, *MODEL, "--format", form, "--no-overlay", "-o", "out"])
    assert result.exit_code == status, result.output
    return result


def coco(name: str = COCO):
    return json.loads(Path("out", name).read_text())


def cvat() -> ET.Element:
    return ET.fromstring(Path("out", CVAT).read_text())


def names_of(form: str) -> list[str]:
    if form == "coco":
        return [image["file_name"] for image in coco()["images"]]
    return [image.attrib["name"] for image in cvat().iter("image")]


def points_of(path: str) -> np.ndarray:
    """(F, 68, 2) keypoints of the faces of a picture, as JSON tells them."""
    printed = CliRunner().invoke(app, ["predict", path, *MODEL, "-o", "-"]).stdout
    return np.array([face["keypoints"] for face in json.loads(printed)["faces"]])


@pytest.mark.parametrize("form", ["coco", "cvat"])
def test_one_file_names_every_picture_of_a_folder_relative_to_it(form):
    told = predict("photos", form=form).stdout
    assert told == f"3 faces in 3 pictures, in out/keypoints.{form}.{'json' if form == 'coco' else 'xml'}\n"
    assert names_of(form) == ["a/me.png", "b/me.png", "b/none.png"]
    assert len(written(Path("out"))) == 1


def test_coco_counts_keypoints_from_the_centre_of_a_pixel_and_boxes_from_its_edge():
    predict("photos")
    answer, truth = coco(), points_of("photos/b/me.png")[0]
    one = answer["annotations"][2]
    assert (one["id"], one["image_id"], one["num_keypoints"], one["iscrowd"]) == (3, 2, 68, 0)
    np.testing.assert_allclose(np.reshape(one["keypoints"], (68, 3)), np.column_stack([truth, np.full(68, 2)]))
    low, high = truth.min(0), truth.max(0)
    np.testing.assert_allclose(one["bbox"], [*(low + 0.5), *(high - low)], atol=0.011)
    assert one["area"] == pytest.approx(one["bbox"][2] * one["bbox"][3], abs=0.01)
    assert [(image["width"], image["height"]) for image in answer["images"]] == [(320, 240)] * 3


def test_how_certain_points_are_is_told_in_every_format_that_has_room(monkeypatch):
    """A face of a whole picture: 240 px are its shorter side, and its longer one, of 320, makes the 64 of the crop."""
    knowing = KeypointDetector(KnowingNetwork(DiscNetwork(), SIDE, "pad", "discs"), DiscFinder())
    monkeypatch.setattr(KeypointDetector, "load", lambda *_, **__: knowing)
    expected = 320 / 64 * (RADII + RADII[IBUG_68.flip_index]) / 2
    for form in ("json", "csv", "coco", "cvat"):
        predict("photos/b/me.png", "--whole", form=form)
    (face,) = json.loads(Path("out/me.json").read_text())["faces"]
    (row,) = csv.DictReader(Path("out/me.csv").read_text().splitlines())
    (annotation,) = coco()["annotations"]
    np.testing.assert_allclose(face["radius_px"], expected, atol=0.001)
    np.testing.assert_allclose([float(row[f"radius_px{point}"]) for point in range(68)], expected, atol=0.001)
    assert float(row["y67"]) == face["keypoints"][67][1]
    assert annotation["radius_px"] == face["radius_px"]
    told = cvat().findtext("image/points/attribute[@name='radius_px']") or ""
    assert [float(radius) for radius in told.split(";")] == face["radius_px"]
    assert [part.findtext("name") for part in cvat().iter("attribute") if len(part)] == ["score", "face", "radius_px"]


def test_the_category_of_coco_tells_what_the_points_are():
    predict("photos")
    (category,) = coco()["categories"]
    names = category["keypoints"]
    assert (names[0], names[36], names[67], len(set(names))) == ("jaw_0", "right_eye_36", "mouth_67", 68)
    assert {one["category_id"] for one in coco()["annotations"]} == {category["id"]}
    assert [1, 2] in category["skeleton"]
    assert [42, 37] in category["skeleton"]  # the right eye closes
    assert {point for line in category["skeleton"] for point in line} == set(range(1, 69))
    assert [[names.index(name) for name in pair] for pair in category["keypoint_flip_map"]] == [
        list(pair) for pair in IBUG_68.mirror_pairs
    ]


def test_cvat_counts_from_the_edge_of_a_pixel():
    predict("photos", form="cvat")
    images = list(cvat().iter("image"))
    assert [image.attrib["id"] for image in images] == ["0", "1", "2"]
    assert [len(image.findall("points")) for image in images] == [2, 1, 0]
    (face,) = images[1].findall("points")
    told = np.array([pair.split(",") for pair in face.attrib["points"].split(";")], float)
    np.testing.assert_allclose(told, points_of("photos/b/me.png")[0] + 0.5, atol=1e-6)
    label = cvat().find("meta/task/labels/label")
    assert label is not None
    assert label.findtext("name") == face.attrib["label"]
    assert {one.findtext("name") for one in label.iter("attribute")} == {one.attrib["name"] for one in face}


@pytest.mark.parametrize("form", ["coco", "cvat"])
def test_what_was_predicted_can_be_imported_as_labels(form):
    predict("photos", form=form)
    (file,), kind = Path("out").glob("keypoints.*"), FORMATS[form]
    assert kind.facts
    read = [record for record in kind.read(file, file.parent, kind.facts(file).names) if isinstance(record, Record)]
    assert [record.picture for record in read] == ["a/me.png", "a/me.png", "b/me.png"]
    truth = np.concatenate([points_of("photos/a/me.png"), points_of("photos/b/me.png")])
    np.testing.assert_allclose([record.points - kind.first_pixel for record in read], truth, atol=1e-6)


@pytest.mark.parametrize("form", ["coco", "cvat"])
def test_frames_of_a_video_are_images_with_their_number(form):
    write_film(Path("clip.mp4"), discs_moving(3))
    assert predict("clip.mp4", form=form).stdout.startswith("1 face in 1 video, in ")
    assert names_of(form) == [f"clip.mp4/frame_00000{frame}.png" for frame in range(3)]
    if form == "coco":
        assert [image["frame"] for image in coco()["images"]] == [0, 1, 2]
        assert coco()["images"][1]["time_s"] == pytest.approx(1 / 24, abs=1e-4)
        assert [one["face"] for one in coco()["annotations"]] == [1, 1, 1]


def test_pages_of_a_file_are_images(here):
    pages = [Image.open(f"photos/{name}.png") for name in ("a/me", "b/none")]
    pages[0].save("scan.tif", save_all=True, append_images=pages[1:])
    predict("scan.tif")
    assert names_of("coco") == ["scan.tif/page_1.png", "scan.tif/page_2.png"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("写真　1.png", "写真　1.png"),
        ("a&b<\"'>.png", "a&b<\"'>.png"),
        ("a\nb\t.png", "a\nb\t.png"),
        ("\x1b[31m.png", "\\x1b[31m.png"),
        ("caf\udce9.png", "caf\\udce9.png"),
        ("\ufffe😀.png", "\\ufffe😀.png"),
    ],
)
def test_a_name_is_told_as_it_is_or_with_escapes_where_no_format_holds_it(here, name, told):
    source = Source(here / name, "any")
    images = [Found(ImageNames([source])(source, None), 320, 240, [], {})]
    image = ET.fromstring("".join(cvat_text(images, {}))).find("image")
    assert image is not None
    assert image.attrib["name"] == told
    coco = "".join(coco_text(lambda: images, IBUG_68, {}))
    assert json.loads(coco)["images"][0]["file_name"] == told


def test_a_name_that_is_no_text_is_predicted_too():
    shutil.copy("photos/b/me.png", "caf\udce9\x1b.png")
    predict("caf\udce9\x1b.png", form="cvat")
    assert names_of("cvat") == ["caf\\udce9\\x1b.png"]


def test_what_cannot_be_read_is_told_and_left_out():
    Path("photos/b/broken.png").write_bytes(Path("photos/b/me.png").read_bytes()[:300])
    result = predict("photos", status=1)
    assert "3 faces in 3 pictures; 1 skipped" in result.stdout
    assert len(coco()["images"]) == 3


def test_a_run_that_found_nothing_to_look_at_writes_nothing():
    predict("nowhere.png", status=1)
    assert not Path("out").exists()


def test_the_file_is_written_over_by_the_same_inputs_only():
    predict("photos")
    shutil.copy("photos/b/me.png", "photos/new.png")
    predict("photos")
    assert len(coco()["images"]) == 4
    assert predict("photos/b").stdout.endswith("in out/keypoints.coco-2.json\n")
    assert (len(coco()["images"]), len(coco("keypoints.coco-2.json")["images"])) == (4, 2)


def test_a_file_of_the_user_is_left():
    Path("out").mkdir()
    Path("out", COCO).write_text("mine")
    predict("photos")
    assert written(Path("out")) == ["keypoints.coco-2.json", COCO]
    assert Path("out", COCO).read_text() == "mine"


@pytest.mark.parametrize("form", ["coco", "cvat"])
def test_standard_output_holds_the_file_and_nothing_else(form):
    predict("photos", form=form)
    result = CliRunner().invoke(app, ["predict", "photos", *MODEL, "--format", form, "-o", "-"])
    name = COCO if form == "coco" else CVAT
    assert result.stdout == Path("out", name).read_text().replace("../photos", "photos")
    assert result.stderr == "3 faces in 3 pictures\n"


# Interruptions


class Looked:
    """Counts the pictures that are predicted, and ends at one of them as Ctrl+C does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.ends_at: str | None = None
        picture = files._picture

        def look(job, points, source, image):
            name = "/".join(source.path.parts[-2:]) if source.path else "stdin"
            if self.ends_at and name.endswith(self.ends_at):
                raise KeyboardInterrupt
            self.names.append(name)
            return picture(job, points, source, image)

        monkeypatch.setattr(files, "_picture", look)


@pytest.fixture
def looked(monkeypatch):
    return Looked(monkeypatch)


def test_an_interrupted_run_goes_on_where_it_was(looked):
    predict("photos")
    whole = Path("out", COCO).read_bytes()
    Path("out", COCO).unlink()
    looked.ends_at = "none.png"
    told = predict("photos", status=130).stderr
    assert "2 pictures and videos are done; the same command goes on with the others" in told
    assert not Path("out", COCO).exists()
    looked.names, looked.ends_at = [], None
    result = predict("photos")
    assert result.stdout.startswith("3 faces in 3 pictures")
    assert result.stderr.startswith("2 pictures and videos were done by an interrupted run")
    assert looked.names == ["b/none.png"]
    assert Path("out", COCO).read_bytes() == whole
    assert written(Path("out")) == [COCO]


@pytest.mark.parametrize("change", ["picture", "options", "journal", "half a line"])
def test_what_changed_since_the_interruption_is_predicted_anew(looked, change):
    looked.ends_at = "none.png"
    predict("photos", status=130)
    (journal,) = Path("out").glob(".keypoints-unfinished-*")
    if change == "picture":
        os.utime("photos/a/me.png", (1, 1))
    elif change == "journal":
        journal.write_bytes(journal.read_bytes().replace(b'"score": 1', b'"score": 0', 1))
    elif change == "half a line":
        journal.write_bytes(journal.read_bytes()[:-20])
    looked.names, looked.ends_at = [], None
    predict("photos", *(["--min-score", "0.4"] if change == "options" else []))
    missed = {"picture": ["a/me.png"], "journal": ["a/me.png"], "half a line": ["b/me.png"]}
    assert looked.names == [*missed.get(change, ["a/me.png", "b/me.png"]), "b/none.png"]
    assert len(coco()["annotations"]) == 3


def test_a_picture_that_broke_since_the_interruption_is_in_no_file(looked):
    looked.ends_at = "none.png"
    predict("photos", status=130)
    looked.ends_at = None
    Path("photos/a/me.png").write_bytes(Path("photos/a/me.png").read_bytes()[:300])
    predict("photos", status=1)
    assert names_of("coco") == ["b/me.png", "b/none.png"]


def test_two_runs_of_the_same_at_once_are_one_line(monkeypatch):
    picture = files._picture

    def look(job, points, source, image):
        second = CliRunner().invoke(app, ["predict", "photos", *MODEL, "--format", "coco", "--no-overlay", "-o", "out"])
        assert second.exit_code == 1
        assert second.stderr.startswith("error: another program does the same in out; wait for it")
        return picture(job, points, source, image)

    monkeypatch.setattr(files, "_picture", look)
    predict("photos")


def test_a_damaged_video_is_in_the_file_as_far_as_it_goes_and_is_told_again_after_an_interruption(looked):
    write_film(Path("photos/0.mkv"), discs_moving(40), form="matroska")
    content = Path("photos/0.mkv").read_bytes()
    Path("photos/0.mkv").write_bytes(content[: len(content) // 3] + bytes(2000) + content[len(content) // 3 + 2000 :])
    looked.ends_at = "none.png"
    predict("photos", status=130)
    looked.names, looked.ends_at = [], None
    told = predict("photos", status=1)
    assert "3 faces in 3 pictures; 1 skipped" in told.stdout
    assert "skipped: photos/0.mkv is damaged" in told.stderr
    assert looked.names == ["b/none.png"]
    assert 5 < len([name for name in names_of("coco") if name.startswith("0.mkv/")]) <= 40


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_a_journal_that_is_no_file_is_one_line(looked, make):
    looked.ends_at = "none.png"
    predict("photos", status=130)
    (journal,) = Path("out").glob(".keypoints-unfinished-*")
    journal.unlink()
    make(journal)
    assert (
        predict("photos", status=1).stderr
        == f"error: {journal}, which keeps what is done, is no plain file; move it away\n"
    )


def test_standard_input_is_never_what_it_was(looked):
    looked.ends_at = "none.png"
    for picture in ("photos/a/me.png", "photos/b/me.png"):
        result = CliRunner().invoke(
            app,
            ["predict", "-", "photos/b/none.png", *MODEL, "--format", "coco", "-o", "out"],
            input=Path(picture).read_bytes(),
        )
        assert result.exit_code == 130
    assert looked.names == ["stdin"] * 2

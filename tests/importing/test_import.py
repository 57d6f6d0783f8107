"""What `keypoints import` makes, what it refuses, and how the stages go on from there."""

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facial_keypoints.core.errors import DataError
from pipeline.cli import app
from pipeline.commands.import_ import LabelFormat
from pipeline.core import labels as core_labels
from pipeline.core import paths
from pipeline.core.labels import LABELS, read_keypoints_csv
from pipeline.core.settings import Preprocess, Split
from pipeline.datasets.formats import FORMATS
from pipeline.datasets.label_table import Sample, read_label_table
from pipeline.datasets.object_frames import cut_frame, read_upright, write_object_frames
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.importing.importing import import_dataset
from pipeline.importing.pictures import load_picture
from pipeline.importing.request import Request
from pipeline.stages import fetch, preprocess, split
from tests.label_files import write_wide

Faces = dict[str, tuple[np.ndarray, np.ndarray]]
FETCH = Fetch(source="mine", synthetic=SyntheticFaces(people=2, clips=1, frames=2, seed=0))
HEADER = "picture,x0,y0,v0,x1,y1,v1,box_x,box_y,box_w,box_h\n"


def table_of(path: Path, *rows: str) -> Path:
    """A wide table of two points and a box."""
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def samples_in(folder: Path, count: int) -> list[Sample]:
    return list(read_label_table(folder / "labels.csv", count))


def invoke(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def test_an_imported_dataset_goes_through_the_stages(
    faces: Faces, images: Path, checkout: Path, request_of: Callable[..., Request]
) -> None:
    table = write_wide(images, {name: points for name, (_, points) in faces.items()})
    import_dataset(request_of("csv", table, scheme="ibug-68"))
    fetch.run(fetch=FETCH)
    split.run(split=Split(val_people_frac=0.5, drop_test_copies=True, seed=0))
    preprocess.run(preprocess=Preprocess(size_px=64, fit="pad"))
    summary = json.loads(paths.SPLIT_SUMMARY.read_text())
    assert [summary[part] for part in ("train", "val", "test", "test_labelled")] == [1, 1, 1, 1]
    for folder in LABELS:
        names, points = read_keypoints_csv(paths.RAW / LABELS[folder])
        for name, keypoints in zip(names, points, strict=True):
            frame = read_upright(paths.RAW / folder / name)
            assert frame is not None
            whole, truth = faces[name.removesuffix("_00.jpg")]
            x, y = (round(float(value)) for value in keypoints[30])
            left, top = np.round(truth[30] - keypoints[30]).astype(int)
            assert (frame[y, x] == whole[y + top, x + left]).all()
            np.testing.assert_allclose(keypoints + np.array([left, top]), truth, atol=2e-3)


def test_a_second_fetch_gives_the_same_bytes(
    faces: Faces, images: Path, checkout: Path, request_of: Callable[..., Request]
) -> None:
    import_dataset(request_of("csv", write_wide(images, {name: points for name, (_, points) in faces.items()})))
    fetch.run(fetch=FETCH)
    first = paths.DATASET.read_text()
    fetch.run(fetch=FETCH)
    assert paths.DATASET.read_text() == first


def test_objects_of_one_picture_get_a_frame_each(images: Path, request_of: Callable[..., Request]) -> None:
    rows = ("ann_00.png,40,50,2,60,50,2,,,,", "ann_00.png,140,150,2,160,150,2,,,,", "bob_00.png,50,60,2,90,60,2,,,,")
    done = import_dataset(request_of("csv", table_of(images / "labels.csv", *rows), test_frac=0))
    found = samples_in(done.folder, 2)
    assert len(found) == 3
    assert {sample.group for sample in found} == {"ann_00.png", "bob_00.png"}
    for sample in found:
        left, top, side = sample.frame
        assert ((sample.points > (left, top)) & (sample.points < (left + side - 1, top + side - 1))).all()
    assert found[0].frame != found[1].frame


def test_a_frame_beyond_the_border_repeats_it() -> None:
    picture = np.arange(12).reshape(3, 4)
    assert cut_frame(picture, (-1, 1, 3)).tolist() == [[4, 4, 5], [8, 8, 9], [8, 8, 9]]


def test_without_a_test_it_repeats_the_training(
    images: Path, checkout: Path, request_of: Callable[..., Request], capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_of(images / "labels.csv", "ann_00.png,40,50,2,60,70,2,,,,", "bob_00.png,40,50,2,60,70,2,,,,")
    import_dataset(request_of("csv", table, test_frac=0))
    fetch.run(fetch=FETCH)
    assert (paths.RAW / LABELS["test"]).read_bytes() == (paths.RAW / LABELS["training"]).read_bytes()
    assert "the test repeats the training" in capsys.readouterr().err


def test_what_is_not_labelled_in_full_keeps_what_it_has(
    images: Path, tmp_path: Path, request_of: Callable[..., Request], capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_of(images / "labels.csv", "ann_00.png,40,50,2,60,70,1,,,,", "bob_00.png,40,50,2,,,0,30,30,50,50")
    done = import_dataset(request_of("csv", table, test_frac=0))
    assert [sample.visibility.tolist() for sample in samples_in(done.folder, 2)] == [[2, 1], [2, 0]]
    write_object_frames(done.folder / "labels.csv", images, tmp_path / "raw", 2)
    found = core_labels.read_label_table(tmp_path / "raw" / LABELS["training"])
    assert found.names == ["ann_00.png_00.jpg", "bob_00.png_00.jpg"]
    assert np.isnan(found.keypoints_source).all(-1).tolist() == [[False, False], [False, True]]
    assert found.hidden.tolist() == [[False, True], [False, False]]
    assert "of 1 object of" in capsys.readouterr().err


def test_points_that_no_object_labels_are_named(images: Path, checkout: Path) -> None:
    table = images / "labels.csv"
    table.write_text(
        "picture,nose_x,nose_y,ear_x,ear_y,tail_x,tail_y\nann_00.png,40,50,60,70,,\nbob_00.png,40,50,60,70,,\n"
    )
    code, _, err = invoke("import", "--format", "csv", "--labels", table, "--name", "mine")
    assert code == 0, err
    assert "note: no object labels 2 (tail): at most mirrored pictures teach these points" in err
    fetch.run(fetch=FETCH)
    split.run(split=Split(val_people_frac=0, drop_test_copies=False, seed=0))
    preprocess.run(preprocess=Preprocess(size_px=64, fit="pad"))
    assert np.isnan(np.load(paths.PROCESSED / "train" / "keypoints.npy")[:, 2]).all()


FAULTS = {
    "ann_00.png,40,50,2,,,0,,,,": "one point is labelled and there is no box, so that its size is not known",
    "none.png,40,50,2,60,70,2,,,,": "there is no picture 'none.png'",
    "broken.png,40,50,2,60,70,2,,,,": "broken.png: its picture is empty, truncated, beyond all size or no picture",
    "bomb.png,40,50,2,60,70,2,,,,": "bomb.png: its picture is empty, truncated, beyond all size or no picture",
    "ann_00.png,40,50,2,60,700,2,,,,": "point 1 (from 0) at 60, 700 lies outside of its picture, which is 200 x 200",
    "ann_00.png,40,50,2,60,,2,,,,": "point 1 (from 0): a coordinate is '' where a number of pixels is expected",
    "ann_00.png,40,50,2,60,inf,2,,,,": "a coordinate is 'inf' where a number",
    "ann_00.png,40,50,2,left,70,2,,,,": "a coordinate is 'left' where a number",
    "ann_00.png,40,50,2,1e9,70,2,,,,": "a coordinate is '1e9' where a number",
    "ann_00.png,40,50,7,60,70,2,,,,": "point 0 (from 0): its flag is '7' where 0",
    "ann_00.png,40,50,2,60,70": "more or fewer fields than the first line",
    "ann_00.png,40,50,2,60,70,2,,,,,,": "more or fewer fields than the first line",
    "ann_00.png,,,0,,,0,,,,": "none of its points is labelled",
    "ann_00.png,40,50,2,40,50,2,,,,": "all its points are one and the same",
    "ann_00.png,40,50,2,60,70,2,3,4,0,9": "its box is 0 wide and 9 high; a box has a size",
    ",40,50,2,60,70,2,,,,": "it names no picture",
}


def test_a_dry_run_tells_everything_that_is_wrong_and_writes_nothing(images: Path, checkout: Path) -> None:
    (images / "broken.png").write_bytes(b"\x89PNG")
    size = b"IHDR" + struct.pack(">2I5B", 1_000_000, 1_000_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + size + struct.pack(">I", zlib.crc32(size))
    (images / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    good = "ann_00.png,40,50,2,60,70,2,,,,"
    table = table_of(images / "labels.csv", good, *FAULTS, good)
    status, told, error = invoke("import", "--format", "csv", "--labels", table, "--name", "mine", "--dry-run")
    assert status == 1
    lines = told.splitlines()
    for number, (line, what) in enumerate(zip(lines, FAULTS.values(), strict=False), start=3):
        assert line.startswith(f"labels.csv line {number}: ")
        assert what in line
    again = f"labels.csv line {len(FAULTS) + 3}: an entry before it has the same points in the same picture"
    assert again in lines
    assert lines[-1] == "1 object of 2 points in 1 picture and 1 group can be imported"
    assert f"{len(FAULTS) + 1} entries cannot be imported" in error
    assert not (checkout / "datasets").exists()
    assert not (checkout / "imported").exists()


def test_a_fault_leaves_nothing_half_written(images: Path, checkout: Path, request_of: Callable[..., Request]) -> None:
    table = table_of(images / "labels.csv", "ann_00.png,40,50,2,60,70,2,,,,", "none.png,40,50,2,60,70,2,,,,")
    with pytest.raises(DataError, match=r"labels.csv line 3: there is no picture 'none.png' .*; see all .* --dry-run"):
        import_dataset(request_of("csv", table))
    assert [path for root in ("datasets", "imported") for path in (checkout / root).iterdir()] == []


def test_faulty_entries_can_be_left_out(images: Path, request_of: Callable[..., Request]) -> None:
    table = table_of(images / "labels.csv", "none.png,1,2,2,3,4,2,,,,", "ann_00.png,40,50,2,60,70,2,,,,")
    done = import_dataset(request_of("csv", table, skip_faulty=True))
    assert [sample.picture for sample in samples_in(done.folder, 2)] == ["ann_00.png"]
    assert "| entries left out | 1 |" in (done.folder / "README.md").read_text()


def test_a_name_that_is_taken_is_refused(images: Path, checkout: Path) -> None:
    table = table_of(images / "labels.csv", "ann_00.png,40,50,2,60,70,2,,,,")
    arguments = ("import", "--format", "csv", "--labels", table, "--name", "mine")
    status, told, _ = invoke(*arguments)
    assert status == 0
    assert told.splitlines()[0] == "datasets/mine: training 1, test 0 objects in 1 picture, 2 points each"
    assert "look at imported/mine/contact_sheet.png, then: dvc exp run -S fetch.source=mine" in told
    for dry in ((), ("--dry-run",)):
        status, _, error = invoke(*arguments, *dry)
        assert status == 1
        assert "datasets/mine is there already; remove it, or choose another --name" in error


def test_a_dry_run_tells_what_it_would_make(images: Path, checkout: Path) -> None:
    rows = ("ann_00.png,40,50,2,60,70,2,,,,", "ann_00.png,80,90,2,60,70,2,,,,", "bob_00.png,40,50,2,60,70,2,,,,")
    table = table_of(images / "labels.csv", *rows, "none.png,40,50,2,60,70,2,,,,")
    arguments = ("import", "--format", "csv", "--labels", table, "--name", "mine", "--dry-run", "--skip-faulty")
    status, told, _ = invoke(*arguments)
    assert status == 0
    assert told.splitlines()[-2:] == [
        "3 objects of 2 points in 2 pictures and 2 groups can be imported",
        "without --dry-run they are; left out: 1",
    ]


@pytest.mark.parametrize(("objects", "told"), [(7, True), (2, False)])
def test_a_test_far_larger_than_asked_for_is_told(
    images: Path, request_of: Callable[..., Request], capsys: pytest.CaptureFixture[str], objects: int, told: bool
) -> None:
    rows = [f"ann_00.png,{40 + row},50,2,60,70,2,,,," for row in range(objects)]
    rows += [f"{name}_00.png,{40 + row},50,2,60,70,2,,,," for name in ("bob", "cy") for row in range(2)]
    sizes = set()
    for seed in (0, 1, 11):
        table = table_of(images / "labels.csv", *rows)
        done = import_dataset(request_of("csv", table, name=f"mine{seed}", test_frac=0.3, seed=seed))
        sizes.add(done.tally.objects["test"])
        share = done.tally.objects["test"] / len(rows)
        expected = f"note: the test has {share:.0%} of the objects where 30% are asked for, as the 3 groups stay"
        assert (expected in capsys.readouterr().err) == (told and share > 0.6)
    assert sizes == {2, objects}


@pytest.mark.parametrize(("scheme", "told"), [((), True), (("--scheme", "ibug-68"), False)])
def test_labels_without_a_scheme_that_have_as_many_points_as_one_are_asked_about(
    faces: Faces, images: Path, scheme: tuple[str, ...], told: bool
) -> None:
    table = write_wide(images, {name: points for name, (_, points) in faces.items()})
    status, _, error = invoke("import", "--format", "csv", "--labels", table, "--name", "mine", *scheme)
    assert status == 0
    assert ("or --scheme ibug-68\n" in error) == told


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "a b", "a+b"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(images: Path, name: str) -> None:
    table = table_of(images / "labels.csv", "ann_00.png,40,50,2,60,70,2,,,,")
    status, _, error = invoke("import", "--format", "csv", "--labels", table, "--name", name)
    assert (status, error.count("\n")) == (1, 1)
    assert "--name is letters, digits" in error


@pytest.mark.parametrize("name", ["day 1/my face.png", "Ünïcode/顔 1.png", "a/b/c.d.png"])
def test_pictures_may_have_any_readable_name(
    images: Path, checkout: Path, request_of: Callable[..., Request], name: str
) -> None:
    (images / name).parent.mkdir(parents=True)
    (images / "ann_00.png").rename(images / name)
    table = table_of(images / "labels.csv", f"elsewhere/{name},40,50,2,60,70,2,,,,")
    import_dataset(request_of("csv", table, test_frac=0))
    fetch.run(fetch=FETCH)
    (frame,) = (paths.RAW / "training").iterdir()
    assert split._parse_name(frame.parent, frame.name)["frame"] == "0"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_of_stored_pixels_are_turned_as_the_picture_is(tmp_path: Path, orientation: int) -> None:
    stored = np.zeros((48, 80, 3), np.uint8)
    stored[8:16, 24:32] = 255  # a block of JPEG, which stays sharp
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif, quality=100)
    picture = load_picture((tmp_path / "a.jpg").read_bytes())
    assert picture.orientation == orientation
    ((x, y),) = picture.shown_from_stored(np.array([[27.5, 11.5]]))
    rows, columns = np.nonzero(picture.pixels[..., 0] > 128)
    assert (columns.mean(), rows.mean()) == (x, y)


def test_pictures_of_any_depth_and_colour_are_imported(images: Path, request_of: Callable[..., Request]) -> None:
    gray = np.linspace(0, 255, 200 * 200).reshape(200, 200).astype(np.uint8)
    cv2.imwrite(str(images / "deep.png"), gray.astype(np.uint16) * 257)
    cv2.imwrite(str(images / "gray.png"), gray)
    Image.fromarray(gray).convert("CMYK").save(images / "cmyk.jpg")
    rows = [f"{name},40,50,2,60,70,2,,,," for name in ("deep.png", "gray.png", "cmyk.jpg")]
    done = import_dataset(request_of("csv", table_of(images / "labels.csv", *rows)))
    assert done.pictures == 3
    for name in ("deep.png", "gray.png", "cmyk.jpg"):
        shown = read_upright(done.sheet.parent / "pictures" / name)
        assert shown is not None
        assert np.abs(shown[..., 1].astype(int) - gray).max() < 12


def test_points_are_off_by_what_first_pixel_says(images: Path, request_of: Callable[..., Request]) -> None:
    table = table_of(images / "labels.csv", "ann_00.png,40,50,2,60,70,2,,,,")
    done = import_dataset(request_of("csv", table, first_pixel=1.0))
    assert samples_in(done.folder, 2)[0].points.tolist() == [[39, 49], [59, 69]]


def test_labels_in_the_order_of_the_names_of_a_scheme(images: Path, request_of: Callable[..., Request]) -> None:
    names = ["nose", "mouth_left", "mouth_right", "left_eye", "right_eye"]
    header = ",".join(f"{name}_x,{name}_y" for name in names)
    row = ",".join(f"{40 + 9 * place},{50 + 5 * place}" for place in range(5))
    (images / "labels.csv").write_text(f"picture,{header}\nann_00.png,{row}\n")
    done = import_dataset(request_of("csv", images / "labels.csv", scheme="five"))
    assert samples_in(done.folder, 5)[0].points[:, 0].tolist() == [76, 67, 40, 58, 49]


def test_the_contact_sheet_shows_a_point_where_it_is(images: Path, request_of: Callable[..., Request]) -> None:
    picture = np.full((120, 120, 3), 90, np.uint8)
    picture[60, 40] = (0, 0, 255)
    cv2.imwrite(str(images / "dot.png"), picture)
    done = import_dataset(request_of("csv", table_of(images / "labels.csv", "dot.png,40,60,2,90,60,2,,,,")))
    sheet = cv2.imread(str(done.sheet))
    assert sheet is not None
    red = (sheet[..., 2] > 200) & (sheet[..., 1] < 60)
    rows, columns = np.nonzero(red[:, 480:])  # beside the object as a whole: its points, enlarged
    assert len(rows) == 4 * 4
    cross = (sheet == (80, 255, 80)).all(-1)[24 : 24 + 160, 480 : 480 + 160]
    up, across = np.nonzero(cross)
    assert abs(columns.mean() - across.mean()) < 1
    assert abs(rows.mean() - 24 - up.mean()) < 1


def test_a_picture_of_the_same_name_in_another_folder_is_not_taken(
    images: Path, request_of: Callable[..., Request]
) -> None:
    rows = ("far/ann_00.png,40,50,2,60,70,2,,,,", "far/other/bob_00.png,40,50,2,60,70,2,,,,")
    with pytest.raises(DataError, match=r"line 3: there is no picture 'far/other/bob_00.png'"):
        import_dataset(request_of("csv", table_of(images / "labels.csv", *rows)))


def test_a_box_far_larger_than_its_picture_is_refused(images: Path, request_of: Callable[..., Request]) -> None:
    table = table_of(images / "labels.csv", "ann_00.png,40,50,2,60,70,2,0,0,90000,90000")
    with pytest.raises(DataError, match="its box is too large for its picture"):
        import_dataset(request_of("csv", table))


def coco_of(folder: Path, names: list[str], skeleton: list[list[int]], points: int = 3) -> Path:
    """One object of this many points, whose category names these."""
    content = {
        "images": [{"id": 1, "file_name": "ann_00.png"}],
        "categories": [{"name": "face", "keypoints": names, "skeleton": skeleton}],
        "annotations": [{"id": 1, "image_id": 1, "keypoints": [v for k in range(points) for v in (40 + 9 * k, 50, 2)]}],
    }
    (folder / "coco.json").write_text(json.dumps(content))
    return folder / "coco.json"


@pytest.mark.parametrize(
    ("names", "points", "told"),
    [
        (["nose", "ear", "ear"], 3, "two points have the same name; rename them there, or name a scheme with --scheme"),
        (["nose", "ear", ""], 3, "a text of 1 to 100 characters"),
        (["nose", "ear", "e" * 101], 3, "a text of 1 to 100 characters"),
        (["nose", "ear"], 3, "it has 3 points where 2 are expected"),
        (["nose"] * 1001, 1001, "a scheme has 1 to 1,000 points, not 1001"),
    ],
)
def test_names_that_are_of_no_scheme_are_told_before_anything_is_read(
    images: Path, checkout: Path, names: list[str], points: int, told: str
) -> None:
    labels = coco_of(images, names, [], points)
    for dry in ([], ["--dry-run"]):
        code, said, error = invoke("import", "--format", "coco", "--labels", labels, "--name", "mine", *dry)
        assert code == 1
        assert told in " ".join((said + error).split())
    assert not (checkout / "datasets/mine").exists()


def test_more_points_than_a_scheme_has_are_a_fault(images: Path, request_of: Callable[..., Request]) -> None:
    with pytest.raises(DataError, match="it has 1,001 points; 1,000 are the most of a scheme"):
        import_dataset(request_of("coco", coco_of(images, [], [], 1001)))


def test_lines_to_points_that_are_not_there_are_left_out(
    images: Path, request_of: Callable[..., Request], capsys: pytest.CaptureFixture[str]
) -> None:
    made = import_dataset(request_of("coco", coco_of(images, ["nose", "ear", "eye"], [[1, 2], [3, 4], [-1, 2]])))
    assert [line.points for line in made.scheme.contours] == [(0, 1)]
    assert "note: 2 lines of the skeleton in" in capsys.readouterr().err


def test_mirror_pairs_that_coco_tells_are_taken_and_none_are_warned_of(images: Path, checkout: Path) -> None:
    labels = coco_of(images, ["tip", "first", "second"], [])
    code, _, error = invoke("import", "--format", "coco", "--labels", labels, "--name", "none")
    assert code == 0
    assert "note: no mirror pair was found" in error
    content = json.loads(labels.read_text())
    content["categories"][0]["keypoint_flip_map"] = [["first", "second"]]
    labels.write_text(json.dumps(content))
    code, said, error = invoke("import", "--format", "coco", "--labels", labels, "--name", "told")
    assert code == 0
    assert "mirror pairs: [[1, 2]]" in said
    assert "no mirror pair" not in error
    content["categories"][0]["keypoint_flip_map"] = [["first", "third"]]
    labels.write_text(json.dumps(content))
    code, _, error = invoke("import", "--format", "coco", "--labels", labels, "--name", "wrong")
    assert (code, error.count("\n")) == (1, 1)
    assert "third" in error


def test_pictures_may_lie_elsewhere(
    faces: Faces, images: Path, checkout: Path, request_of: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_dataset(request_of("csv", write_wide(images, {name: points for name, (_, points) in faces.items()})))
    monkeypatch.setenv("KEYPOINTS_MIRROR", str(checkout / "nothing"))
    fetch.run(fetch=FETCH)  # what lies here comes before a mirror, which is of public archives
    first = paths.DATASET.read_text()
    shutil.make_archive("moved", "zip", checkout / "imported/mine/pictures")
    for folder in ("imported", "data", ".checkpoints"):
        shutil.rmtree(folder)
    monkeypatch.setenv("KEYPOINTS_MIRROR", "moved.zip")
    fetch.run(fetch=FETCH)
    assert paths.DATASET.read_text() == first


def test_official_lists_are_the_split(images: Path, request_of: Callable[..., Request]) -> None:
    for folder, picture in (("training", "ann_00.png"), ("test", "bob_00.png")):
        (images / folder).mkdir()
        (images / picture).rename(images / folder / picture)
        (images / f"{folder}_frames_keypoints.csv").write_text(f",0,1,2,3\n{picture},40,50,60,70\n")
    found = samples_in(import_dataset(request_of("course", images)).folder, 2)
    assert {sample.picture: (sample.split, sample.group) for sample in found} == {
        "training/ann_00.png": ("training", "ann"),
        "test/bob_00.png": ("test", "bob"),
    }


def test_groups_are_not_split(images: Path, request_of: Callable[..., Request]) -> None:
    rows = [f"{name},{group},{40 + place},50,60,70" for place, group in enumerate("aabbcc") for name in ["ann_00.png"]]
    (images / "labels.csv").write_text("picture,group,x0,y0,x1,y1\n" + "\n".join(rows))
    found = samples_in(import_dataset(request_of("csv", images / "labels.csv")).folder, 2)
    splits = {group: {sample.split for sample in found if sample.group == group} for group in "abc"}
    assert sorted(map(tuple, splits.values())) == [("test",), ("training",), ("training",)]


def test_a_disk_that_is_full_is_no_fault_of_the_labels(
    images: Path, checkout: Path, request_of: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", full)
    monkeypatch.setattr("shutil.copyfile", full)
    table = table_of(images / "labels.csv", "ann_00.png,40,50,2,60,70,2,,,,")
    with pytest.raises(OSError, match="No space left"):
        import_dataset(request_of("csv", table, skip_faulty=True))
    assert [path for root in ("datasets", "imported") for path in (checkout / root).iterdir()] == []


def test_the_command_offers_exactly_the_formats_there_are():
    assert {*LabelFormat} == {*FORMATS}, "name the format in LabelFormat of pipeline/commands/import_.py too"

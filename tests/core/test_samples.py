import os

import cv2
import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.core import paths
from pipeline.core.arrays import load_arrays
from pipeline.core.frames import read_gray
from pipeline.core.json_files import read_json, write_json
from pipeline.core.labels import read_keypoints_csv, read_label_table, write_keypoints_csv
from pipeline.core.samples import read_samples
from pipeline.core.settings import Preprocess, Split
from pipeline.core.tables import read_numbers
from pipeline.evaluation.reports import read_dataset
from pipeline.stages import preprocess, split
from pipeline.stages.track import read_history


def edited(raw, edit):
    """Path of the training table after `edit` of its lines."""
    path = raw / "training_frames_keypoints.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(edit(lines)) + "\n")
    return path


def test_a_table_written_is_the_table_read(tmp_path):
    points = np.random.default_rng(0).random((2, 68, 2)) * 300
    write_keypoints_csv(tmp_path / "t.csv", ["a_00.jpg", "b_00.jpg"], points)
    names, again = read_keypoints_csv(tmp_path / "t.csv")
    assert names == ["a_00.jpg", "b_00.jpg"]
    assert np.abs(again - points).max() <= 0.0005 + 1e-4


def test_points_without_a_label_and_hidden_ones_come_back_as_such(tmp_path):
    points = np.array([[[1, 2], [np.nan, np.nan], [5, 6]], [[7, 8], [9, 10], [np.nan, np.nan]]])
    write_keypoints_csv(tmp_path / "t.csv", ["a", "b"], points, np.array([[2, 0, 1], [2, 2, 0]]))
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        ",0,1,2,3,4,5,v0,v1,v2",
        "a,1.0,2.0,,,5.0,6.0,2,0,1",
        "b,7.0,8.0,9.0,10.0,,,2,2,0",
    ]
    table = read_label_table(tmp_path / "t.csv")
    np.testing.assert_array_equal(table.keypoints_source, points)
    assert table.hidden.tolist() == [[False, False, True], [False, False, False]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([",0,1,2,3", "a,,,,"], "line 2, a: none of its points is labelled; remove the line"),
        ([",0,1,2,3", "a,1,2,,3"], "line 2, a: column 2 holds '' where a number"),
        ([",0,1,2,3", "a,1,2,nan,nan"], "line 2, a: column 2 holds 'nan' where a number"),
        ([",0,1,2,3,v0,v1", "a,1,2,,,2,1"], r"line 2, a: column v1 holds '1' where 2 \(seen\)"),
        ([",0,1,2,3,v0,v1", "a,1,2,3,4,2,yes"], "line 2, a: column v1 holds 'yes' where"),
        ([",0,1,2,3,v0", "a,1,2,3,4,2"], "columns 0 to 3, then v0 to v1; missing: v1"),
    ],
)
def test_a_table_with_missing_points_is_checked(tmp_path, lines, message):
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=message):
        read_label_table(tmp_path / "t.csv")


def test_the_layout_is_upstreams(tmp_path):
    points = np.arange(136, dtype=np.float32).reshape(1, 68, 2)
    write_keypoints_csv(tmp_path / "t.csv", ["a_00.jpg"], points)
    header, row = (tmp_path / "t.csv").read_text().splitlines()
    assert header == "," + ",".join(map(str, range(136)))
    assert row.startswith("a_00.jpg,0.0,1.0,2.0,")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda ls: [line.rsplit(",", 1)[0] for line in ls], r"line 1.*missing: 135"),
        (lambda ls: [ls[0], ls[1].replace("72.0", "seventy", 1), *ls[2:]], r"line 2, Person_A_00\.jpg.*'seventy'"),
        (lambda ls: [*ls[:3], ls[3].replace("72.0", "nan", 1), *ls[4:]], r"line 4, Person_A_02\.jpg.*'nan'"),
        (lambda ls: [*ls[:3], ls[3].replace("72.0", "", 1), *ls[4:]], r"line 4.*''"),
        (lambda ls: [*ls, ls[1]], r"line 14: Person_A_00\.jpg stands on line 2 already"),
        (lambda ls: [*ls, "x_00.jpg,1,2"], r"line 14: 3 fields where 137 are expected"),
        (lambda ls: [*ls, "../x" + ls[1][11:]], r"line 14: '\.\./x\.jpg' is not a bare file name"),
        (lambda ls: [], "line 1: the header"),
        (lambda ls: [ls[0], ls[1].replace("72.0", "1e300", 1)], r"holds '1e300' where a number of pixels is expected"),
        (lambda ls: [ls[0], ls[1].replace("72.0", "-1e39", 1)], r"holds '-1e39' where"),
        (lambda ls: [ls[0], ls[1].replace("72.0", "1e400", 1)], r"holds '1e400' where"),
        (lambda ls: [ls[0], ls[1].replace("72.0", "9" * 5000, 1)], r"holds '9{17}\.\.\.9{18}' where"),
        (lambda ls: [ls[0], "/" * 5000 + ls[1][15:]], r"line 2: '/{17}\.\.\./{18}' is not a bare file name"),
        (lambda ls: [ls[0], "x" * 200_000], "not CSV text .field larger than field limit"),
        (lambda ls: [ls[0], *["x" * 5000 + ls[1][15:]] * 2], r"line 3: x{30}…x{29} stands on line 2 already"),
    ],
)
def test_a_bad_table_is_named_with_its_line(raw, edit, message):
    with pytest.raises(DataError, match=message):
        read_keypoints_csv(edited(raw, edit))


def test_a_table_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="not CSV text"):
        read_keypoints_csv(tmp_path / "t.csv")


GRAY = np.arange(64, 64 + 120, dtype=np.uint8).reshape(10, 12)


@pytest.mark.parametrize(
    "picture",
    [
        GRAY,
        np.dstack([GRAY] * 3),
        np.dstack([GRAY] * 3 + [np.full_like(GRAY, 255)]),
        np.dstack([GRAY] * 3 + [np.zeros_like(GRAY)]),
        GRAY.astype(np.uint16) * 257,
    ],
    ids=["gray", "rgb", "rgba", "transparent", "16-bit"],
)
def test_every_kind_of_png_reads_as_its_gray_levels(tmp_path, picture):
    (tmp_path / "frame.jpg").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    assert np.abs(read_gray(tmp_path / "frame.jpg").astype(int) - GRAY).max() <= 1


def test_a_palette_reads_as_its_gray_levels(tmp_path):
    from PIL import Image

    image = Image.fromarray(GRAY).convert("P")
    image.save(tmp_path / "frame.png")
    assert np.abs(read_gray(tmp_path / "frame.png").astype(int) - GRAY).max() <= 1


def test_colours_weigh_as_in_bt601(tmp_path):
    bgr = np.full((4, 4, 3), (10, 100, 200), np.uint8)
    (tmp_path / "frame.jpg").write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
    assert read_gray(tmp_path / "frame.jpg")[0, 0] == pytest.approx(0.114 * 10 + 0.587 * 100 + 0.299 * 200, abs=1)


@pytest.mark.parametrize("keep", [0, 4, 60, -20], ids=["empty", "magic only", "header", "end missing"])
def test_a_truncated_frame_is_named(raw, keep):
    path = raw / "training" / "Person_A_00.jpg"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"Person_A_00\.jpg is empty, truncated or no image"):
        read_gray(path)


def test_text_is_no_frame(raw):
    (raw / "training" / "Person_A_00.jpg").write_text("not a picture")
    with pytest.raises(DataError, match="no image"):
        read_gray(raw / "training" / "Person_A_00.jpg")


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "m.json", {"nme": float("nan")})


def test_missing_arrays_are_named(tmp_path):
    with pytest.raises(DataError, match="dvc repro preprocess"):
        load_arrays(tmp_path)


def test_a_list_of_samples_without_its_columns_is_named(tmp_path):
    (tmp_path / "samples.csv").write_text("sample_id,file\na,b\n")
    with pytest.raises(DataError, match=r"samples\.csv: it lacks the columns folder, person.*dvc repro -fs split"):
        read_samples(tmp_path / "samples.csv")


def test_what_is_no_plain_file_or_too_large_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as sparse:
        sparse.truncate(10**10)
    for read in (read_keypoints_csv, read_samples, read_json, read_history):
        for path, reason in (
            (tmp_path / "pipe", "no plain file"),
            (tmp_path, "no plain file"),
            (tmp_path / "large", "bytes"),
        ):
            with pytest.raises(DataError, match=reason):
                read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[" * 100_000, "no object of at most 10 levels"),
        ('{"a":' * 500 + "1" + "}" * 500, "no object of at most 10 levels"),
        ("[]", "no object"),
        ("null", "no object"),
        ("1" * 5000, "4300 digits"),
        ('{"a": NaN}', "'NaN' where a finite number is expected"),
        ('{"a": -Infinity}', "'-Infinity' where"),
        ('{"a": 1e400}', "'1e400' where"),
        ("{", "Expecting"),
        ("\ufeff{}", "BOM"),
        ('{"a": ' + "1" * 1_000_000 + "}", "bytes"),
    ],
)
def test_hostile_json_is_one_line(tmp_path, content, reason):
    (tmp_path / "m.json").write_text(content)
    with pytest.raises(DataError, match=rf"m\.json: .*{reason}.*; make it again with: dvc repro") as caught:
        read_json(tmp_path / "m.json")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("content", ["{}", '{"dataset": []}', '{"dataset": "a", "revision": null}', "[]"])
def test_a_dataset_of_another_form_is_one_line(workspace, content):
    paths.DATASET.parent.mkdir()
    paths.DATASET.write_text(content)
    with pytest.raises(DataError, match=r"dataset\.json.*; make it again with: dvc repro"):
        read_dataset()


@pytest.mark.parametrize(
    "content",
    [
        "epoch\n1,2,3\n",
        "epoch,lr\n" + "9" * 5000 + ",1\n",
        "lr\n1\n",
        "epoch,lr\n1,fast\n",
        "epoch,lr\n1," + "x" * 200_000 + "\n",
    ],
)
def test_a_hostile_history_is_one_line(tmp_path, content):
    path = tmp_path / "history.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=r"history\.csv is no history .*dvc repro -fs train"):
        read_history(path)
    with pytest.raises(DataError, match=r"history\.csv: .*; make it again with: dvc repro"):
        read_numbers(path, ("epoch", "lr"))


def test_a_table_without_rows_is_no_chart(tmp_path):
    (tmp_path / "ced.csv").write_text("nme_percent,model_percent\n")
    with pytest.raises(DataError, match="it has no rows"):
        read_numbers(tmp_path / "ced.csv", ("nme_percent", "model_percent"))


SAMPLE = "a,a.jpg,test,p,p_0,0,True,test,True\n"


@pytest.mark.parametrize(
    "rows",
    [
        "a,b\n",
        SAMPLE[:-1] + ",more\n",
        SAMPLE.replace(",True,", ",perhaps,"),
        SAMPLE + "a,a.jpg,test\n",
        '"' + "x" * 10_000,
    ],
)
def test_hostile_samples_are_one_line(tmp_path, rows):
    header = "sample_id,file,folder,person,clip,frame,labelled,split,known\n"
    (tmp_path / "samples.csv").write_text(header + SAMPLE)
    assert len(read_samples(tmp_path / "samples.csv")) == 1
    (tmp_path / "samples.csv").write_text(header + rows)
    with pytest.raises(DataError, match=r"samples\.csv: .*; make it again with: dvc repro -fs split") as caught:
        read_samples(tmp_path / "samples.csv")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def npy(header: str, data: bytes = b"") -> bytes:
    """An array by its format (version 1.0): magic, length, header, data."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HEADER = "{'descr': '%s', 'fortran_order': False, 'shape': %s}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x05\x06" + bytes(18),
        npy(HEADER % ("|u1", "(1000000000000, 64, 64)")),
        npy(HEADER % ("<f4", "(1000000000000, 68, 2)")),
        npy(HEADER % ("<f4", "(%s,)" % ("9" * 5000))),
        npy(HEADER % ("<f4", "(-1, 68, 2)")),
        npy(HEADER % ("|O", "(3, 64, 64)")),
        npy(HEADER % ("<f8", "(0, 68, 2)")),
        npy(HEADER % (">f4", "(0, 68, 2)")),
        npy(HEADER % ("|V100000000", "(0,)")),
        npy(HEADER % ("<f4", "()"), bytes(4)),
        npy("(" * 9000),
        npy("-" * 9000 + "1"),
        npy("[" * 9000),
        npy("x" * 60_000),
    ],
)
@pytest.mark.parametrize("name", ["images", "keypoints", "crop_from_source"])
def test_hostile_arrays_are_one_line(prepared, name, content):
    (prepared / f"{name}.npy").write_bytes(content)
    with pytest.raises(DataError, match="; make it again with: dvc repro preprocess") as caught:
        load_arrays(prepared, IBUG_68.count)
    assert len(str(caught.value)) < 600


@pytest.fixture
def prepared(raw):
    split.run(split=Split(val_people_frac=0.25, drop_test_copies=False, seed=0))
    preprocess.run(preprocess=Preprocess(size_px=64, fit="pad"))
    return paths.PROCESSED / "train"


def change_array(folder, name, change):
    np.save(folder / f"{name}.npy", change(np.load(folder / f"{name}.npy", allow_pickle=False)))


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("images", lambda a: a[:, :, :60], "frames of 64 x 60 pixels where squares are expected"),
        ("images", lambda a: a[1:], "its files differ in their number of frames"),
        ("images", lambda a: a.astype(np.float32), "images.npy holds float32"),
        ("keypoints", lambda a: a[:, :67], "keypoints.npy holds float32"),
        ("keypoints", lambda a: a * np.float32("nan"), "no numbers where samples.csv says labelled"),
        ("keypoints", lambda a: a * np.float32("inf"), "no numbers where samples.csv says labelled"),
        ("keypoints", lambda a: a * np.float32([1, "nan"]), "no numbers where samples.csv says labelled"),
        ("crop_from_source", lambda a: a * 0, "a matrix without an inverse"),
        ("crop_from_source", lambda a: a * np.float32("nan"), "a matrix without an inverse"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_arrays_of_another_form_are_named(prepared, name, change, reason):
    assert len(load_arrays(prepared).samples)
    change_array(prepared, name, change)
    with pytest.raises(DataError, match=reason):
        load_arrays(prepared, IBUG_68.count)


def test_arrays_that_are_pipes_are_refused(prepared):
    (prepared / "images.npy").unlink()
    os.mkfifo(prepared / "images.npy")
    with pytest.raises(DataError, match="it is no plain file"):
        load_arrays(prepared, IBUG_68.count)

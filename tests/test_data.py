import cv2
import numpy as np
import pytest

from pipeline.data import load_arrays, read_gray, read_keypoints_csv, read_samples, write_json, write_keypoints_csv
from pipeline.errors import DataError


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

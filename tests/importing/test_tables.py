"""Tables of labels: what their columns hold, which of their rows are wrong, and what of them is told."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from pipeline.datasets.formats import FORMATS
from pipeline.datasets.formats.names import Told
from pipeline.datasets.formats.record import Fault, Record
from pipeline.datasets.label_table import read_label_table
from pipeline.importing.importing import Imported, import_dataset
from pipeline.importing.request import Request
from tests.importing.checked import faults_of


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes the lines of a table."""

    def write(*lines: str, name: str = "labels.csv") -> Path:
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return tmp_path / name

    return write


def entries(path: Path, names: Sequence[str] = ()) -> list[Record | Fault]:
    return list(FORMATS["csv"].read(path, path.parent, names))


def told_by(path: Path) -> Told:
    facts = FORMATS["csv"].facts
    assert facts is not None
    return facts(path)


def points_of(path: Path, names: Sequence[str] = ()) -> list[list[float]]:
    (only,) = entries(path, names)
    assert isinstance(only, Record), only
    return only.points.tolist()


def objects_of(done: Imported) -> dict[str, list[list[float]]]:
    return {sample.picture: sample.points.tolist() for sample in read_label_table(done.folder / "labels.csv", 3)}


def test_numbered_points_are_in_the_order_of_their_numbers(table: Callable[..., Path]) -> None:
    row = "a.png,5,6,30,40,1,2"
    for header in ("x2,y2,x10,y10,x0,y0", "2_x,2_y,10_x,10_y,0_x,0_y"):
        path = table(f"picture,{header}", row)
        assert points_of(path) == [[1, 2], [5, 6], [30, 40]]
        assert told_by(path).names == ["0", "2", "10"]


def test_tables_of_one_folder_agree_whatever_the_order_of_their_columns(
    images: Path, request_of: Callable[..., Request]
) -> None:
    (images / "a.csv").write_text("picture,x0,y0,x1,y1,x2,y2\nann_00.png,10,20,50,60,30,90\n")
    (images / "b.csv").write_text("picture,x2,y2,x1,y1,x0,y0\nbob_00.png,30,90,50,60,10,20\n")
    (images / "c.csv").write_text("picture,x02,y02,x00,y00\ncy_00.png,30,90,10,20\n")
    found = objects_of(import_dataset(request_of("csv", images)))
    assert found["ann_00.png"] == found["bob_00.png"] == [[10, 20], [50, 60], [30, 90]]
    assert found["cy_00.png"][::2] == [[10, 20], [30, 90]]
    assert np.isnan(found["cy_00.png"][1]).all()


def test_names_of_points_stay_as_they_are_written_and_keywords_may_be_in_any_case(table: Callable[..., Path]) -> None:
    path = table(
        "Picture,LeftEye_X,LeftEye_Y,NOSE.x,NOSE.y,Group,BOX_X,box_y,BBox_Width,box_H", "a.png,1,2,3,4,me,0,0,9,8"
    )
    assert told_by(path) == Told(["LeftEye", "NOSE"])
    (only,) = entries(path, ["LeftEye", "NOSE"])
    assert isinstance(only, Record)
    assert (only.group, only.box, only.points.tolist()) == ("me", (0, 0, 9, 8), [[1, 2], [3, 4]])


def test_names_that_differ_in_case_alone_are_the_same_unless_there_are_both(table: Callable[..., Path]) -> None:
    path = table("picture,Nose_x,Nose_y,eye_x,eye_y", "a.png,1,2,3,4")
    assert points_of(path, ["EYE", "nose"]) == [[3, 4], [1, 2]]
    (fault,) = entries(path, ["EYE", "nose", "NOSE"])
    assert isinstance(fault, Fault)
    assert fault.what == "there is no point called 'Nose'; they are EYE, nose, NOSE"
    path = table("picture,nose_x,nose_y,Nose_x,Nose_y", "a.png,1,2,3,4")
    assert points_of(path, ["Nose", "nose"]) == [[3, 4], [1, 2]]
    (fault,) = entries(path, ["NOSE"])
    assert isinstance(fault, Fault)


def test_labels_are_put_in_the_order_of_a_scheme_that_writes_their_names_in_another_case(
    images: Path, request_of: Callable[..., Request], capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "labels.csv").write_text("picture,Ear_x,Ear_y,Nose_x,Nose_y,Eye_x,Eye_y\nann_00.png,10,20,50,60,30,90\n")
    (images / "three.yaml").write_text(
        "name: three\ntitle: three\npoints: 3\nmirror_pairs: []\nregions: [{name: all, points: [0, 1, 2]}]\n"
        "contours: []\nnormalizer: diagonal\npoint_names: [NOSE, eye, Ear]\n"
    )
    done = import_dataset(request_of("csv", images / "labels.csv", scheme=str(images / "three.yaml")))
    assert objects_of(done)["ann_00.png"] == [[50, 60], [30, 90], [10, 20]]
    assert done.point_names == ("NOSE", "eye", "Ear")
    assert "otherwise" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("picture,nose_x,nose_y,ear_x,ear_yy", "the column 'ear_x' has no y of the point 'ear' beside it"),
        ("picture,nose_x,nose_y,ear_y", "the column 'ear_y' has no x of the point 'ear' beside it"),
        ("picture,x0,y0,x1,y2", "the column 'x1' has no y of the point '1' beside it"),
        ("picture,Nose_x,nose_y", "the column 'Nose_x' has no y of the point 'Nose' beside it"),
        ("picture,x0,y0,x1,y1,x0", "a column comes twice: 'x0'; rename or remove one"),
        ("picture,x0,y0,X0,y1", "a column comes twice: 'x0' and 'X0'; rename or remove one"),
        ("picture,x0,y0,0_x", "a column comes twice: 'x0' and '0_x'; rename or remove one"),
        ("Picture,picture,x0,y0", "a column comes twice: 'Picture' and 'picture'; rename or remove one"),
        ("picture,note,x0,y0,note", "a column comes twice: 'note'; rename or remove one"),
        ("picture,point,x,y,X", "a column comes twice: 'x' and 'X'; rename or remove one"),
        ("picture,x0,y0,box_x,bbox_x,box_y,box_w,box_h", "a column comes twice: 'box_x' and 'bbox_x'"),
        ("picture,x0,y0,box_x,box_y", "the box of box_x, box_y lacks its width and height; a box is box_x, box_y,"),
        ("picture,x0,y0,bbox_x,bbox_w,bbox_height", "the box of bbox_x, bbox_w, bbox_height lacks its y; a box is"),
        ("picture,point,x,y,box_w", "the box of box_w lacks its x and y and height; a box is"),
        ("name,x0,y0", "a table has a column picture, and x0,y0,x1,y1 or nose_x,nose_y or point,x,y; found ['name', "),
    ],
)
def test_a_first_line_that_cannot_be_understood_is_told(table: Callable[..., Path], header: str, told: str) -> None:
    path = table(header, "a.png,1,2,3,4")
    for read in (told_by, entries):
        with pytest.raises(DataError) as error:
            read(path)
        assert str(error.value).startswith(f"{path} line 1: {told}")


@pytest.mark.parametrize("sides", ["box_x,box_y,box_w,box_h", "bbox_x,bbox_y,bbox_width,bbox_height"])
def test_a_box_may_be_called_so_or_so(table: Callable[..., Path], sides: str) -> None:
    path = table(f"picture,{sides},x0,y0", "a.png,1,2,30,40,5,6")
    (only,) = entries(path)
    assert isinstance(only, Record)
    assert only.box == (1, 2, 30, 40)
    path = table(f"picture,{sides},x0,y0", "a.png,,,,,5,6", "b.png,1,2,30,,5,6")
    without, fault = entries(path)
    assert isinstance(without, Record)
    assert without.box is None
    assert isinstance(fault, Fault)
    assert fault.what == "a side of the box is '' where a number of pixels is expected"


def test_columns_that_are_not_used_are_told(
    images: Path, request_of: Callable[..., Request], capsys: pytest.CaptureFixture[str]
) -> None:
    header = "picture,path,nose_x,nose_y,nose_visible,eye_x,eye_y,ear_x,ear_y,ear_v,chin_v,Person,point"
    (images / "labels.csv").write_text(f"{header}\nann_00.png,p,10,20,1,50,60,30,90,2,2,me,3\n")
    import_dataset(request_of("csv", images / "labels.csv", group_by="person"))
    told = "note: columns that are not used: path, nose_visible, chin_v, point\n"
    assert told in capsys.readouterr().err
    (images / "labels.csv").write_text(
        "picture,point,x,y,V,object,nose_x\nann_00.png,0,1,2,2,,3\nann_00.png,1,9,9,2,,3\n"
    )
    faults_of(request_of("csv", images / "labels.csv", name="other"))
    assert "note: columns that are not used: nose_x\n" in capsys.readouterr().err
    (images / "labels.csv").write_text("picture,x0,y0,x1,y1\nann_00.png,1,2,9,9\n")
    faults_of(request_of("csv", images / "labels.csv", name="other"))
    assert "not used" not in capsys.readouterr().err


@pytest.mark.parametrize("header", [",picture,x0,y0", "picture,x0,y0,", ",picture,x0,y0,,"])
def test_a_column_may_have_no_name(table: Callable[..., Path], header: str) -> None:
    """As the index that pandas writes, and what a comma at the end of each line makes."""
    path = table(
        header, ",".join({"picture": "a.png", "x0": "3", "y0": "4"}.get(name, "7") for name in header.split(","))
    )
    assert points_of(path) == [[3, 4]]
    assert told_by(path).unused == ()


def test_every_row_of_a_long_table_has_as_many_fields_as_its_first_line(table: Callable[..., Path]) -> None:
    comma = ["a.png,nose,10,5,20,5", "a.png,eye,30,40"]
    cut = ["b.png,nose,10,20", "b.png,eye,30"]
    path = table("picture,point,x,y", *comma, *cut, "c.png,nose,1,2", "c.png,eye,3,4", "d.png,,3,4")
    one, other, whole, nameless = entries(path, ["nose", "eye"])
    assert one == Fault("labels.csv line 2", "line 2 has more or fewer fields than the first line")
    assert other == Fault("labels.csv line 4", "line 5 has more or fewer fields than the first line")
    assert isinstance(whole, Record)
    assert whole.points.tolist() == [[1, 2], [3, 4]]
    assert nameless == Fault("labels.csv line 8", "line 8: it names no point")
    assert told_by(path).names == ["eye", "nose"]


def test_flags_of_a_table_without_any_2_mean_labelled(table: Callable[..., Path]) -> None:
    """As in COCO; an empty flag of a point that has a place is a 2."""

    def flags(*rows: str) -> list[list[int]]:
        wide = entries(table("picture,a_x,a_y,a_v,b_x,b_y,b_v", *rows))
        points = [
            f"{row[:5]},a,{','.join(row.split(',')[1:4])}\n{row[:5]},b,{','.join(row.split(',')[4:])}" for row in rows
        ]
        long = entries(table("picture,point,x,y,v", *points), ["a", "b"])
        found, again = ([one.visibility.tolist() for one in each if isinstance(one, Record)] for each in (wide, long))
        assert found == again
        return found

    assert flags("1.png,1,2,1,3,4,1", "2.png,1,2,0,3,4,1") == [[2, 2], [0, 2]]
    assert flags("1.png,1,2,1,3,4,1", "2.png,1,2,0,3,4,2") == [[1, 1], [0, 2]]
    assert flags("1.png,1,2,1,3,4,1", "2.png,1,2,2.0,3,4,1") == [[1, 1], [2, 1]]
    assert flags("1.png,1,2,1,3,4,", "2.png,,,,3,4,1") == [[1, 2], [0, 1]]
    assert flags("1.png,1,2,1,3,4,1", "2.png,,,,3,4,1") == [[2, 2], [0, 2]]


@pytest.mark.parametrize("kind", ["csv", "course", "deeplabcut"])
def test_text_that_is_no_utf_8_costs_its_row_alone(tmp_path: Path, kind: str) -> None:
    lines = {
        "csv": ["picture,x0,y0,group", "a.png,3,4,é", "caf\udce9.png,3,4,b", "c.png,3,4,c"],
        "course": [",0,1", "a.png,3,4", "caf\udce9.png,3,4", "c.png,3,4"],
        "deeplabcut": [
            "scorer,me,me",
            "bodyparts,nose,nose",
            "coords,x,y",
            "a.png,3,4",
            "caf\udce9.png,3,4",
            "c.png,3,4",
        ],
    }[kind]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    one, fault, other = FORMATS[kind].read(tmp_path / "a.csv", tmp_path, ("nose",) if kind == "deeplabcut" else ())
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert other.picture == "c.png"
    assert isinstance(fault, Fault)
    assert fault.what == "it has a field 'caf\ufffd.png' that is no UTF-8; save the table as UTF-8"


def test_a_first_line_that_is_no_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("picture,Gr\xf6\xdfe_x,Gr\xf6\xdfe_y\na.png,1,2\n", encoding="latin-1")
    with pytest.raises(
        DataError, match=r"a\.csv line 1: the column 'Gr\ufffd\ufffde_x' is no UTF-8; save the table as"
    ):
        entries(tmp_path / "a.csv")


def test_spaces_beside_a_group_are_no_other_group(images: Path, request_of: Callable[..., Request]) -> None:
    rows = ["ann_00.png,anna,1,2,9,9", "bob_00.png,anna ,1,2,9,9", "cy_00.png, anna,1,2,9,9"]
    (images / "labels.csv").write_text("\n".join(["picture,group,x0,y0,x1,y1", *rows]) + "\n")
    assert import_dataset(request_of("csv", images / "labels.csv")).tally.groups == {"anna": 1}

"""Files of labels that hold more kinds of objects than one, or parts that are not of their format."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from facial_keypoints.core.errors import DataError
from pipeline.datasets.formats import FORMATS
from pipeline.datasets.formats.names import Told
from pipeline.datasets.formats.record import Fault, Record
from pipeline.datasets.label_table import read_label_table
from pipeline.importing.importing import import_dataset
from pipeline.importing.request import Request
from tests.importing.checked import faults_of

Ask = Callable[..., Request]


def entries(kind: str, path: Path, names: Sequence[str] = ()) -> list[Record | Fault]:
    return list(FORMATS[kind].read(path, path.parent, names))


def told_by(kind: str, path: Path) -> Told:
    facts = FORMATS[kind].facts
    assert facts is not None
    return facts(path)


def cvat_of(path: Path, declared: dict[str, Sequence[str]], drawn: dict[str, Sequence[str]]) -> Path:
    """A file of CVAT that declares skeletons with their points, and one image with those that are drawn."""
    labels = "".join(
        f"<label><name>{label}</name></label>"
        + "".join(f"<label><name>{name}</name><parent>{label}</parent></label>" for name in names)
        for label, names in declared.items()
    )
    skeletons = "".join(
        f'<skeleton label="{label}">'
        + "".join(f'<points label="{name}" points="10,20"/>' for name in names)
        + "</skeleton>"
        for label, names in drawn.items()
    )
    image = f'<image name="a.png">{skeletons}</image>'
    path.write_text(f"<annotations><meta><labels>{labels}</labels></meta>{image}</annotations>")
    return path


@pytest.mark.parametrize("declared", [{}, {"hand": "123", "face": "12"}, {"face": "12", "hand": "123"}])
def test_skeletons_of_cvat_with_different_points_are_refused(tmp_path: Path, declared: dict[str, str]) -> None:
    path = cvat_of(tmp_path / "a.xml", declared, {"hand": "321", "face": "12"})
    for read in (told_by, entries):
        with pytest.raises(DataError) as error:
            read("cvat", path)
        assert str(error.value) == (
            f"{path}: its skeletons 'hand' and 'face' have different points; split it into a file for each"
        )


def test_skeletons_of_cvat_may_share_their_points_and_others_may_be_declared(tmp_path: Path) -> None:
    of = {"dog": ["nose", "tail"], "cat": ["tail", "nose"], "hand": ["1", "2"]}
    path = cvat_of(tmp_path / "a.xml", of, {"cat": ["nose", "tail"], "dog": ["tail", "nose"]})
    assert told_by("cvat", path).names == ["tail", "nose"]
    assert all(isinstance(entry, Record) for entry in entries("cvat", path, ["tail", "nose"]))
    assert told_by("cvat", cvat_of(tmp_path / "b.xml", of, {})).names == []


def dlib_of(path: Path, boxes: Sequence[tuple[str, str, str]]) -> Path:
    """A file of dlib's with one image, of whose boxes each has a label or none, more attributes, and named parts."""
    shapes = "".join(
        f'<box left="0" top="0" width="9" height="9"{more}>'
        + (f"<label>{label}</label>" if label else "")
        + "".join(f'<part name="{name}" x="1" y="2"/>' for name in parts)
        + "</box>"
        for label, more, parts in boxes
    )
    path.write_text(f'<dataset><images><image file="a.png">{shapes}</image></images></dataset>')
    return path


def label_studio_of(path: Path, boxes: Sequence[tuple[str, str]]) -> Path:
    """A file of Label Studio's with one task, with labelled rectangles, or "" for none, round named points."""
    size = {"original_width": 200, "original_height": 100}
    results: list[dict[str, Any]] = []
    for place, (label, names) in enumerate(boxes):
        parent = {"parentID": f"box {place}"} if label else {}
        if label:
            value = {"x": 0, "y": 0, "width": 50, "height": 50, "rectanglelabels": [label]}
            results.append({"type": "rectanglelabels", "id": f"box {place}", "value": value} | size)
        for name in names:
            value = {"x": 10, "y": 50, "keypointlabels": [name]}
            results.append({"type": "keypointlabels", "value": value} | parent | size)
    path.write_text(json.dumps([{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": results}]}]))
    return path


def test_boxes_of_different_labels_with_different_points_are_refused(tmp_path: Path) -> None:
    dlib = dlib_of(tmp_path / "a.xml", [("hand", "", "321"), ("face", "", "12")])
    studio = label_studio_of(tmp_path / "a.json", [("hand", "321"), ("face", "12")])
    for kind, path, objects in [("dlib", dlib, "boxes"), ("label-studio", studio, "rectangles")]:
        for read in (told_by, entries):
            with pytest.raises(DataError) as error:
                read(kind, path)
            assert str(error.value) == (
                f"{path}: its {objects} labelled 'hand' and 'face' have different points; split it into a file for "
                f"each, or give all {objects} one label"
            )


def test_boxes_may_share_their_points_lack_some_or_have_no_label(tmp_path: Path) -> None:
    faces = [("man", "", "12"), ("woman", "", "21"), ("man", "", "1"), ("", "", "3"), ("hand", ' ignore="1"', "45")]
    dlib = dlib_of(tmp_path / "a.xml", faces)
    assert list(told_by("dlib", dlib).names) == ["1", "2", "3"]
    assert [type(entry) for entry in entries("dlib", dlib, "123")] == [Record] * 4
    studio = label_studio_of(tmp_path / "a.json", [("man", "12"), ("woman", "21"), ("man", "1"), ("", "3")])
    assert list(told_by("label-studio", studio).names) == ["1", "2", "3"]
    assert [type(entry) for entry in entries("label-studio", studio, "123")] == [Record] * 4


def test_individuals_of_deeplabcut_with_different_body_parts_are_refused(tmp_path: Path) -> None:
    """As "single", whose parts are not those of the animals."""
    header = [
        "scorer,me,me,me,me,me,me",
        "individuals,mouse,mouse,mouse,mouse,single,single",
        "bodyparts,nose,nose,tail,tail,corner,corner",
        "coords,x,y,x,y,x,y",
    ]
    path = tmp_path / "CollectedData_me.csv"
    path.write_text("\n".join([*header, "1.png,1,2,3,4,,", "2.png,1,2,,,,"]) + "\n")
    assert told_by("deeplabcut", path).names == ["nose", "tail"]
    assert len(entries("deeplabcut", path, ["nose", "tail"])) == 2
    path.write_text("\n".join([*header, "1.png,1,2,3,4,,", "2.png,1,2,,,5,6"]) + "\n")
    for read in (told_by, entries):
        with pytest.raises(
            DataError, match="its individuals 'mouse' and 'single' have different body parts; keep those"
        ):
            read("deeplabcut", path)


def coco_of(path: Path, annotations: Sequence[Any], *images: Any, **category: Any) -> Path:
    content: dict[str, Any] = {"images": [{"id": 1, "file_name": "ann_00.png"}, *images], "annotations": annotations}
    content["categories"] = [{"name": "paw", "keypoints": ["a", "b", "c"], **category}]
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("skeleton", "lines"),
    [
        (None, []),
        ([["a", "b"], ["c", "a"]], [(0, 1), (2, 0)]),
        ([["a", "tail"], ["c", "b"]], [(0, -1), (2, 1)]),
    ],
)
def test_a_skeleton_of_coco_may_be_null_or_name_its_points(
    tmp_path: Path, skeleton: object, lines: list[tuple[int, int]]
) -> None:
    assert told_by("coco", coco_of(tmp_path / "a.json", [], skeleton=skeleton)).edges == lines


@pytest.mark.parametrize(
    ("category", "told"),
    [
        ({"skeleton": 3}, "skeleton is 3 where a list is expected"),
        ({"skeleton": [3]}, "skeleton holds 3 where two points, by number or name, are expected"),
        ({"skeleton": [[1, 2, 3]]}, "skeleton holds [1, 2, 3] where two points, by number or name, are expected"),
        ({"skeleton": [[1, None]]}, "skeleton holds [1, None] where two points, by number or name, are expected"),
        ({"keypoints": "abc"}, "keypoints is 'abc' where a list is expected"),
        ({"keypoint_flip_map": {"a": "b"}}, "keypoint_flip_map is {'a': 'b'} where a list is expected"),
        ({"keypoint_flip_map": [["a", "z"]]}, "keypoint_flip_map names the point 'z', which keypoints does not"),
    ],
)
def test_what_of_a_category_of_coco_cannot_be_read_is_named(
    images: Path, request_of: Ask, category: dict[str, Any], told: str
) -> None:
    path = coco_of(images / "a.json", [], **category)
    with pytest.raises(DataError) as error:
        import_dataset(request_of("coco", path))
    assert str(error.value) == f"{path}: it is not as this --format has it ({told})"


def test_null_is_no_pair_of_coco(tmp_path: Path) -> None:
    assert told_by("coco", coco_of(tmp_path / "a.json", [], keypoint_flip_map=None)).mirror_pairs == []


def test_entries_of_coco_that_are_none_cost_themselves_alone(tmp_path: Path) -> None:
    good = {"id": 0, "image_id": 1, "keypoints": [4, 5, 1, 6, 7, 1, 8, 9, 1]}
    bad = [
        3,
        None,
        [],
        {"keypoints": None},
        {"keypoints": 5},
        {"keypoints": "xyz"},
        {"id": [2], "keypoints": [1, 2, 1, 3]},
    ]
    for place in range(len(bad) + 1):
        path = coco_of(tmp_path / "a.json", [*bad[:place], good, *bad[place:]], 3, None, {"file_name": "b.png"})
        found = entries("coco", path)
        (only,) = (entry for entry in found if isinstance(entry, Record))
        assert only.visibility.tolist() == [2, 2, 2]  # no other flag is a 2
        assert len(found) == len(bad) + 4
        assert {entry.where for entry in found[:3]} == {f"a.json image {number}" for number in (1, 2, 3)}


def test_boxes_have_four_sides(tmp_path: Path) -> None:
    path = coco_of(tmp_path / "a.json", [{"image_id": 1, "keypoints": [4, 5, 2, 6, 7, 2, 8, 9, 2], "bbox": [1, 2, 3]}])
    assert entries("coco", path) == [
        Fault("a.json annotation 0", "its box has 3 numbers where x, y, width and height are expected")
    ]


def test_a_field_of_an_image_of_coco_is_the_group_before_one_of_its_object(images: Path, request_of: Ask) -> None:
    flat = [10, 20, 2, 30, 40, 2, 50, 20, 2]
    objects = [{"id": 8 + x, "image_id": 1, "who": f"o{x}", "keypoints": [x, *flat[1:]]} for x in (10, 11)]
    for place, (by, groups) in enumerate({"id": ["1", "1"], "WHO": ["o10", "o11"]}.items()):
        path = coco_of(images / "a.json", objects)
        done = import_dataset(request_of("coco", path, group_by=by, name=f"mine{place}"))
        assert [sample.group for sample in read_label_table(done.folder / "labels.csv", 3)] == groups


def test_names_come_from_the_first_file_that_has_any(images: Path, request_of: Ask) -> None:
    (images / "a.json").write_text('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}')
    coco_of(images / "b.json", [{"image_id": 1, "keypoints": [10, 20, 2, 30, 40, 2, 50, 20, 2]}])
    done = import_dataset(request_of("coco", images))
    assert (done.scheme.point_names, done.scheme.thing) == (("a", "b", "c"), "paw")


def test_a_file_that_cannot_be_read_keeps_no_names_from_others(images: Path, request_of: Ask) -> None:
    (images / "a.json").write_text("[")
    coco_of(images / "b.json", [{"image_id": 1, "keypoints": [10, 20, 2, 30, 40, 2, 50, 20, 2]}])
    done = import_dataset(request_of("coco", images, skip_faulty=True))
    assert (done.scheme.point_names, done.tally.files_left_out) == (("a", "b", "c"), 1)


def test_a_task_of_label_studio_that_is_none_costs_itself_alone(tmp_path: Path) -> None:
    size = {"original_width": 200, "original_height": 100}
    result = {"type": "keypointlabels", "value": {"x": 10, "y": 50, "keypointlabels": ["nose"]}, **size}
    good = {"id": 7, "data": {"image": "a.png"}, "annotations": [{"result": [result]}]}
    bad: list[Any] = [
        3,
        {"id": 8, "annotations": 5},
        {"id": 9, "annotations": [{}]},
        {"id": 10, "annotations": [{"result": [4]}]},
    ]
    (tmp_path / "a.json").write_text(json.dumps([*bad, good]))
    assert told_by("label-studio", tmp_path / "a.json").names == ["nose"]
    found = entries("label-studio", tmp_path / "a.json", ["nose"])
    assert [entry.where for entry in found] == [f"a.json task {number}" for number in (0, 8, 9, 10, 7)]
    assert [isinstance(entry, Record) for entry in found] == [False] * 4 + [True]


def test_parts_of_dlib_are_the_same_by_the_value_of_their_numbers(images: Path, request_of: Ask) -> None:
    for file, picture, names in (("a", "ann_00", ["00", "01"]), ("b", "bob_00", ["1", "0"])):
        parts = "".join(f'<part name="{name}" x="{10 + 30 * int(name)}" y="20"/>' for name in names)
        box = f'<box top="10" left="5" width="60" height="30">{parts}</box>'
        (images / f"{file}.xml").write_text(
            f'<dataset><images><image file="{picture}.png">{box}</image></images></dataset>'
        )
    done = import_dataset(request_of("dlib", images))
    found = [sample.points.tolist() for sample in read_label_table(done.folder / "labels.csv", 2)]
    assert found == [[[10, 20], [40, 20]]] * 2


def test_an_encoding_that_nobody_knows_is_told(images: Path, request_of: Ask) -> None:
    (images / "a.xml").write_text('<?xml version="1.0" encoding="windows-31j-x"?><dataset/>')
    with pytest.raises(DataError, match=r"a\.xml: it is not as this --format has it \(unknown encoding"):
        faults_of(request_of("dlib", images / "a.xml"))

"""Every format gives back the points that were written in it."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facial_keypoints.core.errors import DataError
from pipeline.datasets.formats import FORMATS
from pipeline.datasets.formats.names import Told
from pipeline.datasets.formats.record import Fault, Record
from pipeline.datasets.label_table import Sample, read_label_table
from pipeline.datasets.shipped_schemes import find_scheme
from pipeline.importing.importing import import_dataset
from pipeline.importing.request import Request
from tests.architecture import ROOT
from tests.at_hand import OWN_DATA
from tests.importing.checked import faults_of
from tests.importing.conftest import points_of
from tests.label_files import WRITERS, write_cofw

Faces = dict[str, tuple[np.ndarray, np.ndarray]]


def imported(request: Request) -> dict[str, Sample]:
    done = import_dataset(request)
    return {sample.picture: sample for sample in read_label_table(done.folder / "labels.csv", done.scheme.count)}


def test_every_format_is_written_here_and_told_in_the_docs() -> None:
    written = {name for name, _, _ in WRITERS.values()} | {"cofw"}
    assert written == {*FORMATS}, "write the format in WRITERS of tests/label_files.py"
    told = {line.split("`")[1] for line in (ROOT / "docs/own-data.md").read_text().splitlines() if line[:3] == "| `"}
    assert {*FORMATS} <= told, "tell of the format in the table of docs/own-data.md"


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_written_in_a_format_is_imported_again(
    kind: str, faces: Faces, request_of: Callable[..., Request], images: Path
) -> None:
    name, count, write = WRITERS[kind]
    labels = {picture: points_of(points, count) for picture, (_, points) in faces.items()}
    found = imported(request_of(name, write(images, labels)))
    assert set(found) == set(labels)
    for picture, points in labels.items():
        np.testing.assert_allclose(found[picture].points, points, atol=1e-3)
        assert (found[picture].visibility == 2).all()


def test_cofw_brings_its_pictures_and_what_is_occluded(
    faces: Faces, request_of: Callable[..., Request], images: Path
) -> None:
    labels = {name: points_of(points, 29) for name, (_, points) in faces.items()}
    pictures = {name: picture[..., ::-1] for name, (picture, _) in faces.items()}
    done = import_dataset(request_of("cofw", write_cofw(images, pictures, labels)))
    found = list(read_label_table(done.folder / "labels.csv", 29))
    assert done.scheme == find_scheme("cofw-29")
    for sample, points in zip(found, labels.values(), strict=True):
        np.testing.assert_allclose(sample.points, points, atol=1e-3)
        assert np.flatnonzero(sample.visibility == 1).tolist() == [3]
    stored = cv2.imread(str(done.sheet.parent / "pictures" / found[0].picture))
    assert stored is not None
    assert (stored == faces["ann_00.png"][0]).all()


def entries(kind: str, path: Path, names: tuple[str, ...] = ()) -> list[Record | Fault]:
    return list(FORMATS[kind].read(path, path.parent, names))


def told_by(kind: str, path: Path) -> Told:
    facts = FORMATS[kind].facts
    assert facts is not None
    return facts(path)


def test_flags_of_coco_say_what_is_not_labelled_and_what_is_hidden(tmp_path: Path) -> None:
    annotation = {"id": 5, "image_id": 1, "keypoints": [0, 0, 0, 4, 5, 1, 6, 7, 2], "bbox": [1, 2, 3, 4]}
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [annotation]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (only,) = entries("coco", tmp_path / "a.json")
    assert isinstance(only, Record)
    assert only.visibility.tolist() == [0, 1, 2]
    assert np.isnan(only.points[0]).all()
    assert only.points[1:].tolist() == [[4, 5], [6, 7]]
    assert only.box == (1, 2, 3, 4)


def test_flags_of_coco_without_any_2_mean_labelled(tmp_path: Path) -> None:
    annotation = {"image_id": 1, "keypoints": [4, 5, 1, 0, 0, 0]}
    content = {"images": [{"id": 1, "file_name": "a"}], "annotations": [annotation]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (only,) = entries("coco", tmp_path / "a.json")
    assert isinstance(only, Record)
    assert only.visibility.tolist() == [2, 0]


def test_points_of_deeplabcut_without_a_value_are_not_labelled(tmp_path: Path) -> None:
    table = "scorer,me,me,me,me\nindividuals,a,a,b,b\nbodyparts,nose,nose,nose,nose\ncoords,x,y,x,y\n"
    (tmp_path / "CollectedData_me.csv").write_text(table + "labeled-data/v/1.png,3,4,,\n")
    (only,) = entries("deeplabcut", tmp_path / "CollectedData_me.csv", ("nose",))
    assert isinstance(only, Record)
    assert (only.picture, only.group, only.points.tolist()) == ("labeled-data/v/1.png", "v", [[3, 4]])


def test_objects_of_label_studio_are_told_apart_by_their_rectangles(tmp_path: Path) -> None:
    size = {"original_width": 200, "original_height": 100}

    def point(parent: str, x: float) -> dict[str, object]:
        value = {"x": x, "y": 50, "keypointlabels": ["nose"]}
        return {"type": "keypointlabels", "parentID": parent, "value": value, **size}

    def box(name: str, x: float) -> dict[str, object]:
        return {"type": "rectanglelabels", "id": name, "value": {"x": x, "y": 0, "width": 50, "height": 100}, **size}

    results = [box("A", 0), point("A", 10), box("B", 50), point("B", 60)]
    task = {"id": 1, "data": {"image": "s3://b/a.png"}, "annotations": [{"result": results}]}
    (tmp_path / "a.json").write_text(json.dumps([task]))
    one, other = entries("label-studio", tmp_path / "a.json", ("nose",))
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert (one.picture, one.points.tolist(), one.box) == ("a.png", [[20, 50]], (0, 0, 100, 100))
    assert (other.points.tolist(), other.box) == ([[120, 50]], (100, 0, 100, 100))


def label_studio(tmp_path: Path, results: list[dict[str, Any]], **data: str) -> list[Record | Fault]:
    size = {"original_width": 200, "original_height": 100}
    task = {"id": 1, "data": data or {"image": "a.png"}, "annotations": [{"result": [r | size for r in results]}]}
    (tmp_path / "a.json").write_text(json.dumps([task]))
    return entries("label-studio", tmp_path / "a.json", ("nose",))


NOSE: dict[str, Any] = {
    "type": "keypointlabels",
    "parentID": "A",
    "value": {"x": 10, "y": 50, "keypointlabels": ["nose"]},
}


def test_a_turned_rectangle_of_label_studio_counts_as_the_upright_box_round_it(tmp_path: Path) -> None:
    for rotation, box in [
        (0, (100, 20, 40, 10)),
        (90, (90, 20, 10, 40)),
        (180, (60, 10, 40, 10)),
        (-90, (100, -20, 10, 40)),
    ]:
        value = {"x": 50, "y": 20, "width": 20, "height": 10, "rotation": rotation}
        (only,) = label_studio(tmp_path, [{"type": "rectanglelabels", "id": "A", "value": value}, NOSE])
        assert isinstance(only, Record)
        assert only.box == pytest.approx(box)
    (value["width"], value["height"], value["rotation"]) = (10, 20, 45)  # a square of 20 px, its first corner on top
    (only,) = label_studio(tmp_path, [{"type": "rectanglelabels", "id": "A", "value": value}, NOSE])
    assert isinstance(only, Record)
    half = 20 / 2**0.5
    assert only.box == pytest.approx((100 - half, 20, 2 * half, 2 * half))


def test_choices_and_relations_of_label_studio_are_no_objects(tmp_path: Path) -> None:
    rectangle = {"type": "rectanglelabels", "id": "A", "value": {"x": 0, "y": 0, "width": 50, "height": 100}}
    choice: dict[str, Any] = {"type": "choices", "id": "C", "value": {"choices": ["sharp"]}}
    relation: dict[str, Any] = {"type": "relation", "from_id": "A", "to_id": "C", "direction": "right"}
    (only,) = label_studio(tmp_path, [choice, rectangle, NOSE, relation])
    assert isinstance(only, Record)
    assert only.points.tolist() == [[20, 50]]


def test_the_picture_of_a_task_of_label_studio_is_what_ends_as_one(tmp_path: Path) -> None:
    of = {"note": "By Dr. Who", "image": "/data/local-files/?d=set%2Fa%20b.JPG", "page": "https://example.org/x.html"}
    (only,) = label_studio(tmp_path, [NOSE], **of)
    assert isinstance(only, Record)
    assert only.picture == "set/a b.JPG"
    (only,) = label_studio(tmp_path, [NOSE], note="no dot", image="frame.raw16")
    assert isinstance(only, Record)
    assert only.picture == "frame.raw16"


@pytest.mark.parametrize(
    ("skeleton", "lines"),
    [
        ([[1, 2], [2, 3]], [(0, 1), (1, 2)]),
        ([[0, 1], [1, 2]], [(0, 1), (1, 2)]),
        ([[0, 1], [2, 3]], [(-1, 0), (1, 2)]),
        ([], []),
    ],
)
def test_a_skeleton_of_coco_counts_from_1_unless_it_can_only_count_from_0(
    tmp_path: Path, skeleton: list[list[int]], lines: list[tuple[int, int]]
) -> None:
    category = {"name": "paw", "keypoints": ["a", "b", "c"], "skeleton": skeleton}
    (tmp_path / "a.json").write_text(json.dumps({"categories": [category]}))
    assert told_by("coco", tmp_path / "a.json").edges == lines


def test_mirror_pairs_of_coco_are_those_that_the_file_names(tmp_path: Path) -> None:
    category = {"name": "paw", "keypoints": ["a", "b", "c"], "keypoint_flip_map": [["c", "a"]]}
    (tmp_path / "a.json").write_text(json.dumps({"categories": [category]}))
    assert told_by("coco", tmp_path / "a.json").mirror_pairs == [(2, 0)]


@pytest.mark.parametrize(
    ("names", "thing"),
    [
        (["paw"], "paw"),
        ([" paw "], "paw"),
        (["cat", "dog"], ""),
        (["paw", "paw"], "paw"),
        (["x" * 41], ""),
        (["\x1b[31m"], ""),
        ([3], ""),
    ],
)
def test_what_the_points_are_of_is_the_one_category_of_coco(tmp_path: Path, names: list[Any], thing: str) -> None:
    categories = [{"name": name, "keypoints": ["a", "b"]} for name in names] + [{"name": "box"}]
    (tmp_path / "a.json").write_text(json.dumps({"categories": categories}))
    assert told_by("coco", tmp_path / "a.json").thing == thing


def labels_of(kind: str, points: dict[str, tuple[int, int]]) -> str:
    """A file of labels of one face, its points in this order."""
    if kind == "csv":
        header = ",".join(f"{name}_x,{name}_y" for name in points)
        return f"picture,{header}\na.png,{','.join(f'{x},{y}' for x, y in points.values())}\n"
    annotation = {"image_id": 1, "keypoints": [value for x, y in points.values() for value in (x, y, 2)]}
    category = {"name": "face", "keypoints": list(points)}
    return json.dumps(
        {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [annotation], "categories": [category]}
    )


@pytest.mark.parametrize("kind", ["coco", "csv"])
def test_points_of_a_further_file_are_known_by_their_names(tmp_path: Path, kind: str) -> None:
    """Not by their place: files of one folder may list the same points in another order, or fewer."""
    names = ("nose", "chin", "ear")
    for content, expected in (
        ({"nose": (1, 2), "chin": (3, 4), "ear": (5, 6)}, [[1, 2], [3, 4], [5, 6]]),
        ({"ear": (5, 6), "nose": (1, 2), "chin": (3, 4)}, [[1, 2], [3, 4], [5, 6]]),
        ({"ear": (5, 6), "nose": (1, 2)}, [[1, 2], [np.nan, np.nan], [5, 6]]),
    ):
        (tmp_path / "a").write_text(labels_of(kind, content))
        (only,) = entries(kind, tmp_path / "a", names)
        assert isinstance(only, Record)
        np.testing.assert_array_equal(only.points, expected)
    (tmp_path / "a").write_text(labels_of(kind, {"nose": (1, 2), "chin": (3, 4), "paw": (5, 6)}))
    (fault,) = entries(kind, tmp_path / "a", names)
    assert isinstance(fault, Fault)
    assert "there is no point called 'paw'; they are nose, chin, ear" in str(fault)


@pytest.mark.parametrize("kind", ["course", "deeplabcut"])
def test_empty_lines_of_a_table_are_no_entries(tmp_path: Path, kind: str) -> None:
    tables = {
        "course": ",0,1\n\nAda_00.jpg,3,4\n\n\n",
        "deeplabcut": "scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\n\n1.png,3,4\n\n",
    }
    (tmp_path / "a.csv").write_text(tables[kind])
    (only,) = entries(kind, tmp_path / "a.csv", ("nose",))
    assert isinstance(only, Record)
    assert only.points.tolist() == [[3, 4]]


def test_points_of_a_cvat_skeleton_are_in_the_order_of_its_labels(tmp_path: Path) -> None:
    labels = "".join(f"<label><name>{name}</name><parent>face</parent></label>" for name in ("nose", "chin", "ear"))
    points = (
        '<points label="chin" outside="0" occluded="1" points="3,4"/><points label="nose" outside="0" points="1,2"/>'
    )
    skeleton = f'<skeleton label="face">{points}<points label="ear" outside="1" points="0,0"/></skeleton>'
    text = f'<annotations><meta><labels>{labels}</labels></meta><image name="a.png">{skeleton}</image></annotations>'
    (tmp_path / "a.xml").write_text(text)
    names = told_by("cvat", tmp_path / "a.xml").names
    assert names == ["nose", "chin", "ear"]
    (only,) = entries("cvat", tmp_path / "a.xml", tuple(names))
    assert isinstance(only, Record)
    assert only.points[:2].tolist() == [[1, 2], [3, 4]]
    assert only.visibility.tolist() == [2, 1, 0]


def test_lists_of_wflw_may_lack_attributes(tmp_path: Path) -> None:
    (tmp_path / "list_98pt_test.txt").write_text(" ".join(["1.5"] * 196) + " 10 20 110 220 37--Soccer/a b.jpg\n")
    (only,) = entries("wflw", tmp_path / "list_98pt_test.txt")
    assert isinstance(only, Record)
    assert (only.picture, only.box, only.split) == ("37--Soccer/a b.jpg", (10, 20, 100, 200), "test")


@pytest.mark.slow
def test_a_table_is_read_in_memory_that_does_not_grow_with_it(tmp_path: Path) -> None:
    row = "a.png," + ",".join("1.25" for _ in range(10)) + "\n"
    path = tmp_path / "long.csv"
    path.write_text("picture," + ",".join(f"x{n},y{n}" for n in range(5)) + "\n" + row * 3000)
    tracemalloc.start()
    count = sum(1 for _ in FORMATS["csv"].read(path, tmp_path, ()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3000
    assert peak < path.stat().st_size / 2


@pytest.mark.slow
@pytest.mark.parametrize("folder", sorted(path.name for path in OWN_DATA.glob("*/")))
def test_real_labels_are_imported_as_their_file_has_them(folder: str, request_of: Callable[..., Request]) -> None:
    source = OWN_DATA / folder
    if folder == "pts":
        found = imported(request_of("pts", source, images=source))
        rows = [line.split() for line in (source / "tongue.pts").read_text().splitlines()[3:-1]]
        np.testing.assert_allclose(found["tongue.jpg"].points, np.array(rows, float) - 1, atol=0.01)
        return
    (path,) = source.glob("*.json")
    done = import_dataset(request_of("coco", path, images=source))
    found_rows = list(read_label_table(done.folder / "labels.csv", done.scheme.count))
    annotations = json.loads(path.read_text())["annotations"]
    assert len(found_rows) == len(annotations)
    for sample, annotation in zip(found_rows, annotations, strict=True):
        truth = np.array(annotation["keypoints"], float).reshape(-1, 3)
        labelled = truth[:, 2] > 0
        assert ((sample.visibility > 0) == labelled).all()
        np.testing.assert_allclose(sample.points[labelled], truth[labelled, :2], atol=0.01)


FOREIGN = [
    *(b"", b"\n\n", b"\0" * 50, b"\xff\xfe1", b'"' * 5, b"[" * 100_000, b"<a/>", b"<a>"),
    *(b"[]", b"{}", b"[[]]", b"[1]", b'{"annotations": [1], "images": [2]}', b'{"categories": [{"keypoints": 3}]}'),
    *(b"picture,point,x,y\n", b"picture,x0,y0\n" + b"a" * 200_000, b"coords,x\n", b"scorer\nbodyparts\ncoords\n"),
]
"""Contents that are of no format, or have only its first lines."""


def told(request: Request) -> list[str]:
    """What is wrong with labels."""
    try:
        return [fault.what for fault in faults_of(request)]
    except DataError as error:
        return [str(error)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_what_is_not_of_a_format_is_told_in_one_line(
    kind: str, request_of: Callable[..., Request], images: Path
) -> None:
    labels = {"ann_00.png": np.array([[40.0, 50], [60, 70]])}
    others = [write(images, labels) for _, _, write in WRITERS.values()]
    wholes = [path.read_bytes() for path in others if path.is_file()]
    halves = [whole[: len(whole) // 2] for whole in wholes]
    file = images / "some.labels"
    for content in FOREIGN + wholes + halves:
        file.write_bytes(content)
        assert all(text and "\n" not in text for text in told(request_of(kind, file)))

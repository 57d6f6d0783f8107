"""What labels say that cannot be, and what is only odd."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facial_keypoints.core.errors import DataError
from pipeline.cli import app
from pipeline.datasets.label_table import read_label_table
from pipeline.importing.importing import check_labels, import_dataset
from pipeline.importing.request import Request
from tests.importing.checked import faults_of
from tests.importing.test_official_test import write_coco

Ask = Callable[..., Request]
SIDES = "box_x,box_y,box_w,box_h"


def write_table(folder: Path, header: str, *rows: str) -> Path:
    """A table of labels of pictures of 200 x 200 pixels."""
    (folder / "labels.csv").write_text("\n".join([f"picture,{header}", *(f"ann_00.png,{row}" for row in rows)]) + "\n")
    return folder / "labels.csv"


def notes_of(request: Request) -> list[str]:
    """What an import and a dry run find odd, of which both tell the same."""
    notes = list(check_labels(request, lambda fault: None).notes)
    assert import_dataset(request).notes == notes
    return notes


def invoke(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["import", "--name", "mine", *(str(argument) for argument in arguments)])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("0.1,0.2,0.7,0.6,,,,", "its points span 0.6 x 0.4 pixels; coordinates are pixels, not shares of the picture"),
        ("0.1,0.2,0.7,0.6,0,0,1,1", "its points span 0.6 x 0.4 pixels; coordinates are pixels, not shares of the"),
        ("10,20,11.9,20,,,,", "its points span 1.9 x 0 pixels; coordinates are pixels"),
        ("10,20,12,20,,,,", None),
        ("10,20,11,21,5,15,9,9", None),
        (
            "20,20,60,80,150,100,40,30",
            "its box at 150, 100 of 40 x 30 holds none of its points, which lie from 20, 20 to",
        ),
        ("20,20,60,80,20.5,81,40,30", "its box at 20.5, 81 of 40 x 30 holds none of its points"),
        ("20,20,60,80,60.5,80.5,40,30", None),
        (
            ",,60,80,61,80,40,30",
            "its box at 61, 80 of 40 x 30 holds none of its points, which lie from 60, 80 to 60, 80; ",
        ),
    ],
)
def test_points_are_pixels_and_boxes_are_of_the_same_object(
    images: Path, request_of: Ask, row: str, told: str | None
) -> None:
    table = write_table(images, f"x0,y0,x1,y1,{SIDES}", "30,40,50,90,,,,", row)
    found = [fault.what for fault in faults_of(request_of("csv", table))]
    assert len(found) == (told is not None)
    assert told is None or found[0].startswith(told)


def test_points_where_missing_ones_are_put_are_told(images: Path, request_of: Ask) -> None:
    rows = ["80,80,90,30,0,0", "80,80,90,31,-1,-1", "0,0,-1,-1,90,32", "80,80,90,33,0,1", "80,80,90,33,,"]
    table = write_table(images, "x0,y0,x1,y1,x2,y2", *rows)
    assert notes_of(request_of("csv", table)) == [
        "4 points of 3 objects lie at exactly (0, 0) or (-1, -1); where points are missing, leave fields empty or give "
        "them the flag 0"
    ]
    table = write_table(images, "x0,y0,x1,y1,x2,y2", "80,80,90,30,1,1", "80,80,90,31,0.5,0")
    assert notes_of(request_of("csv", table, name="other")) == []
    assert notes_of(request_of("csv", table, name="third", first_pixel=1.0)) == []


@pytest.mark.parametrize(
    ("beyond", "right", "told"),
    [
        ("100,50,195,145", 7, True),
        ("100,50,195,145", 9, False),
        ("100,50,110,145", 7, False),  # a tenth of 110 px beyond the last one, 199
        ("100,50,111,145", 7, True),
        ("-30,50,195,145", 7, True),
    ],
)
def test_boxes_that_reach_beyond_their_pictures_are_told(
    images: Path, request_of: Ask, beyond: str, right: int, told: bool
) -> None:
    rows = [f"{110 + place},60,150,120,100,50,80,90" for place in range(right)] + [f"110,60,150,121,{beyond}"]
    found = notes_of(request_of("csv", write_table(images, f"x0,y0,x1,y1,{SIDES}", *rows)))
    note = f"1 of {right + 1} boxes reach far beyond their pictures; are they x, y, width, height, or right and bottom?"
    assert found == ([note] if told else [])


def test_boxes_that_hold_few_of_the_points_are_told(images: Path, request_of: Ask) -> None:
    rows = ["10,10,20,20,60,60,70,70,5,5,20,20", "10,10,60,61,65,65,70,70,5,5,20,20"]
    found = notes_of(request_of("csv", write_table(images, f"x0,y0,x1,y1,x2,y2,x3,y3,{SIDES}", *rows)))
    note = "1 of 2 boxes hold less than half of the points; look whether they are of the same objects"
    assert found == [note]


SCHEME = """name: three
title: three points
points: 3
mirror_pairs: []
regions: [{name: all, points: [0, 1, 2]}]
contours: []
normalizer: diagonal
"""
NAMED = "nose_x,nose_y,left eye_x,left eye_y,chin_x,chin_y"
IN_ORDER = "0 nose, 1 left eye, 2 chin"


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_what_points_are_called_is_told_in_their_order(images: Path, dry: tuple[str, ...]) -> None:
    table = write_table(images, NAMED, "10,20,30,40,50,0")
    code, told, error = invoke("--format", "csv", "--labels", table, *dry)
    assert code == 0, error
    assert f"points: {IN_ORDER}\n" in told
    assert "they are taken as" not in error


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("header", "names", "told", "note"),
    [
        (
            NAMED,
            "",
            f"points: {IN_ORDER}\n",
            f"note: the labels name their points and the scheme does not; they are taken as {IN_ORDER}\n",
        ),
        (
            NAMED,
            "point_names: [a, b, c]",
            "points: 0 a, 1 b, 2 c\n",
            "note: the labels name their points otherwise than the scheme; their order is taken as it is: "
            f"{IN_ORDER}\n",
        ),
        (NAMED, "point_names: [chin, nose, Left eye]", "points: 0 chin, 1 nose, 2 Left eye\n", ""),
        ("x1,y1,x2,y2,x3,y3", "", "", ""),
        ("x1,y1,x2,y2,x3,y3", "point_names: [a, b, c]", "points: 0 a, 1 b, 2 c\n", ""),
    ],
)
def test_names_that_do_not_say_which_points_of_a_scheme_they_are_are_told(
    images: Path, header: str, names: str, told: str, note: str, dry: tuple[str, ...]
) -> None:
    (images / "three.yaml").write_text(SCHEME + names)
    table = write_table(images, header, "10,20,30,40,50,60")
    code, said, error = invoke("--format", "csv", "--labels", table, "--scheme", images / "three.yaml", *dry)
    assert code == 0, error
    assert ("points: " in said, told in said) == (bool(told), True)
    assert ("name their points" in error, note in error) == (bool(note), True)


def test_the_first_object_that_can_be_imported_says_how_many_points_there_are(images: Path, request_of: Ask) -> None:
    for name, rows in {
        "ann_00": "10 10\n900 900",
        "bob_00": "10 10\n60 20\n30 80",
        "cy_00": "10 10\n60 20\n30 80",
    }.items():
        (images / f"{name}.pts").write_text(f"version: 1\n{{\n{rows}\n}}\n")
    done = import_dataset(request_of("pts", images, skip_faulty=True))
    assert (done.scheme.count, done.tally.left_out, sum(done.tally.objects.values())) == (3, 1, 2)


def test_a_file_that_cannot_be_read_on_is_told_apart_from_entries(images: Path, checkout: Path) -> None:
    (images / "b.csv").write_text("picture,x0,y0,x1,y1\nann_00.png,10,20,30,40\n" + "a" * 200_000 + "\n")
    (images / "c.csv").write_text("picture,x0,y0,x1,y1\nbob_00.png,10,20,30,40\nnone.png,10,20,30,40\n")
    (images / "d.csv").write_text("nothing\n")
    asked = ("--format", "csv", "--labels", images)
    code, told, error = invoke(*asked, "--dry-run")
    assert code == 1
    lines = told.splitlines()
    assert [line.partition(": ")[0] for line in lines[:3]] == ["the rest of b.csv", "c.csv line 3", "d.csv"]
    assert "1 entries cannot be imported, and the rest of 2 files; mend them, or leave them out with" in error
    code, told, error = invoke(*asked, "--dry-run", "--skip-faulty")
    assert told.splitlines()[-1] == "without --dry-run they are; left out: 1, and the rest of 2 files"
    code, told, error = invoke(*asked, "--skip-faulty")
    assert code == 0, error
    assert "note: 1 entries are left out, and the rest of 2 files\n" in error
    assert "| entries left out | 1, and the rest of 2 files |" in (checkout / "datasets/mine/README.md").read_text()


def test_a_test_of_which_nothing_can_be_imported_is_no_random_test(images: Path, request_of: Ask) -> None:
    train, test = write_coco(images / "train.json", "ann_00.png"), write_coco(images / "val.json", "gone.png")
    told = r"val\.json: no object of --test-labels can be imported; mend them, or name others"
    for read in (import_dataset, faults_of):
        with pytest.raises(DataError, match=told):
            read(request_of("coco", train, test_labels=(test,), skip_faulty=True))
    (images / "val.json").write_text('{"images": [], "annotations": []}')
    for read in (import_dataset, faults_of):
        with pytest.raises(DataError, match=told):
            read(request_of("coco", train, test_labels=(test,)))
    assert not (images.parent / "datasets/mine").exists()


def test_a_folder_that_is_called_by_a_dot_has_a_name(
    images: Path, request_of: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(images, "x0,y0,x1,y1", "10,20,30,40")
    done = import_dataset(request_of("csv", images, images=images))
    assert 'source: "labels mine, pictures mine"\n' in (done.folder / "dataset.yaml").read_text()
    monkeypatch.chdir(images)
    done = import_dataset(request_of("csv", Path(), images=Path("../mine"), name="other"))
    assert 'source: "labels mine, pictures mine"\n' in (done.folder / "dataset.yaml").read_text()
    assert [sample.picture for sample in read_label_table(done.folder / "labels.csv", 2)] == ["ann_00.png"]

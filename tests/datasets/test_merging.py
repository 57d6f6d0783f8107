"""Several datasets in one: what fetch makes of `a+b`, and what stages tell of it."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facial_keypoints.core.errors import ConfigError, DataError
from facial_keypoints.core.scheme import Contour
from pipeline.core import paths
from pipeline.core.labels import LABELS, read_keypoints_csv
from pipeline.core.samples import read_samples
from pipeline.core.settings import Split
from pipeline.datasets import definition
from pipeline.datasets.definition import find_datasets
from pipeline.datasets.manifest import manifest_of
from pipeline.datasets.settings import Fetch, SyntheticFaces
from pipeline.importing.scheme_of_labels import scheme_text
from pipeline.stages import fetch, split
from tests.core.test_scheme import FIVE
from tests.dataset import face_points, write_frame, write_raw

FACES = SyntheticFaces(people=2, clips=1, frames=2, seed=0)


@pytest.fixture
def datasets(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of datasets of an empty workspace."""
    monkeypatch.setattr(definition, "DATASETS", workspace / "datasets")
    return workspace / "datasets"


def describe(datasets: Path, name: str, **facts: object) -> Path:
    """The folder of a dataset of five points."""
    folder = datasets / name
    folder.mkdir(parents=True)
    usual = {"title": f"faces of {name}", "licence": f"L {name}", "source": "us", "scheme": "s.yaml", "revision": name}
    (folder / "dataset.yaml").write_text(json.dumps(usual | {"archive": f"archives/{name}"} | facts))
    (folder / "s.yaml").write_text(scheme_text(replace(FIVE, name=name, title=f"points of {name}"), "of a test"))
    return folder


def as_it_is(datasets: Path, name: str, people: int = 2) -> None:
    """A dataset whose archive has frames and tables as stages take them."""
    archive = write_raw(datasets.parent / "archives" / name, people=people, scheme=FIVE)
    manifest = "".join(f"{digest}  {file}\n" for file, digest in manifest_of(archive).items())
    (describe(datasets, name) / "files.sha256").write_text(manifest)


def imported(datasets: Path, name: str, *rows: str) -> None:
    """An imported dataset: pictures p0.png and p1.png, and rows of group, split and number of the picture."""
    folder, pictures = describe(datasets, name), datasets.parent / "archives" / name
    pictures.mkdir(parents=True)
    for number in range(2):
        write_frame(pictures / f"p{number}.png", seed=number)
    manifest = "".join(f"{digest}  {file}\n" for file, digest in manifest_of(pictures).items())
    (folder / "files.sha256").write_text(manifest)
    columns = ",".join(f"x{point},y{point},v{point}" for point in range(5))
    points = ",".join(f"{x},{y},2" for x, y in face_points(90, 90, 5))
    lines = [f"p{row[-1]}.png,{row[:-2]},0,0,90,{points}" for row in rows]
    (folder / "labels.csv").write_text("\n".join([f"picture,group,split,left,top,side,{columns}", *lines]) + "\n")


def run(source: str) -> None:
    fetch.run(fetch=Fetch(source, FACES))


def test_what_has_one_name_in_two_datasets_stays_two(datasets: Path) -> None:
    as_it_is(datasets, "a")
    as_it_is(datasets, "b")
    cv2.imwrite(str(datasets.parent / "archives/b/test/Person_A_00.jpg"), np.zeros((90, 90), np.uint8))
    digests = manifest_of(datasets.parent / "archives/b").items()
    (datasets / "b/files.sha256").write_text("".join(f"{digest}  {file}\n" for file, digest in digests))
    run("a+b")
    for name in ("a", "b"):
        for folder in LABELS:
            alone = datasets.parent / "archives" / name
            assert {path.name for path in (paths.RAW / folder).glob(f"{name}+*")} == {
                f"{name}+{path.name}" for path in (alone / folder).iterdir()
            }
            for path in (alone / folder).iterdir():
                assert (paths.RAW / folder / f"{name}+{path.name}").read_bytes() == path.read_bytes()
            names, points = read_keypoints_csv(alone / LABELS[folder])
            both, all_points = read_keypoints_csv(paths.RAW / LABELS[folder])
            rows = [both.index(f"{name}+{file}") for file in names]
            assert (all_points[rows] == points).all()
    told = json.loads(paths.DATASET.read_text())
    assert (told["dataset"], told["revision"], told["files"]) == ("a+b", "a+b", 22)
    assert [(part["dataset"], part["licence"]) for part in told["parts"]] == [("a", "L a"), ("b", "L b")]
    split.run(split=Split(val_people_frac=0.25, drop_test_copies=False, seed=0))
    people = set(read_samples(paths.SAMPLES)["person"])
    assert people == {f"{name}+Person_{letter}" for name in "ab" for letter in "AB"}


def test_a_merge_is_the_same_bytes_each_time_and_leaves_nothing_behind(datasets: Path) -> None:
    as_it_is(datasets, "a")
    imported(datasets, "b", "x,training,0", "y,test,1")
    run("a+b")
    first = manifest_of(paths.RAW)
    run("a+b")
    assert manifest_of(paths.RAW) == first
    assert {path.name for path in paths.RAW.glob("*/b+*")} == {"b+x_00.jpg", "b+y_00.jpg"}
    left = {path.name for path in (datasets.parent / ".checkpoints/fetch").iterdir() if path.is_dir()}
    assert not left & {"merged", "b-frames"}


def test_a_part_may_have_no_test_or_nothing_but_one(datasets: Path) -> None:
    imported(datasets, "a", "x,training,0", "x,training,1")
    imported(datasets, "b", "y,test,0")
    run("a+b")
    names = {folder: sorted(path.name for path in (paths.RAW / folder).iterdir()) for folder in LABELS}
    assert names == {"training": ["a+x_00.jpg", "a+x_01.jpg"], "test": ["b+y_00.jpg"]}
    with pytest.raises(DataError, match="no object is of the split training"):
        run("b")


def test_without_any_test_it_repeats_the_training(datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(datasets, "a", "x,training,0")
    imported(datasets, "b", "x,training,1")
    run("a+b")
    assert (paths.RAW / LABELS["test"]).read_bytes() == (paths.RAW / LABELS["training"]).read_bytes()
    assert sorted(path.name for path in (paths.RAW / "test").iterdir()) == ["a+x_00.jpg", "b+x_00.jpg"]
    assert capsys.readouterr().err.count("the test repeats the training") == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"count": 4, "regions": {"all": (0, 1, 2, 3)}, "mirror_pairs": ()}, "points: 5 in a, 4 in b"),
        ({"mirror_pairs": ((0, 1),)}, r"mirror_pairs: \[3, 4\] in a, none in b"),
        ({"mirror_pairs": ((1, 0), (2, 4))}, r"mirror_pairs: \[3, 4\] in a, \[2, 4\] in b"),
        ({"contours": (Contour((0, 1), closed=True),)}, r"contours: \{.*\} in a, \{.*true\} in b"),
        ({"normalizer": "diagonal"}, r'normalizer: "box" in a, "diagonal" in b'),
        ({"thing": "paw"}, 'thing: "face" in a, "paw" in b'),
        ({"point_names": tuple("vwxyz")}, 'point_names: none in a, "v" in b'),
    ],
)
def test_other_points_are_refused_with_the_first_difference(datasets: Path, changes: dict, told: str) -> None:
    describe(datasets, "a")
    folder = describe(datasets, "b")
    changed = replace(FIVE, **({"contours": (), "normalizer": None} if "count" in changes else {}) | changes)
    (folder / "s.yaml").write_text(scheme_text(changed, "other"))
    with pytest.raises(ConfigError, match=f"^a and b differ in {told}; merge") as caught:
        find_datasets("a+b")
    assert "\n" not in str(caught.value)


def test_the_order_of_pairs_and_regions_is_no_difference(datasets: Path) -> None:
    describe(datasets, "a")
    folder = describe(datasets, "b")
    turned = replace(
        FIVE,
        mirror_pairs=tuple(pair[::-1] for pair in FIVE.mirror_pairs[::-1]),
        regions=dict(list(FIVE.regions.items())[::-1]),
    )
    (folder / "s.yaml").write_text(scheme_text(turned, "the same"))
    assert [dataset.name for dataset in find_datasets("a+b")] == ["a", "b"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("a+a", "fetch.source names a twice; name it once"),
        ("a+", "fetch.source is '', but datasets/ holds a, b"),
        ("a+c", "fetch.source is 'c', but datasets/ holds a, b"),
        ("a b", "fetch.source is 'a b', but"),
    ],
)
def test_what_is_no_merge_is_refused(datasets: Path, source: str, told: str) -> None:
    describe(datasets, "a")
    describe(datasets, "b")
    with pytest.raises(ConfigError, match=told):
        find_datasets(source)


def test_a_name_that_is_too_long_for_a_file_is_told(datasets: Path) -> None:
    imported(datasets, "顔" * 60, f"{'額' * 60},training,0")
    imported(datasets, "b", "x,training,1")
    with pytest.raises(ConfigError, match="is too long for the name of a file; give the folder of its dataset a short"):
        run(f"{'顔' * 60}+b")


@pytest.mark.slow
def test_synthetic_faces_are_merged_as_others_are(datasets: Path) -> None:
    describe(datasets, "synthetic", archive=None, scheme="ibug-68")
    describe(datasets, "own", archive=None, scheme="ibug-68")
    run("synthetic+own")
    assert len(list((paths.RAW / "training").glob("synthetic+*"))) == 2
    assert len(list((paths.RAW / "training").glob("own+*"))) == 2

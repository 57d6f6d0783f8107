import json
from pathlib import Path

import pytest

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.scheme import IBUG_68
from pipeline.datasets import definition
from pipeline.datasets.definition import dataset_names, find_dataset
from tests.architecture import ROOT
from tests.core.test_scheme import FIVE

FACTS = {"title": "T", "licence": "MIT", "source": "s", "scheme": "ibug-68", "revision": "1", "archive": None}


def describe(folder: Path, **facts: object) -> None:
    folder.mkdir(parents=True)
    (folder / "dataset.yaml").write_text(json.dumps(FACTS | facts))


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of datasets, empty."""
    monkeypatch.setattr(definition, "DATASETS", tmp_path / "datasets")
    return tmp_path / "datasets"


@pytest.mark.parametrize("name", [path.name for path in sorted((ROOT / "datasets").iterdir())])
def test_every_dataset_of_the_checkout_has_its_card_and_is_found(name: str) -> None:
    dataset = find_dataset(name)
    assert (dataset.name, dataset.scheme) == (name, IBUG_68)
    assert dataset.manifest.exists() == (dataset.archive is not None)
    assert (ROOT / "datasets" / name / "README.md").read_text().startswith(f"# {name}\n")


def test_a_dataset_may_have_a_scheme_of_its_own(datasets: Path) -> None:
    describe(datasets / "mine", scheme="scheme.yaml")
    (datasets / "mine/scheme.yaml").write_text(json.dumps(FIVE.as_data()))
    assert find_dataset("mine").scheme == FIVE


def test_what_is_no_dataset_is_named_with_those_there_are(datasets: Path) -> None:
    describe(datasets / "one")
    describe(datasets / "two")
    (datasets / "three").mkdir()
    assert dataset_names() == ["one", "two"]
    for name in ("three", "../datasets/one", "", "one/", "\x1b"):
        with pytest.raises(ConfigError, match="but datasets/ holds one, two; name one that is there"):
            find_dataset(name)


def test_without_datasets_there_is_none(datasets: Path) -> None:
    with pytest.raises(ConfigError, match=r"fetch\.source is 'one', but datasets/ holds no dataset"):
        find_dataset("one")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"title": 3}, "dataset.yaml: title is 3 but should be a valid string"),
        ({"colour": "red"}, "dataset.yaml: colour is not a known parameter"),
        ({"scheme": "ibug-69"}, "No such file"),
        ({"scheme": "../../../etc/passwd"}, "No such file"),
        ({"scheme": "dataset.yaml"}, "a scheme holds"),
    ],
)
def test_a_folder_that_is_not_as_it_should_be_is_named(datasets: Path, change: dict, told: str) -> None:
    describe(datasets / "mine", **change)
    with pytest.raises(ConfigError, match=f"datasets/mine.*{told}"):
        find_dataset("mine")

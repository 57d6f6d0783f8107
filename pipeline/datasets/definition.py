"""Datasets by name: each is a folder below datasets/ that tells what it is, what its points are and where it lies.

To add one: a folder with dataset.yaml, README.md and, if it is downloaded, files.sha256 (as `sha256sum` writes it).
"""

import json
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.scheme import IBUG_68, Scheme, scheme_from
from facial_keypoints.core.text import brief, shown
from facial_keypoints.core.yaml_files import read_yaml
from pipeline.core.merged import MARK
from pipeline.core.params import WrongValuesError, checked
from pipeline.datasets.label_table import LABEL_TABLE

DATASETS = Path(__file__).parents[2] / "datasets"
"""A folder for each dataset, in git, in the checkout that this code belongs to."""
_FILE = "dataset.yaml"
OWN = ("youtube-faces", "synthetic")
"""Datasets of this project, of which the model card says more than their description."""
_SCHEMES = {IBUG_68.name: IBUG_68}
"""Schemes that a dataset can name; others lie in its folder."""


@dataclass(frozen=True)
class _Description:
    """What dataset.yaml says."""

    title: str
    licence: str
    source: str
    scheme: str
    revision: str
    archive: str | None


@dataclass(frozen=True)
class Dataset:
    """A dataset as its folder describes it."""

    name: str
    title: str
    licence: str
    origin: str
    """Whose it is, and where it is from."""
    scheme: Scheme
    revision: str
    """Version of the frames and labels, which data/dataset.json tells."""
    archive: str | None
    """Address or path of the archive or folder that holds the files; None for synthetic faces."""
    manifest: Path
    """File with the SHA-256 of each file of the archive that is used; see `manifest`."""

    @property
    def label_table(self) -> Path:
        """The table of labels of an imported dataset, whose archive holds pictures."""
        return self.manifest.with_name(LABEL_TABLE)

    @property
    def comes_as_it_is(self) -> bool:
        """Whether the archive holds frames and tables as stages take them: they are neither drawn nor cut out."""
        return self.archive is not None and not self.label_table.exists()


def dataset_names() -> list[str]:
    """Return the names of all datasets."""
    return sorted(path.parent.name for path in DATASETS.glob(f"*/{_FILE}"))


def find_dataset(name: str) -> Dataset:
    """Return the dataset of a name. Raises ConfigError where there is none, or its folder is not as it should be."""
    if name not in dataset_names():
        there = ", ".join(dataset_names()) or "no dataset"
        raise ConfigError(f"fetch.source is {shown(name)}, but {DATASETS.name}/ holds {there}; name one that is there")
    folder, shown_folder = DATASETS / name, f"{DATASETS.name}/{name}"
    try:
        values = {"dataset": read_yaml(folder / _FILE)}
        description: _Description = checked(values, {"dataset": _Description})["dataset"]
        scheme = _SCHEMES.get(description.scheme) or scheme_from(read_yaml(folder / Path(description.scheme).name))
    except WrongValuesError as error:
        raise ConfigError(f"{shown_folder}/{_FILE}: {str(error).replace('dataset.', '')}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{shown_folder}: {brief(str(error), 200)}; mend its files") from None
    return Dataset(
        name=name,
        title=description.title,
        licence=description.licence,
        origin=description.source,
        scheme=scheme,
        revision=description.revision,
        archive=description.archive,
        manifest=folder / "files.sha256",
    )


def find_datasets(source: str) -> list[Dataset]:
    """The datasets of fetch.source, one or several of one scheme: "a" or "a+b". Raises ConfigError."""
    datasets = [find_dataset(name) for name in source.split(MARK)]
    first, names = datasets[0], [dataset.name for dataset in datasets]
    for place, other in enumerate(datasets[1:], start=1):
        if other.name in names[:place]:
            raise ConfigError(f"fetch.source names {other.name} twice; name it once")
        if difference := _difference(first.scheme, other.scheme, (first.name, other.name)):
            raise ConfigError(f"{first.name} and {other.name} differ in {difference}; merge datasets of one scheme")
    return datasets


def _difference(one: Scheme, other: Scheme, names: tuple[str, str]) -> str | None:
    """The first thing that two schemes do not share, in words; what they are called does not count."""
    facts = [_facts(scheme) for scheme in (one, other)]
    for key in facts[0]:
        pairs = zip_longest(*(_items(fact[key]) for fact in facts))
        if odd := next((pair for pair in pairs if pair[0] != pair[1]), None):
            return f"{key}: " + ", ".join(f"{_told(item)} in {name}" for name, item in zip(names, odd, strict=True))
    return None


def _facts(scheme: Scheme) -> dict[str, Any]:
    """All of a scheme but what it is called, in an order that means nothing."""
    data = {key: value for key, value in scheme.as_data().items() if key not in ("name", "title")}
    data["mirror_pairs"] = sorted(map(sorted, data["mirror_pairs"]))
    data["regions"] = sorted(data["regions"], key=lambda region: str(region["name"]))
    return {"point_names": [], "thing": scheme.thing} | data


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _told(item: Any) -> str:
    return "none" if item is None else brief(json.dumps(item, ensure_ascii=False), 80)

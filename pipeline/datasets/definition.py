"""Datasets by name: each is a folder below datasets/ that tells what it is, what its points are and where it lies.

To add one: a folder with dataset.yaml, README.md and, if it is downloaded, files.sha256 (as `sha256sum` writes it).
"""

from dataclasses import dataclass
from pathlib import Path

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.scheme import IBUG_68, Scheme, scheme_from
from facial_keypoints.core.text import brief, shown
from facial_keypoints.core.yaml_files import read_yaml
from pipeline.core.params import WrongValuesError, checked

DATASETS = Path(__file__).parents[2] / "datasets"
"""A folder for each dataset, in git, in the checkout that this code belongs to."""
_FILE = "dataset.yaml"
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
    scheme: Scheme
    revision: str
    """Version of the frames and labels, which data/dataset.json tells."""
    archive: str | None
    """Address or path of the archive or folder that holds the files; None for synthetic faces."""
    manifest: Path
    """File with the SHA-256 of each file of the archive that is used; see `manifest`."""


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
    return Dataset(name, scheme, description.revision, description.archive, folder / "files.sha256")

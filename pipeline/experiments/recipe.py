"""Recipes: named sets of values for params.yaml, one file each in the folder recipes, with a summary as first line.

Each holds what differs from the default, whose recipe names everything but the seeds.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facial_keypoints.core.atomic_files import whole
from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.text import shown
from facial_keypoints.core.yaml_files import edited_yaml, load_yaml, read_yaml
from pipeline.core.params import flatten
from pipeline.core.paths import PARAMS
from pipeline.experiments.params import Params, load_params, validate_params

_FOLDER = Path(__file__).with_name("recipes")
DEFAULT = "default"


def recipe_names() -> list[str]:
    """All recipes, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def recipe_summary(name: str) -> str:
    """One sentence on a recipe: the first line of its file. Raises ConfigError for an unknown name."""
    return _path(name).read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def recipe_values(name: str) -> dict[str, Any]:
    """Dotted name -> value of all that a recipe sets; what it does not name is the default's. Raises ConfigError."""
    return {key: value for part in (DEFAULT, name) for key, value in flatten(read_yaml(_path(part))).items()}


def with_values(values: Mapping[str, Any], path: Path = PARAMS) -> Params:
    """The parameters of `path` with other values for dotted names. Raises ConfigError."""
    sections = asdict(load_params(path))
    _overlay(sections, values)
    return validate_params(sections, path)


def write_values(values: Mapping[str, Any], path: Path = PARAMS) -> list[str]:
    """Write values for dotted names into `path`, comments kept; returns one line for each that changed.

    Raises ConfigError, and leaves the file alone, where the outcome would be other than these values.
    """
    before, changes, wanted = load_params(path), changed_values(values, path), with_values(values, path)
    content = edited_yaml(path, lambda document: _overlay(document, changes))
    if validate_params(load_yaml(content), path) != wanted:  # aliases and merges may tie one value to another
        raise ConfigError(f"{path} has values that are tied to each other; write it without aliases and merges")
    with whole(path) as partial:
        partial.write_bytes(content)
    return [f"{key}: {_at(before, key)} -> {value}" for key, value in changes.items()]


def changed_values(values: Mapping[str, Any], path: Path = PARAMS) -> dict[str, Any]:
    """Those of `values`, by dotted name, that `path` does not hold already. Raises ConfigError."""
    params = load_params(path)
    return {key: value for key, value in values.items() if _at(params, key) != value}


def _path(name: str) -> Path:
    if name not in recipe_names():
        raise ConfigError(f"no recipe is called {shown(name)}; there are {', '.join(recipe_names())}")
    return _FOLDER / f"{name}.yaml"


def _overlay(document: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        *sections, last = key.split(".")
        section = document
        for part in sections:
            section = section[part]
        section[last] = value


def _at(params: Params, key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        value = getattr(value, part)
    return value

"""Read params.yaml, check it by the settings of the rooms, and show it.

The types and bounds are those of each room's frozen dataclasses (see `pipeline.core.settings`); pydantic checks values
by models made from them, so that nothing is written twice.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.text import brief, shown
from facial_keypoints.core.yaml_files import read_yaml
from pipeline.core.paths import PARAMS, way_to

Value = bool | int | float | str
_MOST_TOLD = 10
"""So many wrong values are told at once."""
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def read_values(path: Path = PARAMS) -> Any:
    """What `path` holds, unchecked. Raises ConfigError where it cannot be read or is no YAML.

    The YAML reader is the one DVC uses (PyYAML reads `1e-3` as text, this one as a number).
    """
    try:
        return read_yaml(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} is not here; {way_to(path)}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); restore it with: git checkout {path}") from None
    except ValueError as error:
        raise ConfigError(
            f"{path} is not valid YAML: {error}; mend it or restore it with: git checkout {path}"
        ) from None


def check_sections(values: Any, kinds: Mapping[str, type], path: Path) -> dict[str, Any]:
    """The sections `kinds` of `values`, the contents of `path`, as instances of their dataclasses.

    Raises ConfigError naming each wrong or unknown dotted key, its value, what was expected and the remedy.
    """
    try:
        return checked(values, kinds)
    except WrongValuesError as error:
        raise ConfigError(f"{path}: {error}") from None


class WrongValuesError(ValueError):
    """Values that do not fit their dataclasses; its text names each with what was expected and the remedy."""

    def __init__(self, error: ValidationError) -> None:
        problems = error.errors(include_url=False)
        more = [f"and {len(problems) - _MOST_TOLD:,} more"] if len(problems) > _MOST_TOLD else []
        super().__init__("; ".join([_explain(problem) for problem in problems[:_MOST_TOLD]] + more))
        self.first = problems[0]
        """The first problem as pydantic tells it: "loc", "type", "input", "msg"."""


def checked(values: Any, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Instances of the dataclasses `kinds` by the name of their part in `values`. Raises WrongValuesError."""
    fields: dict[str, Any] = {name: (_model(kind), ...) for name, kind in kinds.items()}
    try:
        found = create_model("Sections", __config__=_STRICT, **fields).model_validate(values)
    except ValidationError as error:
        raise WrongValuesError(error) from None
    return {name: _instance(kind, getattr(found, name)) for name, kind in kinds.items()}


@cache
def _model(kind: type) -> type[BaseModel]:
    """The pydantic model of a dataclass of settings."""
    hints = get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {name: (_checked_by(hint), ...) for name, hint in hints.items()}
    return create_model(kind.__name__, __config__=_STRICT, **fields)


def _checked_by(hint: Any) -> Any:
    return _model(hint) if isinstance(hint, type) and dataclasses.is_dataclass(hint) else hint


def _instance(kind: Any, model: BaseModel) -> Any:
    hints = get_type_hints(kind)
    values = {name: getattr(model, name) for name in hints}
    return kind(**{n: _instance(hints[n], v) if isinstance(v, BaseModel) else v for n, v in values.items()})


def _explain(problem: Any) -> str:
    key = ".".join(brief(str(part)) for part in problem["loc"]) or "the file"
    value = problem["input"]
    match problem["type"]:
        case "extra_forbidden" | "invalid_key":
            return f"{key} is not a known parameter; remove it or correct its name"
        case "missing":
            return f"{key} is missing; add it"
        case "model_type":
            held = "empty" if value is None else shown(value)
            return f"{key} is {held} but should hold parameters by name; restore it with: git checkout {PARAMS}"
        case "int_type" if isinstance(value, float) and value.is_integer():
            return f"{key} is the decimal number {value!r} but should be a whole one; write {shown(int(value))}"
        case _:
            expected = problem["msg"].removeprefix("Input should be ")
            return f"{key} is {shown(value)} but should be {expected}; change it"


def flatten(tree: Any, prefix: str = "") -> dict[str, Value]:
    """Dotted names and values of nested settings or mappings, e.g. {"train.lr": 0.001}; each name after `prefix`."""
    return dict(_leaves(tree, prefix))


def _leaves(tree: Any, prefix: str) -> Iterator[tuple[str, Value]]:
    if dataclasses.is_dataclass(tree):
        tree = {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
    for name, value in tree.items():
        if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

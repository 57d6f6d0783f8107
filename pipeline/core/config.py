"""Types and bounds of params.yaml. The values themselves stand only in params.yaml: there are no defaults here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.text import brief, shown
from facial_keypoints.core.yaml_files import read_yaml
from pipeline.core.paths import PARAMS, way_to
from pipeline.models import NETWORKS

Seed = Annotated[int, Ge(0), Lt(2**32)]
Fraction = Annotated[float, Ge(0), Le(1)]
if TYPE_CHECKING:
    NetworkName = str
else:
    NetworkName = Literal[tuple(NETWORKS)]


_MOST_TOLD = 10
"""So many wrong values are told at once."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SyntheticFaces(Section):
    people: Annotated[int, Ge(2), Le(10_000)]
    clips: Annotated[int, Ge(1), Le(9)]
    frames: Annotated[int, Ge(2), Le(9)]
    seed: Seed


class Fetch(Section):
    source: Literal["youtube-faces", "synthetic"]
    synthetic: SyntheticFaces


class Split(Section):
    val_people_frac: Annotated[float, Ge(0), Lt(1)]
    drop_test_copies: bool
    seed: Seed


class Preprocess(Section):
    size_px: Annotated[int, Ge(64), Le(512)]
    fit: Literal["pad", "stretch"]


class CoarseToFine(Section):
    coarse_px: Annotated[int, Ge(32), Le(128)]
    fine_px: Annotated[int, Ge(64), Le(256)]
    fine_margin_frac: Annotated[float, Ge(0), Le(1)]
    fine_width: Annotated[int, Ge(8), Le(128)]
    fine_pyramid: Annotated[int, Ge(8), Le(512)]
    fine_networks: Annotated[int, Ge(1), Le(8)]
    mirrored_view: bool
    correction_ridge: Annotated[float, Gt(0), Le(1_000_000)]


class Model(Section):
    name: NetworkName
    weights: Literal["scratch", "pretrained"]
    window_frac: Annotated[float, Gt(0), Le(1)]
    coarse_to_fine: CoarseToFine


class Augment(Section):
    rotation_deg: Annotated[float, Ge(0), Le(180)]
    scale_max: Annotated[float, Ge(1), Le(4)]
    shift_frac: Annotated[float, Ge(0), Le(0.5)]
    mirror_prob: Fraction
    brightness: Fraction
    contrast: Annotated[float, Ge(0), Lt(1)]
    occlusion_prob: Fraction
    occlusion_max_frac: Fraction


class Pretrain(Section):
    epochs: Annotated[int, Ge(0), Le(10_000)]
    people: Annotated[int, Ge(1), Le(10_000)]
    frames: Annotated[int, Ge(1), Le(100)]
    seed: Seed


class Train(Section):
    epochs: Annotated[int, Ge(1), Le(10_000)]
    batch_size: Annotated[int, Ge(1), Le(4096)]
    precision: Literal["mixed", "float32"]
    loss: Literal["l1", "smooth_l1", "mse", "wing"]
    loss_unit: Literal["face_size", "50_px"]
    optimizer: Literal["muon", "adamw"]
    schedule: Literal["one_cycle", "constant"]
    lr: Annotated[float, Gt(0), Le(1)]
    weight_decay: Annotated[float, Ge(0), Le(1)]
    warmup_frac: Fraction
    ema_decay: Annotated[float, Ge(0), Lt(1)]
    seed: Seed


class Evaluate(Section):
    bootstrap_samples: Annotated[int, Ge(10), Le(100_000)]
    seed: Seed


class Render(Section):
    faces_per_row: Annotated[int, Ge(2), Le(12)]
    random_rows: Annotated[int, Ge(1), Le(12)]
    seed: Seed


class Params(Section):
    fetch: Fetch
    split: Split
    preprocess: Preprocess
    model: Model
    augment: Augment
    pretrain: Pretrain
    train: Train
    evaluate: Evaluate
    render: Render


def load_params(path: Path = PARAMS) -> Params:
    """Read and check `path` with the YAML reader DVC uses (PyYAML reads `1e-3` as text, this one as a number).

    Raises ConfigError naming each wrong dotted key, its value, what was expected and the remedy.
    """
    try:
        values = read_yaml(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} is not here; {way_to(path)}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); restore it with: git checkout {path}") from None
    except ValueError as error:
        raise ConfigError(
            f"{path} is not valid YAML: {error}; mend it or restore it with: git checkout {path}"
        ) from None
    return validate_params(values, path)


def validate_params(values: Any, path: Path) -> Params:
    """Check the contents of `path`. Raises ConfigError as `load_params` does."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error)}") from None


def explain(error: ValidationError) -> str:
    """What is wrong with each value, what was expected and the remedy, in one line; of many the first few."""
    problems = [_explain(problem) for problem in error.errors(include_url=False)]
    more = [f"and {len(problems) - _MOST_TOLD:,} more"] if len(problems) > _MOST_TOLD else []
    return "; ".join(problems[:_MOST_TOLD] + more)


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


def flatten(section: BaseModel, prefix: str = "") -> dict[str, bool | int | float | str]:
    """Dotted names and values as they stand in params.yaml, e.g. {"train.lr": 0.001}."""
    flat: dict[str, bool | int | float | str] = {}
    for name, value in section:
        if isinstance(value, BaseModel):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def flatten_all(sections: Mapping[str, BaseModel]) -> dict[str, bool | int | float | str]:
    """`flatten` of several sections by name."""
    return {key: value for name, section in sections.items() for key, value in flatten(section, f"{name}.").items()}


def describe(section: str) -> list[str]:
    """One line a parameter of a section for help texts: dotted name, type and bounds."""
    kind = Params.model_fields[section].annotation
    return _describe(kind, section) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _describe(section: type[BaseModel], prefix: str) -> list[str]:
    lines: list[str] = []
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            lines += _describe(kind, f"{prefix}.{name}")
            continue
        options = getattr(kind, "__args__", None)
        shown = " | ".join(options) if options else getattr(kind, "__name__", str(kind))
        bounds = " ".join(_bound(rule) for rule in field.metadata)
        lines.append(f"{prefix}.{name}: {shown} {bounds}".rstrip())
    return lines


def _bound(rule: object) -> str:
    match rule:
        case Ge(ge):
            return f">={ge}"
        case Gt(gt):
            return f">{gt}"
        case Le(le):
            return f"<={le}"
        case Lt(lt):
            return f"<{lt}"
    return ""

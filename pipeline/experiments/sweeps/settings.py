"""What the user asks a sweep to try, checked against the types and bounds of params.yaml before anything runs."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.text import brief, shown
from facial_keypoints.core.yaml_files import load_yaml
from pipeline.core import paths
from pipeline.core.params import flatten
from pipeline.experiments.params import Params, load_params, validate_params
from pipeline.experiments.sweeps.plan import SEED


def parse_settings(settings: list[str]) -> dict[str, list[str]]:
    """Dotted name -> values as text, of entries like "train.lr=1e-3,2e-3"."""
    choices: dict[str, list[str]] = {}
    for setting in settings:
        name, equals, values = setting.partition("=")
        texts = [text.strip() for text in values.strip("[] ").split(",")]
        if not equals or not name or not all(texts):
            raise ConfigError(f"{shown(setting)} is no setting; write it as train.lr=1e-3,2e-3")
        known = brief(name)
        if name in choices or name == SEED:
            raise ConfigError(f"{known} is set twice; give all its values at once" + " with --seeds" * (name == SEED))
        if len(set(texts)) < len(texts):
            raise ConfigError(f"{shown(setting)} names a value twice; each value runs once, with every seed")
        if name.startswith(("fetch.", "split.")):
            raise ConfigError(
                f"{known} changes on which faces the validation error is measured, by which settings rank; try it "
                f"apart: dvc exp run -S {brief(f'{name}={texts[0]}')}"
            )
        choices[name] = texts
    return choices


def parse_seeds(text: str) -> list[int]:
    """Different whole numbers, separated by commas."""
    try:
        seeds = [int(seed) for seed in text.split(",")]
    except ValueError:
        raise ConfigError(f"--seeds {brief(text)} should be whole numbers like 0,1,2; change it") from None
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"--seeds {brief(text)} names a seed twice; remove one of the two")
    return seeds


def check(trainings: list[dict[str, str]]) -> None:
    """Raise ConfigError for the first training whose params.yaml would be wrong, or would leave nothing to rank by."""
    sections = asdict(load_params())
    for training in trainings:
        params = _with(copy.deepcopy(sections), training)
        if params.split.val_people_frac == 0:
            raise ConfigError("split.val_people_frac is 0, but settings are ranked by their validation error; raise it")


def refuse_equal_values(choices: Mapping[str, Sequence[str]]) -> None:
    """Raise ConfigError where two texts of a parameter are one value: it would count as two settings."""
    for name, texts in choices.items():
        values = [typed_value(name, text) for text in texts]
        for place, value in enumerate(values):
            if value in values[:place]:
                first, second = texts[values.index(value)], texts[place]
                raise ConfigError(f"{brief(f'{name}={first},{second}')} is one value twice; leave one of the two out")


def typed_value(name: str, text: str) -> Any:
    """The value of a parameter as params.yaml's reader and the parameter's type have it. Raises ConfigError."""
    return flatten(_with(asdict(load_params()), {name: text}))[name]


def _with(values: Any, training: dict[str, str]) -> Params:
    """The parameters with those of the training in their places. Raises ConfigError naming what is wrong."""
    for name, text in training.items():
        *sections, key = name.split(".")
        place = values
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if not isinstance(place, dict) or key not in place:
            raise ConfigError(f"{brief(name)} is not a known parameter; params.yaml lists them")
        try:
            place[key] = load_yaml(text.encode())
        except ValueError:
            raise ConfigError(f"{brief(f'{name}={text}')} is no value; write it as in params.yaml") from None
    try:
        return validate_params(values, paths.PARAMS)
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix(f"{paths.PARAMS}: ")) from None

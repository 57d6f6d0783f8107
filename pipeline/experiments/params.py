"""All sections of params.yaml, checked together: a wrong one is named before the first stage of a run works."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from facial_keypoints.core.errors import ConfigError
from pipeline.core.params import check_sections, read_values
from pipeline.core.paths import PARAMS
from pipeline.core.settings import Preprocess, Split
from pipeline.datasets.settings import Fetch
from pipeline.evaluation.settings import Evaluate, Render
from pipeline.models.settings import Model
from pipeline.training.settings import Augment, Pretrain, Train


@dataclass(frozen=True)
class Params:
    """Every section of params.yaml."""

    fetch: Fetch
    split: Split
    preprocess: Preprocess
    model: Model
    augment: Augment
    pretrain: Pretrain
    train: Train
    evaluate: Evaluate
    render: Render


SECTIONS = get_type_hints(Params)


def load_params(path: Path = PARAMS) -> Params:
    """Read and check `path`. Raises ConfigError as `pipeline.core.params` does."""
    values = read_values(path)
    try:
        return validate_params(values, path)
    except ConfigError as error:
        raise ConfigError(f"{error}; `git checkout {path}` goes back to the committed values") from None


def validate_params(values: Any, path: Path) -> Params:
    """Check the contents of `path`, in which no other section may stand. Raises ConfigError."""
    return Params(**check_sections(values, SECTIONS, path))

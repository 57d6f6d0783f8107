"""All sections of params.yaml together, for what deals with whole experiments; a stage reads only its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

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
    """Read and check `path`. Raises ConfigError as `pipeline.core.params.load_sections` does."""
    return validate_params(read_values(path), path)


def validate_params(values: Any, path: Path) -> Params:
    """Check the contents of `path`, in which no other section may stand. Raises ConfigError."""
    return Params(**check_sections(values, SECTIONS, path, all_known=True))

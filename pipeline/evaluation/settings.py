"""Settings of evaluate and render; see `pipeline.core.settings`."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from pipeline.core.settings import Seed


@dataclass(frozen=True)
class Evaluate:
    """Section `evaluate` of params.yaml."""

    bootstrap_samples: Annotated[int, Ge(10), Le(100_000)]
    seed: Seed


@dataclass(frozen=True)
class Render:
    """Section `render` of params.yaml."""

    faces_per_row: Annotated[int, Ge(2), Le(12)]
    random_rows: Annotated[int, Ge(1), Le(12)]
    seed: Seed

"""Settings of fetch; see `pipeline.core.settings`."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from pipeline.core.settings import Seed


@dataclass(frozen=True)
class SyntheticFaces:
    """How many synthetic faces to make when `fetch.source` is or has synthetic."""

    people: Annotated[int, Ge(2), Le(10_000)]
    clips: Annotated[int, Ge(1), Le(9)]
    frames: Annotated[int, Ge(2), Le(9)]
    seed: Seed


@dataclass(frozen=True)
class Fetch:
    """Section `fetch` of params.yaml."""

    source: str
    """Name of a folder of datasets/, or several of one scheme: a+b."""
    synthetic: SyntheticFaces

"""Settings of split and preprocess, and the types that settings of every room share.

Settings are frozen dataclasses with types and bounds; their values stand in params.yaml alone, so there are no
defaults. Each room has its own beside what they set; `pipeline.core.params` reads and checks them.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt

Seed = Annotated[int, Ge(0), Lt(2**32)]
Fraction = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class Split:
    """Section `split` of params.yaml."""

    val_people_frac: Annotated[float, Ge(0), Lt(1)]
    drop_test_copies: bool
    seed: Seed


@dataclass(frozen=True)
class Preprocess:
    """Section `preprocess` of params.yaml; a model file carries it, as predict prepares its pictures the same way."""

    size_px: Annotated[int, Ge(64), Le(512)]
    fit: Literal["pad", "stretch"]

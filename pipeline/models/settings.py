"""Settings of the network; see `pipeline.core.settings`. Its names are those of the table of networks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le

from pipeline.core.settings import Fraction
from pipeline.models import NETWORKS

if TYPE_CHECKING:
    NetworkName = str
else:
    NetworkName = Literal[tuple(NETWORKS)]


@dataclass(frozen=True)
class CoarseToFine:
    """Options of the network coarse_to_fine."""

    coarse_px: Annotated[int, Ge(32), Le(128)]
    coarse_width: Annotated[int, Ge(8), Le(128)]
    coarse_blocks: Annotated[int, Ge(0), Le(4)]
    coarse_far_prob: Fraction
    coarse_far_deg: Annotated[float, Ge(0), Le(180)]
    coarse_neighbour_prob: Fraction
    fine_neighbour_prob: Fraction
    fine_px: Annotated[int, Ge(64), Le(256)]
    fine_margin_frac: Annotated[float, Ge(0), Le(1)]
    fine_width: Annotated[int, Ge(8), Le(128)]
    fine_pyramid: Annotated[int, Ge(8), Le(512)]
    fine_networks: Annotated[int, Ge(1), Le(8)]
    mirrored_view: bool
    correction_ridge: Annotated[float, Gt(0), Le(1_000_000)]
    spread: bool


@dataclass(frozen=True)
class Model:
    """Section `model` of params.yaml; a model file carries it, so that the network is rebuilt from the file alone."""

    name: NetworkName
    weights: Literal["scratch", "pretrained"]
    window_frac: Annotated[float, Gt(0), Le(1)]
    coarse_to_fine: CoarseToFine

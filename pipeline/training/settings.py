"""Settings of pretrain and train; see `pipeline.core.settings`. Names of choices are those of the tables of choices."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen

from pipeline.core.settings import Fraction, Seed
from pipeline.training.losses import LOSSES, UNITS
from pipeline.training.schedules import SCHEDULES

if TYPE_CHECKING:
    LossName = str
    LossUnit = str
    ScheduleName = str
else:
    LossName, LossUnit, ScheduleName = Literal[tuple(LOSSES)], Literal[tuple(UNITS)], Literal[tuple(SCHEDULES)]


@dataclass(frozen=True)
class Degrade:
    """How frames are made worse: the largest amounts; each frame draws its own evenly, size and quality by ratio."""

    prob: Fraction
    shrink_max: Annotated[float, Ge(1), Le(16)]
    blur_px: Annotated[float, Ge(0), Le(16)]
    motion_px: Annotated[float, Ge(0), Le(32)]
    gamma_max: Annotated[float, Ge(1), Le(5)]
    noise: Fraction
    jpeg_quality: Annotated[float, Ge(1), Le(50)]


@dataclass(frozen=True)
class Cover:
    """Patches in front of faces."""

    prob: Fraction
    max_frac: Annotated[float, Ge(0), Le(2)]


@dataclass(frozen=True)
class Augment:
    """Section `augment` of params.yaml: the largest amount of each change; every frame draws its own evenly."""

    rotation_deg: Annotated[float, Ge(0), Le(180)]
    scale_max: Annotated[float, Ge(1), Le(4)]
    shift_frac: Annotated[float, Ge(0), Le(0.5)]
    mirror_prob: Fraction
    brightness: Fraction
    contrast: Annotated[float, Ge(0), Lt(1)]
    occlusion_prob: Fraction
    occlusion_max_frac: Fraction
    fade_frac: Fraction
    stretch_max: Annotated[float, Ge(1), Le(2)]
    bend_frac: Annotated[float, Ge(0), Le(0.1)]
    cover: Cover
    degrade: Degrade


@dataclass(frozen=True)
class Pretrain:
    """Section `pretrain` of params.yaml: how long, and on how many synthetic faces."""

    epochs: Annotated[int, Ge(0), Le(10_000)]
    people: Annotated[int, Ge(1), Le(10_000)]
    frames: Annotated[int, Ge(1), Le(100)]
    seed: Seed


@dataclass(frozen=True)
class Train:
    """Section `train` of params.yaml."""

    epochs: Annotated[int, Ge(1), Le(10_000)]
    batch_size: Annotated[int, Ge(1), Le(4096)]
    shards: Annotated[int, Ge(1), Le(1024)]
    precision: Literal["mixed", "float32"]
    loss: LossName
    loss_unit: LossUnit
    optimizer: Literal["muon", "adamw"]
    schedule: ScheduleName
    lr: Annotated[float, Gt(0), Le(1)]
    weight_decay: Annotated[float, Ge(0), Le(1)]
    warmup_frac: Fraction
    ema_decay: Annotated[float, Ge(0), Lt(1)]
    start: Annotated[str, MinLen(1), MaxLen(1000)]
    trunk_lr_factor: Fraction
    seed: Seed

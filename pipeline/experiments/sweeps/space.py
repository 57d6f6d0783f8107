"""What a search may choose from: a range of numbers, or one of several values, for each parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from facial_keypoints.core.errors import ConfigError
from facial_keypoints.core.text import brief
from pipeline.experiments.sweeps.settings import check, refuse_equal_values, typed_value

_BY_RATIO = 10
"""From this ratio of its ends on, a range above 0 is searched by ratio: from 1 to 2 is then as far as from 10 to 20."""
_DIGITS = 6
"""Significant digits of a number that is tried: more would only make names longer."""
_BETWEEN = ".."


@dataclass(frozen=True)
class Range:
    """Every number from `low` to `high`, both included."""

    low: float
    high: float
    whole: bool
    """Whole numbers only, as the parameter is one."""

    @property
    def by_ratio(self) -> bool:
        """Whether it is searched on a logarithmic scale."""
        return self.low > 0 and self.high / self.low >= _BY_RATIO

    def text(self, value: float) -> str:
        """A number of the range as it is written into params.yaml."""
        return str(int(value)) if self.whole else repr(min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high))


Space = Mapping[str, Range | tuple[str, ...]]
"""Dotted name -> range, or the values to choose from as text of params.yaml."""


def refuse_ranges(choices: Mapping[str, Sequence[str]]) -> None:
    """Raise ConfigError where a range is among the values of a sweep, which tries every one."""
    for name, texts in choices.items():
        for text in texts:
            if _BETWEEN in text:
                raise ConfigError(
                    f"{brief(f'{name}={text}')} is a range, and a sweep tries every value; name the values, or let a "
                    "search choose in the range: --search 20"
                )


def parse_space(choices: Mapping[str, Sequence[str]]) -> Space:
    """The space of what `parse_settings` read: "0.001..0.02" is a range, several values are a choice.

    Raises ConfigError, also where an end of a range or a value is out of the bounds of its parameter.
    """
    space = {name: _range(name, texts) or tuple(texts) for name, texts in choices.items()}
    check([{name: text} for name, texts in space.items() if isinstance(texts, tuple) for text in texts] or [{}])
    refuse_equal_values({name: texts for name, texts in space.items() if isinstance(texts, tuple)})
    if not any(isinstance(part, Range) or len(part) > 1 for part in space.values()):
        raise ConfigError("there is nothing to search in: each parameter has one value; give a range, as 0.001..0.02")
    return space


def _range(name: str, texts: Sequence[str]) -> Range | None:
    """The range that the text of a parameter is; None where it is none. Raises ConfigError."""
    if not any(_BETWEEN in text for text in texts):
        return None
    shown = brief(f"{name}={','.join(texts)}")
    if len(texts) > 1:
        raise ConfigError(f"{shown} holds a range beside other values; give the range alone, or values alone")
    low, _, high = (part.strip() for part in texts[0].partition(_BETWEEN))
    check([{name: low}, {name: high}])
    start, end = (_number(typed_value(name, text), shown) for text in (low, high))
    if start >= end:
        raise ConfigError(f"{shown} goes from {low} to {high}, which is no range; write the lower end first")
    return Range(start, end, whole=isinstance(start, int))


def _number(value: Any, shown: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{shown} is a range, but the parameter is no number; name its values, separated by commas")
    return value


def described(space: Space) -> dict[str, str]:
    """The space as text, the same for the same space however its numbers were written: what a study is known by."""
    return {name: _described(name, part) for name, part in sorted(space.items())}


def _described(name: str, part: Range | tuple[str, ...]) -> str:
    if isinstance(part, Range):
        return _BETWEEN.join(str(Decimal(repr(end)).normalize()) for end in (part.low, part.high))
    return ",".join(sorted(str(typed_value(name, text)) for text in part))

"""Shares and errors in percent: fractions where they are computed, percent in reports, charts, tables and messages."""

from typing import TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


def to_percent(fraction: Number) -> Number:
    """100 times a fraction, or an array of them: the one place where the unit changes."""
    return 100 * fraction


def percent_text(percent: float | None, digits: int = 2) -> str:
    """A number of percent for people to read: "3.58 %", or "unknown" for None."""
    return "unknown" if percent is None else f"{percent:.{digits}f} %"

"""Times of presentation as players take them: they only go on, whatever a file says."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

_BACK_S = 0.5
_ON_S = 24 * 3600.0
"""Seconds back and on: a longer step is the start of another recording that was joined on. A camera that records when
something moves may rest for hours within one file."""

_LEAST_S = 1e-6
"""Smallest step: a smaller one comes of rounding, and of a time that was put beside one that was repeated."""
ROUNDING_S = 0.001
"""Times in WebM are whole milliseconds."""


class Decoded(NamedTuple):
    """A frame as it comes out of a decoder."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, upright, with square pixels."""
    at: Fraction | None
    """Seconds on the file's own clock, which may start anywhere; None where the file does not say."""
    lasts: Fraction | None
    """Seconds; None where the file does not say."""


class Clock:
    """Turns the times of frames or sounds, one after another, into seconds that always increase."""

    def __init__(self, start: Fraction, usual_s: float) -> None:
        """`start`: what becomes 0; `usual_s`: the usual step, taken where a time is missing or repeated."""
        self._start, self._usual_s = start, usual_s
        self._shift = 0.0
        self._given: Fraction | None = None
        self._last: float | None = None

    def __call__(self, at: Fraction | None) -> float:
        """Seconds of the next frame or sound, whose time on the clock of the file is `at`, None if it has none."""
        time = None if at is None else float(at - self._start) + self._shift
        if self._last is None:
            time = time or 0.0
        elif time is None or at == self._given:
            time = self._last + self._usual_s
        elif not -_BACK_S < time - self._last < _ON_S:
            self._shift += self._last + self._usual_s - time
            time = self._last + self._usual_s
        elif time < self._last + _LEAST_S:  # half a step, so that later times need not be changed
            time = self._last + self._usual_s / 2
        else:
            self._usual_s = min(self._usual_s, time - self._last)
        self._given, self._last = (self._given if at is None else at), time
        return time

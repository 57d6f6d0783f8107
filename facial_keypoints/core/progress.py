"""Progress of long work: a bar with rate and time left on a terminal, else one line now and then."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

from facial_keypoints.core.percent import percent_text, to_percent
from facial_keypoints.core.text import printable, shortened

T = TypeVar("T")

SILENT_S = 2.0
"""Work shorter than this shows nothing on a terminal."""
FIRST_LINE_S = 5.0
LINE_EVERY_S = 20.0
"""Seconds to the first line and between lines when the output is not a terminal."""
_LABEL_MOST = 40
"""Characters, so that the bar itself has room."""


def progress(items: Iterable[T], *, label: str, total: int, unit: str, done: int = 0) -> Iterator[T]:
    """Yield `items`, showing on stderr how many of `total` are done, the rate and the time left.

    `done` counts those that an earlier process did; a `total` of 0 is unknown. Without a stderr, as some hosts of
    Python are, nothing is shown.
    """
    label = printable(shortened(label, _LABEL_MOST))
    if sys.stderr is None:
        yield from items
    elif sys.stderr.isatty():
        bar = tqdm(
            items, desc=label, total=total or None, initial=done, unit=f" {unit}", delay=SILENT_S, dynamic_ncols=True
        )
        yield from bar
    else:
        lines = _Lines(label, total, unit, done)
        for item in items:
            yield item
            lines.advance()


class _Lines:
    """Lines on stderr: the first after a while, then now and then, and one at the end if there was any."""

    def __init__(self, label: str, total: int, unit: str, done: int) -> None:
        self.label, self.total, self.unit, self.done = label, total, unit, done
        self.start = time.monotonic()
        self.next_line = self.start + FIRST_LINE_S
        self.shown = False
        self.rate_since, self.rate_from = self.start, done

    def advance(self) -> None:
        now = time.monotonic()
        self.done += 1
        if now >= self.next_line or (self.shown and self.done == self.total):
            self.shown, self.next_line = True, now + LINE_EVERY_S
            print(self._line(now), file=sys.stderr, flush=True)
        if self.rate_since == self.start:  # the first item also waits for workers and memory: it tells no rate
            self.rate_since, self.rate_from = now, self.done

    def _line(self, now: float) -> str:
        rate = (self.done - self.rate_from) / (now - self.rate_since)
        if not self.total:
            return f"{self.label}: {self.done} {self.unit}, {rate:.3g}/s"
        left = self.total - self.done
        rest = f"{_duration(left / rate)} left" if left > 0 else f"{_duration(now - self.start)} in all"
        return f"{self.label}: {self.done}/{self.total} {self.unit}, {rate:.3g}/s, {rest}"


class EpochLines:
    """A line on standard output as each epoch ends."""

    def __init__(self, epochs: int) -> None:
        self._epochs, self._start, self._told = epochs, time.monotonic(), 0

    def tell(self, epoch: int, train_loss: float, val_nme: float | None) -> None:
        """`epoch` counts from 1; `val_nme` is a fraction, None where nobody was held out."""
        self._told += 1
        left_s = (time.monotonic() - self._start) / self._told * (self._epochs - epoch)
        parts = [f"epoch {epoch}/{self._epochs}", f"loss {train_loss:.3g}"]
        parts += [] if val_nme is None else [f"NME on val {percent_text(to_percent(val_nme))}"]
        parts += [f"{_duration(left_s)} left"] if epoch < self._epochs else []
        tqdm.write("  ".join(parts), file=sys.stdout)
        sys.stdout.flush()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"

"""Progress of long work: a bar with rate and time left on a terminal, else one line now and then."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

SILENT_S = 2.0
"""Work shorter than this shows nothing."""
LINE_EVERY_S = 20.0
"""Seconds between lines when the output is not a terminal."""


def progress(items: Iterable[T], *, label: str, total: int, unit: str) -> Iterator[T]:
    """Yield `items`, showing on stderr how many of `total` are done, the rate and the time left."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=label, total=total, unit=f" {unit}", delay=SILENT_S, dynamic_ncols=True)
        return
    start = time.monotonic()
    last_line = start + SILENT_S - LINE_EVERY_S
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last_line >= LINE_EVERY_S:
            last_line = now
            rate = done / (now - start)
            left = max(0, total - done) / rate
            print(f"{label}: {done}/{total} {unit}, {rate:.3g}/s, {left:.0f} s left", file=sys.stderr, flush=True)

"""Time two pieces of work in turn, so that a drifting machine slows both."""

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(ours: Callable[[], object], baseline: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """Median seconds of both over `rounds` after one round that is not counted."""
    pairs = [(seconds(ours), seconds(baseline)) for _ in range(rounds + 1)][1:]
    mine, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    return mine, theirs


def show(name: str, mine: float, baseline: str, theirs: float) -> None:
    print(f"{name}: {mine:.3f} s; {baseline}: {theirs:.3f} s; ratio {mine / theirs:.2f}")

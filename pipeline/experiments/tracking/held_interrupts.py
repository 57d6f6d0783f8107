"""Interrupts that wait for the end of what must not be torn apart.

A transaction that Ctrl-C ends in the middle may leave its connection open for as long as the traceback lives, and with
it the database locked: the run could not even be told that it was interrupted.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Inside, an interrupt waits for the end of the block; a second one does not. In other threads nothing is held."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS} if current_thread() is main_thread() else {}
    waiting: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        handler = handlers[signal.Signals(number)]
        if waiting and callable(handler):
            handler(number, frame)
        waiting.append(number)

    held = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in held:
            signal.signal(number, hold)
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])

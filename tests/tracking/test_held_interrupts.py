"""Ctrl-C in the middle of a transaction: it waits for its end, so that the run can be told how it ended."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from pipeline.experiments.tracking.held_interrupts import held_interrupts
from pipeline.experiments.tracking.live_run import training_run
from tests.tracking.test_tracking import KEY, TRAIN_PARAMS, curve, runs, workspace

__all__ = ["workspace"]  # the fixture


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """A shell has what it starts in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(steps: list[str], *, times: int = 1, error: Exception | None = None) -> None:
    """A block that is interrupted so often, notes each step between, and perhaps fails in the end."""
    with held_interrupts():
        for number in range(times):
            signal.raise_signal(signal.SIGINT)
            steps.append(f"after {number + 1}")
        if error:
            raise error


def test_an_interrupt_waits_for_the_end_of_the_block_and_a_second_one_does_not() -> None:
    before = signal.getsignal(signal.SIGINT)
    for times in (1, 2, 3):
        steps: list[str] = []
        with pytest.raises(KeyboardInterrupt):
            interrupted(steps, times=times)
        assert steps == ["after 1"]
        assert signal.getsignal(signal.SIGINT) is before


def test_an_error_of_the_block_comes_with_the_interrupt_that_waited() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted([], error=ValueError("broken"))
    assert isinstance(caught.value.__context__, ValueError)


def test_signals_that_are_ignored_stay_so_and_other_threads_hold_none() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with held_interrupts():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        handlers: list[Any] = []

        def look() -> None:
            with held_interrupts():
                handlers.append(signal.getsignal(signal.SIGINT))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert handlers == [signal.default_int_handler]
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("moment", ["before_cursor_execute", "after_cursor_execute", "commit"])
def test_a_training_that_is_interrupted_while_it_logs_is_killed_and_not_left_running(moment: str) -> None:
    def train() -> None:
        with training_run(TRAIN_PARAMS, KEY) as run:
            assert run._store is not None
            engine = run._store.client._tracking_client.store.engine
            event.listen(engine, moment, lambda *_: signal.raise_signal(signal.SIGINT), once=True)
            run.log({1: {"val_nme_percent": 4.0}})

    with pytest.raises(KeyboardInterrupt):
        train()
    (found,) = runs()
    assert found.info.status == "KILLED"
    assert curve(found, "curves/val_nme_percent") == [(1, 4.0)]

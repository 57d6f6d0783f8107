"""Work on all cores in processes of their own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from facial_keypoints.core.errors import KeypointsError
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import reason_of

T = TypeVar("T")
R = TypeVar("R")

_INLINE_TASKS = 4
"""Up to so many tasks are done here: starting other processes would take longer."""


def map_on_cores(function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
    """`function` of each task, in their order, each on one core; a function and tasks that can be pickled.

    Where no other process can be started, all is done in this one, which is told on stderr. Raises KeypointsError where
    one of them is killed.
    """
    cores = min(len(os.sched_getaffinity(0)), len(tasks))
    if cores == 1 or len(tasks) <= _INLINE_TASKS or (pool := _pool(cores)) is None:
        yield from map(function, tasks)
        return
    with pool:
        try:
            yield from pool.map(function, tasks)
        except BrokenProcessPool:
            raise KeypointsError(
                f"one of {cores} processes at work was killed, most likely as the memory ran out; free some and run "
                "again, or do what takes so many on one core: taskset -c 0 dvc repro fetch pretrain"
            ) from None


def _pool(cores: int) -> ProcessPoolExecutor | None:
    """Processes that are ready to work; None where there can be none."""
    # Forked copies of a process that has threads can hang; spawned ones start clean.
    context = multiprocessing.get_context("spawn")
    pool = None
    try:
        pool = ProcessPoolExecutor(cores, mp_context=context, initializer=_begin_worker)
        for started in [pool.submit(os.getpid) for _ in range(cores)]:
            started.result()
    # Without /dev/shm there are no semaphores; where as many processes or threads live as may, no new ones.
    except (OSError, ImportError, NotImplementedError, RuntimeError) as error:
        if pool:
            pool.shutdown(cancel_futures=True)
        told = f"no other process can be started ({reason_of(error)}): look at /dev/shm and at ulimit -u"
        tell(f"warning: {told}; going on in this one, on one core")
        return None
    return pool


def _begin_worker() -> None:
    """Work on one core, and as long as the process lives for which it is done: killed, it could not say so.

    Ctrl-C, which every process of a terminal gets, is left to that one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)

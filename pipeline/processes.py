"""Work on all cores in processes of their own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import cv2

T = TypeVar("T")
R = TypeVar("R")

_INLINE_TASKS = 4
"""Up to so many tasks are done here: starting other processes would take longer."""


def map_on_cores(function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
    """`function` of each task, in their order, each on one core; a function and tasks that can be pickled."""
    cores = min(len(os.sched_getaffinity(0)), len(tasks))
    if cores == 1 or len(tasks) <= _INLINE_TASKS:
        yield from map(function, tasks)
        return
    # Forked copies of a process that has threads can hang; spawned ones start clean.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context, initializer=_begin_worker) as pool:
        yield from pool.map(function, tasks)


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

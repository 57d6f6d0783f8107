"""Workers meet in the store that torchrun keeps through all restarts."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch._C._distributed_c10d import HashStore

from pipeline.training.meeting import meet

ENOUGH, LITTLE = timedelta(seconds=60), timedelta(seconds=0.2)


def met(store: HashStore, *numbers: int, count: int = 3) -> list[str]:
    """What each of these workers, who come one after the other, finds as the address of the first."""

    def worker(number: int) -> str:
        own = meet(store, number, count, ENOUGH)
        if number == 0:
            own.set("address", f"of worker {numbers}")
        return own.get("address").decode()

    with ThreadPoolExecutor(count) as threads:
        found: list[Future[str]] = [threads.submit(worker, number) for number in numbers]
        return [each.result() for each in found]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_workers_that_were_restarted_read_nothing_of_the_dead_ones(order):
    store = HashStore()
    assert met(store, 1, 2, 0) == ["of worker (1, 2, 0)"] * 3
    assert met(store, *order) == [f"of worker {order}"] * 3


@pytest.mark.parametrize("present", [0, 1])
def test_who_waits_for_a_worker_that_was_there_before_the_restart_gives_up_in_time(present):
    store = HashStore()
    met(store, 0, 1, count=2)
    with pytest.raises(RuntimeError, match="not all of the 2 workers came"):
        meet(store, present, 2, LITTLE)

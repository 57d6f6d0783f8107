"""Start the workers of a training from within its stage, so that `dvc repro` needs no other command."""

import logging
import os
from tempfile import TemporaryDirectory

import torch.distributed as dist

from facial_keypoints.core.errors import ConfigError, KeypointsError
from facial_keypoints.core.text import shown
from pipeline.training.workers import LAUNCHER, refuse_uneven, threads_each

_WANTED = "KEYPOINTS_WORKERS"


def launched(stage: str, shards: int) -> bool:
    """Start as many workers on this host as KEYPOINTS_WORKERS says, by torchrun, and wait for their end.

    Returns:
        False where this process is to do the work: it is a worker, or nothing is said.

    Raises:
        KeypointsError: where a worker was killed. What one that failed had to say, it has said.
    """
    if _WANTED not in os.environ or dist.is_torchelastic_launched():
        return False
    count = _wanted(os.environ[_WANTED])
    refuse_uneven(shards, count)
    if shards > 1:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads_each(shards)))
    _torchrun("--nproc-per-node", str(count), "--module", "pipeline", stage)
    return True


def _wanted(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ConfigError(f"{_WANTED} is {shown(text)} but should be a number of processes, 1 or more; set it anew")
    return int(text)


def _torchrun(*arguments: str) -> None:
    """Run torchrun's command in this process; it takes its other options from variables PET_<OPTION>.

    Where those name no folder for its logs, it has a temporary one: its own it would leave behind.
    """
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    os.environ[LAUNCHER] = str(os.getpid())
    logging.disable(logging.ERROR)  # it would tell the state of each worker several times
    try:
        with TemporaryDirectory() as logs:
            os.environ.setdefault("PET_LOG_DIR", logs)
            torchrun.run(torchrun.parse_args([*arguments]))  # type: ignore[no-untyped-call]
    except SignalException as error:
        raise KeyboardInterrupt from error
    except ChildFailedError as error:
        killed = [(rank, failure) for rank, failure in error.failures.items() if failure.exitcode < 0]
        if not killed:
            raise SystemExit(1) from None
        rank, failure = killed[0]
        raise KeypointsError(
            f"worker {rank} was killed ({failure.signal_name()}), perhaps as the memory ran out; run again, and the "
            "training goes on after its last epoch"
        ) from None

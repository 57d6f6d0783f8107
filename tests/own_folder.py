"""Where a command of the tests builds, and what becomes of it and its processes at the end."""

import ctypes
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_SET_CHILD_SUBREAPER = 36
"""Of Linux's prctl: who loses its parent becomes a child of this process."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder for a command that builds, removed at its end, or kept and told where the command fails.

    Nothing that the command started outlives it. Ctrl-C, and what ends it by SIGTERM or SIGHUP, is no failure.
    """
    folder, keep = Path(tempfile.mkdtemp()), True
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup does
            signal.signal(number, _interrupt)
    try:
        yield folder
        keep = False
    except KeyboardInterrupt:
        keep = False
        sys.exit(130)  # as a shell says it
    finally:
        while started := psutil.Process().children(recursive=True):  # one that is killed may just have begun another
            for process in started:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(started)
        if keep:
            print(f"what was made is kept in {folder}", flush=True)
        else:
            shutil.rmtree(folder)


def _interrupt(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # `timeout` sends it twice
    raise KeyboardInterrupt

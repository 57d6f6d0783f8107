"""Where a command of the tests builds, and what becomes of it and its processes at the end."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_MARK = "TESTS_FOLDER"
"""Environment variable by which a process is known that the command started, also where its parent is gone."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder for a command that builds, removed at its end, or kept and told where the command fails.

    Nothing that the command started outlives it. Ctrl-C, and what ends it by SIGTERM or SIGHUP, is no failure.
    """
    folder, keep = Path(tempfile.mkdtemp()), True
    os.environ[_MARK] = str(folder)
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
        while started := _started(folder):  # one that is killed may just have begun another
            for process in started:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(started, timeout=10)
        if keep:
            print(f"what was made is kept in {folder}", flush=True)
        else:
            shutil.rmtree(folder)


def _started(folder: Path) -> list[psutil.Process]:
    """The living processes that the command of this folder started."""
    every = psutil.process_iter(["environ"])
    return [process for process in every if (process.info["environ"] or {}).get(_MARK) == str(folder)]


def _interrupt(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # `timeout` sends it twice
    raise KeyboardInterrupt

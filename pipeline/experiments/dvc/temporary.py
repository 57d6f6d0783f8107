"""One experiment in a folder of its own, run by DVC in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

_BEGUN = "Reproducing experiment"
"""What DVC prints once an experiment has its folder."""
_BEGIN_LOCK = ".begin.lock"
_POLL_S = 0.2
_ENDING_S = 60
"""Longest wait for an experiment that is interrupted."""


@contextmanager
def none_begins(folder: Path) -> Iterator[None]:
    """Inside, no experiment begins whose log lies in a folder of `folder`.

    While DVC begins one, params.yaml of the workspace is empty for a moment, and then that experiment's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / _BEGIN_LOCK):
        yield


def run_apart(name: str, settings: Mapping[str, str], environment: Mapping[str, str], log: Path) -> bool:
    """Run an experiment of the workspace as it is, with these parameters set; whether it came to a good end.

    What it prints goes to `log`. Where this process is interrupted, the experiment is ended too, before
    KeyboardInterrupt goes on.
    """
    choices = [part for key, value in settings.items() for part in ("-S", f"{key}={value}")]
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, *choices]
    log.parent.mkdir(parents=True, exist_ok=True)
    # DVC puts an experiment on a stack and then takes the top one: two that begin at once might take the same.
    with log.open("wb") as file, FileLock(log.parent.parent / _BEGIN_LOCK) as one_at_a_time:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl+C reaches it from here alone, once
        )
        try:
            while process.poll() is None and _BEGUN not in log.read_text(encoding="utf-8", errors="replace"):
                time.sleep(_POLL_S)
            one_at_a_time.release()
            return process.wait() == 0
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """End an experiment and all its processes, by Ctrl+C first, so that DVC clears up."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(_ENDING_S)
            except subprocess.TimeoutExpired:
                continue

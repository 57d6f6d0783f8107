"""The process that writes a run, as tags of the run tell it, and whether it still lives."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def process_tags() -> dict[str, str]:
    """Tags of a run that this process writes."""
    return {"host": socket.gethostname(), "pid": str(os.getpid()), "process_start": start_of(os.getpid()) or ""}


def lives(tags: Mapping[str, str]) -> bool:
    """Whether the process of these `process_tags` of this host lives, and not only another one with its number."""
    pid = int(tags["pid"])
    if pid == os.getpid():  # asked before this process opens a run: an earlier process had its number
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if _has_ended(pid):
        return False
    start = start_of(pid)
    return start is None or start == tags.get("process_start", start)


def start_of(pid: int) -> str | None:
    """When a process was started, in clock ticks since the machine came up, with the id of that; None if hidden."""
    try:
        return f"{_facts(pid)[19]} {_BOOT.read_text(encoding='ascii').strip()}"
    except (OSError, IndexError, ValueError):
        return None


def _has_ended(pid: int) -> bool:
    """Whether a process is only waiting for its parent to ask after it."""
    try:
        return _facts(pid)[0] in {"Z", "X"}
    except (OSError, IndexError):
        return False


def _facts(pid: int) -> list[str]:
    """What Linux tells of a process, from its state on: see proc_pid_stat(5)."""
    _, _, facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")
    return facts.split()

"""Files from outside, looked at before they are read: plain, and no larger than told.

A pipe or a device may never end, a folder has no content, and a large file takes memory before anything is known of it.
"""

import stat
from pathlib import Path


def check_plain(path: Path, most: int | None = None) -> None:
    """Raise OSError where nothing can be read, ValueError for what is no plain file or larger than `most` bytes."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no plain file")
    if most is not None and status.st_size > most:
        raise ValueError(f"it has {status.st_size:,} bytes where {most:,} are the most")


def read_plain(path: Path, most: int) -> bytes:
    """Content of a plain file of at most `most` bytes. Raises OSError and ValueError as `check_plain` does."""
    check_plain(path, most)
    with path.open("rb") as file:
        content = file.read(most + 1)  # it may have grown since, and files of /proc say nothing of their size
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content

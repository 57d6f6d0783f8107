"""Names that a program at work holds, so that others that write into the same folder number on."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_WAIT_S = 0.01
"""For what another program is about to write into its claim."""


@contextmanager
def claimed(folder: Path, name: str, source: str) -> Iterator[bool]:
    """Hold a name for a source; yields False where a living program holds it for another source.

    The claim is a locked file that holds the source and is gone afterwards. It is called as an unfinished output is
    (`atomic_files.is_partial`), so that what a killed program leaves behind is removed like those. On a file system
    without locks nothing is held. The folder is made. Raises OSError that names what was to be written.
    """
    path = folder / f".{hashlib.sha256(os.fsencode(name.lower())).hexdigest()[:16]}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, holder = _locked(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder / name)) from None
    if handle is None:
        yield holder == os.fsencode(source)
        return
    try:
        os.ftruncate(handle, 0)
        os.write(handle, os.fsencode(source))
        yield True
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(handle)


def _locked(path: Path) -> tuple[int | None, bytes]:
    """The handle of the file, locked, or None and what its holder wrote into it."""
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, os.fstat(handle).st_size, 0)
            os.close(handle)
            if holder:
                return None, holder
            time.sleep(_WAIT_S)
            continue
        except OSError:  # a file system without locks
            return handle, b""
        if os.fstat(handle).st_nlink:
            return handle, b""
        os.close(handle)  # its holder removed it before the lock

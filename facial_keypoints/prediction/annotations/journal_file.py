"""The file of a journal: in the output folder until the run is done, of one program at a time."""

import fcntl
import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.terminal import tell
from facial_keypoints.outputs.names import exists
from facial_keypoints.prediction.annotations.journal import Journal


@contextmanager
def open_journal(folder: Path | None, key: str) -> Iterator[Journal]:
    """The journal, in an output folder, of all runs that do what `key` says; it is gone when one of them is done.

    Where there is no folder, nothing is left for a later run. Raises DataError where another program uses it, OSError
    where it cannot be written.
    """
    if folder is None:
        with tempfile.TemporaryFile(buffering=0) as file:
            yield Journal(file, Path(tempfile.gettempdir()))
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".keypoints-unfinished-{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:16]}"
    with io.FileIO(_locked(path), "r+") as file:
        journal = Journal(file, path)
        try:
            yield journal
        except BaseException:
            if done := sum(found.stamp is not None for found in journal.found.values()):
                tell(f"{done} pictures and videos are done; the same command goes on with the others")
            else:
                path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)


def _locked(path: Path) -> int:
    """The handle of the journal. Raises DataError where it is no file, or another program has it."""
    while True:
        if exists(path) and not stat.S_ISREG(path.lstat().st_mode):
            raise DataError(f"{path}, which keeps what is done, is no plain file; move it away")
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise DataError(
                f"another program does the same in {path.parent}; wait for it, or choose another --output"
            ) from None
        except OSError:  # a file system without locks
            return handle
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # the program that held it removed it before the lock

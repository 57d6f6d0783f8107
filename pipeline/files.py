"""Files that are whole or not there."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write a file or fill a folder; it gets its final name only if all went well.

    What stood under the final name is replaced then, and stays where something went wrong.
    """
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    try:
        yield partial
        if partial.is_dir():
            _remove(path)
        os.replace(partial, path)
    except OSError as error:
        if type(error) is not OSError or error.filename is not None:
            raise
        # A full disk does not say where it is, nor NumPy why it wrote less than it should.
        raise OSError(error.errno or errno.ENOSPC, error.strerror or str(error), str(path)) from None
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Files and folders that are whole or not there."""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial")


def is_partial(path: Path) -> bool:
    """Whether the name is one of those under which `whole` and `whole_folder` write."""
    return bool(_PARTIAL.fullmatch(path.name))


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield an empty file beside `path` to write to; it gets its final name only if all went well.

    What stood under the final name is replaced then, and stays where something went wrong. The temporary name is of
    this call alone, so that programs at work in one folder leave each other's files alone, and says nothing of what
    the file holds: an encoder has to be told. Raises OSError that names the place.
    """
    with _naming(path), _partial(path.parent, _new_file) as partial:
        yield partial
        os.replace(partial, path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` to fill, as `whole` does a file."""
    with _naming(path), _partial(path.parent, _new_folder) as partial:
        yield partial
        _remove(path)
        os.replace(partial, path)


def remove_folder(path: Path) -> None:
    """Remove a folder that others may look at meanwhile: to them it is whole or not there."""
    going = path.with_name(f".{secrets.token_hex(8)}.partial")
    os.replace(path, going)
    _remove(going)


def remove_abandoned(folder: Path) -> None:
    """Remove what programs that were killed left half written in `folder`; what another one writes now stays."""
    for path in filter(is_partial, folder.glob(".*.partial")):
        with suppress(OSError):  # it is locked, gone or not ours: none of it is in the way
            handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
            finally:
                os.close(handle)


@contextmanager
def _partial(folder: Path, create: Callable[[Path], int]) -> Iterator[Path]:
    """A new file or folder in `folder`, locked as long as this process works on it, and gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        partial = folder / f".{secrets.token_hex(8)}.partial"
        handle = create(partial)
        with suppress(OSError):  # a file system without locks, where nothing is taken for abandoned either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            break
        os.close(handle)  # `remove_abandoned` of another process came before the lock
    try:
        yield partial
    finally:
        _remove(partial)
        os.close(handle)


def _new_file(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)


def _new_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say of an OSError without a place where it was: a full disk does not, nor NumPy why it wrote less than it should.

    A temporary name tells the user nothing either.
    """
    try:
        yield
    except OSError as error:
        bare = type(error) is OSError and error.filename is None
        if not bare and not _names_partial(error.filename):
            raise
        raise OSError(error.errno or errno.ENOSPC, error.strerror or str(error), str(path)) from None


def _names_partial(filename: object) -> bool:
    parts = Path(os.fsdecode(filename)).parts if isinstance(filename, str | bytes) else ()
    return any(is_partial(Path(part)) for part in parts)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

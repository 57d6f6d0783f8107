"""A folder in which files gather, each whole and checked, until all are there and the folder gets its final name."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from facial_keypoints.core.atomic_files import file_sha256, whole_folder
from facial_keypoints.core.errors import SourceError
from facial_keypoints.core.progress import progress
from facial_keypoints.core.terminal import tell
from pipeline.datasets import bounds
from pipeline.datasets.manifest import Manifest

_PARTIAL = "arriving.partial"
"""Name of a file while it is written; one will do, as `only_one` process writes there."""


class Staging:
    """Files of a manifest on their way; `missing` holds the names of those that are not yet whole in `folder`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.missing = set(manifest)

    def resume(self) -> None:
        """Keep what an interrupted run left whole and remove everything else."""
        with writing(self.folder):
            left = list(self._left())
            for name in progress(left, label="check", total=len(left), unit="files"):
                path = self.folder / name
                if path.stat().st_size <= bounds.MAX_FILE_BYTES and file_sha256(path) == self.manifest[name]:
                    self.missing.discard(name)
                else:
                    path.unlink()

    def _left(self) -> Iterator[str]:
        """Names of plain files that stand where files of the manifest belong; whatever else is in the folder goes."""
        folders = {parent.as_posix() for name in self.manifest for parent in Path(name).parents}
        todo = ["."] if self.folder.exists() else []
        while todo:
            for path in (self.folder / todo.pop()).iterdir():
                name = path.relative_to(self.folder).as_posix()
                mode = path.lstat().st_mode
                if stat.S_ISDIR(mode) and name in folders:
                    todo.append(name)
                elif stat.S_ISREG(mode) and name in self.manifest:
                    yield name
                elif stat.S_ISDIR(mode):
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def store(self, name: str, content: bytes) -> bool:
        """Write one file under its final name if it is what the manifest says; return whether it is."""
        if hashlib.sha256(content).hexdigest() != self.manifest[name]:
            return False
        path = self.folder / name
        partial = self.folder / _PARTIAL
        with writing(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                partial.write_bytes(content)
                os.replace(partial, path)
            except OSError:
                with suppress(OSError):
                    partial.unlink()
                raise
        self.missing.discard(name)
        return True

    def looks_whole(self) -> bool:
        """Whether no file lacks, by their names alone."""
        return not self.folder.is_symlink() and all((self.folder / name).is_file() for name in self.manifest)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """An OSError within comes as a SourceError that names what could not be written."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{error.filename or place} cannot be written ({error.strerror or error}); "
            "what came so far is kept, mend that and run again"
        ) from None


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time work in `folder`: experiments in parallel share it.

    The lock of a process that died is free. Raises SourceError where `folder` is a link, since what is in it is
    removed where it does not belong there.
    """
    if folder.is_symlink():
        raise SourceError(f"{folder} is a link, where files gather that may be removed; put a folder there")
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            tell(f"another process fetches into {folder}; waiting until it is done")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def publish(folder: Path, target: Path) -> None:
    """Give what has gathered in `folder` its final name at once; what stood there goes.

    `folder` stays, so that nothing is read again from far away when only code of the stage changed: DVC removes the
    outputs then.
    """
    with writing(target), whole_folder(target) as arriving:
        for path in folder.rglob("*"):
            if path.is_file():
                to = arriving / path.relative_to(folder)
                to.parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(path, to)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)

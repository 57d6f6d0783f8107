"""A folder in which files gather, each whole and checked, until all are there and the folder gets its final name."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pipeline.errors import SourceError
from pipeline.files import file_sha256
from pipeline.progress import progress
from pipeline.sources.manifest import Manifest

_PARTIAL = ".partial"


class Staging:
    """Files of a manifest on their way; `missing` holds the names of those that are not yet whole in `folder`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.missing = set(manifest)

    def resume(self) -> None:
        """Keep what an interrupted run left whole and remove everything else."""
        left = [path for path in sorted(self.folder.rglob("*")) if path.is_symlink() or path.is_file()]
        for path in progress(left, label="check", total=len(left), unit="files"):
            name = path.relative_to(self.folder).as_posix()
            if not path.is_symlink() and name in self.manifest and file_sha256(path) == self.manifest[name]:
                self.missing.discard(name)
            else:
                path.unlink()

    def store(self, name: str, content: bytes) -> bool:
        """Write one file under its final name if it is what the manifest says; return whether it is."""
        if hashlib.sha256(content).hexdigest() != self.manifest[name]:
            return False
        path = self.folder / name
        partial = path.with_name(path.name + _PARTIAL)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            os.replace(partial, path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise SourceError(
                f"{path} cannot be written ({error.strerror}); what came so far is kept, mend that and run again"
            ) from None
        self.missing.discard(name)
        return True

    def looks_whole(self) -> bool:
        """Whether no file lacks, by their names alone."""
        return all((self.folder / name).is_file() for name in self.manifest)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time work in `folder`: experiments in parallel share it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        yield


def publish(folder: Path, target: Path) -> None:
    """Give what has gathered in `folder` its final name at once; what stood there goes.

    `folder` stays, so that nothing is read again from far away when only code of the stage changed: DVC removes the
    outputs then.
    """
    arriving = target.with_name(target.name + _PARTIAL)
    shutil.rmtree(arriving, ignore_errors=True)
    try:
        shutil.copytree(folder, arriving, copy_function=_link_or_copy)
        if target.exists():
            shutil.rmtree(target)
        os.replace(arriving, target)
    except OSError as error:
        shutil.rmtree(arriving, ignore_errors=True)
        raise SourceError(f"{target} cannot be written ({error.strerror or error}); mend that and run again") from None


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)

"""Two files that DVC does not write in one go: killed while at it, it could not read them again."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from facial_keypoints.core.terminal import tell


def mend(repo: Any) -> None:
    """Set aside a damaged dvc.lock, remove a damaged list of DVC's running processes.

    What the stages made lies in DVC's run cache, from which it comes back without running anything again.
    """
    from dvc.dvcfile import LOCK_FILE, Lockfile
    from dvc.exceptions import DvcException
    from dvc.utils.serialize import ParseError
    from dvc.utils.strictyaml import YAMLValidationError

    with suppress(DvcException):  # what else is wrong, `dvc repro` says
        _mend_process_list(repo)
        try:
            Lockfile(repo, LOCK_FILE).load()
        except (ParseError, YAMLValidationError):
            path = Path(repo.root_dir, LOCK_FILE)
            aside = path.replace(path.with_name(f"{path.name}.damaged"))
            tell(f"warning: {path.name} is damaged and was set aside as {aside.name}; it is made again")


def _mend_process_list(repo: Any) -> None:
    from dvc import rwlock
    from dvc.fs import localfs

    try:
        with rwlock._edit_rwlock(repo.tmp_dir, localfs, repo.config["core"].get("hardlink_lock", False)):
            pass  # it can be read, and nobody was writing it
    except (rwlock.RWLockFileCorruptedError, rwlock.RWLockFileFormatError):
        Path(repo.tmp_dir, rwlock.RWLOCK_FILE).unlink()

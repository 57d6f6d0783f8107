"""DVC's Python code, which is no public interface and may change with any version: only this module knows it.

Everything else goes through DVC's command line or through this. tests/experiments/test_dvc_internals.py names the
versions of DVC on which it was tried. DVC takes half a second to import, so only functions import it.
"""

import logging
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facial_keypoints.core.errors import KeypointsError
from pipeline.experiments.dvc import git


class Repository:
    """An open `dvc.repo.Repo`; see `open_repository`."""

    def __init__(self, repo: Any) -> None:
        self._repo = repo

    @property
    def root(self) -> Path:
        """The folder that holds .dvc."""
        return Path(self._repo.root_dir)

    @property
    def git_root(self) -> Path:
        """The root of the git repository, which may lie above."""
        return Path(self._repo.scm.root_dir)

    @property
    def temporary(self) -> Path:
        """DVC's folder for locks and queued experiments."""
        return Path(self._repo.tmp_dir)

    @property
    def cache(self) -> Path:
        """DVC's cache on this machine."""
        return Path(self._repo.cache.local.path)

    def is_ignored(self, path: Path) -> bool:
        """Whether git ignores a file."""
        return bool(self._repo.scm.is_ignored(str(path)))

    def outputs(self) -> list[Path]:
        """Outputs of all stages; none where dvc.yaml cannot be read, as DVC says so itself."""
        from dvc.exceptions import DvcException

        try:
            return [Path(out.fs_path) for out in self._repo.index.outs]
        except DvcException:
            return []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold DVC's lock. Raises KeypointsError where another process has it and keeps it for seconds."""
        from dvc.lock import LockError

        try:
            self._repo.lock.lock()
        except LockError:
            path = self.temporary / "lock"
            holder = path.read_text(errors="replace").strip()
            process = f"process {holder}" if holder.isdigit() else "another process"
            raise KeypointsError(
                f"{path} is held by {process}, a DVC at work in this checkout; wait for its end (ps shows it) and run "
                "again"
            ) from None
        try:
            yield
        finally:
            self._repo.lock.unlock()

    def queue_statuses(self) -> dict[str, str]:
        """Name -> status of every experiment in the queue: Queued, Running, Success, Failed or Lost.

        Lost is what DVC calls failed although no process of it failed: its workers disturb one another where several
        begin or end at once (https://github.com/treeverse/dvc/issues/10673).
        Raises whatever DVC, Celery and their readers of files raise.
        """
        queue = self._repo.experiments.celery_queue
        statuses = {task["name"]: task["status"] for task in queue.status() if task["name"]}
        for failed, _ in queue.iter_failed():
            process = queue.proc.get(failed.stash_rev)
            if statuses.get(failed.name) == "Failed" and not (process and process.returncode):
                statuses[failed.name] = "Lost"
        return statuses

    def damaged_lock_file(self) -> Path | None:
        """dvc.lock where it cannot be read; None where it can, or where DVC itself will say what is wrong."""
        from dvc.dvcfile import LOCK_FILE, Lockfile
        from dvc.exceptions import DvcException
        from dvc.utils.serialize import ParseError
        from dvc.utils.strictyaml import YAMLValidationError

        try:
            Lockfile(self._repo, LOCK_FILE).load()
        except (ParseError, YAMLValidationError):
            return self.root / str(LOCK_FILE)
        except DvcException:
            return None
        return None

    def process_list_is_free(self) -> bool:
        """Whether no other process holds DVC's list of running processes; one that cannot be read is removed."""
        from dvc import rwlock
        from dvc.exceptions import DvcException
        from dvc.fs import localfs

        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        try:
            with rwlock._edit_rwlock(self._repo.tmp_dir, localfs, hardlink):
                return True
        except (rwlock.RWLockFileCorruptedError, rwlock.RWLockFileFormatError):
            (self.temporary / rwlock.RWLOCK_FILE).unlink()
            return True
        except DvcException:
            return False

    def has_work(self, stage_name: str) -> bool:
        """Whether `dvc repro` would run a stage: it changed, and the cache has no outputs for what it is now.

        False, too, where DVC cannot tell: it says then what is wrong when it runs.
        """
        from dvc.exceptions import DvcException
        from dvc.logger import set_loggers_level
        from dvc.stage.cache import RunCacheNotFoundError

        try:
            with set_loggers_level(logging.CRITICAL):
                stage = self._repo.stage.load_one(name=stage_name)
                if not stage.changed():
                    return False
                if stage.changed_stage() or stage.changed_deps():
                    _forget_last_run(stage)
                self._repo.stage_cache.restore(stage, dry=True)
        except RunCacheNotFoundError:
            return True
        except DvcException:
            return False
        return False


def _forget_last_run(stage: Any) -> None:
    """Let a stage stand for its dependencies as they are, without the outputs it had for others."""
    from dvc_data.hashfile.hash_info import HashInfo

    stage.save_deps()
    for out in stage.outs:
        out.hash_info = HashInfo()


@contextmanager
def open_repository() -> Iterator[Repository]:
    """The repository of the present folder. Raises KeypointsError where DVC cannot open it, git's reason first."""
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    lend_a_user_name()
    try:
        repo = Repo()
    except NotDvcRepoError:
        raise KeypointsError(
            f"{Path.cwd()} is no checkout of this project, or its folder .dvc is lost; go to the checkout, or bring "
            "that back: git checkout .dvc"
        ) from None
    except OSError as error:
        if remedy := _other_place(error):
            raise KeypointsError(f"DVC cannot use a folder outside of the checkout: {error}; {remedy}") from None
        raise
    except Exception as error:  # of the readers of git's and DVC's files
        git.check()
        settings = "mend or remove .dvc/config.local, or bring back: git checkout .dvc/config"
        remedy = settings if isinstance(error, DvcException) else "see: dvc doctor"
        raise KeypointsError(f"DVC cannot open this checkout: {error}; {remedy}") from None
    with repo:
        yield Repository(repo)


def _other_place(error: OSError) -> str | None:
    """What gives DVC other folders outside of the checkout: for its settings, and for what it knows of files."""
    from dvc.dirs import global_config_dir, site_cache_dir

    remedies = {
        site_cache_dir(): "give it one of yours: export DVC_SITE_CACHE_DIR=$PWD/.dvc/tmp/site",
        global_config_dir(): f"give it a home folder of yours: {git.NEW_HOME}",
    }
    place = Path(error.filename or "")
    related = (name for name in remedies if place.is_relative_to(name) or Path(name).is_relative_to(place))
    return next((remedies[name] for name in related), None)


def lend_a_user_name() -> None:
    """Give this process a user name: DVC asks for one, and in a container the user's number may have none."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", f"uid{os.getuid()}")


def read_cached(commit: str, path: Path) -> bytes | None:
    """A file of a commit from DVC's cache; None where the cache does not have it."""
    import dvc.api
    from dvc.exceptions import DvcException

    lend_a_user_name()
    try:
        return bytes(dvc.api.read(str(path), rev=commit, mode="rb"))
    except (DvcException, OSError):
        return None


def run_dvc(*arguments: str) -> int:
    """DVC's command line in this process, as starting another costs half a second; returns its exit status."""
    from dvc.cli import main

    return int(main(list(arguments)))

"""DVC's view of the checkout, opened: what stands in its way is told with what helps, before it works."""

import os
import pwd
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facial_keypoints.core.errors import PipelineError
from pipeline.experiments.dvc import git


@contextmanager
def open_repo() -> Iterator[Any]:
    """The `dvc.repo.Repo` of this folder. Raises PipelineError where DVC cannot open it, git's reason first."""
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    lend_a_user_name()
    try:
        repo = Repo()
    except NotDvcRepoError:
        raise PipelineError(
            f"{Path.cwd()} is no checkout of this project, or its folder .dvc is lost; go to the checkout, or bring "
            "that back: git checkout .dvc"
        ) from None
    except OSError as error:
        if remedy := _other_place(error):
            raise PipelineError(f"DVC cannot use a folder outside of the checkout: {error}; {remedy}") from None
        raise
    except Exception as error:  # of the readers of git's and DVC's files
        git.check()
        settings = "mend or remove .dvc/config.local, or bring back: git checkout .dvc/config"
        remedy = settings if isinstance(error, DvcException) else "see: dvc doctor"
        raise PipelineError(f"DVC cannot open this checkout: {error}; {remedy}") from None
    with repo:
        yield repo


@contextmanager
def locked(repo: Any) -> Iterator[None]:
    """Hold DVC's lock. Raises PipelineError where another process has it and keeps it for seconds."""
    from dvc.lock import LockError

    try:
        repo.lock.lock()
    except LockError:
        path = Path(repo.tmp_dir, "lock")
        holder = path.read_text(errors="replace").strip()
        process = f"process {holder}" if holder.isdigit() else "another process"
        raise PipelineError(
            f"{path} is held by {process}, a DVC at work in this checkout; wait for its end (ps shows it) and run again"
        ) from None
    try:
        yield
    finally:
        repo.lock.unlock()


def lend_a_user_name() -> None:
    """DVC asks for one; in a container, the user may be a number that no name belongs to."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", f"uid{os.getuid()}")


def refuse_what_stops_dvc(repo: Any) -> None:
    """Raise PipelineError where an outer repository hides the checkout, outputs would go through a link, or the cache
    cannot be written."""
    definition = Path(repo.root_dir, "dvc.yaml")
    if not definition.exists():
        raise PipelineError(f"{definition} is not here; bring it back: git checkout {definition.name}")
    if repo.scm.is_ignored(str(definition)):
        raise PipelineError(
            f"{repo.root_dir} is ignored by the git repository round it, {repo.scm.root_dir}; make it one of its own: "
            f"{git.MAKE_REPOSITORY}"
        )
    for out in _outputs(repo):
        if link := _link_above(Path(out.fs_path), Path(repo.root_dir)):
            name = shlex.quote(str(link.relative_to(repo.root_dir)))
            cache = shlex.quote(str(link.resolve() / "dvc-cache"))
            raise PipelineError(
                f"{name} is a link to {link.resolve()}, and DVC writes through none; for a bigger disk put its cache "
                f"there, to which the files then link: rm {name} && dvc cache dir --local {cache}"
            )
    _try_cache(Path(repo.cache.local.path))


def _outputs(repo: Any) -> list[Any]:
    """None where dvc.yaml cannot be read: DVC says so."""
    from dvc.exceptions import DvcException

    try:
        return list(repo.index.outs)
    except DvcException:
        return []


def _link_above(path: Path, root: Path) -> Path | None:
    """The link among the folders between `root` and `path`, if any."""
    return next((folder for folder in path.parents if root in folder.parents and folder.is_symlink()), None)


def _try_cache(cache: Path) -> None:
    reason = "it is not writable"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        usable = os.access(cache, os.W_OK | os.X_OK)
    except OSError as error:
        usable, reason = False, error.strerror or str(error)
    if not usable:
        raise PipelineError(
            f"DVC's cache {cache} cannot be used: {reason}; bring its disk back or free the place, or choose another: "
            "dvc cache dir --local FOLDER"
        )


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


def read_cached(commit: str, path: Path) -> bytes | None:
    """A file of a commit from DVC's cache; None where the cache does not have it."""
    import dvc.api
    from dvc.exceptions import DvcException

    lend_a_user_name()
    try:
        return bytes(dvc.api.read(str(path), rev=commit, mode="rb"))
    except (DvcException, OSError):
        return None

"""What would stop DVC in the middle of its work, told with what helps before it begins."""

import os
import shlex
from pathlib import Path

from facial_keypoints.core.errors import KeypointsError
from pipeline.experiments.dvc import git
from pipeline.experiments.dvc.internals import Repository


def refuse_what_stops_dvc(repository: Repository) -> None:
    """Raise KeypointsError where `dvc repro` could not work.

    That is where dvc.yaml is missing, an outer git repository ignores the checkout, outputs would go through a link, or
    the cache cannot be written.
    """
    definition = repository.root / "dvc.yaml"
    if not definition.exists():
        raise KeypointsError(f"{definition} is not here; bring it back: git checkout {definition.name}")
    if repository.is_ignored(definition):
        raise KeypointsError(
            f"{repository.root} is ignored by the git repository round it, {repository.git_root}; make it one of its "
            f"own: {git.MAKE_REPOSITORY}"
        )
    for output in repository.outputs():
        _refuse_link_above(output, repository.root)
    _try_cache(repository.cache)


def _refuse_link_above(path: Path, root: Path) -> None:
    """Raise KeypointsError where one of the folders between `root` and `path` is a link."""
    link = next((folder for folder in path.parents if root in folder.parents and folder.is_symlink()), None)
    if link:
        name = shlex.quote(str(link.relative_to(root)))
        cache = shlex.quote(str(link.resolve() / "dvc-cache"))
        raise KeypointsError(
            f"{name} is a link to {link.resolve()}, and DVC writes through none; for a bigger disk put its cache "
            f"there, to which the files then link: rm {name} && dvc cache dir --local {cache}"
        )


def _try_cache(cache: Path) -> None:
    """Raise KeypointsError where the folder of the cache cannot be made or written."""
    reason = "it is not writable"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        usable = os.access(cache, os.W_OK | os.X_OK)
    except OSError as error:
        usable, reason = False, error.strerror or str(error)
    if not usable:
        raise KeypointsError(
            f"DVC's cache {cache} cannot be used: {reason}; bring its disk back or free the place, or choose another: "
            "dvc cache dir --local FOLDER"
        )

"""DVC's experiments, which are commits that git keeps below refs/exps, and the files of a commit."""

import re
from collections.abc import Iterator
from pathlib import Path

from facial_keypoints.core.errors import DataError
from pipeline.core import paths
from pipeline.experiments.dvc import git
from pipeline.experiments.dvc.internals import read_cached

_EXPERIMENT = re.compile(r"refs/exps/[^/]{2}/[^/]+/([^/]+)")
"""Reference of an experiment: below the two parts of the commit it began with. Others are DVC's notes of what is under
way: exec/EXEC_HEAD, stash, celery/stash ..."""


def experiment_commits() -> dict[str, str]:
    """Commit of each experiment by name, the newest where several have one name. Raises GitError."""
    found: dict[str, list[str]] = {}
    for name, commit in _references():
        found.setdefault(name, []).append(commit)
    return {name: _newest(commits) for name, commits in found.items()}


def commit_of(name: str) -> str | None:
    """The commit of the experiment or git revision `name`; None where there is none. Raises GitError."""
    if experiments := [commit for experiment, commit in _references() if experiment == name]:
        return _newest(experiments)
    commits = git.lines("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return commits[0] if commits and not name.startswith("^") else None  # which means all but that commit


def read_committed(commit: str, path: Path) -> bytes:
    """A file of a commit, by its path in the checkout: from git, else from DVC's cache. Raises DataError."""
    content = git.ask("show", f"{commit}:./{path}")
    if content is None:
        content = read_cached(commit, path)
    if content is None:
        raise DataError(
            f"{path} of {commit[:7]} is neither in git nor in DVC's cache; choose another revision, or bring what was "
            f"pushed: {paths.in_root('dvc fetch --all-commits')}"
        )
    return content


def _references() -> Iterator[tuple[str, str]]:
    """(name, commit) of each experiment."""
    # Listed by names alone: to sort by date, git would open what a queue at work may just be removing.
    for line in git.lines("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps"):
        commit, _, reference = line.partition(" ")
        if named := _EXPERIMENT.fullmatch(reference):
            yield named[1], commit


def _newest(commits: list[str]) -> str:
    return max(commits, key=_committed_at) if len(commits) > 1 else commits[0]


def _committed_at(commit: str) -> int:
    """Seconds since 1970; 0 for a commit that was removed meanwhile."""
    return int(git.ask("show", "--no-patch", "--format=%ct", commit) or 0)

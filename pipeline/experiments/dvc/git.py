"""Git's command line, called in one place: its output, or why it refuses the checkout and what helps."""

import os
import subprocess
from pathlib import Path

from facial_keypoints.core.errors import GitError

_OTHER_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"}
"""Variables that point git elsewhere, set by hooks and by habit; DVC looks at the folder alone, and both shall use the
same repository."""
NEW_HOME = "export HOME=$(mktemp -d)"
"""Shell command that gives a user without a home folder one."""
MAKE_REPOSITORY = "git init && git add -A && git commit -m start"
"""Shell command that makes the present folder a git repository with one commit."""


def ask(*arguments: str) -> bytes | None:
    """Output of a git command; None where the command fails in a sound repository. Raises GitError as `check` does."""
    asked = _run(*arguments)
    if asked.returncode == 0:
        return asked.stdout
    check()
    return None


def lines(*arguments: str) -> list[str]:
    """Output of a git command by line; bytes that are not UTF-8 are escaped as in Python's file names."""
    return [line for line in os.fsdecode(ask(*arguments) or b"").split("\n") if line]


def check() -> None:
    """Raise GitError, with git's own reason and the remedy, where git cannot be used in this folder."""
    asked = _run("rev-parse", "--git-dir")
    if asked.returncode:
        raise GitError(_explained(asked.stderr.decode(errors="replace")))


def head() -> str:
    """The commit that is checked out. Raises GitError where there is none."""
    commit = lines("rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        raise GitError("this git repository holds no commit yet; make one: git add -A && git commit -m start")
    return commit[0]


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}  # its words are read; DVC may be writing the index
    try:
        return subprocess.run(
            ["git", *arguments], capture_output=True, check=False, env=environment, stdin=subprocess.DEVNULL
        )
    except (FileNotFoundError, PermissionError) as error:
        raise GitError(
            f"git cannot be started ({error.strerror}); install it, on Debian and Ubuntu: apt-get install git"
        ) from None


def _explained(told: str) -> str:
    """In one line, why git does not open a repository, from what it printed, and what helps."""
    said = told.strip().splitlines() or ["no reason given"]
    fatal = next((line for line in said if line.startswith("fatal: ")), said[0])  # warnings may come before
    reason = fatal.removeprefix("fatal: ")
    if trust := next((line.strip() for line in said if "--add safe.directory" in line), None):
        return f"git refuses this checkout: {reason}; if you trust it: {_with_a_home(trust)}"
    here = Path.cwd()
    found = next((folder / ".git" for folder in (here, *here.parents) if (folder / ".git").exists()), None)
    if found is None:
        return f"{here} is no git repository, which DVC and experiments need; make it one: {MAKE_REPOSITORY}"
    if reason.startswith(("bad config", "unknown error occurred while reading the configuration")):
        return f"git cannot read its settings: {'; '.join(said)}; mend that file"
    remedy = "in the checkout that it belongs to: git worktree repair" if found.is_file() else "mend it"
    return f"git cannot read {found}: {reason}; {remedy}, or clone the repository again"


def _with_a_home(command: str) -> str:
    """The command, after one that makes a home folder for git's settings where there is none, as in containers."""
    home = os.environ.get("HOME")
    return command if home and os.access(home, os.W_OK) else f"{NEW_HOME} && {command}"

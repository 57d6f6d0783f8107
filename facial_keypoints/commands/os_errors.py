"""One line for what the operating system refuses: where, or while doing what, and what helps."""

import errno
import os
import traceback

from facial_keypoints.commands import ENTRY_POINTS
from facial_keypoints.core.extensions import extensions
from facial_keypoints.core.text import reason_of

_REMEDIES = {
    errno.EMFILE: "allow more open files: ulimit -n 4096",
    errno.ENFILE: "end other programs, which hold too many files open",
    errno.EAGAIN: "end other programs, or allow more processes: ulimit -u",
    errno.ENOMEM: "end other programs, which take the memory",
    errno.EACCES: "get the rights to that place",
    errno.ENOENT: "look at that name, or make its folder,",
    errno.ENOTDIR: "look at that name,",
    errno.EROFS: "make that place writable, or work in a copy,",
}


_NO_THREAD = "can't start new thread"
"""Python's words where the system refuses one, without its error."""


def is_of_the_system(error: BaseException) -> bool:
    """Whether the system refused something, rather than that the program went wrong."""
    return isinstance(error, OSError | MemoryError) or str(error) == _NO_THREAD


def one_line(error: BaseException, command: str) -> str:
    """What went wrong, and what helps; where no file is named, the command and the place in the code are."""
    reason = "the memory ran out" if isinstance(error, MemoryError) else reason_of(error)
    if getattr(error, "filename", None) is None:
        reason = f"{command}: {reason}{_place(error)}"
    return f"{reason}; {_remedy(error)} and run again"


def _remedy(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return _REMEDIES[errno.ENOMEM]
    if not isinstance(error, OSError):
        return _REMEDIES[errno.EAGAIN]
    if "No usable temporary directory" in str(error):
        return "name a folder that can be written and has room: export TMPDIR=FOLDER,"
    if error.filename is None and _lost_folder():
        return "the folder that you are in was removed: go to the checkout again"
    return _REMEDIES.get(error.errno or 0, "free or mend that place")


def _lost_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _place(error: BaseException) -> str:
    """The innermost function that the error came through, of this package and of those that add commands to it."""
    packages = {_top(entry.module) for entry in extensions(ENTRY_POINTS)} | {_top(__name__)}
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    places = [(frame.f_globals.get("__name__", ""), frame.f_code.co_name) for frame in frames]
    ours = [place for place in places if _top(place[0]) in packages and not place[0].endswith(".cli")]
    return f" (in {'.'.join(ours[-1])})" if ours else ""


def _top(module: str) -> str:
    return module.partition(".")[0]

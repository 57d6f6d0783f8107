"""What one picture or video leads to: told in a line of its own, unless all that follow would meet it too."""

import errno
import os
import traceback

import cv2

from facial_keypoints.core.errors import DataError, KeypointsError
from facial_keypoints.core.text import brief
from facial_keypoints.inputs.source import Source

_REASON_LENGTH = 200
_OF_ONE_NAME = frozenset(
    (errno.ENAMETOOLONG, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EINVAL, errno.EILSEQ, errno.ELOOP)
)
"""Errors of writing that lie in the name of one file; others, such as a full disk, concern all that follow."""


def fault_of(source: Source, error: Exception) -> DataError:
    """What is wrong with one source. What the next one would meet too is raised instead."""
    if isinstance(error, DataError):
        told = _by_its_address(source, str(error))
        return DataError(told if told.startswith(source.shown) else f"{source.shown}: {told}")
    if isinstance(error, KeypointsError) or (isinstance(error, OSError) and error.errno not in _OF_ONE_NAME):
        raise error
    if isinstance(error, OSError):
        fault = "so long a name that none is left for" if error.errno == errno.ENAMETOOLONG else "no name that suits"
        return DataError(f"{source.shown} has {fault} what is written ({error.strerror}); change it")
    reason = brief(" ".join(str(error).split()), _REASON_LENGTH)
    if isinstance(error, MemoryError | cv2.error):
        return DataError(f"{source.shown} is more than can be looked at here ({reason or 'memory'}); make it smaller")
    where = traceback.extract_tb(error.__traceback__)[-1]
    told = f"{type(error).__name__}: {reason}, in {os.path.basename(where.filename)} line {where.lineno}"
    return DataError(f"{source.shown} cannot be looked at ({told}); convert it, or report this")


def _by_its_address(source: Source, text: str) -> str:
    """The text with a fetched file called by its address, not by its temporary name."""
    return text.replace(str(source.path), source.shown) if source.address else text

"""The standard streams, whoever reads them: nobody, a reader that leaves early, a full disk, a terminal in ASCII."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from select import select
from typing import TextIO

from facial_keypoints.core.text import one_line, printable


@contextmanager
def standard_streams() -> Iterator[None]:
    """Inside, nothing that is printed fails: the work goes on, and the exit status tells how that ended.

    - A closed stream (`2>&-`) is the null device. Left closed, its number would go to the next file that is opened,
      and the warnings of C libraries into that file.
    - A reader that leaves (`| head -1`) has seen what it wanted: the rest goes nowhere, the status stays.
    - What standard output loses for another reason, such as a full disk, is told at the end, and the status is not 0.
    - Characters that a terminal does not know come as escapes.
    """
    for number in range(3):
        _open_closed(number)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    output, errors = _Unfailing(1), _Unfailing(2)
    sys.stdout, sys.stderr = _text_stream(output, sys.stdout), _text_stream(errors, sys.stderr)
    status: str | int | None = 0
    try:
        yield
    except SystemExit as ended:
        status = ended.code
    sys.stdout.flush()
    if output.fault:
        tell(f"error: standard output: {output.fault}, so that what was printed is not whole; make room there")
    sys.exit(status or int(output.fault is not None))


def say(text: str) -> None:
    """Print a line, made printable, and at once."""
    print(printable(text), flush=True)


def tell(text: str) -> None:
    """Print one line on standard error; a progress bar stays whole."""
    from tqdm import tqdm

    if sys.stderr is not None:  # of a library's user, who may have none
        tqdm.write(one_line(text), file=sys.stderr)


class _Unfailing(io.FileIO):
    """A file descriptor that keeps its first fault to itself and from then on writes into the null device."""

    fault: str | None = None

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)

    def write(self, data: "bytes | memoryview") -> int | None:  # type: ignore[override]
        try:
            while (written := super().write(data)) is None:  # another program made the terminal answer at once
                select([], [self], [])
            return written
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.fault = error.strerror
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return len(data)


def _open_closed(number: int) -> None:
    """Open the null device under a number that is closed, as are none below it."""
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _text_stream(raw: io.RawIOBase, like: TextIO | None) -> TextIO:
    encoding = like.encoding if like else "utf-8"
    at_once = isinstance(like, io.TextIOWrapper) and (like.line_buffering or like.write_through)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=at_once)

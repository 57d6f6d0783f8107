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
    closed = [_open_closed(number) for number in range(3)]
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    output, errors = _Unfailing(1, closed[1]), _Unfailing(2, closed[2])
    sys.stdout, sys.stderr = _text_stream(output, sys.stdout), _text_stream(errors, sys.stderr)
    status: str | int | None = 0
    try:
        yield
    except SystemExit as ended:
        status = ended.code
    sys.stdout.flush()
    lost = output.fault if output.fault and output.fault.errno != errno.EPIPE else None
    if lost:
        tell(f"error: standard output: {lost.strerror}, so that what was printed is not whole; make room there")
    sys.exit(status or int(lost is not None))


class ReaderLeftError(BrokenPipeError):
    """Nobody reads standard output any more, so that what is made for it alone need not be made."""


def write_output(data: bytes) -> None:
    """Write bytes to standard output, at once, for whoever makes nothing else.

    Raises ReaderLeftError where nobody reads it, OSError where it cannot be written, as on a full disk.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderLeftError(errno.EPIPE, os.strerror(errno.EPIPE), "standard output") from None
    stream = _unfailing_output()
    if stream and stream.fault:
        fault, stream.fault = stream.fault, None  # told by whoever catches it
        kind = ReaderLeftError if fault.errno == errno.EPIPE else OSError
        raise kind(fault.errno, fault.strerror, "standard output")


def output_was_closed() -> bool:
    """Whether this process was started without a standard output (`>&-`)."""
    stream = _unfailing_output()
    return stream is not None and stream.was_closed


def _unfailing_output() -> "_Unfailing | None":
    """What `standard_streams` put below standard output, None outside of it."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, _Unfailing) else None


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

    def __init__(self, number: int, was_closed: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self.was_closed = was_closed
        self.fault: OSError | None = None

    def write(self, data: "bytes | memoryview") -> int | None:  # type: ignore[override]
        try:
            while (written := super().write(data)) is None:  # another program made the terminal answer at once
                select([], [self], [])
            return written
        except OSError as error:
            self.fault = error
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return len(data)


def _open_closed(number: int) -> bool:
    """Open the null device under a number if it is closed, as none below it is; whether it was."""
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        return True
    return False


def _text_stream(raw: io.RawIOBase, like: TextIO | None) -> TextIO:
    encoding = like.encoding if like else "utf-8"
    at_once = isinstance(like, io.TextIOWrapper) and (like.line_buffering or like.write_through)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=at_once)

"""Reads pictures in a process of its own, so that no file takes more memory or time than is set, or crashes this one.

The decoders are C libraries, in which a small file can set off anything; the operating system bounds what they take.
"""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np

from facial_keypoints.core.errors import DataError
from facial_keypoints.core.text import printable
from facial_keypoints.inputs.pictures import MEMORY_LIMIT, read_picture

CPU_LIMIT_S = 60
"""Seconds of processor time that reading one picture may take; 70 million pixels of JPEG 2000 take 40."""
_OWN_BYTES = 2**29
"""Address space of Python and its libraries, beside that of a picture."""
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);from facial_keypoints.inputs.decoder import serve; serve()"
)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""Threads reserve address space that they do not use, which counts all the same."""


class Decoder:
    """Runs `read_picture` in another process, which is started when first needed and again where a picture ended it.

    A context manager, for one thread at a time; leaving it also ends a reading in progress.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock, self._left = Lock(), False

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:  # a thread that comes to read only now must not start another process
            self._left = True
        self._end()

    def read(self, source: Path | bytes, page: int = 0) -> np.ndarray:
        """(H, W, 3) uint8 RGB, as `read_picture` gives it. Raises DataError as that does, and beyond the limits."""
        process = self._running()
        try:
            return _ask(process, source, page)
        except (BrokenPipeError, EOFError):
            shown = "the picture" if isinstance(source, bytes) else printable(str(source))
            raise DataError(f"{shown} {_why_ended(self._end(wait=True))}") from None
        except MemoryError:  # here, with the answer half read
            self._end()
            raise

    def _running(self) -> "subprocess.Popen[bytes]":
        """The process, started where there is none. Raises DataError once the decoder was left."""
        with self._lock:
            if self._left:
                raise DataError("the decoder of pictures has ended; open another")
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._process = _start()
            return self._process

    def _end(self, wait: bool = False) -> int:
        """End the process, or wait for its own end if `wait`; returns its exit status, 0 where there is none."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if not wait:
            process.kill()
        with suppress(BrokenPipeError), process:  # closes the pipes, one with a question unread in it, and waits
            pass
        return process.returncode


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _CODE, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries complain there of every damaged block
        env=os.environ | _ONE_THREAD,
    )


def _ask(process: "subprocess.Popen[bytes]", source: Path | bytes, page: int) -> np.ndarray:
    assert process.stdin
    assert process.stdout
    content = source if isinstance(source, bytes) else b""
    path = None if isinstance(source, bytes) else str(source)
    process.stdin.write(json.dumps({"path": path, "bytes": len(content), "page": page}).encode() + b"\n")
    process.stdin.write(content)
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise EOFError
    answer = json.loads(line)
    if "error" in answer:
        raise DataError(answer["error"])
    picture = np.empty(answer["shape"], np.uint8)
    if cast(io.BufferedReader, process.stdout).readinto(picture.reshape(-1).data) < picture.size:
        raise EOFError
    return picture


def _why_ended(status: int) -> str:
    """Why the process ended that read a picture, to follow its name in a message."""
    if status == -signal.SIGXCPU:
        return f"takes more than {CPU_LIMIT_S} s of processor time to read; make it smaller, or save it anew"
    if status == -signal.SIGKILL:  # by the system, when memory runs out
        return "takes more memory to read than there is; make it smaller"
    return f"is damaged (its decoder failed with status {status}); save or copy it anew"


def serve() -> None:
    """Answer requests on standard input with pictures on standard output, until standard input ends."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 2
    warnings.simplefilter("ignore")  # Pillow's, of pictures that it reads all the same
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is interrupted too, and ends this process
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, MEMORY_LIMIT + _OWN_BYTES)
    while line := sys.stdin.buffer.readline():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + CPU_LIMIT_S + 1)
        _answer(json.loads(line))


def _limit(kind: int, value: int) -> None:
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if most == resource.RLIM_INFINITY else min(value, most), most))


def _answer(request: dict[str, Any]) -> None:
    source = sys.stdin.buffer.read(request["bytes"]) if request["path"] is None else Path(request["path"])
    out = sys.stdout.buffer
    try:
        picture = read_picture(source, request["page"])
    except DataError as error:
        out.write(json.dumps({"error": str(error)}).encode() + b"\n")
    else:
        out.write(json.dumps({"shape": picture.shape}).encode() + b"\n")
        out.write(picture.reshape(-1).data)
    out.flush()

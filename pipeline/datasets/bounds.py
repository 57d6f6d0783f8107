"""How much a source may send, claim or dawdle: whoever serves the frames controls all of it, so none of it is believed.

Every number that a mirror can set (sizes in headers, members, names, ranges, waits) meets its bound here before it is
acted on; what remains after that is checked by SHA-256.
"""

import io
import threading
import time
from collections.abc import Callable
from typing import IO, Any, TypeVar

from facial_keypoints.core.errors import SourceError

T = TypeVar("T")

MAX_FILE_BYTES = 16 << 20
"""Six times the largest file of the dataset; more is no file of it but a decompression bomb."""
MAX_ARCHIVE_BYTES = 8 << 30
"""Packed as well as unpacked; the public archive has 0.4 GB."""
MAX_MEMBERS = 50_000
"""Entries of an archive or folder; the dataset has 5,777."""
MAX_HEADER_BYTES = 8 << 10
"""Between the contents of two members of a .tar; those of the dataset have 0.5 to 2 KiB. Python before 3.11.10 needs
quadratic time and memory for an extended header: 0.1 s and 16 MiB for this much, 4 s and 1 GiB for 64 KiB."""
MAX_HEADERS_BYTES = 32 << 20
"""All headers of a .tar together; those of the dataset have 9 MB where each has an extended one."""
MAX_GLOBAL_RECORDS = 100
"""Extended records of a .tar that hold for all members, each of which gets them all; git writes one."""
MAX_DIRECTORY_BYTES = 8 << 20
"""Directory at the end of a .zip, which is read at once; that of the dataset has 0.8 MB."""
BUFFER_BYTES = 1 << 20
"""Read at a time, also from a server that sends parts of a file."""

CONNECT_S = 5
"""Longest wait for a connection."""
ANSWER_S = 30
"""Longest wait for the begin of an answer, and then for any further byte of it."""
LISTING_S = 120
"""Longest wait for the list of all files of a bucket: 50 pages of 1,000 names."""
PACE_S = 60.0
MIN_BYTES_S = 8 << 10
"""A source that gives less than this over PACE_S of waiting would need half a day and is given up."""
MAX_FAULTS = 100
"""Faults of a source in one run after which it is given up, whatever came between them."""
MAX_WRONG = 20
"""Wrong or missing files after which it is the source or the manifest that is wrong."""


class Pace:
    """Watches how fast a source gives bytes, over all that is read from it, also in parallel."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waited = 0.0
        self._came = 0

    def timed(self, call: Callable[..., T], *args: Any) -> T:
        """What `call` returns; raises TimeoutError where the source has become too slow."""
        start = time.monotonic()
        result = call(*args)
        self._add(time.monotonic() - start, len(result) if isinstance(result, bytes) else 0)
        return result

    def _add(self, seconds: float, size: int) -> None:
        with self._lock:
            self._waited += seconds
            self._came += size
            if self._waited < PACE_S:
                return
            too_slow = self._came < MIN_BYTES_S * self._waited
            waited, came, self._waited, self._came = self._waited, self._came, 0.0, 0
        if too_slow:
            raise TimeoutError(f"{came:,} bytes in {waited:.0f} s, where {MIN_BYTES_S:,} a second are the least")


class Ration:
    """An archive of which the parser may read only as much as it was allowed: what headers claim is not believed."""

    def __init__(self, file: IO[bytes], shown: str) -> None:
        """shown: the archive for messages."""
        self._file = file
        self._shown = shown
        self._left = 0

    def allow(self, size: int) -> None:
        """Let `size` more bytes be read; what was left of earlier allowances lapses."""
        self._left = max(0, size)

    def refused(self) -> SourceError:
        return SourceError(
            f"{self._shown} has larger headers or a larger directory than any archive of this dataset can have; "
            "make the archive again"
        )

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise self.refused()
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return self._file.seekable()

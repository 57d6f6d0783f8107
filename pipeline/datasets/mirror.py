"""The source of the real frames: the public archive, or the mirror that KEYPOINTS_MIRROR names."""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from facial_keypoints.core.addresses import without_credentials
from facial_keypoints.core.errors import SourceError
from facial_keypoints.core.progress import progress
from facial_keypoints.core.terminal import tell
from facial_keypoints.core.text import printable
from pipeline.datasets import bounds
from pipeline.datasets.archives import read_tar, read_zip
from pipeline.datasets.faults import WAYS_ON, TransientFaultError, explain, http_status
from pipeline.datasets.folder import data_root, read_folder
from pipeline.datasets.layout import listed, refuse_lacking
from pipeline.datasets.location import Location, locate
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.staging import Staging

VARIABLE = "KEYPOINTS_MIRROR"
BACKOFF_S = (1.0, 2.0, 4.0, 8.0)
"""Waits after the first, second, … fault in a row; after the last the source is given up."""
PROBE_S = 10.0
"""Longest look whether a source can be reached."""


class Source:
    """A place that holds the frames; every fault of it comes as one SourceError."""

    def __init__(self, find: Callable[[], Location], shown: str, kind: str | None = None) -> None:
        """find: opens the place when first needed; kind: "tar", "zip" or "folder" where it is known beforehand."""
        self._find = find
        self._kind = kind
        self._reached = False
        self.shown = shown

    def read(self, manifest: Manifest, wanted: Collection[str], scratch: Path) -> Iterator[tuple[str, bytes]]:
        """Yield (name, content) of the wanted files, in an order of its own."""
        place: Location | None = None
        try:
            place = self._find()
            for item in _read(place, self._kind or kind_of(place), manifest, wanted, scratch):
                self._reached = True
                yield item
        except SourceError:
            raise
        except Exception as error:  # each fsspec backend has exceptions of its own
            raise explain(error, self.shown, remote=not place or place.remote, reached=self._reached) from error

    def probe(self, manifest: Manifest) -> str | None:
        """Why the source cannot be reached, or None; within PROBE_S."""
        reason: list[str] = [f"{self.shown}: no answer within {PROBE_S:.0f} s"]

        def look() -> None:
            try:
                place = self._find()
                if (self._kind or kind_of(place)) == "folder":
                    data_root(place, manifest)
                else:
                    with place.stream() as stream:
                        stream.peek(1)
                reason.clear()
            except SourceError as error:
                reason[:] = [str(error)]
            except Exception as error:  # each fsspec backend has exceptions of its own
                reason[:] = [str(explain(error, self.shown, remote=True, reached=False))]

        # A thread of its own: a name server that does not answer holds the call longer than any time limit.
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(PROBE_S)
        return reason[0].removesuffix(f"; {WAYS_ON}") if reason else None


def choose_source(archive: str, base: Path) -> Source:
    """The mirror of the environment (a local path is relative to `base`), else the archive.

    An archive on this machine, as that of an imported dataset is, comes first: the mirror is of public ones.
    """
    here = "://" not in archive and (base / archive).exists()
    if (mirror := os.environ.get(VARIABLE)) and not here:
        return Source(lambda: locate(mirror, base), f"{VARIABLE}={printable(without_credentials(mirror))}")
    shown = archive if here else f"{archive} (the public archive, as {VARIABLE} is not set)"
    # What a web server sends is a .tar.gz whatever its address ends in; a place elsewhere shows its kind.
    return Source(lambda: locate(archive, base), shown, kind="tar" if archive.startswith("http") else None)


def kind_of(place: Location) -> str:
    """ "tar", "zip" or "folder", by the content of a file, over HTTP first by the ending of the URL."""
    if not place.http:
        return "folder" if place.is_folder() else _sniffed(place)
    ending = urlsplit(place.path).path.lower()
    if ending.endswith((".tar.gz", ".tgz", ".tar")):
        return "tar"
    if ending.endswith(".zip"):
        return "zip"
    try:
        return _sniffed(place)
    except Exception as error:  # many servers give no page for a folder but the files in it
        if isinstance(error, SourceError | FileNotFoundError) or http_status(error):
            return "folder"
        raise


def _sniffed(place: Location) -> str:
    with place.stream() as stream:
        start = stream.read(512)
    if start.startswith(b"\x1f\x8b") or start[257:262] == b"ustar":
        return "tar"
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    raise SourceError(f"{place.shown} is neither a folder nor a .tar.gz or .zip archive; correct {VARIABLE}")


def _read(
    place: Location, kind: str, manifest: Manifest, wanted: Collection[str], scratch: Path
) -> Iterator[tuple[str, bytes]]:
    match kind:
        case "tar":
            return read_tar(place, manifest, wanted)
        case "zip":
            return read_zip(place, manifest, wanted, scratch)
    return read_folder(place, manifest, wanted)


def bring(source: Source, staging: Staging) -> None:
    """Fill `staging` from `source`; after a fault that may pass wait, longer each time, and read only what lacks."""
    faults = faults_in_all = 0
    while staging.missing:
        before = len(staging.missing)
        try:
            _take(source, staging)
        except TransientFaultError as fault:
            faults = 0 if len(staging.missing) < before else faults
            faults_in_all += 1
            if faults == len(BACKOFF_S) or faults_in_all == bounds.MAX_FAULTS:
                raise
            what = str(fault).partition(";")[0]
            tell(f"{what}; trying again in {BACKOFF_S[faults]:.0f} s")
            time.sleep(BACKOFF_S[faults])
            faults += 1


def _take(source: Source, staging: Staging) -> None:
    wanted = frozenset(staging.missing)
    wrong: list[str] = []
    found = source.read(staging.manifest, wanted, staging.folder)
    for name, content in progress(found, label="fetch", total=len(wanted), unit="files"):
        if not staging.store(name, content):
            wrong.append(name)
            if len(wrong) == bounds.MAX_WRONG:
                break
    if wrong:
        raise SourceError(
            f"{source.shown} holds {listed(wrong)} with another SHA-256 than files.sha256 says; "
            "replace what is damaged or choose another KEYPOINTS_MIRROR"
        )
    refuse_lacking(sorted(staging.missing), source.shown)

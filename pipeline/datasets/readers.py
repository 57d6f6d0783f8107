"""Files out of folders and archives, as (name in the manifest, content).

Nothing is written here and nothing trusted: a name counts only if the manifest has it, and whoever stores a content
compares its SHA-256 first. So links, members that lead out of the folder and all else in an archive do no harm.
"""

import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import IO, TypeGuard

from pipeline.datasets.manifest import Manifest
from pipeline.datasets.source import Source, is_final, told

MAX_FILE_BYTES = 64 << 20
"""Read of any one file, so that none fills the memory; the largest of the datasets here has 2.7 MB."""
PARALLEL, BATCH = 4, 16
"""Files of a folder read at a time, and held at a time. Python's http.server lets 5 callers wait and turns others away
for a second: it gave 850 files a second to 4 readers, 210 to 8 and 470 to one."""
_START_BYTES = 100

Files = Iterator[tuple[str, bytes]]


def find_reader(source: Source, manifest: Manifest) -> Callable[[Collection[str]], Files]:
    """A function that yields those of the wanted files that the source holds, in the order there.

    An archive may hold them below any folder, and gives one again if it has it twice. Raises ValueError where the
    source is neither an archive nor a folder of them.
    """
    start = _content(source, _START_BYTES)
    if _is_file(start) and start:
        read = _read_zip if start.startswith(b"PK") else _read_tar
        return lambda wanted: read(source, manifest, wanted)
    some = sorted(manifest, key=lambda name: (name.count("/"), name))[:2]
    for root in (source, source.below("data")):
        if any(_is_file(_content(root.below(name), _START_BYTES)) for name in some):
            return lambda wanted: _read_folder(root, wanted)
    why = told(start, source.place) if isinstance(start, Exception) else "it is empty or a web page"
    raise ValueError(f"{why}, and holds neither {some[0]} nor data/{some[0]}")


def _is_file(start: bytes | Exception) -> TypeGuard[bytes]:
    """Whether there is a file, and no web page, which some servers send for a folder, or for all that is asked."""
    return isinstance(start, bytes) and not start.lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _read_folder(root: Source, wanted: Collection[str]) -> Files:
    names = sorted(wanted)
    with ThreadPoolExecutor(PARALLEL) as pool:
        for start in range(0, len(names), BATCH):
            reads = {name: pool.submit(_content, root.below(name)) for name in names[start : start + BATCH]}
            came = {name: read.result() for name, read in reads.items() if not read.exception()}
            yield from ((name, content) for name, content in came.items() if isinstance(content, bytes))
            for read in reads.values():
                read.result()  # raises what went wrong, once the others are stored


def _content(file: Source, most: int = MAX_FILE_BYTES) -> bytes | Exception:
    """What `_limited` returns, or the error with which the source says that it does not have the file for us."""
    try:
        with file.open() as content:
            return _limited(content, most)
    except Exception as error:  # each backend of fsspec has exceptions of its own
        if is_final(error):
            return error
        raise


def _read_tar(source: Source, manifest: Manifest, wanted: Collection[str]) -> Files:
    with source.open() as file, tarfile.open(fileobj=file, mode="r|*") as archive:
        for member in archive:
            name = _name(member.name, manifest)
            if name in wanted and (content := archive.extractfile(member) if member.isreg() else None):
                yield name, _limited(content)


def _read_zip(source: Source, manifest: Manifest, wanted: Collection[str]) -> Files:
    with source.open_seekable() as file, zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if (name := _name(member.filename, manifest)) in wanted:
                with archive.open(member) as content:
                    yield name, _limited(content)


def _name(path: str, manifest: Manifest) -> str:
    """The longest name of the manifest with which the path of a member ends, else an empty one."""
    parts = PurePosixPath(path).parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in manifest), "")


def _limited(file: IO[bytes], most: int = MAX_FILE_BYTES) -> bytes:
    """All of a file, or of a longer one a little more than `most` bytes, whose SHA-256 is another."""
    content = bytearray()
    while len(content) <= most and (block := file.read(1 << 16)):
        content += block
    return bytes(content)

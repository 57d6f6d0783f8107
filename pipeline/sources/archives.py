"""Files out of .tar.gz and .zip archives: only the data, and nothing but plain files."""

import gzip
import io
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from pipeline.errors import SourceError
from pipeline.sources.layout import Layout, refuse_lacking
from pipeline.sources.location import Location
from pipeline.sources.manifest import Manifest

MAX_FILE_BYTES = 16 << 20
"""Six times the largest file of the dataset; more is no file of it but a decompression bomb."""
MAX_ARCHIVE_BYTES = 8 << 30
"""Unpacked; the public archive has 0.4 GB."""


def read_tar(source: Location, manifest: Manifest, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted files from a .tar.gz or .tar read once, from beginning to end."""
    layout = Layout(manifest, source.shown)
    held: tuple[str, bytes] | None = None
    with source.stream() as packed, _unzipped(packed) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        for member in archive:
            _refuse_bomb(member.offset_data + member.size, MAX_ARCHIVE_BYTES, source.shown)
            name = None if member.isdir() else layout.place(member.name, _tar_kind(member))
            if name is None or name not in wanted:
                continue
            # The last file is held back until the whole archive is known to be sound.
            if held:
                yield held
            held = name, _bounded(archive.extractfile(member), member.size, f"{source.shown}: {member.name}")
    layout.finish()
    if held:
        yield held


def _unzipped(packed: "io.BufferedReader[Any]") -> IO[bytes]:
    """The .tar within; a server may have unzipped it on the way (Content-Encoding), whatever its name says."""
    zipped = packed.peek(2)[:2] == b"\x1f\x8b"
    return io.BufferedReader(gzip.GzipFile(fileobj=packed)) if zipped else packed


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.isreg():
        return "file"
    return "a link" if member.issym() or member.islnk() else "a device"


def read_zip(
    source: Location, manifest: Manifest, wanted: Collection[str], scratch: Path
) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted files from a .zip, reading of it little more than them."""
    layout = Layout(manifest, source.shown)
    with _seekable(source, scratch) as file, zipfile.ZipFile(file) as archive:
        members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            if not member.is_dir() and (name := layout.place(member.filename, _zip_kind(member))) is not None:
                members[name] = member
        layout.finish()
        refuse_lacking([name for name in wanted if name not in members], source.shown)
        for name in sorted(wanted, key=lambda name: members[name].header_offset):
            with archive.open(members[name]) as content:
                yield name, _bounded(content, members[name].file_size, f"{source.shown}: {members[name].filename}")


def _zip_kind(member: zipfile.ZipInfo) -> str:
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) in (0, stat.S_IFREG):
        return "file"
    return "a link" if stat.S_ISLNK(mode) else "a device"


def _seekable(source: Location, scratch: Path) -> IO[bytes]:
    """The file for reading at random; a copy without a name where the server only sends it whole."""
    file = source.open()
    try:
        file.seek(-1, io.SEEK_END)
        file.read(1)
        file.seek(0)
        return file
    except (ValueError, TypeError):
        file.close()
    scratch.mkdir(parents=True, exist_ok=True)
    with source.stream() as stream:
        copy = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 (the caller closes it)
        while block := stream.read(1 << 20):
            copy.write(block)
            _refuse_bomb(copy.tell(), MAX_ARCHIVE_BYTES, source.shown)
    return copy


def _bounded(content: IO[bytes] | None, size: int, shown: str) -> bytes:
    """All of a file that says it has `size` bytes."""
    _refuse_bomb(size, MAX_FILE_BYTES, shown)
    return content.read(size) if content else b""


def _refuse_bomb(size: int, limit: int, shown: str) -> None:
    if size > limit:
        raise SourceError(f"{shown} unpacks to more than {limit >> 20:,} MiB, so it is not of this dataset; remove it")

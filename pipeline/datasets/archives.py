"""Files out of .tar.gz and .zip archives: only the data, and nothing but plain files."""

import gzip
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, cast

from facial_keypoints.core.errors import SourceError
from pipeline.datasets import bounds
from pipeline.datasets.layout import Layout, brief, refuse_lacking, refuse_many, refuse_page
from pipeline.datasets.location import Location
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.ranges import NoRangeError, Ranges
from pipeline.datasets.staging import writing
from pipeline.datasets.streams import plain_file


class DamagedError(Exception):
    """An archive that cannot be parsed."""


def read_tar(source: Location, manifest: Manifest, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted files from a .tar.gz or .tar read once, from beginning to end."""
    layout = Layout(manifest, source.shown)
    held: tuple[str, bytes] | None = None
    with source.stream() as packed, _parsing():
        ration = bounds.Ration(_unzipped(packed, source.shown), source.shown)
        ration.allow(bounds.MAX_HEADER_BYTES + tarfile.RECORDSIZE)
        with tarfile.open(fileobj=cast(IO[bytes], ration), mode="r|") as archive:
            for member in _members(archive, ration, source.shown):
                name = None if member.isdir() else layout.place(member.name, _tar_kind(member))
                if name is None or name not in wanted:
                    continue
                # The last file is held back until the whole archive is known to be sound.
                if held:
                    yield held
                held = name, _bounded(archive.extractfile(member), member.size, f"{source.shown}: {brief(member.name)}")
    layout.finish()
    if held:
        yield held


@contextmanager
def _parsing() -> Iterator[None]:
    """What the standard library's parsers raise besides their own errors, as a DamagedError."""
    try:
        yield
    except (ValueError, LookupError, ArithmeticError, RecursionError, NotImplementedError, struct.error) as error:
        raise DamagedError(str(error)) from error


def _unzipped(packed: "io.BufferedReader[Any]", shown: str) -> IO[bytes]:
    """The .tar within; a server may have unzipped it on the way (Content-Encoding), whatever its name says."""
    start = packed.peek(2)
    refuse_page(start, shown)
    return io.BufferedReader(gzip.GzipFile(fileobj=packed)) if start.startswith(b"\x1f\x8b") else packed


def _members(archive: tarfile.TarFile, ration: bounds.Ration, shown: str) -> Iterator[tarfile.TarInfo]:
    """The members one by one; tarfile would keep them all, and read of a header whatever it says is its size."""
    end = headers = 0
    for count, member in enumerate(iter(archive.next, None), start=1):
        archive.members.clear()  # type: ignore[attr-defined]
        header, end = member.offset_data - end, archive.offset
        headers += header
        _refuse_bomb(end, bounds.MAX_ARCHIVE_BYTES, shown)
        refuse_many(count, shown)
        if (
            header > bounds.MAX_HEADER_BYTES
            or headers > bounds.MAX_HEADERS_BYTES
            or len(archive.pax_headers) > bounds.MAX_GLOBAL_RECORDS
        ):
            raise ration.refused()
        # tarfile reads on by whole records.
        ration.allow(end - member.offset_data + bounds.MAX_HEADER_BYTES + tarfile.RECORDSIZE)
        yield member


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.isreg():
        return "file"
    return "a link" if member.issym() or member.islnk() else "a device"


def read_zip(
    source: Location, manifest: Manifest, wanted: Collection[str], scratch: Path
) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted files from a .zip, over HTTP reading of it little more than them."""
    layout = Layout(manifest, source.shown)
    with closing(_seekable(source, scratch)) as file, _parsing():
        refuse_page(file.peek(1), source.shown)
        ration = bounds.Ration(file, source.shown)
        ration.allow(bounds.MAX_DIRECTORY_BYTES)
        with zipfile.ZipFile(cast(IO[bytes], ration)) as archive:
            members = _placed(archive, layout, source.shown)
            refuse_lacking([name for name in wanted if name not in members], source.shown)
            for name in sorted(wanted, key=lambda name: members[name].header_offset):
                member = members[name]
                _refuse_unreadable(member, source.shown)
                ration.allow(bounds.MAX_FILE_BYTES + _ZIP_HEADER_BYTES)
                with archive.open(member) as content:
                    yield name, _bounded(content, member.file_size, f"{source.shown}: {brief(member.filename)}")


_ZIP_HEADER_BYTES = 1 << 17
"""Before the content of a member: a name and an extra field of up to 64 KiB each."""


def _placed(archive: zipfile.ZipFile, layout: Layout, shown: str) -> dict[str, zipfile.ZipInfo]:
    """The members that are files of the dataset, by their name there."""
    members: dict[str, zipfile.ZipInfo] = {}
    for count, member in enumerate(archive.infolist(), start=1):
        refuse_many(count, shown)
        if not member.is_dir() and (name := layout.place(member.filename, _zip_kind(member))) is not None:
            members[name] = member
    layout.finish()
    return members


def _zip_kind(member: zipfile.ZipInfo) -> str:
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) in (0, stat.S_IFREG):
        return "file"
    return "a link" if stat.S_ISLNK(mode) else "a device"


def _refuse_unreadable(member: zipfile.ZipInfo, shown: str) -> None:
    """Refuse what has a password, and packing that zipfile unpacks without bound (bzip2, LZMA) or not at all."""
    why = ""
    if member.flag_bits & 1:
        why = "is encrypted"
    elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        why = "is packed neither as stored nor as deflated"
    if why:
        raise SourceError(f"{shown}: member {brief(member.filename)} {why}; make the archive again without that")


def _seekable(source: Location, scratch: Path) -> "io.BufferedReader[Any]":
    """The file for reading at random; a copy without a name where it only comes whole."""
    if source.local:
        return plain_file(source.path)
    if source.http:
        try:
            return io.BufferedReader(Ranges(source), bounds.BUFFER_BYTES)
        except NoRangeError:
            pass
    with source.stream() as stream:
        return _copied(stream, scratch)


def _copied(stream: "io.BufferedReader[Any]", scratch: Path) -> "io.BufferedReader[Any]":
    with writing(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
        copy = io.BufferedReader(tempfile.TemporaryFile(dir=scratch, buffering=0))  # noqa: SIM115 (the caller closes it)
    try:
        while block := stream.read(1 << 20):
            with writing(scratch):
                while block:
                    block = block[copy.raw.write(block) :]
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


def _bounded(content: IO[bytes] | None, size: int, shown: str) -> bytes:
    """All of a file that says it has `size` bytes."""
    _refuse_bomb(size, bounds.MAX_FILE_BYTES, shown)
    return content.read(size) if content else b""


def _refuse_bomb(size: int, limit: int, shown: str) -> None:
    if size > limit:
        raise SourceError(f"{shown} unpacks to more than {limit >> 20:,} MiB, so it is not of this dataset; remove it")

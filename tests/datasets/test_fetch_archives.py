"""Archives that lie or flood: one line, little memory, and an end."""

# ruff: noqa: F811 (fixtures)
import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets import bounds
from tests.datasets.test_fetch import (  # noqa: F401
    FILES,
    choose,
    failure,
    fetched,
    member,
    run,
    tar_gz,
    workspace,
    write_folder,
    zipped,
)
from tests.flood import FLOOD_BYTES, flood, ok, until_enough  # noqa: F401

_TAR: Any = tarfile
"""With what tarfile keeps to itself, to write headers that it would not."""


def header(name: str = "x", kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    """One block of a .tar; its size may be anything."""
    info = member(name, kind)
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = _TAR.itn(size, 12, tarfile.GNU_FORMAT)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(records: dict[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    return _TAR.TarInfo._create_pax_generic_header(records, kind, "utf-8")


def sparse_block(extended: bool = True) -> bytes:
    return b"".join(b"%011o\0%011o\0" % (1, 1) for _ in range(21)).ljust(504, b"\0") + bytes([extended]) + bytes(7)


def sparse_header() -> bytes:
    info = bytearray(header("sparse", tarfile.GNUTYPE_SPARSE))
    info[482] = 1  # more of the map follows
    info[148:156] = b" " * 8
    info[148:156] = b"%06o\0 " % sum(info)
    return bytes(info)


ENDLESS_HEADERS = {
    "pax": (header(kind=tarfile.XHDTYPE, size=3 << 30), b"9" * 512),
    "global pax": (header(kind=tarfile.XGLTYPE, size=3 << 30), b"9" * 512),
    "Solaris pax": (header(kind=tarfile.SOLARIS_XHDTYPE, size=3 << 30), bytes(512)),
    "long name": (header(kind=tarfile.GNUTYPE_LONGNAME, size=3 << 30), b"n" * 512),
    "long link": (header(kind=tarfile.GNUTYPE_LONGLINK, size=3 << 30), b"n" * 512),
    "long names upon long names": (b"", header(kind=tarfile.GNUTYPE_LONGNAME, size=1) + bytes(512)),
    "global headers upon global headers": (b"", pax({"comment": "again"}, tarfile.XGLTYPE)),
    "sparse map": (sparse_header(), sparse_block()),
    "sparse map 1.0": (
        pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
        + header(size=1 << 30)
        + b"99999999999\n".ljust(512, b"1"),
        b"1\n" * 256,
    ),
}


@pytest.mark.parametrize("bomb", ENDLESS_HEADERS)
@pytest.mark.slow
def test_a_header_without_end_is_not_read(bomb: str, flood: Callable, choose: Callable) -> None:
    first, rest = ENDLESS_HEADERS[bomb]

    def script(request: tuple, send: Callable) -> None:
        send(ok() + first)
        until_enough(send, rest * 128)

    server = flood(script)
    choose(server.url("frames.tar"))
    tracemalloc.start()
    assert "has larger headers" in failure()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20
    assert server.sent < FLOOD_BYTES
    assert len(server.asked) == 1


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


ODD_TARS = {
    "negative size": (header(size=-512) + header(), "holds none"),
    "negative size later on": (header() + header(size=-512) + header(), "damaged"),
    "negative pax size": (pax({"size": "-5120"}) + header(), "damaged"),
    "size of exabytes": (header(size=1 << 62) + header(), "unpacks to more than"),
    "pax size of exabytes": (pax({"size": str(1 << 62)}) + header(), "unpacks to more than"),
    "sparse size of exabytes": (
        pax({"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 62)}) + header("test/Ann_00.jpg"),
        "unpacks to more than",
    ),
    "number of 5000 digits": (pax({"GNU.sparse.size": "9" * 5000}) + header(), "damaged"),
    "map that is none": (pax({"GNU.sparse.map": "a,b"}) + header(), "damaged"),
    "pax record without length": (header(kind=tarfile.XHDTYPE, size=9) + padded(b"0 a=b\n") + header(), "damaged"),
    "sparse data beyond the file": (
        pax({"GNU.sparse.map": "0,8000000", "GNU.sparse.size": "8000000"}) + header("test/Ann_00.jpg") + bytes(2 << 20),
        "has larger headers",
    ),
    "name of 9000 characters": (
        header(kind=tarfile.GNUTYPE_LONGNAME, size=9000) + padded(b"n" * 9000) + header(),
        "has larger headers",
    ),
}


@pytest.mark.parametrize("case", ODD_TARS)
@pytest.mark.parametrize("zipped_too", [True, False])
def test_numbers_in_tar_headers_are_not_believed(case: str, zipped_too: bool, tmp_path: Path, choose: Callable) -> None:
    content, why = ODD_TARS[case]
    place = tmp_path / "frames"
    place.write_bytes(gzip.compress(content) if zipped_too else content)
    choose(place)
    assert why in failure()


@pytest.mark.parametrize("pack", ["tar", "zip", "folder"])
def test_members_without_number_are_refused(
    pack: str, tmp_path: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_MEMBERS", 100)
    empty = {f"empty{number}": b"" for number in range(200)}
    place = tmp_path / pack
    if pack == "folder":
        write_folder(place)
        for name in empty:
            (place / name).touch()
    else:
        place.write_bytes(tar_gz(files=empty) if pack == "tar" else zipped(files=empty))
    choose(place)
    assert "more than 100 files and folders" in failure()


@pytest.mark.slow
def test_members_of_a_tar_are_not_kept(tmp_path: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_MEMBERS", 10_000)
    (tmp_path / "frames").write_bytes(gzip.compress(header() * 20_000, 1))
    choose(tmp_path / "frames")
    tracemalloc.start()
    assert "10,000 files" in failure()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_headers_that_hold_for_all_members_are_few(tmp_path: Path, choose: Callable) -> None:
    records = [pax({f"key{number}": "x"}, tarfile.XGLTYPE) + header() for number in range(200)]
    (tmp_path / "frames").write_bytes(b"".join(records))
    choose(tmp_path / "frames")
    assert "has larger headers" in failure()


def test_headers_together_are_bounded(tmp_path: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_HEADERS_BYTES", 1 << 20)
    (tmp_path / "frames").write_bytes((pax({"comment": "c" * 6000}) + header()) * 200)
    choose(tmp_path / "frames")
    assert "has larger headers" in failure()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_honest_headers_fit_the_bounds(form: int, tmp_path: Path, choose: Callable) -> None:
    """Times and attributes in extended headers, paths of some hundred characters, a header for all, sparse files."""
    packed = io.BytesIO()
    prefix = "/".join(["a folder with a longer name"] * (4 if form == tarfile.USTAR_FORMAT else 12)) + "/data/"
    extended = {"comment": "6e55adc6bd"} if form == tarfile.PAX_FORMAT else None
    with tarfile.open(fileobj=packed, mode="w:gz", format=form, pax_headers=extended) as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            if form == tarfile.PAX_FORMAT:
                info.mtime = 1700000000.123456
                info.pax_headers = {"LIBARCHIVE.xattr.com.apple.provenance": "q" * 500}
            archive.addfile(info, io.BytesIO(content))
    (tmp_path / "frames").write_bytes(packed.getvalue())
    choose(tmp_path / "frames")
    run()
    assert fetched() == FILES


@pytest.mark.parametrize("pack", [tar_gz, zipped])
def test_a_file_that_comes_twice_is_refused(pack: Callable[..., bytes], tmp_path: Path, choose: Callable) -> None:
    if pack is tar_gz:
        content = gzip.decompress(tar_gz())
        end = content.rindex(b"training table") // 512 * 512 + 512
        content = content[:end] + content
    else:
        packed = io.BytesIO(zipped())
        with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(packed, "a") as archive:
            archive.writestr("data/test/Ann_00.jpg", "other")
        content = packed.getvalue()
    (tmp_path / "frames").write_bytes(content)
    choose(tmp_path / "frames")
    assert "comes twice" in failure()


@pytest.mark.parametrize("name", ["\x1b[2J\x07.jpg", "caf\udce9.jpg", "n" * 4000, "back\\slash", "new\nline"])
@pytest.mark.parametrize("pack", ["tar", "zip", "folder"])
def test_names_of_a_source_are_shown_in_short_and_without_control_characters(
    name: str, pack: str, tmp_path: Path, choose: Callable
) -> None:
    if (pack == "zip" and "\udce9" in name) or (pack == "folder" and len(name) > 255):
        pytest.skip("no such name there")
    files = {**FILES, f"training/{name}": b"extra"}
    place = tmp_path / "place"
    if pack == "folder":
        write_folder(place)
        (place / "training" / name).write_bytes(b"extra")
    else:
        place.write_bytes(tar_gz(files=files) if pack == "tar" else zipped(files=files))
    choose(place)
    message = failure()
    assert "among the data" in message
    assert message.isprintable()
    assert len(message) < 600


def end_of_zip(entries: int, size: int, offset: int, comment: int = 0) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, entries, entries, size, offset, comment)


def end_of_zip64(size: int, offset: int) -> bytes:
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, offset)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1) + end_of_zip(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


def patched(content: bytes, place: bytes, offset: int, new: bytes) -> bytes:
    """The archive with bytes of its first directory entry (PK\\1\\2) or member (PK\\3\\4) replaced."""
    start = content.index(place) + offset
    return content[:start] + new + content[start + len(new) :]


def one_zipped(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return packed.getvalue()


DIRECTORY, MEMBER = b"PK\1\2", b"PK\3\4"
ODD_ZIPS = {
    "encrypted": (patched(one_zipped(), DIRECTORY, 8, b"\1\0"), "is encrypted"),
    "packed by an unknown method": (patched(one_zipped(), DIRECTORY, 10, b"\x63\0"), "is packed neither"),
    "packed as bzip2": (one_zipped(zipfile.ZIP_BZIP2), "is packed neither"),
    "packed as LZMA": (one_zipped(zipfile.ZIP_LZMA), "is packed neither"),
    "version of the future": (patched(one_zipped(), DIRECTORY, 6, b"\xff\0"), "damaged"),
    "name that is not UTF-8": (
        patched(patched(one_zipped(), DIRECTORY, 8, b"\0\x08"), DIRECTORY, 46, b"\xff\xff"),
        "damaged",
    ),
    "unpacked size of gigabytes": (patched(one_zipped(), DIRECTORY, 24, b"\xf0\xff\xff\x7f"), "unpacks to more than"),
    "member beyond the end": (patched(one_zipped(), DIRECTORY, 42, b"\xf0\xff\xff\x7f"), "damaged"),
    "member within another": (patched(one_zipped(), DIRECTORY, 42, b"\1\0\0\0"), "damaged"),
    "torn extra field": (patched(one_zipped(), DIRECTORY, 30, b"\3\0"), "damaged"),
    "directory before the begin": (MEMBER + bytes(100) + end_of_zip(1, 1 << 31, 0), "damaged"),
    "zip64 directory of exabytes": (MEMBER + bytes(100) + end_of_zip64(1 << 63, 0), "damaged"),
    "zip64 directory behind the end": (MEMBER + bytes(100) + end_of_zip64(0, (1 << 64) - 1), "holds none"),
    "only a comment": (MEMBER + end_of_zip(0, 0, 0, 65535) + bytes(65535), "holds none"),
    "nothing behind the magic number": (MEMBER, "damaged"),
}


@pytest.mark.parametrize("case", ODD_ZIPS)
def test_what_a_zip_claims_is_not_believed(case: str, tmp_path: Path, choose: Callable) -> None:
    content, why = ODD_ZIPS[case]
    (tmp_path / "frames").write_bytes(content)
    choose(tmp_path / "frames")
    assert why in failure()


def test_a_directory_of_hundreds_of_megabytes_is_not_read(tmp_path: Path, choose: Callable) -> None:
    place = tmp_path / "frames.zip"
    with place.open("wb") as file:
        file.write(MEMBER)
        file.truncate(400 << 20)
        file.seek(0, io.SEEK_END)
        file.write(end_of_zip(1, 399 << 20, 1 << 20))
    choose(place)
    tracemalloc.start()
    assert "larger directory" in failure()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 << 20


def test_a_member_that_unpacks_to_nothing_without_end_is_left(
    tmp_path: Path, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_FILE_BYTES", 1 << 20)
    nothing = b"\0\0\0\xff\xff" * (1 << 20)  # deflate: an empty block that is not the last
    content = struct.pack("<4s5H3L2H", MEMBER, 20, 0, 8, 0, 33, 0, len(nothing), 7, 15, 0) + b"test/Ann_00.jpg"
    entry = struct.pack(
        "<4s4B4HL2L5H2L", DIRECTORY, 20, 3, 20, 0, 0, 8, 0, 33, 0, len(nothing), 7, 15, 0, 0, 0, 0, 0, 0
    )
    directory = entry + b"test/Ann_00.jpg"
    files = {name: content for name, content in FILES.items() if name != "test/Ann_00.jpg"}
    rest = io.BytesIO(content + nothing + directory + end_of_zip(1, len(directory), len(content) + len(nothing)))
    with zipfile.ZipFile(rest, "a") as archive:
        for name, frame in files.items():
            archive.writestr(name, frame)
    (tmp_path / "frames").write_bytes(rest.getvalue())
    choose(tmp_path / "frames")
    assert "larger headers" in failure()

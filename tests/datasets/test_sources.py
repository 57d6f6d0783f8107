"""What a mirror may be, and what happens where it is none, or not all that it should be."""

import shutil
import socket
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from pipeline.datasets import readers, source
from tests.datasets.conftest import CLOSED, Fetching
from tests.datasets.mirrors import FILES, member, tarred, write_folder, zipped


@pytest.mark.parametrize(
    "archive",
    [
        *(tarred(prefix) for prefix in ("", "./", "data/", "P1_Facial_Keypoints-6e55/data/")),
        tarred(mode="w:"),
        tarred(mode="w:bz2"),
        tarred(mode="w:xz"),
        *(zipped(prefix) for prefix in ("", "a/data/")),
    ],
    ids=["tar.gz", "tar.gz ./", "tar.gz data/", "tar.gz deeper", "tar", "tar.bz2", "tar.xz", "zip", "zip deeper"],
)
def test_an_archive_may_be_packed_in_any_way_and_hold_the_data_anywhere(
    archive: bytes, fetching: Fetching, tmp_path: Path
) -> None:
    (tmp_path / "frames").write_bytes(archive)
    fetching.choose(tmp_path / "frames")
    fetching.run()
    assert fetching.raw() == FILES


def test_folder_may_be_relative_and_hold_the_data_in_data(fetching: Fetching) -> None:
    write_folder(fetching.root.parent / "unpacked" / "data")
    fetching.choose("../unpacked")
    fetching.run()
    assert fetching.raw() == FILES


def test_a_folder_may_lack_any_one_file_and_is_still_known(fetching: Fetching, folder: Path) -> None:
    for name in ("test_frames_keypoints.csv", "training_frames_keypoints.csv"):
        (folder / name).rename(folder / "aside")
        shutil.rmtree(fetching.staging, ignore_errors=True)
        fetching.choose(folder)
        assert f"1 ({name}) missing" in fetching.failure()
        (folder / "aside").rename(folder / name)


def test_any_fsspec_url_serves_as_folder(fetching: Fetching) -> None:
    for name, content in FILES.items():
        fsspec.filesystem("memory").pipe(f"/bucket/{name}", content)
    fetching.choose("memory://bucket")
    fetching.run()
    assert fetching.raw() == FILES


def test_public_archive_is_read_when_no_mirror_is_set(fetching: Fetching, serve: Callable) -> None:
    server = serve({"/tar.gz/6e55": tarred()})
    fetching.describe(archive=server.url("tar.gz/6e55"))
    fetching.run()
    assert fetching.raw() == FILES
    assert set(server.asked) == {"/tar.gz/6e55"}


@pytest.mark.parametrize("ranges", [False, True])
@pytest.mark.parametrize("name", ["frames.tar.gz", "frames.zip", "frames"])
def test_archive_behind_a_url(name: str, ranges: bool, fetching: Fetching, serve: Callable) -> None:
    server = serve({f"/{name}": zipped() if "zip" in name else tarred()}, ranges=ranges)
    fetching.choose(server.url(name))
    fetching.run()
    assert fetching.raw() == FILES


def test_folder_behind_a_url_asks_for_each_file_once(fetching: Fetching, serve: Callable) -> None:
    server = serve({f"/frames/data/{name}": content for name, content in FILES.items()})
    fetching.choose(server.url("frames?token=secret"))
    fetching.run()
    assert fetching.raw() == FILES
    frames = [path for path in server.asked if path.endswith(".jpg")]
    assert sorted(frames) == sorted(f"/frames/data/{name}" for name in FILES if name.endswith(".jpg"))


def test_an_archive_that_breaks_off_is_read_again(fetching: Fetching, serve: Callable) -> None:
    server = serve({"/frames.tar.gz": tarred()}, (200, 1.0), (200, 0.6), (503, 0.0))
    fetching.choose(server.url("frames.tar.gz"))
    fetching.run()
    assert fetching.raw() == FILES
    assert not server.faults


def test_a_file_that_breaks_off_is_read_again_and_what_came_is_not(fetching: Fetching, serve: Callable) -> None:
    names = {f"/{name}": content for name, content in FILES.items()}
    server = serve(names, (200, 1.0), (200, 1.0), (200, 1.0), (200, 1.0), (429, 0.0), (200, 0.5))
    fetching.choose(server.url())
    fetching.run()
    assert fetching.raw() == FILES
    assert len(server.asked) < 2 * len(FILES)


def test_faults_that_do_not_pass_end_in_one_message(fetching: Fetching, serve: Callable) -> None:
    server = serve({"/frames.tar.gz": tarred()}, *[(500, 0.0)] * 9)
    fetching.choose(server.url("frames.tar.gz"))
    assert "500, message='Internal Server Error'" in fetching.failure()
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [404, 403, 401])
def test_refusal_of_the_server_is_final(status: int, fetching: Fetching, serve: Callable) -> None:
    server = serve({"/frames.tar.gz": b"no"} if status != 404 else {}, *[(status, 1.0)] * 9)
    fetching.choose(server.url("frames.tar.gz"))
    assert f"{status}, message=" in fetching.failure() or status == 404
    assert len(server.asked) == (status != 404)


def test_a_silent_server_is_given_up(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fetching.choose(f"http://127.0.0.1:{silent.getsockname()[1]}/frames.tar.gz")
        assert "Timeout" in fetching.failure()


def test_without_mirror_and_network_one_line_names_what_was_tried_and_both_ways_on(fetching: Fetching) -> None:
    message = fetching.failure()
    assert CLOSED in message
    assert "KEYPOINTS_MIRROR is not set" in message
    assert "set KEYPOINTS_MIRROR to" in message
    assert "dvc exp run -S fetch.source=synthetic" in message


@pytest.mark.parametrize("status", [500, 401])
def test_secrets_of_a_url_are_not_shown(
    status: int, fetching: Fetching, serve: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve({"/frames.tar.gz": tarred()}, *[(status, 0.0)] * 9)
    address = server.url("frames.tar.gz").replace("//", "//user:hush@")
    fetching.choose(f"{address}?signature=hush")
    message = fetching.failure()
    assert "127.0.0.1" in message
    assert "hush" not in message + capsys.readouterr().err


@pytest.mark.parametrize("place", ["/no/such/folder", "nosuch://bucket/frames", "http://[broken", "zip://a::/none.zip"])
def test_unreadable_mirror_is_named(place: str, fetching: Fetching) -> None:
    fetching.choose(place)
    assert f"cannot read KEYPOINTS_MIRROR={place}: " in fetching.failure()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\n<!DOCTYPE html><title>Sign in</title>", "it is empty or a web page, and holds neither"),
        (b"", "it is empty or a web page, and holds neither"),
        (b"some text" * 200, "invalid header"),
        (tarred()[:300_000], "unexpected end of data"),
        (zipped()[:300_000], "File is not a zip file"),
        (tarred(files={"a.txt": b"a"}), "6 (test/Ann_00.jpg, "),
    ],
    ids=["page", "empty", "text", "half a tar", "half a zip", "another archive"],
)
def test_what_is_no_archive_of_the_data_is_named_at_once(
    content: bytes, told: str, fetching: Fetching, tmp_path: Path
) -> None:
    (tmp_path / "frames.tar.gz").write_bytes(content)
    fetching.choose(tmp_path / "frames.tar.gz")
    assert told in fetching.failure()


def test_a_server_that_gives_the_same_page_for_all_is_asked_little(fetching: Fetching, serve: Callable) -> None:
    page = b"<html>Sign in</html>"
    tables = [name for name in FILES if name.endswith(".csv")]
    paths = ["/frames", *(f"/frames/{root}{name}" for root in ("", "data/") for name in tables)]
    server = serve(dict.fromkeys(paths, page))
    fetching.choose(server.url("frames"))
    assert "web page" in fetching.failure()
    assert server.asked == paths


EVIL = [
    member("P1-6e55/data/../../evil"),
    member("/etc/evil"),
    *(
        member(f"P1-6e55/data/{name}", kind, "/etc/passwd")
        for name in ("training/evil.jpg", "test/Ann_00.jpg", "../../../../evil/test/Ann_00.jpg")
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
    ),
]


def test_nothing_but_plain_files_of_the_manifest_is_written(fetching: Fetching, tmp_path: Path) -> None:
    (tmp_path / "frames.tar.gz").write_bytes(tarred(before=tuple(EVIL)))
    fetching.choose(tmp_path / "frames.tar.gz")
    fetching.run()
    assert fetching.raw() == FILES
    assert fetching.staged() == set(FILES)
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink() or path.name == "evil"]


@pytest.mark.parametrize("pack", ["tar", "zip"])
def test_a_link_in_place_of_a_frame_is_no_frame(pack: str, fetching: Fetching, tmp_path: Path) -> None:
    others = {name: content for name, content in FILES.items() if name != "test/Ann_00.jpg"}
    place = tmp_path / pack
    place.write_bytes(tarred(files=others, before=tuple(EVIL)) if pack == "tar" else zipped("", files=others))
    if pack == "zip":
        with zipfile.ZipFile(place, "a") as archive:
            link = zipfile.ZipInfo("test/Ann_00.jpg")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, "/etc/passwd")
    fetching.choose(place)
    assert "1 (test/Ann_00.jpg) " in fetching.failure()
    assert fetching.staged() == set(others)


def test_of_a_file_that_an_archive_has_twice_the_right_one_is_taken(fetching: Fetching, tmp_path: Path) -> None:
    wrong = {f"old/{name}": b"older" for name in FILES}
    (tmp_path / "frames.zip").write_bytes(zipped("", files=wrong | FILES | {f"z/{name}": b"newer" for name in FILES}))
    fetching.choose(tmp_path / "frames.zip")
    fetching.run()
    assert fetching.raw() == FILES


def test_a_decompression_bomb_does_not_fill_the_memory(
    fetching: Fetching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "frames").write_bytes(zipped(files=FILES | {"test/Ann_00.jpg": bytes(50 << 20)}))
    monkeypatch.setattr(readers._limited, "__defaults__", (1 << 20,))
    fetching.choose(tmp_path / "frames")
    tracemalloc.start()
    assert "1 (test/Ann_00.jpg) with another SHA-256" in fetching.failure()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_names_of_a_source_reach_the_terminal_printable(fetching: Fetching, tmp_path: Path) -> None:
    fetching.choose(tmp_path / "\x1b[2Jframes")
    assert "\\x1b[2Jframes" in fetching.failure()

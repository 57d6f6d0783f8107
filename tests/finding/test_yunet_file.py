"""Fetching YuNet's file, from a server on this machine; the content is a stand-in with a SHA-256 of its own."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.cli import errors_as_one_line
from facial_keypoints.core.errors import ModelError
from facial_keypoints.finding import yunet_file
from facial_keypoints.finding.box_detector import box_detector
from facial_keypoints.finding.haar import HaarDetector
from facial_keypoints.finding.yunet import YuNetDetector
from facial_keypoints.finding.yunet_file import NotFetchedError, fetched_file
from tests.architecture import ROOT
from tests.at_hand import YUNET

CONTENT = bytes(range(256)) * 400
HTML = b"<html><body>Sign in to this network</body></html>"


class Server(ThreadingHTTPServer):
    """Answers every request with `body`, one byte every `pause_s`; counts the requests."""

    daemon_threads = True

    def __init__(self, body: bytes, status: int, pause_s: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.status, self.pause_s, self.asked = body, status, pause_s, 0
        self.address = f"http://127.0.0.1:{self.server_port}/yunet.onnx"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.end_headers()
        with suppress(OSError):  # who asked may have left
            if not self.server.pause_s:
                self.wfile.write(self.server.body)
            for byte in self.server.body if self.server.pause_s else b"":
                self.wfile.write(bytes([byte]))
                time.sleep(self.server.pause_s)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(body: bytes = CONTENT, status: int = 200, pause_s: float = 0) -> Iterator[Server]:
    with Server(body, status, pause_s) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def expected(monkeypatch):
    monkeypatch.setattr(yunet_file, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(yunet_file, "BYTES", len(CONTENT))


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The cache folder, not made yet, of a user who declines nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(yunet_file.VARIABLE)
    return yunet_file.cache_folder()


def fault(folder: Path, address: str, **options: bool) -> str:
    with pytest.raises(NotFetchedError) as caught:
        fetched_file(folder, address, **options)
    assert not (folder / yunet_file.NAME).exists()
    return str(caught.value)


def unused_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/yunet.onnx"


def test_the_file_is_fetched_once(cache):
    with serving() as server:
        path = fetched_file(cache, server.address)
        assert path.read_bytes() == CONTENT
        assert fetched_file(cache, server.address) == path
        assert server.asked == 1
    assert [path.name for path in cache.iterdir()] == [yunet_file.NAME]


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_in_the_cache_is_named_and_not_read(cache, make):
    cache.mkdir()
    make(cache / yunet_file.NAME)
    assert f"{cache / yunet_file.NAME} is no plain file; remove it" in fault_of_folder(cache, unused_address())


def test_a_damaged_file_of_the_cache_is_fetched_anew(cache):
    cache.mkdir()
    (cache / yunet_file.NAME).write_bytes(CONTENT[:-1])
    with serving() as server:
        assert fetched_file(cache, server.address).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (HTML, 200, "another file, by its SHA-256"),
        (CONTENT[:-1] + b"x", 200, "another file, by its SHA-256"),
        (CONTENT * 50, 200, "another file, by its SHA-256"),
        (b"", 200, "another file, by its SHA-256"),
        (HTML, 404, "its server answers 404 Not Found"),
        (HTML, 503, "its server answers 503 Service Unavailable"),
    ],
)
def test_what_is_not_the_file_is_not_kept(cache, body, status, told):
    with serving(body, status) as server:
        assert told in fault(cache, server.address)
    assert [path.name for path in cache.iterdir()] == ["yunet-not-fetched"]


def test_a_failed_try_is_remembered_for_an_hour_unless_yunet_is_insisted_on(cache):
    assert "no connection to its server" in fault(cache, unused_address())
    with serving() as server:
        assert "(no connection to its server); --detector yunet tells" in fault(cache, server.address)
        assert server.asked == 0
        failed = cache / "yunet-not-fetched"
        os.utime(failed, (time.time() - 3700,) * 2)
        assert fetched_file(cache, server.address).read_bytes() == CONTENT
        assert not failed.exists()
    (cache / yunet_file.NAME).unlink()
    fault(cache, unused_address())
    with serving() as server:
        assert fetched_file(cache, server.address, insist=True).read_bytes() == CONTENT


@pytest.mark.parametrize("headers", [True, False])
def test_a_server_that_drips_is_left(cache, monkeypatch, headers):
    """Each byte comes in time, the file never."""
    monkeypatch.setattr(yunet_file, "WAIT_S", 0.2)
    monkeypatch.setattr(Handler, "send_response", lambda *_: None)
    monkeypatch.setattr(Handler, "end_headers", lambda self: self.wfile.write(b"HTTP/1.0 200 OK\r\n"))
    body = b"X: y\r\n" * 5 if headers else b"\r\n" + CONTENT[:30]
    with serving(body, pause_s=0.02) as server:
        assert "its server is too slow" in fault(cache, server.address)
    assert [path.name for path in cache.iterdir()] == ["yunet-not-fetched"]


def test_a_folder_that_keeps_nothing_is_named_before_anything_is_fetched(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with serving() as server:
        for folder in (tmp_path / "file", tmp_path / "file" / "keypoints", Path("/proc/keypoints")):
            assert f"cannot be kept in {folder}" in fault_of_folder(folder, server.address)
        assert server.asked == 0


def fault_of_folder(folder: Path, address: str) -> str:
    with pytest.raises(NotFetchedError) as caught:
        fetched_file(folder, address)
    return str(caught.value)


def script(folder: Path, address: str, first: str = "") -> list[str]:
    code = f"""{first}
from pathlib import Path
from facial_keypoints.finding import yunet_file
yunet_file.SHA256, yunet_file.BYTES = {yunet_file.SHA256!r}, {yunet_file.BYTES}
try:
    print(yunet_file.fetched_file(Path({str(folder)!r}), {address!r}))
except yunet_file.NotFetchedError as error:
    print(error)
"""
    return [sys.executable, "-c", code]


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(cache):
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    with serving() as server:
        command = script(cache, server.address, full)
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "cannot be fetched (File too large)" in told
    assert [path.name for path in cache.iterdir()] == ["yunet-not-fetched"]


@pytest.mark.slow
def test_two_processes_at_once_both_have_the_whole_file(cache):
    with serving() as server:
        both = [
            subprocess.Popen(script(cache, server.address), cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        told = [process.communicate()[0].strip() for process in both]
    assert told == [str(cache / yunet_file.NAME)] * 2
    assert (cache / yunet_file.NAME).read_bytes() == CONTENT
    assert [path.name for path in cache.iterdir()] == [yunet_file.NAME]


def test_haar_stands_in_where_yunet_cannot_be_had_and_a_line_says_so(cache, monkeypatch, capsys):
    """All that helps is told once, and again to whoever insists; a try an hour later tells as little."""
    monkeypatch.setattr(yunet_file.fetched_file, "__defaults__", (unused_address(),))
    told = []
    for age_s in (0, 0, 3700):
        if (failed := cache / "yunet-not-fetched").exists():
            os.utime(failed, (time.time() - age_s,) * 2)
        with errors_as_one_line():
            assert isinstance(box_detector("auto", None), HaarDetector)
        told.append(capsys.readouterr().err)
    assert all(note.startswith("note: OpenCV's Haar cascade finds the faces") for note in told)
    assert [note.count("\n") for note in told] == [1, 1, 1]
    assert [yunet_file.ADDRESS in note for note in told] == [True, False, False]
    assert max(map(len, told[1:])) < 160
    with pytest.raises(NotFetchedError, match=f"no connection.*{yunet_file.ADDRESS}"):
        box_detector("yunet", None)


def test_who_declines_to_fetch_gets_haar_without_a_word(monkeypatch, capsys):
    monkeypatch.setenv(yunet_file.VARIABLE, yunet_file.NO_FILE)
    assert isinstance(box_detector("auto", None), HaarDetector)
    assert capsys.readouterr().err == ""
    with pytest.raises(ModelError, match="KEYPOINTS_YUNET=none declines"):
        box_detector("yunet", None)


@pytest.mark.parametrize("name", ["auto", "yunet"])
@pytest.mark.parametrize("content", [None, b"", HTML, "folder"])
def test_a_named_file_that_is_no_yunet_is_an_error(name, content, tmp_path, monkeypatch):
    file = tmp_path / "other.onnx"
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=r"other\.onnx"):
        box_detector(name, file)
    monkeypatch.setenv(yunet_file.VARIABLE, str(file))
    with pytest.raises(ModelError, match=r"other\.onnx"):
        box_detector(name, None)


@pytest.mark.skipif(not YUNET.is_file(), reason="KEYPOINTS_TEST_YUNET names no file")
def test_the_file_that_is_fetched_is_yunet(monkeypatch):
    monkeypatch.undo()
    content = YUNET.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (yunet_file.BYTES, yunet_file.SHA256)
    monkeypatch.setenv(yunet_file.VARIABLE, str(YUNET))
    detector = box_detector("auto", None)
    assert isinstance(detector, YuNetDetector)
    assert detector(np.zeros((90, 120, 3), np.uint8), np.zeros((90, 120), np.uint8)).windows.shape == (0, 4)

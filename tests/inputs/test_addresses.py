"""Web addresses, other addresses and cameras among the inputs; servers are on this machine."""

# ruff: noqa: F811 (fixtures)
import os
import socket
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from facial_keypoints.core.errors import DataError
from facial_keypoints.inputs import download
from facial_keypoints.inputs.addresses import Address, address_of
from facial_keypoints.inputs.download import Downloads, may_have_password
from facial_keypoints.inputs.search import Inputs, find_sources
from facial_keypoints.outputs.output_folder import OutputFolder
from tests.flood import flood, ok, until_enough  # noqa: F401
from tests.inputs.test_kinds import encoded, video

JPEG = encoded("JPEG")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path


@pytest.fixture
def serve(flood):
    """A server with the same answer to everything; returns the address of a path on it."""

    def start(answer: bytes | Callable) -> Callable:
        script = (lambda request, send: send(answer)) if isinstance(answer, bytes) else answer
        return flood(script).url

    return start


def whole(content: bytes, *headers: str) -> bytes:
    return ok(f"Content-Length: {len(content)}", *headers) + content


def find(*given: str) -> Inputs:
    return find_sources(given, OutputFolder(Path("out")))


def fault(text: str) -> str:
    """The only line about an input of which nothing came."""
    with find(text) as inputs:
        assert not inputs.sources
        (problem,) = inputs.problems
    assert not list(Path("tmp").iterdir())
    return str(problem)


# What an address is


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:secret@host/a/me.jpg?token=secret#secret", "https://host/a/me.jpg"),
        ("HTTP://host:8080/me.jpg", "HTTP://host:8080/me.jpg"),
        ("http://host/\x1b[2J\n.jpg", "http://host/\\x1b[2J\\n.jpg"),
    ],
)
def test_an_address_is_shown_without_what_it_holds_in_confidence(text, shown):
    assert Address(text).shown == shown
    assert "secret" not in Address(text).key


@pytest.mark.parametrize(
    ("text", "stem", "suffix"),
    [
        ("https://host/a/me.JPG?x=y.png", "me", ".jpg"),
        ("https://host/caf%C3%A9%20au%20lait.png", "café au lait", ".png"),
        ("https://host/a%2F..%2F..%2Fb.mp4", "b", ".mp4"),
        ("https://host/..", "host", ""),
        ("https://host:80/", "host_80", ""),
        ("https://host/.htaccess", "htaccess", ""),
        ("https://host/x.php", "x", ""),
        ("https://host/a%00%0a.jpg", "a__", ".jpg"),
        (f"https://host/{'漢' * 300}.jpg", "漢" * 60, ".jpg"),
    ],
)
def test_outputs_are_called_by_the_last_part_of_an_address(text, stem, suffix):
    assert (Address(text).stem, Address(text).suffix) == (stem, suffix)


def test_addresses_that_differ_in_their_query_are_two():
    one, other = Address("http://h/p?id=1"), Address("http://h/p?id=2")
    assert one.key != other.key
    assert one.key == Address("http://u:p@h/p?id=1").key


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0", "0 is a camera, and cameras are not looked at live; record a clip and give that: ffmpeg "),
        ("12", "12 is a camera"),
        ("/dev/video99", "/dev/video99 is a camera"),
        ("rtsp://u:secret@cam/1", "rtsp://cam/1 is a live stream (rtsp)"),
        ("ftp://u:secret@host/x.jpg", "ftp://host/x.jpg is an address of ftp where only http and https are read"),
        ("s3://bucket/x.jpg?secret", "s3://bucket/x.jpg is an address of s3 where only http and https are read"),
        ("S3://bucket/x.jpg", "S3://bucket/x.jpg is an address of s3"),
        ("data:image/png;base64,secret", "what begins with data: is an address of data"),
        ("file:///home/me.jpg", "file:///home/me.jpg is an address of a file; give its path alone"),
        ("http://", "http:// is no address that can be asked; correct it"),
        ("http://[::1/me.jpg", "http://[::1/me.jpg is no address that can be asked"),
        (f"http://{'a' * 70}.org/", "is no address that can be asked"),
        ("http://u:secret/more@host:99999/x", "http://host:99999/x "),
    ],
)
def test_what_is_no_web_address_is_refused_by_its_word_with_the_remedy(text, line):
    told = fault(text)
    assert line in told
    assert "\n" not in told
    assert "secret" not in told


@pytest.mark.parametrize("name", ["0", "http:/host/me.jpg"])
def test_a_name_that_exists_is_a_file(here, name):
    path = here / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(JPEG)
    (source,) = find(name.replace(":/", "://")).sources
    assert source.path is not None
    assert source.path.read_bytes() == JPEG
    assert source.address is None


@pytest.mark.parametrize("text", ["100", "clip.mp4", "a:b.jpg", "c:/me.jpg", "\u0660", "1.jpg"])
def test_other_texts_are_names(text):
    assert address_of(text) is None


# Fetching


@pytest.mark.parametrize(("content", "is_video"), [(JPEG, False), (video("mp4", "mpeg4"), True)])
def test_a_picture_or_video_is_fetched_and_is_gone_at_the_end(serve, content, is_video):
    url = serve(whole(content))("a/me.bin?token=secret").replace("http://", "http://u:secret@")
    with find(url, url) as inputs:
        (source,) = inputs.sources
        assert source.path is not None
        assert source.path.read_bytes() == content
        assert (source.name, source.is_video) == ("me", is_video)
        assert source.shown.endswith("/a/me.bin")
        assert "secret" not in f"{source.shown} {source.origin}"
    assert not list(Path("tmp").iterdir())


def test_chunks_and_answers_without_a_length_are_whole(serve):
    chunked = ok("Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(JPEG), JPEG)
    for answer in (chunked, ok() + JPEG):
        with find(serve(answer)("me.jpg")) as inputs:
            assert [source.path.read_bytes() for source in inputs.sources if source.path] == [JPEG]


def test_user_and_password_go_to_their_host_alone(serve):
    seen: dict[str, dict[str, str]] = {}

    def other(request, send):
        seen["other"] = request[1]
        send(whole(JPEG))

    target = serve(other)("me.jpg")

    def first(request, send):
        path, seen[path] = request[0], request[1]
        send(ok("Location: /moved", status="302 Found") if path == "/x" else ok(f"Location: {target}", status="301 M"))

    url = serve(first)("x").replace("http://", "http://me:p%40ss@")
    with find(url) as inputs:
        assert len(inputs.sources) == 1
    expected = f"basic {b64encode(b'me:p@ss').decode()}".lower()
    assert [seen[path].get("authorization") for path in ("/x", "/moved", "other")] == [expected, expected, None]


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        ("https://host/b", True),
        ("http://host/b", False),
        ("https://other/b", False),
        ("https://host:8443/b", False),
    ],
)
def test_a_password_for_https_stays_on_its_host_and_in_https(following, expected):
    assert may_have_password("https://host/a", following) is expected


def test_a_password_may_go_on_to_https_of_its_host():
    assert may_have_password("http://host/a", "https://host/a")


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ("file:///etc/passwd", "leads on to no http or https address"),
        ("ftp://host/x?secret", "leads on to no http or https address"),
        ("/again", "leads on more than 10 times"),
        ("", "leads on more than 10 times"),
        ("http://[", "cannot be fetched (it is no address)"),
    ],
)
def test_redirects_stay_in_the_web_and_end(serve, location, line):
    told = fault(serve(ok(f"Location: {location}", status="302 Found"))("me.jpg"))
    assert line in told
    assert "secret" not in told


def flooding(head: bytes, block: bytes) -> Callable:
    return lambda request, send: (send(head), until_enough(send, block))


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (ok(status="404 Not Found"), "is refused by its server (404 Not Found); correct the address"),
        (ok(status="401 No"), "is refused by its server (401 No); put USER:PASSWORD@ before the host"),
        (whole(b"<!DOCTYPE html><p>"), "holds text, no picture or video that is known"),
        (whole(b""), "is empty"),
        (ok("Content-Length: 9000000000"), "has more than 2048 MB, too many to fetch"),
        (ok("Content-Length: 99999") + JPEG, "cannot be fetched (its server stopped before the end)"),
        (ok("Transfer-Encoding: chunked") + b"5\r\nab", "cannot be fetched (its server stopped before the end)"),
        (b"SSH-2.0-OpenSSH\r\n", "cannot be fetched (its server does not speak HTTP)"),
        (b"", "cannot be fetched ("),
        (flooding(b"HTTP/1.1 200 OK\r\n", b"a" * 9000), "cannot be fetched (its server does not speak HTTP)"),
        (flooding(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"), "cannot be fetched (its server does not speak HTTP)"),
    ],
)
def test_a_server_that_gives_no_picture_is_one_line(serve, answer, line):
    url = serve(answer)("a/me.jpg?token=secret")
    told = fault(url)
    assert line in told
    assert told.startswith(url.partition("?")[0])
    assert "secret" not in told
    assert "/tmp/" not in told.removeprefix(url)


def test_what_does_not_end_is_cut_at_the_limit(serve, monkeypatch):
    monkeypatch.setattr(download, "BYTE_LIMIT", 3 << 20)
    assert "has more than 3 MB" in fault(serve(flooding(ok(), bytes(1 << 16)))("me.jpg"))


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", ok(), ok("Transfer-Encoding: chunked") + b"1;"])
def test_a_server_that_dawdles_is_given_up(serve, monkeypatch, head):
    monkeypatch.setattr(download, "PACE_S", 0.2)

    def dribble(request, send):
        send(head)
        while True:
            send(b"x")
            time.sleep(0.02)

    assert "its server is too slow" in fault(serve(dribble)("me.jpg"))


def test_a_server_that_says_nothing_is_given_up(serve, monkeypatch):
    monkeypatch.setattr(download, "ANSWER_S", 0.2)
    assert "its server is too slow" in fault(serve(lambda request, send: time.sleep(2))("me.jpg"))


def test_a_server_that_is_not_there_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "cannot be fetched (Connection refused)" in fault(f"http://u:secret@127.0.0.1:{port}/me.jpg")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_names_the_way_to_another(serve, monkeypatch):
    class Full(Downloads):
        def fetch(self, address):
            opened = Path.open
            with monkeypatch.context() as patched:
                patched.setattr(Path, "open", lambda path, mode: opened(Path("/dev/full"), "wb", buffering=0))
                return super().fetch(address)

    with Full() as downloads, pytest.raises(DataError, match="does not fit into"):
        downloads.fetch(Address(serve(whole(JPEG))("me.jpg")))


def test_an_interrupted_search_leaves_no_download(serve):
    first = serve(whole(JPEG))("me.jpg")

    def interrupted():
        yield first
        assert os.listdir("tmp")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_sources(interrupted(), None)
    assert not os.listdir("tmp")

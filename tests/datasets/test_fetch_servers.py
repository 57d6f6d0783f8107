"""Servers that lie, flood or dawdle: one line, little memory, and an end."""

# ruff: noqa: F811 (fixtures)
import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable

import fsspec
import pytest

from pipeline.datasets import bounds, mirror
from tests.datasets.test_fetch import FILES, choose, failure, fetched, run, tar_gz, workspace, zipped  # noqa: F401
from tests.flood import flood, ok, until_enough  # noqa: F401


def dribble(send: Callable, block: bytes = b"x") -> None:
    """Few bytes, again and again."""
    while True:
        send(block)
        time.sleep(0.02)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PACE_S", 0.3)
    monkeypatch.setattr(bounds, "ANSWER_S", 0.3)


SLOW = {
    "body": lambda send: (send(ok()), dribble(send)),
    "chunks": lambda send: (send(ok("Transfer-Encoding: chunked")), dribble(send, b"1\r\nx\r\n")),
    "chunk extension": lambda send: (send(ok("Transfer-Encoding: chunked") + b"1;"), dribble(send)),
    "trailers": lambda send: (send(ok("Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n"), dribble(send, b"a: b\r\n")),
    "status": lambda send: (send(b"HTTP/1.1 200 "), dribble(send)),
    "headers": lambda send: (send(b"HTTP/1.1 200 OK\r\n"), dribble(send, b"a: b\r\n")),
    "interim answers": lambda send: dribble(send, b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": lambda send: time.sleep(3),
    "nothing after the headers": lambda send: (send(ok("Content-Length: 9999")), time.sleep(3)),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("what", "name"),
    [
        *((what, "frames.tar.gz") for what in SLOW),
        ("body", "frames.zip"),
        ("body", "frames"),
        ("nothing", "frames.zip"),
    ],
)
def test_a_server_that_dawdles_is_given_up(
    what: str, name: str, flood: Callable, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BACKOFF_S", ())
    server = flood(lambda request, send: SLOW[what](send))
    choose(server.url(name))
    assert "too slow" in failure()
    assert len(server.asked) in (1, 2)  # a .zip is asked for a part first


ZEROS = bytes(1 << 16)
BODY = ok(), ZEROS
CHUNKS = ok("Transfer-Encoding: chunked"), b"10000\r\n" + ZEROS + b"\r\n"
PARTS = ok("Content-Range: bytes 0-0/4000000000", status="206 Partial Content"), ZEROS
FLOODS = [
    ("frames.tar.gz", "body", BODY, "holds none"),
    ("frames.zip", "body", BODY, "does not end"),
    ("frames", "body", BODY, "more than 1 MiB"),
    ("frames.zip", "chunks", CHUNKS, "does not end"),
    ("frames", "chunks", CHUNKS, "more than 1 MiB"),
    ("frames.tar.gz", "parts", PARTS, "answered 206"),
    ("frames.zip", "parts", PARTS, "answered 206"),
    ("frames", "parts", PARTS, "answered 206"),
    ("frames.tar.gz", "headers", (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 1000), "no proper HTTP"),
    ("frames.tar.gz", "header", (b"HTTP/1.1 200 OK\r\na: ", ZEROS), "no proper HTTP"),
    ("frames.tar.gz", "status", (b"HTTP/1.1 200 ", b"k" * (1 << 16)), "no proper HTTP"),
    ("frames.tar.gz", "interim answers", (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "too slow"),
    ("frames.tar.gz", "chunk extension", (ok("Transfer-Encoding: chunked") + b"1;", b"a" * (1 << 16)), "cannot read"),
    ("frames.tar.gz", "trailers", (ok("Transfer-Encoding: chunked") + b"0\r\n", b"a: b\r\n" * 1000), "cannot read"),
    ("frames.tar.gz", "error page", (ok(status="404 Not Found"), ZEROS), "answered 404"),
    ("frames.tar.gz", "redirection", (ok("Location: /again", status="302 Found"), ZEROS), "redirects from address"),
]


@pytest.mark.parametrize(("name", "what", "answer", "why"), FLOODS, ids=[" ".join(flood[:2]) for flood in FLOODS])
@pytest.mark.slow
def test_a_server_that_floods_is_cut_off(
    name: str,
    what: str,
    answer: tuple[bytes, bytes],
    why: str,
    flood: Callable,
    choose: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MAX_ARCHIVE_BYTES", 8 << 20)
    monkeypatch.setattr(bounds, "MAX_FILE_BYTES", 1 << 20)
    monkeypatch.setattr(bounds, "ANSWER_S", 1.0)
    monkeypatch.setattr(mirror, "BACKOFF_S", ())

    def script(request: tuple, send: Callable) -> None:
        send(answer[0])
        until_enough(send, answer[1])

    server = flood(script)
    choose(server.url(name))
    tracemalloc.start()
    assert why in failure()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def answers(path: str, body: bytes, headers: dict[str, str], sent: tuple[str, ...] = (), status: str = "") -> bytes:
    """A proper answer for a file: the part asked for, if one was."""
    if "range" not in headers:
        return ok(f"Content-Length: {len(body)}", *sent, status=status or "200 OK") + body
    first, last = map(int, headers["range"].removeprefix("bytes=").split("-"))
    last = min(last, len(body) - 1)
    part = body[first : last + 1]
    told = f"Content-Range: bytes {first}-{last}/{len(body)}"
    return ok(told, f"Content-Length: {len(part)}", *sent, status="206 Partial Content") + part


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/frames.tar.gz", "data:text/plain,frames", "javascript:1", "http://", "//["],
)
def test_redirection_to_anything_but_http_is_not_followed(target: str, flood: Callable, choose: Callable) -> None:
    server = flood(lambda request, send: send(ok(f"Location: {target}", status="302 Found")))
    choose(server.url("frames.tar.gz"))
    assert "redirects to what is no http address" in failure()
    assert len(server.asked) == 1


def test_redirection_without_end_is_left(flood: Callable, choose: Callable) -> None:
    def script(request: tuple, send: Callable) -> None:
        send(ok(f"Location: {request[0]}x", status="307 Temporary Redirect"))

    server = flood(script)
    choose(server.url("frames.tar.gz"))
    assert "without end" in failure()
    assert len(server.asked) == 10


def test_redirection_to_another_place_is_followed(flood: Callable, choose: Callable) -> None:
    def script(request: tuple, send: Callable) -> None:
        there = request[0] == "/there"
        send(ok() + tar_gz() if there else ok("Location: /there", status="302 Found"))

    choose(flood(script).url("frames.tar.gz"))
    run()
    assert fetched() == FILES


ARCHIVE = zipped()


@pytest.mark.parametrize("change", [b"ETag: 1", b"Last-Modified: then", b"/%d" % len(ARCHIVE)])
def test_zip_that_changes_while_it_is_read_is_named(
    change: bytes, flood: Callable, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BACKOFF_S", ())
    count = [0]

    def script(request: tuple, send: Callable) -> None:
        count[0] += 1
        answer = answers(request[0], ARCHIVE, request[1], ("ETag: 1", "Last-Modified: then"))
        send(answer.replace(change, change + b"%d" % count[0], 2) if count[0] > 1 else answer)

    choose(flood(script).url("frames.zip"))
    assert "changed while it was read" in failure()


@pytest.mark.parametrize("lie", ["another part", "a longer part", "a shorter part", "no part"])
def test_parts_that_were_not_asked_for_are_not_taken(lie: str, flood: Callable, choose: Callable) -> None:
    def script(request: tuple, send: Callable) -> None:
        answer = answers(request[0], ARCHIVE, request[1])
        if request[1]["range"] == "bytes=0-0":
            return send(answer)
        head, _, body = answer.partition(b"\r\n\r\n")
        if lie == "another part":
            send(answer.replace(b"Content-Range: bytes ", b"Content-Range: bytes 1"))
        elif lie == "no part":
            send(ok() + body)
        else:
            body = body + b"more" if lie == "a longer part" else body[:-4]
            told = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
            send(b"\r\n".join([*told, b"", b""]) + body)

    choose(flood(script).url("frames.zip"))
    assert "the server" in failure()


def test_server_without_parts_is_read_whole(flood: Callable, choose: Callable) -> None:
    server = flood(lambda request, send: send(ok() + ARCHIVE))
    choose(server.url("frames.zip"))
    run()
    assert fetched() == FILES


@pytest.mark.parametrize("coding", ["gzip", "x-gzip"])
def test_what_a_server_packs_unasked_is_unpacked(coding: str, flood: Callable, choose: Callable) -> None:
    def script(request: tuple, send: Callable) -> None:
        content = FILES.get(request[0].removeprefix("/frames/"))
        if content is None:
            return send(ok(status="404 Not Found"))
        assert request[1]["accept-encoding"] == "identity"
        send(ok(f"Content-Encoding: {coding}") + gzip.compress(content))

    choose(flood(script).url("frames"))
    run()
    assert fetched() == FILES


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "deflate", "zstd"])
def test_packing_that_is_not_understood_is_named(coding: str, flood: Callable, choose: Callable) -> None:
    choose(flood(lambda request, send: send(ok(f"Content-Encoding: {coding}") + bytes(100))).url("frames.tar.gz"))
    assert "packs what it sends" in failure()


def test_packed_zeros_without_end_are_not_unpacked(
    flood: Callable, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_FILE_BYTES", 1 << 20)
    zeros = gzip.compress(bytes(256 << 20), 1)
    choose(flood(lambda request, send: send(ok("Content-Encoding: gzip") + zeros)).url("frames"))
    tracemalloc.start()
    assert "more than 1 MiB" in failure()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize("name", ["frames.tar.gz", "frames.zip", "frames"])
def test_a_page_for_everything_is_called_one(name: str, flood: Callable, choose: Callable) -> None:
    page = b"\n<!DOCTYPE html><title>Sign in</title>"
    server = flood(lambda request, send: send(answers(request[0], page, request[1])))
    choose(server.url(name))
    assert "is a web page" in failure()
    assert len(server.asked) < 10


@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial Content", "300 Multiple Choices", "304 Not Modified"]
)
def test_another_status_than_ok_is_named(status: str, flood: Callable, choose: Callable) -> None:
    choose(flood(lambda request, send: send(ok(status=status))).url("frames.tar.gz"))
    assert f"answered {status[:3]}" in failure()


def test_cookies_are_not_collected(flood: Callable, choose: Callable) -> None:
    told: list[dict] = []

    def script(request: tuple, send: Callable) -> None:
        told.append(request[1])
        content = FILES.get(request[0].removeprefix("/frames/"))
        send(ok(f"Set-Cookie: {request[0]}=1", status="200 OK" if content else "404 Not Found") + (content or b""))

    choose(flood(script).url("frames"))
    run()
    assert not any("cookie" in headers for headers in told)


def test_words_of_a_server_do_not_reach_the_terminal_raw(flood: Callable, choose: Callable) -> None:
    choose(flood(lambda request, send: send(b"HTTP/1.1 200 \x1b[2J\x07\r\nbad\x1b[2J header\r\n\r\n")).url("a.tar.gz"))
    message = failure()
    assert message.isprintable()
    assert len(message) < 700


def test_a_folder_that_lacks_everything_is_not_asked_for_all_of_it(
    flood: Callable, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_WRONG", 2)
    there = [name for name in FILES if name.endswith(".csv")]

    def script(request: tuple, send: Callable) -> None:
        name = request[0].removeprefix("/frames/")
        send(ok() + FILES[name] if name in there else ok(status="404 Not Found"))

    choose(flood(script).url("frames"))
    assert "lacks test/Ann_00.jpg, test/Bob_11.jpg" in failure()


def test_faults_between_files_that_come_are_counted(
    flood: Callable, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_FAULTS", 3)
    names = {f"/frames/{name}": content for name, content in FILES.items()}
    given: set[str] = set()

    def script(request: tuple, send: Callable) -> None:
        content = names.get(request[0], b"")
        if request[0].endswith(".csv"):
            return send(ok() + content)
        if given and request[0] not in given:
            given.add(request[0])
            return send(ok("Content-Length: 999999"))
        given.add(request[0])
        send(ok() + content if content else ok(status="404 Not Found"))

    monkeypatch.setattr("pipeline.datasets.folder.PARALLEL", 1)
    choose(flood(script).url("frames"))
    assert "broke off" in failure()


@pytest.mark.slow
def test_a_name_server_that_hangs_is_given_up(choose: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(30) or [])
    monkeypatch.setattr(bounds, "ANSWER_S", 0.5)
    choose("http://frames.invalid/frames.tar.gz")
    message = failure()
    ended.set()
    assert "too slow" in message


def test_addresses_of_version_6_are_urls(flood: Callable, choose: Callable) -> None:
    choose("http://[::1]:9/frames.tar.gz")
    assert "no connection" in failure()


def test_chains_of_places_are_refused(choose: Callable) -> None:
    choose("zip://data::http://127.0.0.1:9/frames.zip")
    assert "is a chain of places" in failure()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, flood: Callable) -> Callable[[Callable], None]:
    """A server in place of S3 that lists nothing and answers for objects as a script likes."""

    def start(script: Callable) -> None:
        def answer(request: tuple, send: Callable) -> None:
            if "list-type" in request[0]:
                empty = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></ListBucketResult>'
                return send(ok(f"Content-Length: {len(empty)}") + empty)
            script(send)

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tester")
        monkeypatch.setenv("AWS_ENDPOINT_URL", flood(answer).url("").rstrip("/"))
        fsspec.get_filesystem_class("s3").clear_instance_cache()

    return start


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of botocore, about its own code
@pytest.mark.parametrize(
    ("what", "why"),
    [("floods", "does not end"), ("dawdles", "too slow"), ("breaks off", "broke off"), ("hangs", "too slow")],
)
@pytest.mark.slow
def test_a_bucket_that_misbehaves_is_left(
    what: str, why: str, endpoint: Callable, choose: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_ARCHIVE_BYTES", 8 << 20)
    monkeypatch.setattr(bounds, "PACE_S", 0.5)
    monkeypatch.setattr(bounds, "ANSWER_S", 5.0 if what != "hangs" else 1.0)
    monkeypatch.setattr(mirror, "BACKOFF_S", ())

    def script(send: Callable) -> None:
        if what == "hangs":
            return time.sleep(5)
        send(ok("Content-Length: 4000000000") + ARCHIVE[:1000])
        if what == "floods":
            until_enough(send, ZEROS)
        elif what == "dawdles":
            dribble(send)

    endpoint(script)
    choose("s3://frames/faces.zip")
    assert why in failure()


@pytest.mark.parametrize("name", ["frames.tar.gz", "frames"])
def test_an_archive_whose_first_bytes_come_one_by_one_is_one(name: str, flood: Callable, choose: Callable) -> None:
    def script(request: tuple, send: Callable) -> None:
        send(ok())
        for byte in tar_gz()[:5]:
            send(bytes([byte]))
            time.sleep(0.02)
        send(tar_gz()[5:])

    choose(flood(script).url(name))
    run()
    assert fetched() == FILES

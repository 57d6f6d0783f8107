"""A dataset of six files in every form in which a mirror may have it."""

import hashlib
import io
import os
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

FILES = {
    "test/Ann_00.jpg": b"first test frame",
    "test/Bob_11.jpg": b"second test frame" * 5000,
    "training/Ann_00.jpg": os.urandom(200_000),
    "training/Bob_11.jpg": os.urandom(200_000),
    "test_frames_keypoints.csv": b"test table",
    "training_frames_keypoints.csv": b"training table",
}
MANIFEST = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def write_folder(root: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def tarred(
    prefix: str = "P1-6e55/data/",
    *,
    files: dict[str, bytes] = FILES,
    mode: Literal["w:", "w:gz", "w:bz2", "w:xz"] = "w:gz",
    before: tuple[tarfile.TarInfo, ...] = (),
) -> bytes:
    """An archive of the files below `prefix`, with other members before them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for info in before:
            archive.addfile(info)
        for name, content in files.items():
            archive.addfile(member(prefix + name, size=len(content)), io.BytesIO(content))
    return packed.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def zipped(prefix: str = "data/", *, files: dict[str, bytes] = FILES) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", "about")
        for name, content in files.items():
            archive.writestr(prefix + name, content)
    return packed.getvalue()


class Server:
    """A web server on this machine: path -> content; `faults` are (status, share of the body sent) of first answers."""

    def __init__(self, content: dict[str, bytes], faults: list[tuple[int, float]], ranges: bool) -> None:
        self.content, self.faults, self.ranges = content, faults, ranges
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/{path}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        body = self.content.get(path)
        status, share = (200, 1.0) if body is not None else (404, 1.0)
        if body is not None and request.command == "GET":
            self.asked.append(path)
            status, share = self.faults.pop(0) if self.faults else (status, share)
        body = body or b""
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", "")) if self.ranges else None
        if part:
            body, status = body[int(part[1]) : int(part[2]) + 1], 206
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body[: int(len(body) * share)])
        request.close_connection = share < 1

    def stop(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

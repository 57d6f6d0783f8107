"""A web server on this machine that misbehaves, within limits."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

FLOOD_BYTES = 64 << 20
"""What a server that never ends sends before it does."""
LASTS_S = 60
"""As long as a server may live that never ends."""


class Flood:
    """A web server on this machine that answers each request as `script(request, send)` likes, within limits."""

    def __init__(self, script: Callable) -> None:
        self.asked: list[str] = []
        self.sent = 0
        self.done = threading.Event()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                lines: list[str] = []
                while (line := self.rfile.readline().decode("latin-1").strip()) and len(lines) < 100:
                    lines.append(line)
                if not lines:
                    return
                outer.asked.append(lines[0].split()[1])
                headers = dict(line.lower().split(": ", 1) for line in lines[1:])
                with suppress(OSError):  # the reader has had enough
                    script((outer.asked[-1], headers), self.send)

            def send(self, data: bytes) -> None:
                if outer.sent > FLOOD_BYTES or outer.done.is_set():
                    raise OSError
                self.wfile.write(data)
                outer.sent += len(data)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.alarm = threading.Timer(LASTS_S, self.done.set)
        self.alarm.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/{path}"

    def stop(self) -> None:
        self.done.set()
        self.alarm.cancel()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def flood() -> Iterator[Callable[[Callable], Flood]]:
    servers: list[Flood] = []

    def start(script: Callable) -> Flood:
        servers.append(Flood(script))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def until_enough(send: Callable, block: bytes) -> None:
    while True:
        send(block)


def ok(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""]).encode()

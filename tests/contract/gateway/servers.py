"""Real servers for the engine: the embedded institutions in threads, and one that does what no institution should."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import uvicorn

from institutions.config import Config
from institutions.serve import build


@contextmanager
def institutions(names: list[str], config: Config) -> Iterator[dict[str, str]]:
    """Serve institutions on free ports; id -> URL."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []
    urls: dict[str, str] = {}
    for name in names:
        listening = socket.create_server(("127.0.0.1", 0))
        urls[name] = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = uvicorn.Config(build(name, config), access_log=False, log_level="warning", http="h11")
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        servers.append((server, thread))
    try:
        deadline = time.monotonic() + 10
        while not all(server.started for server, _ in servers):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield urls
    finally:
        for server, _ in servers:
            server.should_exit = True
        for _, thread in servers:
            thread.join(10)


@dataclass
class Hooks:
    """Takes institutions' callbacks, as many as come."""

    url: str
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def about(self, text: str, number: int = 1) -> tuple[dict[str, str], bytes]:
        """Headers and body of the nth message that has a text in it, once it is there."""

        def found() -> list[tuple[dict[str, str], bytes]]:
            return [one for one in self.received if text.encode() in one[1]]

        with self.changed:
            assert self.changed.wait_for(lambda: len(found()) >= number, 10), len(self.received)
            return found()[number - 1]


@contextmanager
def hooks() -> Iterator[Hooks]:
    """A server for callbacks."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with state.changed:
                state.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                state.changed.notify_all()
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state = Hooks(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@dataclass
class Rogue:
    """A server that answers each connection by a function of its own."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    """The first bytes of each."""


@contextmanager
def rogue(answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[Rogue]:
    """Serve one connection after the other until told to stop."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = Rogue(f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}")

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    def serve_one(connection: socket.socket) -> None:
        try:
            with tls.wrap_socket(connection, server_side=True) if tls else connection as one:
                one.settimeout(10)
                server.requests.append(one.recv(65_536))
                answer(one)
        except OSError:
            pass  # the client had enough, or was not let in

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def says(body: bytes, *more: str, status: str = "200 OK") -> Callable[[socket.socket], None]:
    """Answer with a body and further header lines."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *more, "", ""])
    return lambda connection: connection.sendall(head.encode() + body)

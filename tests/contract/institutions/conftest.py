"""A configuration, a client for each institution, and a platform that takes callbacks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from institutions.config import Config, default_document, parse
from institutions.population import Firm, Population
from institutions.serve import build

AS_OF = date(2026, 11, 21)


@dataclass
class Platform:
    """A real HTTP server that keeps what it is told; ``answers`` are used up before it says 200."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        with self.changed:
            self.received.append(({**headers, ":path": path}, body))
            self.changed.notify_all()
            return self.answers.pop(0) if self.answers else 200

    def wait_for(self, count: int, seconds: float = 10.0) -> list[dict[str, Any]]:
        """The bodies of the first ``count`` messages, once they are there."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, seconds), self.received
            return [json.loads(body) for _, body in self.received[:count]]


@pytest.fixture
def platform() -> Iterator[Platform]:
    state = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = state.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        do_PUT = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def document(platform: Platform, tmp_path: Path) -> dict[str, Any]:
    return default_document(callback_url=platform.url, state_dir=str(tmp_path), as_of=AS_OF.isoformat())


@pytest.fixture
def config(document: dict[str, Any]) -> Config:
    return parse(document)


@pytest.fixture
def client(config: Config) -> Iterator[Callable[[str], TestClient]]:
    """Opens institutions in process, their background work included."""
    opened: list[TestClient] = []

    def open_institution(name: str) -> TestClient:
        one = TestClient(build(name, config), follow_redirects=False)
        one.__enter__()
        opened.append(one)
        return one

    yield open_institution
    for one in opened:
        one.__exit__(None, None, None)


@pytest.fixture
def firm() -> Callable[[str], Firm]:
    return lambda persona: Population(7).persona(persona, AS_OF)

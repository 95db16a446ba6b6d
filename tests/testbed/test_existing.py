"""Which LocalStack is taken, and how the institutions are reached from containers."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from localstack_host import relay
from localstack_host.existing import endpoint_from, identity, issuer_of

pytestmark = pytest.mark.thorough


@contextmanager
def serving(answers: dict[str, str]) -> Iterator[str]:
    """A server on a free port that answers these paths with these bodies, all others with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, "http://localhost:4566"),
        ({"LOCALSTACK_HOST": "stack.example:4600"}, "http://stack.example:4600"),
        ({"LOCALSTACK_HOST": "stack.example"}, "http://stack.example:4566"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1/", "LOCALSTACK_HOST": "other"}, "http://127.0.0.1:1"),
    ],
)
def test_endpoint(environment: dict[str, str], endpoint: str) -> None:
    assert endpoint_from(environment) == endpoint


def test_localstack_is_recognised() -> None:
    with serving({"/_localstack/health": '{"services": {}, "edition": "pro", "version": "2026.1"}'}) as endpoint:
        assert identity(endpoint) == "LocalStack 2026.1 (edition pro)"


def test_ministack_is_not_taken_for_it() -> None:
    health = '{"services": {}, "edition": "light", "version": "1.5.33"}'
    with serving({"/_localstack/health": health, "/_ministack/health": health}) as endpoint:
        assert identity(endpoint) is None


@pytest.mark.parametrize("body", [None, "", "[]", "{}", "no json"])
def test_others_are_not_taken_for_it(body: str | None) -> None:
    with serving({} if body is None else {"/_localstack/health": body}) as endpoint:
        assert identity(endpoint) is None


def test_nobody_there() -> None:
    assert identity("http://127.0.0.1:1") is None


def test_issuer_is_read_from_the_token() -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"iss": "http://issuer.example/pool"}).encode()).decode().rstrip("=")
    assert issuer_of(f"e30.{payload}.signature") == "http://issuer.example/pool"


def test_relay_passes_on_to_the_same_port() -> None:
    async def check() -> bytes:
        async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        inner = await asyncio.start_server(upper, "127.0.0.1", 0)
        port = inner.sockets[0].getsockname()[1]
        relaying = asyncio.create_task(relay.serve("127.0.0.2", [port]))
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.2", port)
        writer.write(b"hello\n")
        answer = await reader.read()
        writer.close()
        relaying.cancel()
        with suppress(asyncio.CancelledError):
            await relaying
        inner.close()
        return answer

    assert asyncio.run(asyncio.wait_for(check(), 5)) == b"HELLO\n"

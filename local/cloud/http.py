"""A small HTTP/1.1 server for one ASGI application on the loopback interface.

Upstream serves MiniStack by hypercorn and h11: several hundred microseconds of Python per request. The emulator has
local SDK clients only, so this server supports just what they send: keep-alive, bodies with a length or in chunks, and
``Expect: 100-continue``. No TLS, no HTTP/2, no WebSockets.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

logger = logging.getLogger("cloud.http")

Application = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]
Fast = Callable[[str, str, dict[str, str], bytes], Awaitable[tuple[int, dict[str, Any], bytes | str] | None]]

_LIMIT = 64 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class BadRequest(Exception):
    """The bytes on the connection are not an HTTP request that this server supports."""


class Request:
    """One parsed request: method, target, headers as sent, and the whole body."""

    __slots__ = ("body", "headers", "keep_alive", "method", "target")

    def __init__(self, method: str, target: str, headers: list[tuple[bytes, bytes]], keep_alive: bool) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.keep_alive = keep_alive
        self.body = b""

    def header_map(self) -> dict[str, str]:
        """Headers by lower-case name; repeated ones are joined with commas (RFC 9110 5.2)."""
        found: dict[str, str] = {}
        for name, value in self.headers:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
        return found


class Connection:
    """Handles the requests of one client connection in order."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, app: Application, fast: Fast
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.app = app
        self.fast = fast

    async def serve(self) -> None:
        """Answer requests until the client closes the connection or asks for it."""
        try:
            while (request := await self._read()) is not None:
                await self._answer(request)
                if not request.keep_alive:
                    break
        except BadRequest as problem:
            self._head(400, [(b"content-length", b"0")], keep_alive=False)
            logger.warning("refused a request: %s", problem)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has disconnected
        finally:
            self.writer.close()

    async def _read(self) -> Request | None:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            if end.partial.strip():
                raise BadRequest("connection closed inside the headers") from end
            return None
        except asyncio.LimitOverrunError as long:
            raise BadRequest("headers are too long") from long
        lines = head[:-4].split(b"\r\n")
        try:
            method, target, version = lines[0].decode("ascii").split(" ")
            headers = [
                (name.strip().lower(), value.strip()) for name, value in (line.split(b":", 1) for line in lines[1:])
            ]
        except ValueError as odd:
            raise BadRequest("malformed request line or header") from odd
        fields = dict(headers)
        closes = fields.get(b"connection", b"").lower() == b"close" or version == "HTTP/1.0"
        request = Request(method, target, headers, not closes)
        if fields.get(b"expect", b"").lower() == b"100-continue":
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fields.get(b"transfer-encoding", b"").lower().endswith(b"chunked"):
            request.body = await self._chunks()
        elif length := fields.get(b"content-length"):
            if not length.isdigit():
                raise BadRequest("malformed content-length")
            request.body = await self.reader.readexactly(int(length))
        return request

    async def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            try:
                size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
            except ValueError as odd:
                raise BadRequest("malformed chunk size") from odd
            if size == 0:
                while await self.reader.readuntil(b"\r\n") != b"\r\n":
                    pass  # MiniStack reads no trailers
                return b"".join(parts)
            parts.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)

    async def _answer(self, request: Request) -> None:
        answer = await self.fast(request.method, request.target, request.header_map(), request.body)
        if answer is None:
            await self._run_application(request)
            return
        status, headers, body = answer
        data = body.encode() if isinstance(body, str) else body
        fields = [(key.lower().encode("latin-1"), str(value).encode("latin-1")) for key, value in headers.items()]
        fields.append((b"content-length", str(len(data)).encode()))
        self._head(status, fields, request.keep_alive, data)

    def _head(self, status: int, headers: list[tuple[bytes, bytes]], keep_alive: bool, body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}".encode()]
        lines += [name + b": " + value for name, value in headers]
        if not keep_alive:
            lines.append(b"connection: close")
        self.writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    async def _run_application(self, request: Request) -> None:
        path, _, query = request.target.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
            "method": request.method, "path": unquote(path), "raw_path": path.encode(),
            "query_string": query.encode(), "headers": request.headers,
            "client": self.writer.get_extra_info("peername"), "server": self.writer.get_extra_info("sockname"),
        }  # fmt: skip
        exchange = _Exchange(self, request)
        # A fresh context: MiniStack keeps account, region and call depth in context variables and does not reset them
        # for a request without credentials.
        await asyncio.create_task(self._in_fresh_context(scope, exchange), context=contextvars.Context())
        await exchange.finish()

    async def _in_fresh_context(self, scope: dict[str, Any], exchange: _Exchange) -> None:
        await self.app(scope, exchange.receive, exchange.send)


class _Exchange:
    """The ASGI side of one request."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self.connection = connection
        self.request = request
        self.given = False
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.started = False
        self.chunked = False
        self.done = False

    async def receive(self) -> dict[str, Any]:
        if not self.given:
            self.given = True
            return {"type": "http.request", "body": self.request.body, "more_body": False}
        await self.connection.reader.read(0)
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", []))
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if not self.started:
            self._start(body, more)
        elif self.chunked and body:
            self.connection.writer.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
        elif body:
            self.connection.writer.write(body)
        if not more and self.chunked and not self.done:
            self.connection.writer.write(b"0\r\n\r\n")
        self.done = not more
        if more or len(body) > _LIMIT:
            await self.connection.writer.drain()

    def _start(self, body: bytes, more: bool) -> None:
        self.started = True
        bodiless = self.request.method == "HEAD" or self.status in (204, 304)
        has_length = any(name.lower() == b"content-length" for name, _ in self.headers)
        if not has_length and not bodiless:
            self.chunked = more
            self.headers.append(
                (b"transfer-encoding", b"chunked") if more else (b"content-length", str(len(body)).encode())
            )
        if self.chunked and body:
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n"
        self.connection._head(self.status, self.headers, self.request.keep_alive, b"" if bodiless else body)

    async def finish(self) -> None:
        """Answer 500 if the application ended without an answer, and flush the connection."""
        if not self.started:
            self.connection._head(500, [(b"content-length", b"0")], self.request.keep_alive)
        await self.connection.writer.drain()


async def serve(app: Application, fast: Fast, host: str, port: int, stop: asyncio.Event) -> None:
    """Run the ASGI lifespan and serve connections until ``stop`` is set.

    Raises:
        OSError: the port cannot be bound.
    """
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    ready, ended = asyncio.Event(), asyncio.Event()

    async def lifespan_send(message: dict[str, Any]) -> None:
        (ready if message["type"].startswith("lifespan.startup") else ended).set()

    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(reader, writer, app, fast).serve()

    lifespan = asyncio.ensure_future(app({"type": "lifespan"}, inbox.get, lifespan_send))
    tasks.add(lifespan)
    await inbox.put({"type": "lifespan.startup"})
    await ready.wait()
    server = await asyncio.start_server(connected, host, port, limit=_LIMIT, backlog=512)
    await stop.wait()
    server.close()
    await inbox.put({"type": "lifespan.shutdown"})
    await asyncio.wait_for(ended.wait(), timeout=15)

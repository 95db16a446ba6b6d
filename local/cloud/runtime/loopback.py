"""Short path from a worker's SDK to the emulator: plain HTTP on loopback, one write and one read per call.

Half of a call's cost is in urllib3 and the standard HTTP client, which support TLS, proxies, redirects and odd servers.
Calls of AWS JSON services, and whole S3 objects, need none of that here. botocore still retries and parses; anything
unexpected before an answer begins, and all other calls, go through urllib3. A sixth of the cost is signing, which the
emulator does not check: a call names caller, service and region without a signature; a presigned URL is signed.
Standard library only; botocore is the function's own.
"""

from __future__ import annotations

import collections
import io
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

_MOST_IDLE = 10
_READ = 65536
_BODILESS = (204, 304)


class _Body(io.BytesIO):
    """An answer's body as botocore reads it from urllib3."""

    def stream(self) -> Iterator[bytes]:
        yield self.getvalue()


class Loopback:
    """Sends calls over persistent connections.

    Args:
        upstream: botocore's own method, unbound.
        botocore: returns its modules by name.
    """

    def __init__(self, upstream: Callable[[Any, Any], Any], botocore: Callable[[str], Any]) -> None:
        self._upstream = upstream
        self._response: Any = botocore("awsrequest").AWSResponse
        self._errors: Any = botocore("exceptions")
        self._idle: dict[str, collections.deque[socket.socket]] = collections.defaultdict(collections.deque)

    def send(self, session: Any, request: Any) -> Any:
        """Send a prepared request; returns an answer or raises one of botocore's errors."""
        place, content = urllib.parse.urlsplit(request.url), _content(request)
        if place.scheme != "http" or content is None:
            return self._upstream(session, request)
        timeout = getattr(session._timeout, "read_timeout", session._timeout)
        idle = self._idle[place.netloc]
        try:
            connection = idle.pop() if idle else _connect(place.hostname or "", place.port or 80)
        except OSError:
            return self._upstream(session, request)  # which reports the error as botocore does
        try:
            connection.settimeout(timeout)
            connection.sendall(_head(request, place) + content)
            first = connection.recv(_READ)
            if not first:
                raise ConnectionError("closed while idle")
        except TimeoutError as error:
            connection.close()
            raise self._errors.ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except OSError:
            connection.close()
            return self._upstream(session, request)
        try:
            status, headers, body = _answer(connection, first)
        except TimeoutError as error:
            connection.close()
            raise self._errors.ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, ValueError, KeyError) as error:
            connection.close()
            raise self._errors.ConnectionClosedError(endpoint_url=request.url, error=error) from error
        if headers.get("connection") != "close" and len(idle) < _MOST_IDLE:
            idle.append(connection)
        else:
            connection.close()
        answer = self._response(request.url, status, headers, _Body(body))
        if not request.stream_output:
            answer.content  # noqa: B018 - read at once, as urllib3's way does
        return answer


def shorten(module: Callable[[str], Any]) -> None:
    """Install the short path in front of botocore's own, for all sessions of this process and its children.

    Args:
        module: imports a module by its name.
    """
    session = module("botocore.httpsession").URLLib3Session
    loopback = Loopback(session.send, lambda name: module(f"botocore.{name}"))
    session.send = lambda self, request: loopback.send(self, request)
    name_caller(module("botocore.signers").RequestSigner, module("botocore").UNSIGNED)


def name_caller(signer: Any, unsigned: Any) -> None:
    """Let calls over plain HTTP name their caller, as a signature does, without signing."""
    upstream = signer.handler  # calls only: URLs are presigned by another method

    def handler(self: Any, operation_name: str, request: Any, **more: Any) -> None:
        credentials = self._credentials and self._credentials.get_frozen_credentials()
        if (
            not credentials
            or not request.url.startswith("http://")
            or self._choose_signer(operation_name, "standard", request.context) == unsigned
        ):
            upstream(self, operation_name, request, **more)
            return
        context = request.context.get("signing", {})
        service, region = context.get("signing_name", self._signing_name), context.get("region", self._region_name)
        scope = f"{credentials.access_key}/{time.strftime('%Y%m%d', time.gmtime())}/{region}/{service}/aws4_request"
        request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"
        if credentials.token:
            request.headers["X-Amz-Security-Token"] = credentials.token

    signer.handler = handler


def _content(request: Any) -> bytes | None:
    """The body of a request that may take the short path; it can be read again for the long one."""
    headers, body = request.headers, request.body
    if "X-Amz-Target" not in headers and request.method not in ("GET", "PUT"):
        return None
    if "Transfer-Encoding" in headers:
        return None
    if body is None or body == "":
        return b""
    if type(body) is io.BytesIO:
        start = body.tell()
        content = body.read()
        body.seek(start)
        return content
    return body if type(body) is bytes else None


def _connect(host: str, port: int) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=3)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _head(request: Any, place: urllib.parse.SplitResult) -> bytes:
    target = place.path or "/"
    lines = [f"{request.method} {target}{'?' + place.query if place.query else ''} HTTP/1.1\r\nHost: {place.netloc}"]
    for name, value in request.headers.items():
        if name.lower() == "expect":
            continue  # the body is sent without waiting
        lines.append(f"{name}: {value.decode('latin-1') if isinstance(value, bytes) else value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _answer(connection: socket.socket, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name, and the whole body."""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    status, *lines = data[:end].decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    code, rest = int(status.split(" ", 2)[1]), data[end + 4 :]
    if code in _BODILESS:
        return code, headers, b""
    if headers.get("transfer-encoding") == "chunked":
        return code, headers, _chunks(connection, rest)
    return code, headers, _up_to(connection, rest, int(headers["content-length"]))


def _chunks(connection: socket.socket, data: bytes) -> bytes:
    parts: list[bytes] = []
    while True:
        while (end := data.find(b"\r\n")) < 0:
            data += _more(connection)
        size = int(data[:end].split(b";")[0], 16)
        data = _up_to(connection, data[end + 2 :], size + 2)
        if size == 0:
            return b"".join(parts)
        parts.append(data[:size])
        data = data[size + 2 :]


def _up_to(connection: socket.socket, data: bytes, size: int) -> bytes:
    """At least ``size`` bytes, starting with ``data``."""
    parts, have = [data], len(data)
    while have < size:
        parts.append(_more(connection))
        have += len(parts[-1])
    return b"".join(parts) if len(parts) > 1 else data


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(_READ)
    if not part:
        raise ConnectionError("closed during an answer")
    return part

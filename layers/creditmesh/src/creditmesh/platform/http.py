"""HTTP calls to institutions: deadlines, limited size of answers, no redirects, named errors."""

from __future__ import annotations

import json
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

from creditmesh.kernel.errors import Parameter
from creditmesh.kernel.reasons import Unusable
from creditmesh.platform.deadline import Watch, watched

MAX_ANSWER_BYTES = 4 * 1024 * 1024
LONGEST_RETRY_AFTER = 3600
_CHUNK = 64 * 1024
_GZIP = zlib.MAX_WBITS | 16
_MOST_MEMBERS = 100
"""Each takes time for all that follow it, however little it holds."""


FAULTS = {
    "answer_not_json": "the answer is not JSON",
    "answer_too_long": "the answer is too long",
    "answered": "answered {status}",
    "body_damaged": "no answer: the body is damaged",
    "body_truncated": "no answer: the body was truncated",
    "body_too_slow": "no answer: the body takes too long",
    "issuer_not_discovered": "the issuer's discovery document is not its own",
    "issuer_keys_unreadable": "the issuer's key set cannot be read",
    "no_answer": "no answer: {error}",
    "no_webhook_secret": "has no webhook secret",
    "not_in_directory": "is not in the directory",
    "timed_out": "no answer: timed out",
    "unknown_encoding": "no answer: the body has an unknown content encoding",
}
"""Why an institution gave no usable answer: sentences by code."""


class InstitutionUnavailable(Unusable):
    """No usable answer: refused connection, time-out, 429 or 5xx, an answer too long or not JSON. Worth a retry."""

    code = "institution_unavailable"
    SENTENCES = FAULTS

    def __init__(
        self,
        fault: str,
        *,
        sent: bool = True,
        status: int | None = None,
        retry_after: int | None = None,
        **parameters: Parameter,
    ) -> None:
        super().__init__(fault, **parameters, **({} if status is None else {"status": status}))
        self.sent, self.status, self.retry_after = sent, status, retry_after
        """`sent`: the request may have reached the institution; False only if no connection was made."""


@dataclass(frozen=True)
class Answer:
    """The answer with its body as received; header names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            InstitutionUnavailable: not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise InstitutionUnavailable("answer_not_json") from None


class HttpClient:
    """Connection pools for all institutions.

    Args:
        connect_seconds, total_seconds: defaults of `call`; the last byte of the body must arrive within the latter.
        monotonic: clock in seconds, for the deadline.
    """

    def __init__(
        self,
        connect_seconds: float = 2.0,
        total_seconds: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect_seconds, self._total_seconds, self._monotonic = connect_seconds, total_seconds, monotonic
        self._pools: dict[ssl.SSLContext | None, urllib3.PoolManager] = {}

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        connect_seconds: float | None = None,
        total_seconds: float | None = None,
        answer_bytes: int = MAX_ANSWER_BYTES,
        tls: ssl.SSLContext | None = None,
        is_answer: Callable[[Answer], bool] = lambda answer: answer.status != 429 and answer.status < 500,
    ) -> Answer:
        """Make one call, without retries.

        Args:
            is_answer: False for answers that mean that the institution is in trouble.

        Raises:
            InstitutionUnavailable: see the class.
        """
        total = total_seconds or self._total_seconds
        deadline = self._monotonic() + total
        timeout = urllib3.Timeout(connect=min(connect_seconds or self._connect_seconds, total), read=total)
        with Watch(total) as watch:
            try:
                response = self._pool(tls).request(
                    method, url, headers=dict(headers), body=body, redirect=False, preload_content=False,
                    timeout=timeout, retries=False,
                )  # fmt: skip
                content = self._body(response, deadline, answer_bytes)
            except urllib3.exceptions.HTTPError as error:
                if watch.over:
                    raise InstitutionUnavailable("timed_out", sent=_reached(error)) from None
                kind = type(error).__name__
                raise InstitutionUnavailable("no_answer", sent=_reached(error), error=kind) from None
            if watch.over:  # what looks like the end of the body may be our shutdown
                raise InstitutionUnavailable("timed_out")
        given = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status, content, given)
        if not is_answer(answer):
            pause = _seconds(given.get("retry-after", ""))
            raise InstitutionUnavailable("answered", status=response.status, retry_after=pause)
        return answer

    def _pool(self, tls: ssl.SSLContext | None) -> urllib3.PoolManager:
        if tls not in self._pools:
            extra: dict[str, Any] = {"ssl_context": tls} if tls else {}
            self._pools[tls] = watched(urllib3.PoolManager(num_pools=16, maxsize=16, retries=False, **extra))
        return self._pools[tls]

    def _body(self, response: urllib3.BaseHTTPResponse, deadline: float, limit: int) -> bytes:
        """Read the whole body within size limit and deadline, however slowly it arrives; urllib3 checks its length."""
        parts, size = [], 0
        while chunk := response.read1(_CHUNK, decode_content=False):
            parts.append(chunk)
            size += len(chunk)
            fault = "answer_too_long" if size > limit else ""
            if not fault and self._monotonic() > deadline:
                fault = "body_too_slow"
            if fault:
                response.close()
                raise InstitutionUnavailable(fault)
        response.release_conn()
        return unpacked(b"".join(parts), response.headers.get("content-encoding", ""), limit)


def unpacked(content: bytes, encodings: str, limit: int) -> bytes:
    """A body without its content encodings (RFC 9110, 8.4).

    urllib3 would return what it can read of a truncated body.

    Raises:
        InstitutionUnavailable: incomplete or damaged, not so encoded, or more than `limit` bytes.
    """
    for name in reversed([name.strip().lower() for name in encodings.split(",")]):
        if name in ("gzip", "x-gzip"):
            content = _inflated(content, _GZIP, limit)
        elif name == "deflate":
            # Some servers leave out the header of zlib (RFC 1950, 2.2).
            headed = len(content) > 1 and content[0] & 15 == 8 and int.from_bytes(content[:2]) % 31 == 0
            content = _inflated(content, zlib.MAX_WBITS if headed else -zlib.MAX_WBITS, limit)
        elif name not in ("", "identity"):
            raise InstitutionUnavailable("unknown_encoding")
    return content


def _inflated(content: bytes, window_bits: int, limit: int) -> bytes:
    """All of a compressed body, which is complete; only gzip has several members (RFC 1952, 2.2)."""
    parts, size = [], 0
    while content:
        member = zlib.decompressobj(window_bits)
        try:
            parts.append(member.decompress(content, limit - size + 1))
        except zlib.error:
            raise InstitutionUnavailable("body_damaged") from None
        size += len(parts[-1])
        if size > limit or len(parts) > _MOST_MEMBERS:
            raise InstitutionUnavailable("answer_too_long")
        if not member.eof:
            raise InstitutionUnavailable("body_truncated")
        content = member.unused_data
        if content and window_bits != _GZIP:
            raise InstitutionUnavailable("body_damaged")
    return b"".join(parts)


def _reached(error: Exception) -> bool:
    """Whether the other side may have read the request before the error."""
    return not isinstance(error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _seconds(text: str) -> int | None:
    """A Retry-After in seconds; dates are ignored."""
    return min(int(text), LONGEST_RETRY_AFTER) if text.isascii() and text.isdigit() and len(text) < 8 else None

"""Middleware of every institution: counts calls, adds latency, applies faults."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from institutions.faults import REQUEST_KINDS, Fault, Faults
from institutions.spoil import GARBAGE, drifted, huge, recoded, refusal, xml_bomb

_CHARSET = re.compile(r"charset=([\w-]+)", re.IGNORECASE)


def is_testers(scope: Scope) -> bool:
    """Paths that begin with ``/_`` are for testers: never counted, delayed or spoiled."""
    return scope["type"] != "http" or str(scope.get("path", "")).startswith("/_")


class CallCounter:
    """Counts requests by method and path, spoiled or not."""

    def __init__(self, app: ASGIApp, calls: Counter[str], latency_ms: int) -> None:
        self._app = app
        self._calls = calls
        self._latency = latency_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count one request and delay it as configured."""
        if not is_testers(scope):
            self._calls[f"{scope['method']} {scope['path']}"] += 1
            if self._latency:
                await asyncio.sleep(self._latency)
        await self._app(scope, receive, send)


class FaultMiddleware:
    """Applies ordered faults."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = None if is_testers(scope) else self._faults.take(REQUEST_KINDS, str(scope["path"]))
        if fault is None:
            await self._app(scope, receive, send)
            return
        instead = _instead(fault, scope)
        if instead is not None:
            await instead(scope, receive, send)
        elif fault.kind == "delay":
            await asyncio.sleep(fault.delay_ms / 1000)
            await self._app(scope, receive, send)
        else:
            start, body = await self._answer(scope, receive)
            await _send_spoiled(fault, start, body, send)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """The institution's real answer, with all effects of the request."""
        start: list[Message] = []
        pieces: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
            elif message["type"] == "http.response.body":
                pieces.append(message.get("body", b""))

        await self._app(scope, receive, keep)
        return start[0], b"".join(pieces)


def _instead(fault: Fault, scope: Scope) -> Response | None:
    """The answer instead of the institution's, without any effect."""
    if fault.kind == "status":
        return refusal(fault)
    if fault.kind == "garbage":
        return Response(GARBAGE, media_type="application/json")
    if fault.kind == "huge":
        return huge(fault.megabytes, xml=b"xml" in dict(scope["headers"]).get(b"content-type", b""))
    if fault.kind == "xml_bomb":
        return xml_bomb()
    if fault.kind == "redirect":
        return RedirectResponse(fault.location or "", status_code=302)
    return None


async def _send_spoiled(fault: Fault, start: Message, body: bytes, send: Send) -> None:
    kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    if fault.kind == "cut":
        # The rest never comes: the server closes the connection after this.
        declared = (b"content-length", str(max(len(body), 2)).encode())
        await send({**start, "headers": [*kept, declared]})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        return
    found = _CHARSET.search(dict(kept).get(b"content-type", b"").decode("latin-1"))
    charset = found[1] if found else "utf-8"
    if body:
        body = (
            recoded(body, charset) if fault.kind == "wrong_charset" else drifted(body, charset, fault.field, fault.how)
        )
    await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})

"""Faults on demand, the same for every institution: the next N requests or callbacks go wrong as ordered."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

REQUEST_KINDS = ("delay", "status", "garbage")
OUTGOING_KINDS = ("wrong_signature", "drop", "fail_disbursement")
LONGEST_DELAY_MS = 120_000
_GARBAGE = b'{"basics": {"taxpayer_id": <html><body>502 Bad Gateway'


@dataclass
class Fault:
    """One order: what goes wrong, how many times still, and where (a path prefix, or a callback's type)."""

    id: int
    kind: str
    count: int
    path: str | None
    status: int
    delay_ms: int


class FaultRefused(ValueError):
    """Raised when an order for a fault is malformed; the text names the field."""


class Faults:
    """The faults on order; they live in memory, so a restart heals the institution."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []
        self._ids = itertools.count(1)

    def order(self, document: Mapping[str, Any]) -> Fault:
        """Take an order.

        Raises:
            FaultRefused: a field is malformed.
        """
        kind, path = document.get("kind"), document.get("path")
        if kind not in REQUEST_KINDS + OUTGOING_KINDS:
            raise FaultRefused("kind")
        if path is not None and not isinstance(path, str):
            raise FaultRefused("path")
        fault = Fault(
            id=next(self._ids),
            kind=str(kind),
            count=_whole(document, "count", 1, 1, 1_000_000),
            path=path,
            status=_whole(document, "status", 503, 400, 599),
            delay_ms=_whole(document, "delay_ms", 2_000, 0, LONGEST_DELAY_MS),
        )
        self._orders.append(fault)
        return fault

    def pending(self) -> list[Fault]:
        """The orders not used up."""
        return list(self._orders)

    def clear(self) -> None:
        """Cancel every order."""
        self._orders.clear()

    def take(self, kinds: tuple[str, ...], path: str) -> Fault | None:
        """Use up one count of the oldest order that fits, if any."""
        for fault in self._orders:
            if fault.kind in kinds and (fault.path is None or path.startswith(fault.path)):
                fault.count -= 1
                if fault.count == 0:
                    self._orders.remove(fault)
                return fault
        return None


class FaultMiddleware:
    """Spoils requests as ordered; paths that begin with ``/_`` are for the tester and never spoiled."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, spoiled or not."""
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or path.startswith("/_"):
            await self._app(scope, receive, send)
            return
        fault = self._faults.take(REQUEST_KINDS, path)
        if fault is not None and fault.kind == "status":
            await JSONResponse({"error": "fault_on_demand"}, status_code=fault.status)(scope, receive, send)
        elif fault is not None and fault.kind == "garbage":
            await Response(_GARBAGE, media_type="application/json")(scope, receive, send)
        else:
            if fault is not None:
                await asyncio.sleep(fault.delay_ms / 1000)
            await self._app(scope, receive, send)


def fault_routes(faults: Faults) -> list[Route]:
    """``POST``, ``GET`` and ``DELETE /_faults``, and ``GET /_health``."""

    async def create(request: Request) -> Response:
        try:
            document = json.loads(await request.body())
            if not isinstance(document, dict):
                raise FaultRefused("body")
            return JSONResponse(asdict(faults.order(document)), status_code=201)
        except FaultRefused as refusal:
            return JSONResponse({"error": "invalid_fault", "field": str(refusal)}, status_code=400)
        except ValueError:
            return JSONResponse({"error": "invalid_json", "field": "body"}, status_code=400)

    async def show(_: Request) -> Response:
        return JSONResponse({"faults": [asdict(fault) for fault in faults.pending()]})

    async def clear(_: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return [
        Route("/_faults", create, methods=["POST"]),
        Route("/_faults", show, methods=["GET"]),
        Route("/_faults", clear, methods=["DELETE"]),
        Route("/_health", health, methods=["GET"]),
    ]


def _whole(document: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = document.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FaultRefused(name)
    return value

"""Routes for testers, the same at every institution: faults, call counts, health."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from institutions.faults import FaultRefused, Faults


def testing_routes(faults: Faults, calls: Counter[str]) -> list[Route]:
    """``POST``, ``GET`` and ``DELETE /_faults``, ``GET`` and ``DELETE /_calls``, ``GET /_health``."""

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

    async def show_calls(_: Request) -> Response:
        return JSONResponse({"calls": dict(calls), "count": calls.total()})

    async def forget_calls(_: Request) -> Response:
        calls.clear()
        return Response(status_code=204)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return [
        Route("/_faults", create, methods=["POST"]),
        Route("/_faults", show, methods=["GET"]),
        Route("/_faults", clear, methods=["DELETE"]),
        Route("/_calls", show_calls, methods=["GET"]),
        Route("/_calls", forget_calls, methods=["DELETE"]),
        Route("/_health", health, methods=["GET"]),
    ]

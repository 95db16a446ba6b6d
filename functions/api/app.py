"""The API's entry point: `api.app.app` is the Lambda handler. Logging is set up by `observability`, not by Chalice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, Request, Response

from api import (
    applications,
    authorizations,
    channels,
    closing,
    consents,
    cors,
    flows,
    learning,
    ledger,
    lenders,
    lists,
    meta,
    models,
    offers,
    operators,
    rules,
    stuck,
)
from api.routing import to_response
from creditmesh.kernel.errors import NotFound
from creditmesh.kernel.text import shown
from creditmesh.platform.observability import logger
from creditmesh.platform.settings import settings
from creditmesh.platform.web import MethodNotAllowed, Reply, answer

app = Chalice(app_name="creditmesh", configure_logs=False)
for _context in (
    applications,
    authorizations,
    consents,
    offers,
    lenders,
    closing,
    channels,
    flows,
    operators,
    ledger,
    lists,
    learning,
    rules,
    stuck,
    meta,
    models,
):
    app.register_blueprint(_context.blueprint)


@app.middleware("http")
def outermost(request: Request | None, get_response: Callable[[Any], Response]) -> Response:
    """Log each request by route and status; answer requests that reach no view by a problem document or a preflight.

    Pages of the named origin may read every answer.
    """
    if request is None:
        return to_response(answer(NotFound("no such route"), "/"))
    context = request.context
    logger.set_correlation_id(str(context.get("requestId", "")))
    origin = settings().pages_origin
    if origin and request.method == "OPTIONS":
        response = to_response(Reply(204, headers=cors.preflight_headers(origin)))
    else:
        response = _misdirected(request) or get_response(request)
        if origin:
            response.headers.update(cors.answer_headers(origin))
    logger.info(
        "answered",
        extra={
            "method": request.method,
            "route": request.path,
            "status": response.status_code,
            "application_id": shown((request.uri_params or {}).get("application_id") or "") or None,
        },
    )
    return response


def _misdirected(request: Request) -> Response | None:
    instance = str(request.context.get("path") or request.path)
    if request.path not in app.routes:
        return to_response(answer(NotFound("no such route"), instance))
    methods = app.routes[request.path]
    if request.method not in methods:
        response = to_response(
            answer(MethodNotAllowed("{method} is not allowed here", method=request.method), instance)
        )
        response.headers["allow"] = ", ".join(sorted(methods))
        return response
    return None

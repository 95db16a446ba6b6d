"""Gateway responses of REST APIs that an OpenAPI document carries: upstream neither reads nor renders them.

They stand there as ``x-amazon-apigateway-gateway-responses``. Bodies may have one ``$context`` variable, the extended
request id; header values must be quoted literals.
"""

from __future__ import annotations

import io
import json
from typing import Any

from localstack_host import upstream
from localstack_host.config import Config

_KEY = "x-amazon-apigateway-gateway-responses"
_EXTENDED_ID = "$context.extendedRequestId"
_HEADER = "gatewayresponse.header."


def declared(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The gateway responses of an OpenAPI document, in the API's own form."""
    return {
        kind: {
            "responseType": kind, "defaultResponse": False, "statusCode": str(given.get("statusCode") or ""),
            "responseParameters": given.get("responseParameters") or {},
            "responseTemplates": given.get("responseTemplates") or {},
        }
        for kind, given in (document.get(_KEY) or {}).items()
    }  # fmt: skip


def headers(response: dict[str, Any]) -> dict[str, str]:
    """The literal headers of a gateway response."""
    given = response.get("responseParameters") or {}
    return {
        name.removeprefix(_HEADER): str(value).strip("'")
        for name, value in given.items()
        if name.startswith(_HEADER) and str(value).startswith("'")
    }


def apply(_config: Config) -> None:
    """Read them on import, render them on failure."""
    _read_on_import()
    _render_on_failure()


def _read_on_import() -> None:
    upstream_import = upstream.rest_api_provider.import_api_from_openapi_spec

    def import_api(rest_api: Any, context: Any, request: Any) -> Any:
        body = request["body"].read()
        imported = upstream_import(rest_api, context=context, request={**request, "body": io.BytesIO(body)})
        container = upstream.rest_api_provider.get_apigateway_store(context=context).rest_apis[rest_api.id]
        container.gateway_responses.update(declared(json.loads(body)))
        return imported

    upstream.rest_api_provider.import_api_from_openapi_spec = import_api


def _render_on_failure() -> None:
    handler = upstream.rest_api_failures.GatewayExceptionHandler
    upstream_create = handler.create_exception_response

    def create(self: Any, exception: Any, context: Any) -> Any:
        answer = upstream_create(self, exception, context)
        known = context.deployment.rest_api.gateway_responses.get(exception.type) or {}
        body = (known.get("responseTemplates") or {}).get("application/json")
        if body:
            answer.data = body.replace(_EXTENDED_ID, context.context_variables["extendedRequestId"])
        answer.headers.update(headers(known))
        return answer

    handler.create_exception_response = create

"""REST APIs imported from a body (as SAM does for ``AWS::Serverless::Api``): gateway responses, and a stable id.

Upstream ignores ``x-amazon-apigateway-gateway-responses``, does not know ``$context.extendedRequestId`` in them, and
replaces the API whenever its body changes, so that its address changes with every new route. It misses limits of a
method if the path's slashes are written as ``~1``, as CloudFormation wants.

We read the gateway responses, substitute that variable, import a changed body into the existing API, as PutRestApi
does, and find limits under that spelling.
"""

from __future__ import annotations

from typing import Any

from cloud.config import Config
from cloud.upstream import apigateway_v1 as gateway
from cloud.upstream import provisioners

_EXTENDED_ID = b"$context.extendedRequestId"
_RESPONSES = "x-amazon-apigateway-gateway-responses"


def apply(_config: Config) -> None:
    """Wrap import and update of the CloudFormation resource."""
    upstream_import = gateway._import_rest_api
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]
    upstream_update = handlers["update"]

    def import_api(body: dict[str, Any], data: dict[str, Any] | None = None) -> str:
        api_id: str = upstream_import(body, data)
        _import_responses(api_id, body)
        return api_id

    def update(api_id: str, old: dict[str, Any], new: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        body = new.get("Body")
        if isinstance(body, dict) and body != old.get("Body"):
            _overwrite(api_id, body)
            old = {**old, "Body": body}
        return upstream_update(api_id, old, new, *arguments, **named)

    upstream_throttle_settings = gateway._method_throttle_settings
    upstream_answer = gateway._gateway_error_response

    def answer(error: Any, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = upstream_answer(error, request)
        return status, headers, body.replace(_EXTENDED_ID, request["request_id"].encode())

    def throttle_settings(stage: dict[str, Any], path: str, method: str) -> Any:
        own = (stage.get("methodSettings") or {}).get(f"/{path.replace('/', '~1')}/{method}")
        return own or upstream_throttle_settings(stage, path, method)

    gateway._method_throttle_settings = throttle_settings
    gateway._gateway_error_response = answer
    gateway._import_rest_api = import_api
    handlers["update"] = update


def _overwrite(api_id: str, body: dict[str, Any]) -> None:
    resources = gateway._resources[api_id]
    root = next(number for number, resource in resources.items() if resource.get("path") == "/")
    for number in [number for number in resources if number != root]:
        del resources[number]
    resources[root]["resourceMethods"] = {}
    gateway._authorizers_v1[api_id] = {}
    gateway._gateway_responses[api_id] = {}
    gateway._authorizer_cache.clear()
    schemes = gateway._import_security_schemes(api_id, body)
    for path, item in (body.get("paths") or {}).items():
        gateway._import_path_item(api_id, path, item, schemes, body.get("security"))
    _import_responses(api_id, body)


def _import_responses(api_id: str, body: dict[str, Any]) -> None:
    for kind, response in (body.get(_RESPONSES) or {}).items():
        status, _, answer = gateway._put_gateway_response(api_id, kind, response)
        if status >= 300:
            raise ValueError(f"gateway response {kind}: {answer!r}")

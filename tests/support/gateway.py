"""API Gateway before the API's functions, in this process, made from the generated definition."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from api import openapi
from api.app import app
from aws.api_definition import GATEWAY_PROBLEMS, INSTANCE, definition
from closing import receive_webhook
from creditmesh.kernel.caller import Caller
from creditmesh.platform.web import problem
from tests.support.template import ROOT

Json = dict[str, Any]

EVENT = json.loads((ROOT / "tests/events/rest_api_request.json").read_text())
FUNCTIONS: dict[str, Callable[[Json, Any], Json]] = {
    "ApiFunction": app,
    "ReceiveWebhookFunction": receive_webhook.handler,
}
MAX_BYTES = 10 * 1024 * 1024
"""API Gateway's own limit of a request."""


class Context:
    """What Lambda tells a function about its invocation."""

    function_name = "creditmesh-api"
    aws_request_id = "0b7c9c1e-5d55-4a3e-9f57-2f6f2f1d3a11"

    def get_remaining_time_in_millis(self) -> int:
        return 20_000


@cache
def _paths() -> Json:
    paths: Json = definition(openapi.document(app))["paths"]
    return paths


def resource_of(path: str) -> tuple[str | None, dict[str, str]]:
    """The route that a raw path meets, and its decoded parameters; a fixed part goes before a placeholder."""
    parts = path.split("/")
    for template in sorted(_paths(), key=lambda route: route.count("{")):
        named = template.split("/")
        fits = len(named) == len(parts) and all(
            part if name.startswith("{") else name == part for name, part in zip(named, parts, strict=True)
        )
        if fits:
            found = {n[1:-1]: unquote(p) for n, p in zip(named, parts, strict=True) if n.startswith("{")}
            return template, found
    return None, {}


@dataclass
class Gateway:
    """Answers requests as API Gateway does, with the functions behind it."""

    callers: Mapping[str, Caller] = field(default_factory=dict)
    """Who a bearer token stands for; any other is refused as by the authoriser."""

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Json:
        """The answer, in the format of a Lambda proxy integration.

        Args:
            target: raw path and query, as the client sent them.
            headers: by their names in lower case.
        """
        raw, _, query = target.partition("?")
        resource, parts = resource_of(raw)
        operation = _paths().get(resource or "", {}).get(method.lower())
        if resource is None or operation is None:
            return refusal("MISSING_AUTHENTICATION_TOKEN")
        caller = None
        if operation["security"]:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            caller = self.callers.get(token) if scheme.lower() == "bearer" else None
            if caller is None:
                return refusal("UNAUTHORIZED")
        if len(body) > MAX_BYTES:
            return refusal("REQUEST_TOO_LARGE")
        event = _event(method, resource, unquote(raw), parts, headers, query, body)
        if caller:
            event["requestContext"]["authorizer"] = {
                "principalId": caller.subject, "subject": caller.subject, "role": caller.role.value,
                "tenant": caller.tenant,
            }  # fmt: skip
        uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
        function = uri.partition("functions/${")[2].removesuffix(".Arn}/invocations")
        return FUNCTIONS[function](event, Context())


def _event(
    method: str, resource: str, path: str, parts: dict[str, str], headers: Mapping[str, str], query: str, body: bytes
) -> Json:
    event = deepcopy(EVENT)
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    event |= {
        "resource": resource, "path": path, "httpMethod": method, "headers": dict(headers),
        "multiValueHeaders": {name: [text] for name, text in headers.items()},
        "pathParameters": parts or None, "multiValueQueryStringParameters": values or None,
        "queryStringParameters": {name: all_of[-1] for name, all_of in values.items()} or None,
    }  # fmt: skip
    event["requestContext"] |= {"httpMethod": method, "path": f"/prod{path}", "resourcePath": resource}
    # No media type is binary in the definition, so that API Gateway hands bodies over as text.
    event["body"] = body.decode(errors="replace") or None
    return event


def refusal(kind: str) -> Json:
    """An answer of API Gateway's own."""
    instance = INSTANCE.replace("$context.extendedRequestId", EVENT["requestContext"]["extendedRequestId"])
    return problem(*GATEWAY_PROBLEMS[kind], instance).proxy()

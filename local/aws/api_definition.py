"""Generates API Gateway's definition of the API from the declared routes; ``make api`` writes it to `PATH`.

The file contains what API Gateway itself needs: routes, which of them need a token, the functions, and the gateway's
own responses. Schemas are only in the description that the API serves (`api.openapi`): the functions validate requests,
and API Gateway's importer refuses much of JSON Schema.

SAM adds nothing to an included definition, so the authoriser and the gateway responses are here too. Intrinsic
functions have their long form, as ``AWS::Include`` requires.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

from api import cors, openapi
from api.app import app
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound, Unavailable
from creditmesh.platform import web

Json = dict[str, Any]

PATH = Path(__file__).resolve().parents[2] / "infrastructure" / "generated" / "api.yaml"
HEAD = "# Made by `make api` from the routes in functions/api; do not edit.\n"

AUTHORIZER_SECONDS = 300
"""How long API Gateway caches the authoriser's answer for a token."""

# Not the request id, which a client may set.
INSTANCE = "urn:creditmesh:request:$context.extendedRequestId"

_FUNCTION_OF_SCHEME = {"webhookSignature": "ReceiveWebhookFunction"}
_NO_TOKEN = (HTTPStatus.UNAUTHORIZED, web.Unauthenticated.code, "a valid bearer token is needed")
_NO_ROUTE = (HTTPStatus.NOT_FOUND, NotFound.code, "there is no such route")
_INVALID = (HTTPStatus.UNPROCESSABLE_ENTITY, InvalidInput.code, "the request breaks a rule of this route")
_TOO_MANY = (HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", "too many requests; try again later")
_LATER = (HTTPStatus.SERVICE_UNAVAILABLE, Unavailable.code, "try again in a moment")
_FAULT = (HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "an unexpected error happened")

GATEWAY_PROBLEMS: dict[str, tuple[HTTPStatus, str, str]] = {
    "ACCESS_DENIED": (HTTPStatus.FORBIDDEN, Forbidden.code, "the token does not allow this"),
    "API_CONFIGURATION_ERROR": _FAULT,
    "AUTHORIZER_CONFIGURATION_ERROR": _LATER,
    "AUTHORIZER_FAILURE": _LATER,
    "BAD_REQUEST_BODY": _INVALID,
    "BAD_REQUEST_PARAMETERS": _INVALID,
    # Every other type is listed below, so this one remains for an unknown route called with a bearer token: API Gateway
    # takes the token for a malformed AWS signature.
    "DEFAULT_4XX": _NO_ROUTE,
    "DEFAULT_5XX": _FAULT,
    "EXPIRED_TOKEN": _NO_TOKEN,
    "INTEGRATION_FAILURE": _LATER,
    "INTEGRATION_TIMEOUT": _LATER,
    "INVALID_API_KEY": _NO_TOKEN,
    "INVALID_SIGNATURE": _NO_TOKEN,
    "MISSING_AUTHENTICATION_TOKEN": _NO_ROUTE,  # API Gateway's name for an unknown route
    "QUOTA_EXCEEDED": _TOO_MANY,
    "REQUEST_TOO_LARGE": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, web.BodyTooLarge.code, "the request is too large"),
    "RESOURCE_NOT_FOUND": _NO_ROUTE,
    "THROTTLED": _TOO_MANY,
    "UNAUTHORIZED": _NO_TOKEN,
    "UNSUPPORTED_MEDIA_TYPE": (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        web.UnsupportedMediaType.code,
        f"content-type must be {web.JSON}",
    ),
    "WAF_FILTERED": _TOO_MANY,  # the stack's web ACL has only rate limits
}
"""Status, code and detail of every gateway response type."""


def definition(description: Json) -> Json:
    """The definition for API Gateway.

    Args:
        description: the API's OpenAPI document, of `api.openapi.document`.
    """
    paths = {
        path: {method: _operation(operation) for method, operation in methods.items()}
        for path, methods in description["paths"].items()
    }
    # Requests whose method the path lacks go to the greedy path, here every browser's preflight.
    paths["/{proxy+}"] = {"options": _method(["proxy"], "ApiFunction")}
    return {
        "openapi": "3.0.1",
        "info": {"title": {"Fn::Sub": "creditmesh-${Stage}"}, "version": "v1"},
        "paths": paths,
        "components": {"securitySchemes": {"bearer": _authorizer()}},
        "x-amazon-apigateway-gateway-responses": {
            kind: _gateway_response(*said) for kind, said in GATEWAY_PROBLEMS.items()
        },
    }


def _operation(operation: Json) -> Json:
    schemes = [name for requirement in operation["security"] for name in requirement]
    function = next((_FUNCTION_OF_SCHEME[name] for name in schemes if name != "bearer"), "ApiFunction")
    names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
    return _method(names, function, token="bearer" in schemes)


def _method(path_parameters: list[str], function: str, *, token: bool = False) -> Json:
    return {
        "security": [{"bearer": []}] if token else [],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path_parameters
        ],
        "responses": {"200": {"description": "what the function answers"}},
        "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": _invocation(function)},
    }


def _invocation(function: str) -> Json:
    service = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions"
    return {"Fn::Sub": f"{service}/${{{function}.Arn}}/invocations"}


def _authorizer() -> Json:
    return {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {
            "type": "request",
            "identitySource": "method.request.header.Authorization",
            "authorizerResultTtlInSeconds": AUTHORIZER_SECONDS,
            "authorizerUri": _invocation("AuthorizerFunction"),
        },
    }


def _gateway_response(status: HTTPStatus, code: str, detail: str) -> Json:
    reply = web.problem(status, code, detail, INSTANCE)
    # Literals are in single quotes, so they must not contain any.
    headers = {name: text for name, text in reply.all_headers().items() if "'" not in text}
    for_pages = {**headers, **cors.answer_headers("${PagesOrigin}")}
    return {
        "statusCode": int(status),
        "responseParameters": {"Fn::If": ["HasPagesOrigin", _literals(for_pages), _literals(headers)]},
        "responseTemplates": {"application/json": reply.body},
    }


def _literals(headers: dict[str, str]) -> Json:
    return {
        f"gatewayresponse.header.{name.title()}": {"Fn::Sub": f"'{text}'"} if "${" in text else f"'{text}'"
        for name, text in headers.items()
    }


def written(document: Json) -> str:
    """A definition as YAML, one line per method, for readable diffs."""
    return HEAD + "\n".join(_lines(document, 3)) + "\n"


def _lines(document: Json, levels: int) -> list[str]:
    lines = []
    for name, value in document.items():
        key = name if re.fullmatch(r"[A-Za-z][\w-]*", name) else json.dumps(name)
        if levels > 1 and isinstance(value, dict):
            lines += [f"{key}:", *(f"  {line}" for line in _lines(value, levels - 1))]
        else:
            lines.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    return lines


def main() -> None:
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(written(definition(openapi.document(app))), encoding="utf-8")


if __name__ == "__main__":
    main()

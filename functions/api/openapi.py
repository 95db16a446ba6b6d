"""The API's description as OpenAPI 3.1, generated from the declared routes and their models.

`python -m api.openapi` prints it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from chalice.app import Chalice
from pydantic import BaseModel, TypeAdapter

import creditmesh
from api.roles import EVERYONE
from api.routing import Key, Operation
from api.schemas import WebhookTaken
from api.views import VIEWS, readers
from creditmesh.closing.model import LENDER_MESSAGE
from creditmesh.platform.web import JSON, PROBLEM, Problem

Json = dict[str, Any]

_REF = "#/components/schemas/{model}"
_WEBHOOK_PATH = "/webhooks/{institution_id}"

_PROBLEMS = {
    400: "The body is not JSON.",
    401: "The bearer token is missing or not valid.",
    403: "The caller's role does not allow this.",
    404: "There is no such thing, or it is another tenant's.",
    409: "The thing is not in a state that allows this.",
    413: "The body is too long.",
    415: "The body is not declared as JSON.",
    422: "A value breaks a rule; `errors` names field and rule.",
    429: "Too many requests; try again after `Retry-After` seconds.",
    500: "An unexpected error.",
    503: "A service does not answer; try again after `Retry-After` seconds.",
}


def document(app: Chalice) -> Json:
    """The OpenAPI document of an app whose routes were declared with `api.routing.route`."""
    operations = list(operations_of(app))
    schemas = _Schemas(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    paths[_WEBHOOK_PATH] = {"post": _webhook(schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "creditmesh",
            "version": creditmesh.__version__,
            "summary": "Online lending for small firms",
            "description": "Money is a decimal string with two decimals. Errors are problem details (RFC 9457). Each "
            "operation names its callers in `x-roles`; a property with `x-roles` is given to these only.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "webhookSignature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "Standard Webhooks: HMAC-SHA256 over id.timestamp.body",
                },
            },
        },
    }


def operations_of(app: Chalice) -> Iterator[Operation]:
    """Every declared route, by path and method."""
    for path in sorted(app.routes):
        for method in sorted(app.routes[path]):
            operation: Operation = app.routes[path][method].view_function.operation  # type: ignore[attr-defined]
            yield operation


class _Schemas:
    """The JSON schemas of all models, each once."""

    def __init__(self, operations: list[Operation]) -> None:
        wanted: dict[tuple[str, str], TypeAdapter[Any]] = {
            ("problem", "serialization"): TypeAdapter(Problem),
            ("lender message", "validation"): LENDER_MESSAGE,
            ("webhook answer", "serialization"): TypeAdapter(WebhookTaken),
        }
        for operation in operations:
            name = operation.view.__name__
            if operation.body:
                wanted[f"{name} body", "validation"] = operation.body
            if operation.query:
                wanted[f"{name} query", "validation"] = operation.query
            for media, model in answers_of(operation).items():
                if model:
                    wanted[f"{name} {media}", "serialization"] = TypeAdapter(model)
        inputs = [(name, mode, adapter) for (name, mode), adapter in wanted.items()]
        self._of, shared = TypeAdapter.json_schemas(inputs, ref_template=_REF)  # type: ignore[arg-type]
        self.components: Json = dict(sorted(shared.get("$defs", {}).items()))
        for view in VIEWS:
            _tell_roles(view, self.components[view.__name__])

    def given(self, name: str) -> Json:
        """Schema of a request."""
        return self._of[name, "validation"]

    def made(self, name: str) -> Json:
        """Schema of a response."""
        return self._of[name, "serialization"]

    def resolved(self, schema: Json) -> Json:
        """The schema that a reference points to."""
        ref = schema.get("$ref")
        return dict(self.components[ref.rpartition("/")[2]]) if ref else schema


def _tell_roles(view: type[BaseModel], schema: Json) -> None:
    """Name the roles of properties that not every reader of the answer sees; these are not required."""
    fields = schema["properties"]
    everyone = readers(view)
    for name, described in fields.items():
        if (roles := readers(view, name)) != everyone:
            described["x-roles"] = sorted(roles)
    always = [name for name in schema.get("required", []) if readers(view, name, always=True) == everyone]
    schema.pop("required", None)
    if always:
        schema["required"] = always


def answers_of(operation: Operation) -> Json:
    """Media type -> model of the answer, or None if it has none."""
    if operation.produces is not None:
        return dict(operation.produces)
    model = operation.types.get("return")
    return {JSON: model} if isinstance(model, type) and issubclass(model, BaseModel) else {}


def _operation(operation: Operation, schemas: _Schemas) -> Json:
    described: Json = {
        "operationId": operation.view.__name__,
        "summary": (operation.view.__doc__ or "").strip(),
        "tags": [operation.view.__module__.rpartition(".")[2]],
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation, schemas),
        "security": [] if operation.roles is None else [{"bearer": []}],
    }
    if operation.roles is not None:
        described["x-roles"] = sorted(operation.roles)
    if operation.body:
        described["requestBody"] = _body(schemas.given(f"{operation.view.__name__} body"))
    return described


def _parameters(operation: Operation, schemas: _Schemas) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query:
        model = schemas.resolved(schemas.given(f"{operation.view.__name__} query"))
        required = model.get("required", [])
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": schema, **_style(schema)}
            for name, schema in model["properties"].items()
        ]
    if operation.key is not Key.NONE:
        found.append(_header("Idempotency-Key", operation.key is Key.DERIVED, "^[A-Za-z0-9_-]{8,64}$"))
    return found


def _style(schema: Json) -> Json:
    """Several values of a parameter are separated by commas."""
    return {"style": "form", "explode": False} if schema.get("type") == "array" else {}


def _responses(operation: Operation, schemas: _Schemas) -> Json:
    content = {
        media: {"schema": schemas.made(f"{operation.view.__name__} {media}")} if model else {}
        for media, model in answers_of(operation).items()
    }
    success: Json = {"description": HTTPStatus(operation.status).phrase}
    if content:
        success["content"] = content
    statuses = {429, 500, 503}
    if operation.roles is not None:
        statuses.add(401)
    if operation.roles not in (None, EVERYONE):
        statuses.add(403)
    if operation.body:
        statuses |= {400, 413, 415, 422}
    if operation.query:
        statuses.add(422)
    if "{" in operation.path:
        statuses.add(404)
    if operation.method == "POST":
        statuses |= {409, 422}
    problem = {"text/html": {}} if operation.on_problem else {PROBLEM: {"schema": schemas.made("problem")}}
    if operation.on_problem:
        statuses |= {403, 409}
    return {str(operation.status): success} | _problems(statuses, problem)


def _webhook(schemas: _Schemas) -> Json:
    problem = {PROBLEM: {"schema": schemas.made("problem")}}
    answered = {
        "description": "Taken; it need not come again",
        "content": {JSON: {"schema": schemas.made("webhook answer")}},
    }
    return {
        "operationId": "receive_webhook",
        "summary": "Take a lender's signed message.",
        "tags": ["closing"],
        "parameters": [
            {"name": "institution_id", "in": "path", "required": True, "schema": {"type": "string"}},
            _header("webhook-id", True, None),
            _header("webhook-timestamp", True, "^[0-9]+$"),
        ],
        "requestBody": _body(schemas.given("lender message")),
        "responses": {"200": answered} | _problems({400, 401, 404, 409, 413, 415, 422, 429, 500, 503}, problem),
        "security": [{"webhookSignature": []}],
    }


def _problems(statuses: set[int], content: Json) -> Json:
    return {str(status): {"description": _PROBLEMS[status], "content": content} for status in sorted(statuses)}


def _header(name: str, required: bool, pattern: str | None) -> Json:
    schema = {"type": "string"} | ({"pattern": pattern} if pattern else {})
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _body(schema: Json) -> Json:
    return {"required": True, "content": {JSON: {"schema": schema}}}


def main() -> None:
    from api.app import app  # the app imports this module for its own route

    print(json.dumps(document(app), ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()

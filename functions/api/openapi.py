"""The API's description as OpenAPI 3.1, generated from the declared routes and their models.

`python -m api.openapi` prints it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from chalice.app import Chalice
from pydantic import BaseModel, TypeAdapter

import creditmesh
from api.examples import EXAMPLES, KEY_EXAMPLE
from api.routing import (
    GUEST_KEY_LENGTH,
    GUEST_KEY_VARIETY,
    KEY_HEADER,
    KEY_PATTERN,
    PATH_PART_PATTERN,
    VERSION_PATTERN,
    Key,
    Operation,
)
from api.schemas import WebhookTaken
from api.views import VIEWS, readers
from creditmesh.closing.model import LENDER_MESSAGE, ContradictoryAnswer
from creditmesh.kernel.errors import DomainError, InvalidInput, NotFound
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.web import (
    EXTRA_HEADERS,
    JSON,
    PROBLEM,
    SECURITY_HEADERS,
    BodyTooLarge,
    MalformedBody,
    NotUtf8,
    Problem,
    Unauthenticated,
    UnsupportedMediaType,
    status_of,
)

Json = dict[str, Any]

_REF = "#/components/schemas/{model}"
_WEBHOOK_PATH = "/webhooks/{institution_id}"

_DESCRIPTION = (
    "Money is a decimal string with two decimals. Errors are problem details (RFC 9457). `x-roles` names the roles "
    "that may call an operation; a property with `x-roles` is given to these only. Every answer has the headers "
    f"{', '.join(f'`{name}`' for name in SECURITY_HEADERS)}."
)
_ANYWHERE = {
    429: "`too_many_requests`: too many requests.",
    500: "`internal_error`: an unexpected error.",
    503: "A service does not answer; another attempt may succeed.",
}
_PROBLEM_HEADERS = {
    "www-authenticate": "how to authenticate",
    "retry-after": "seconds to wait before the next attempt",
}
_KEYS = {
    Key.KEPT: "With a key, the first answer is kept for 24 hours and given again to the same request.",
    Key.NEEDLESS: "Accepted and ignored: a repeat is recognised without it.",
    Key.DERIVED: "Names the request: a repeat gives the same result.",
    Key.GUEST: f"Stands for the guest: random, at least {GUEST_KEY_LENGTH} characters, {GUEST_KEY_VARIETY} of them "
    "different.",
}
_WEBHOOK_PROBLEMS = (
    Unauthenticated,
    NotFound,
    ConditionFailed,
    ContradictoryAnswer,
    MalformedBody,
    NotUtf8,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidInput,
)


def document(app: Chalice, server: str | None = None) -> Json:
    """The OpenAPI document of an app whose routes were declared with `api.routing.route`.

    Args:
        server: the API's own address.
    """
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
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}] if server else [],
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
    name = operation.view.__name__
    described: Json = {
        "operationId": name,
        "summary": (operation.view.__doc__ or "").strip(),
        "tags": [operation.view.__module__.rpartition(".")[2]],
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation, schemas),
        "security": [] if operation.roles is None else [{"bearer": []}],
    }
    if operation.roles is not None:
        described["x-roles"] = sorted(operation.roles)
    if operation.body:
        described["requestBody"] = _body(schemas.given(f"{name} body"), EXAMPLES.get(name, {}))
    return described


def _parameters(operation: Operation, schemas: _Schemas) -> list[Json]:
    found = [_path_parameter(name) for name in re.findall(r"{(\w+)}", operation.path)]
    if operation.query:
        model = schemas.resolved(schemas.given(f"{operation.view.__name__} query"))
        required = model.get("required", [])
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": schema, **_style(schema)}
            for name, schema in model["properties"].items()
        ]
    if operation.key is not Key.NONE:
        guest = operation.key is Key.GUEST
        pattern = KEY_PATTERN.replace("{8,", f"{{{GUEST_KEY_LENGTH},") if guest else KEY_PATTERN
        described = _header(KEY_HEADER, guest or operation.key is Key.DERIVED, pattern, _KEYS[operation.key])
        described["schema"]["examples"] = [KEY_EXAMPLE]
        found.append(described)
    if operation.based_on:
        meaning = "The version that the change is based on, 0 for a new document; without it, the latest."
        found.append(_header("If-Match", False, VERSION_PATTERN, meaning))
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
    if operation.headers:
        success["headers"] = _headers(operation.headers)
    page = operation.headers if operation.on_problem else None
    return {str(operation.status): success} | _problems(operation.problems, schemas.made("problem"), page)


def _webhook(schemas: _Schemas) -> Json:
    answered = {
        "description": "Taken; it need not come again",
        "content": {JSON: {"schema": schemas.made("webhook answer")}},
    }
    return {
        "operationId": "receive_webhook",
        "summary": "Take a lender's signed message.",
        "tags": ["closing"],
        "parameters": [
            _path_parameter("institution_id"),
            _header("webhook-id", True, ".{1,200}", "The message's id; a repeat has the same."),
            _header("webhook-timestamp", True, "[0-9]+", "Seconds since 1970."),
        ],
        "requestBody": _body(schemas.given("lender message"), EXAMPLES["receive_webhook"]),
        "responses": {"200": answered} | _problems(_WEBHOOK_PROBLEMS, schemas.made("problem"), None),
        "security": [{"webhookSignature": []}],
    }


def _problems(kinds: Iterable[type[DomainError]], schema: Json, page: Mapping[str, str] | None) -> Json:
    """The answers to errors, by status.

    Args:
        kinds: the errors.
        schema: of problem documents.
        page: headers of the pages that stand for problem documents, if they do.
    """
    meanings: dict[int, dict[str, str]] = {}
    for kind in sorted(kinds, key=lambda one: one.code):
        meanings.setdefault(status_of(kind), {}).setdefault(kind.code, (kind.__doc__ or "").partition("\n")[0])
    found: Json = {}
    for status in sorted(meanings.keys() | _ANYWHERE.keys()):
        named = meanings.get(status, {})
        exact = {"allOf": [schema, {"properties": {"code": {"enum": list(named)}}}]} if named else schema
        answer: Json = {
            "description": "\n".join(f"`{code}`: {meaning}" for code, meaning in named.items()) or _ANYWHERE[status],
            "content": {PROBLEM: {"schema": exact}},
        }
        if page is not None:  # what the gateway answers itself is never a page
            own = answer["content"] if status in _ANYWHERE else {}
            answer["content"] = {"text/html": {}, **own}
        carried = {name: _PROBLEM_HEADERS[name] for name in EXTRA_HEADERS.get(HTTPStatus(status), {})}
        if headers := _headers(page or {}) | _headers(carried, required=True):
            answer["headers"] = headers
        found[str(status)] = answer
    return found


def _path_parameter(name: str) -> Json:
    schema = {"type": "string", "pattern": f"^{PATH_PART_PATTERN}$"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _header(name: str, required: bool, pattern: str, description: str) -> Json:
    schema = {"type": "string", "pattern": f"^{pattern}$"}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


def _headers(named: Mapping[str, str], *, required: bool = False) -> Json:
    return {
        name: {"description": meaning, "required": required, "schema": {"type": "string"}}
        for name, meaning in named.items()
    }


def _body(schema: Json, examples: Mapping[str, Any]) -> Json:
    content: Json = {"schema": schema}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {JSON: content}}


def main() -> None:
    from api.app import app  # the app imports this module for its own route

    print(json.dumps(document(app), ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()

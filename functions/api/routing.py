"""The decorator that declares routes: parses the request for the view and renders its result.

A view's annotations declare its input and output: parameter `body` is the body's model, `query` the query's, the others
are path parameters; the return type is the response's model, or `Reply` if the view renders it itself. Callers get what
`api.views` lists for their role. The OpenAPI document is generated from the same annotations.
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from chalice.app import Blueprint, MultiDict, Request, Response
from pydantic import BaseModel, TypeAdapter

from api.roles import EVERYONE
from api.views import rendered
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from creditmesh.platform.idempotency import once
from creditmesh.platform.web import MAX_BODY_BYTES, Reply, Unauthenticated, read_json, safely, validated

_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_PATH_PART = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)
_MANY = "must be given once"


@dataclass(frozen=True)
class Headed:
    """An answer with headers of its own."""

    answer: BaseModel
    headers: Mapping[str, str]


View = Callable[..., BaseModel | Headed | Reply | None]


class Key(Enum):
    """What a route does with an Idempotency-Key."""

    NONE = "none"
    """The method is idempotent by itself."""
    KEPT = "kept"
    """Optional; with a key, the first answer is stored and repeated."""
    NEEDLESS = "needless"
    """Optional and ignored: the use case recognises a repeat and answers with the current state."""
    DERIVED = "derived"
    """Required; the use case derives an id from it and recognises its own first result."""


@dataclass(frozen=True)
class Operation:
    """A route as declared; the OpenAPI document is made of these."""

    view: View
    method: str
    path: str
    roles: frozenset[Role] | None
    """Roles that may call it; None: anybody, without a token."""
    status: int
    key: Key
    produces: Mapping[str, type[BaseModel] | None] | None
    """Media type -> model or None, if the response is not the return type as JSON."""
    on_problem: Callable[[Reply, Call], Reply] | None
    """Converts a problem document to this route's format."""
    max_bytes: int = MAX_BODY_BYTES

    @functools.cached_property
    def types(self) -> dict[str, Any]:
        return typing.get_type_hints(self.view)

    @functools.cached_property
    def body(self) -> TypeAdapter[Any] | None:
        """Adapter of the body, if the route has one."""
        return TypeAdapter(self.types["body"]) if "body" in self.types else None

    @functools.cached_property
    def query(self) -> TypeAdapter[Any] | None:
        """Adapter of the query, if the route has one."""
        return TypeAdapter(self.types["query"]) if "query" in self.types else None


@dataclass(frozen=True)
class Call:
    """One request, as a view sees it."""

    request: Request = field(repr=False)

    @property
    def caller(self) -> Caller:
        """The authenticated caller.

        Raises:
            Unauthenticated: no valid token.
        """
        found = self.request.context.get("authorizer") or {}
        try:
            return Caller(subject=found["subject"], role=Role(found["role"]), tenant=found["tenant"])
        except (KeyError, ValueError):
            raise Unauthenticated("a bearer token is required") from None

    @property
    def key(self) -> str | None:
        """The Idempotency-Key, or None.

        Raises:
            InvalidInput: malformed.
        """
        key = self.header("idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise InvalidInput("must be 8 to 64 letters, digits, _ or -", field="Idempotency-Key")
        return key

    @property
    def required_key(self) -> str:
        """The Idempotency-Key of a route that requires one.

        Raises:
            InvalidInput: missing or malformed.
        """
        key = self.key
        if key is None:
            raise InvalidInput("is required", field="Idempotency-Key")
        return key

    @property
    def path(self) -> str:
        return str(self.request.context.get("path") or self.request.path)

    @property
    def raw_body(self) -> bytes:
        raw = self.request.raw_body
        return raw.encode() if isinstance(raw, str) else raw

    def header(self, name: str) -> str | None:
        try:
            return str(self.request.headers[name])
        except KeyError:
            return None

    def query(self) -> dict[str, str]:
        """The query's parameters.

        Raises:
            InvalidInput: a repeated parameter.
        """
        given = self.request.query_params or MultiDict({})
        for name in given:
            if len(given.getlist(name)) > 1:
                raise InvalidInput(_MANY, field=name)
        return dict(given)


def route(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    roles: frozenset[Role] | None = EVERYONE,
    status: int = 200,
    key: Key | None = None,
    produces: Mapping[str, type[BaseModel] | None] | None = None,
    on_problem: Callable[[Reply, Call], Reply] | None = None,
    max_bytes: int = MAX_BODY_BYTES,
) -> Callable[[View], View]:
    """Declare a view; see the module and `Operation`."""
    idempotency = key or (Key.KEPT if method == "POST" else Key.NONE)

    def declare(view: View) -> View:
        operation = Operation(view, method, path, roles, status, idempotency, produces, on_problem, max_bytes)

        @functools.wraps(view)
        def respond(**parts: str) -> Response:
            return to_response(_reply(operation, Call(blueprint.current_request), parts))

        respond.operation = operation  # type: ignore[attr-defined]
        # The content type is checked with the body, so that the answer is a problem document.
        blueprint.route(path, methods=[method], content_types=["*/*"])(respond)
        return view

    return declare


def to_response(reply: Reply) -> Response:
    """Convert a reply to Chalice's response."""
    return Response(reply.body, {**reply.all_headers()}, reply.status)


def _reply(operation: Operation, call: Call, parts: Mapping[str, str]) -> Reply:
    reply = safely(lambda: _carry_out(operation, call, parts), call.path)
    if operation.on_problem and reply.status >= 400:
        problem = reply
        return safely(lambda: operation.on_problem(problem, call), call.path)  # type: ignore[misc]
    return reply


def _carry_out(operation: Operation, call: Call, parts: Mapping[str, str]) -> Reply:
    if operation.roles is not None and call.caller.role not in operation.roles:
        raise Forbidden("your role does not allow this")
    arguments: dict[str, Any] = dict(_checked(operation, parts))
    if operation.query:
        arguments["query"] = validated(operation.query, call.query())
    document = None
    if operation.body:
        document = read_json(call.raw_body, call.header("content-type"), operation.max_bytes)
        arguments["body"] = validated(operation.body, document)

    def act() -> Reply:
        role = call.caller.role if operation.roles is not None else Role.BORROWER
        return as_reply(operation.view(call, **arguments), operation.status, role)

    if operation.key is Key.KEPT and call.key and operation.roles is not None:
        caller = call.caller
        scope = (caller.tenant, caller.role, operation.method, call.path, call.key)
        return once(scope, document, act, call.request.lambda_context)
    return act()


def _checked(operation: Operation, parts: Mapping[str, str]) -> Mapping[str, str]:
    for name, part in parts.items():
        if not _PATH_PART.fullmatch(part):
            if operation.method == "PUT":  # here the client chooses the name
                raise InvalidInput("must be 1 to 100 letters, digits or . _ : -", field=name)
            raise NotFound("no such resource", field=name)
    return parts


def as_reply(result: BaseModel | Headed | Reply | None, status: int, role: Role) -> Reply:
    """What a view returned, as a caller of that role gets it."""
    if isinstance(result, Reply):
        return result
    if isinstance(result, Headed):
        return Reply(status, rendered(result.answer, role), headers=result.headers)
    return Reply(204) if result is None else Reply(status, rendered(result, role))

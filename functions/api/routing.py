"""The one decorator for routes: from a request to a view's call, and from its answer to a response.

A view says by its annotations what it takes and gives: parameter `body` is the body's model, `query` the query's, the
others are parts of the path; the return type is the answer's model, or `Reply` where the view renders it itself. The
same annotations make the OpenAPI document, so the two cannot differ.
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

from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from creditmesh.platform.idempotency import once
from creditmesh.platform.web import MAX_BODY_BYTES, Reply, Unauthenticated, read_json, safely, validated

EVERYONE = frozenset(Role)
APPLICANTS = frozenset({Role.BORROWER, Role.BANK})

_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_PATH_PART = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)
_MANY = "must be given once"

View = Callable[..., BaseModel | Reply | None]


class Key(Enum):
    """What a route does with an Idempotency-Key."""

    NONE = "none"
    """The method is idempotent by itself."""
    KEPT = "kept"
    """Optional; with one, the first answer is kept and given again."""
    NEEDLESS = "needless"
    """Optional and ignored: the use case recognises a repeat and answers with the current state."""
    DERIVED = "derived"
    """Required; the use case derives an id from it and meets its own first result."""


@dataclass(frozen=True)
class Operation:
    """A route as declared; the OpenAPI document is made of these."""

    view: View
    method: str
    path: str
    roles: frozenset[Role] | None
    """Who may call it; None: anybody, without a token."""
    status: int
    key: Key
    produces: Mapping[str, type[BaseModel] | None] | None
    """Media type -> model or None, where the answer is not the return type as JSON."""
    on_problem: Callable[[Reply, Call], Reply] | None
    """Turns a problem document into what this route's readers understand."""
    max_bytes: int = MAX_BODY_BYTES
    """How long a body may be."""

    @functools.cached_property
    def types(self) -> dict[str, Any]:
        """The view's annotations."""
        return typing.get_type_hints(self.view)

    @functools.cached_property
    def body(self) -> TypeAdapter[Any] | None:
        """Reads the body, if the route takes one."""
        return TypeAdapter(self.types["body"]) if "body" in self.types else None

    @functools.cached_property
    def query(self) -> TypeAdapter[Any] | None:
        """Reads the query, if the route takes one."""
        return TypeAdapter(self.types["query"]) if "query" in self.types else None


@dataclass(frozen=True)
class Call:
    """One request, as a view sees it."""

    request: Request = field(repr=False)

    @property
    def caller(self) -> Caller:
        """Who the authoriser found the token to belong to.

        Raises:
            Unauthenticated: the request did not pass it.
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
            InvalidInput: it is malformed.
        """
        key = self.header("idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise InvalidInput("must be 8 to 64 letters, digits, _ or -", field="Idempotency-Key")
        return key

    @property
    def required_key(self) -> str:
        """The Idempotency-Key of a route that needs one.

        Raises:
            InvalidInput: it is missing or malformed.
        """
        key = self.key
        if key is None:
            raise InvalidInput("is required", field="Idempotency-Key")
        return key

    @property
    def path(self) -> str:
        """The path as the client called it."""
        return str(self.request.context.get("path") or self.request.path)

    @property
    def raw_body(self) -> bytes:
        """The unparsed body."""
        raw = self.request.raw_body
        return raw.encode() if isinstance(raw, str) else raw

    def header(self, name: str) -> str | None:
        """A request header, or None."""
        try:
            return str(self.request.headers[name])
        except KeyError:
            return None

    def query(self) -> dict[str, str]:
        """The query's parameters.

        Raises:
            InvalidInput: one is given more than once.
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
        return _as_reply(operation.view(call, **arguments), operation.status)

    if operation.key is Key.KEPT and call.key and operation.roles is not None:
        caller = call.caller
        scope = (caller.tenant, caller.role, operation.method, call.path, call.key)
        return once(scope, document, act, call.request.lambda_context)
    return act()


def _checked(operation: Operation, parts: Mapping[str, str]) -> Mapping[str, str]:
    for name, part in parts.items():
        if not _PATH_PART.fullmatch(part):
            if operation.method == "PUT":  # here the client names a new thing
                raise InvalidInput("must be 1 to 100 letters, digits or . _ : -", field=name)
            raise NotFound("no such resource", field=name)
    return parts


def _as_reply(result: BaseModel | Reply | None, status: int) -> Reply:
    if isinstance(result, Reply):
        return result
    return Reply(204) if result is None else Reply(status, result.model_dump_json())

"""The decorator that declares routes: parses the request for the view and renders its result.

A view's annotations declare its input and output: parameter `body` is the body's model, `query` the query's, the others
are path parameters; the return type is the response's model, or `Reply` if the view renders it itself. Callers get what
`api.views` lists for their role. The OpenAPI document is generated from the same annotations.
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from chalice.app import Blueprint, MultiDict, Request, Response
from pydantic import BaseModel, TypeAdapter

from api.roles import EVERYONE
from api.views import rendered
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import DomainError, Forbidden, InvalidInput, KeyReused, NotFound
from creditmesh.platform.fields import validated
from creditmesh.platform.idempotency import AnswerNotKept, InProgress, once
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.web import (
    MAX_BODY_BYTES,
    BodyTooLarge,
    MalformedBody,
    NotUtf8,
    Reply,
    Unauthenticated,
    UnsupportedMediaType,
    read_json,
    safely,
    text_body,
)

KEY_HEADER = "Idempotency-Key"
KEY_PATTERN = "[A-Za-z0-9_-]{8,64}"
GUEST_KEY_LENGTH = 22
GUEST_KEY_VARIETY = 8
VERSION_PATTERN = '"?([0-9]{1,6})"?'
PATH_PART_PATTERN = "[A-Za-z0-9._:-]{1,100}"
_KEY = re.compile(KEY_PATTERN, re.ASCII)
_VERSION = re.compile(VERSION_PATTERN, re.ASCII)
_NUMBER = re.compile("0*[1-9][0-9]{0,5}", re.ASCII)
_PATH_PART = re.compile(PATH_PART_PATTERN, re.ASCII)


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
    GUEST = "guest"
    """As derived, and whoever knows the key is the guest: it must be long and random."""


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
    raises: frozenset[type[DomainError]] = frozenset()
    """Errors of its use case; what follows from the declaration itself is in `problems`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Name -> meaning of headers that its successful answer may carry."""
    based_on: bool = False
    """Whether `If-Match` may name the version that the change is based on."""

    @functools.cached_property
    def problems(self) -> frozenset[type[DomainError]]:
        """Every error that it answers, but those that any route may."""
        found = set(self.raises)
        if self.roles is not None:
            found.add(Unauthenticated)
        if self.roles not in (None, EVERYONE):
            found.add(Forbidden)
        if self.body:
            found |= {MalformedBody, NotUtf8, BodyTooLarge, UnsupportedMediaType, InvalidInput}
        if self.query or self.based_on or self.key is not Key.NONE:
            found.add(InvalidInput)
        if "{" in self.path:
            found.add(InvalidInput if self.method == "PUT" else NotFound)
        if self.key in (Key.DERIVED, Key.KEPT, Key.GUEST):
            found.add(KeyReused)
        if self.key is Key.KEPT:
            found |= {InProgress, AnswerNotKept}
        if self.method != "GET":
            found.add(ConditionFailed)
        return frozenset(found)

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
            raise InvalidInput("must be 8 to 64 letters, digits, _ or -", field=KEY_HEADER, fault="wrong_form")
        return key

    @property
    def required_key(self) -> str:
        """The Idempotency-Key of a route that requires one.

        Raises:
            InvalidInput: missing or malformed.
        """
        key = self.key
        if key is None:
            raise InvalidInput("is required", field=KEY_HEADER, fault="required")
        return key

    @property
    def guest_key(self) -> str:
        """The Idempotency-Key that stands for a guest.

        Raises:
            InvalidInput: missing, malformed, or too easy to guess.
        """
        key = self.required_key
        if len(key) < GUEST_KEY_LENGTH or len(set(key)) < GUEST_KEY_VARIETY:
            raise InvalidInput(
                "must be at least {min} random characters for a guest",
                field=KEY_HEADER,
                fault="too_weak",
                min=GUEST_KEY_LENGTH,
            )
        return key

    @property
    def based_on(self) -> int | None:
        """The version in `If-Match`, or None.

        Raises:
            InvalidInput: not a version's number.
        """
        given = self.header("if-match")
        if given is None:
            return None
        found = _VERSION.fullmatch(given.strip())
        if not found:
            raise InvalidInput("must be a version's number", field="If-Match", fault="not_an_integer")
        return int(found[1])

    @property
    def path(self) -> str:
        return str(self.request.context.get("path") or self.request.path)

    @property
    def raw_body(self) -> bytes:
        event = self.request.to_original_event()
        raw = self.request.raw_body if event.get("isBase64Encoded") else event["body"] or ""
        return text_body(raw) if isinstance(raw, str) else raw

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
                raise InvalidInput("must be given once", field=name, fault="repeated")
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
    raises: Collection[type[DomainError]] = (),
    headers: Mapping[str, str] | None = None,
    based_on: bool = False,
) -> Callable[[View], View]:
    """Declare a view; see the module and `Operation`."""
    idempotency = key or (Key.KEPT if method == "POST" else Key.NONE)

    def declare(view: View) -> View:
        operation = Operation(
            view, method, path, roles, status, idempotency, produces, on_problem, max_bytes, frozenset(raises),
            headers or {}, based_on,
        )  # fmt: skip

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


def version_number(part: str) -> int:
    """A version in a path.

    Raises:
        NotFound: not a version's number.
    """
    if not _NUMBER.fullmatch(part):
        raise NotFound("no such version", field="version")
    return int(part)


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
    key = None if operation.key is Key.NONE else call.key
    if operation.query:
        arguments["query"] = validated(operation.query, call.query(), typed=False)
    document = None
    if operation.body:
        document = read_json(call.raw_body, call.header("content-type"), operation.max_bytes)
        arguments["body"] = validated(operation.body, document)

    def act() -> Reply:
        role = call.caller.role if operation.roles is not None else Role.BORROWER
        return as_reply(operation.view(call, **arguments), operation.status, role)

    if operation.key is Key.KEPT and key and operation.roles is not None:
        caller = call.caller
        scope = (caller.tenant, caller.role, operation.method, call.path, key)
        return once(scope, document, act, call.request.lambda_context)
    return act()


def _checked(operation: Operation, parts: Mapping[str, str]) -> Mapping[str, str]:
    for name, part in parts.items():
        if not _PATH_PART.fullmatch(part):
            if operation.method == "PUT":  # here the client chooses the name
                raise InvalidInput("must be 1 to 100 letters, digits or . _ : -", field=name, fault="wrong_form")
            raise NotFound("no such resource", field=name)
    return parts


def as_reply(result: BaseModel | Headed | Reply | None, status: int, role: Role) -> Reply:
    """What a view returned, as a caller of that role gets it."""
    if isinstance(result, Reply):
        return result
    if isinstance(result, Headed):
        return Reply(status, rendered(result.answer, role), headers=result.headers)
    return Reply(204) if result is None else Reply(status, rendered(result, role))

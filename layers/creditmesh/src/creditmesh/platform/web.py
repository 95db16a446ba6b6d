"""HTTP for handlers, independent of the framework: strict JSON in, problem details (RFC 9457) out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as AwsConnectionError
from pydantic import BaseModel, Field, JsonValue

from creditmesh.kernel.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound, Unavailable
from creditmesh.kernel.text import shown
from creditmesh.platform.fields import FieldError, InvalidFields
from creditmesh.platform.observability import logger, place
from creditmesh.platform.tables import PASSING_REASONS

JSON = "application/json"
PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"
MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 30
"""Levels of lists and objects in a body; DynamoDB stores 32."""
RETRY_AFTER_SECONDS = 5

_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]*)")

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}
"""On every response. Pages have inline styles and load nothing else; no referrer, since a URL may contain a code."""

_PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Transient AWS error codes."""


class Problem(BaseModel):
    """Problem details of RFC 9457."""

    type: str
    title: str
    status: int
    code: str = Field(description="stable, machine-readable name of the problem")
    detail: str = Field(description="what is wrong, in English")
    parameters: dict[str, JsonValue] = Field(
        default={}, description="what `detail` names; with `code`, to translate it"
    )
    instance: str
    errors: list[FieldError] | None = Field(default=None, description="only for bad input")


class Unauthenticated(DomainError):
    """The request carries no valid proof of who sends it."""

    code = "unauthenticated"


class MalformedBody(DomainError):
    """The body is not JSON: bad syntax, a repeated key, a number out of range, nested too deeply."""

    code = "malformed_json"


class NotUtf8(MalformedBody):
    """The body is not encoded in UTF-8 (RFC 8259, section 8.1)."""

    code = "body_not_utf8"

    def __init__(self) -> None:
        super().__init__("the body must be encoded in UTF-8, without a byte order mark")


class BodyTooLarge(DomainError):
    """The body is longer than the route takes."""

    code = "body_too_large"


class UnsupportedMediaType(DomainError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"


class MethodNotAllowed(DomainError):
    """The path exists, but not for this method."""

    code = "method_not_allowed"


STATUS_OF: tuple[tuple[type[DomainError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (Conflict, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (MalformedBody, HTTPStatus.BAD_REQUEST),
    (BodyTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UnsupportedMediaType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (MethodNotAllowed, HTTPStatus.METHOD_NOT_ALLOWED),
)
"""The only mapping from error classes to responses; any other error is a 500."""

_TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}
"""Names of RFC 9110, which older Pythons lack."""

EXTRA_HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"www-authenticate": "Bearer"},
    HTTPStatus.TOO_MANY_REQUESTS: {"retry-after": str(RETRY_AFTER_SECONDS)},
    HTTPStatus.SERVICE_UNAVAILABLE: {"retry-after": str(RETRY_AFTER_SECONDS)},
}


@dataclass(frozen=True)
class Reply:
    """A response; security headers are added when it is sent."""

    status: int
    body: str = ""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        own = {"content-type": self.content_type} if self.body else {}
        return {**SECURITY_HEADERS, **own, **self.headers}

    def proxy(self) -> dict[str, Any]:
        """The response in the format of a Lambda proxy integration."""
        return {"statusCode": self.status, "headers": self.all_headers(), "body": self.body, "isBase64Encoded": False}


def problem(
    status: HTTPStatus,
    code: str,
    detail: str,
    instance: str,
    errors: list[FieldError] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Reply:
    """A problem document as response."""
    document = Problem(
        type=f"urn:creditmesh:problem:{code}",
        title=_TITLES.get(status, status.phrase),
        status=status,
        code=code,
        detail=detail,
        parameters=dict(parameters or {}),
        instance=quote(instance, safe="/%:@!$&'()*+,;=~", errors="replace"),
        errors=errors,
    )
    text = document.model_dump_json(exclude_none=True)
    return Reply(status, text, PROBLEM, EXTRA_HEADERS.get(status, {}))


def answer(error: Exception, instance: str) -> Reply:
    """The problem document for an error; unexpected errors are logged by class and place, and reveal nothing."""
    if isinstance(error, DomainError) and (status := status_of(type(error))) != HTTPStatus.INTERNAL_SERVER_ERROR:
        errors = _field_errors(error)
        named = {} if errors else error.parameters
        return problem(status, error.code, _detail(error), instance, errors, named)
    if _is_passing(error):
        logger.warning("a service did not answer", extra={"error": type(error).__name__, "at": place(error)})
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, Unavailable.code, "try again in a moment", instance)
    # Only class and place: the message might contain user input.
    logger.error("unexpected error", extra={"error": type(error).__name__, "at": place(error)})
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "an unexpected error happened", instance)


def status_of(kind: type[DomainError]) -> HTTPStatus:
    """The status that an error is answered with."""
    return next((status for base, status in STATUS_OF if issubclass(kind, base)), HTTPStatus.INTERNAL_SERVER_ERROR)


def safely(act: Callable[[], Reply], instance: str) -> Reply:
    """The response of `act`, or the problem document for its error."""
    try:
        return act()
    except Exception as error:  # last resort: a client always gets a problem document
        return answer(error, instance)


def read_json(raw: bytes, content_type: str | None, limit: int = MAX_BODY_BYTES) -> Any:
    """Parse the body as JSON, strictly, so that sender and receiver read the same.

    Raises:
        BodyTooLarge, UnsupportedMediaType, MalformedBody: see the classes.
    """
    if len(raw) > limit:
        raise BodyTooLarge("the body may have at most {max} bytes", max=limit)
    media, _, label = (content_type or "").lower().partition(";")
    if media.strip() != JSON:
        raise UnsupportedMediaType("content-type must be {expected}", expected=JSON)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise NotUtf8 from None
    if text.startswith("\ufeff"):
        raise NotUtf8
    if (charset := _CHARSET.search(label)) and charset[1] not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("the charset of {expected} must be utf-8", expected=JSON)
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise MalformedBody(
            "the body must be JSON, without repeated keys, NaN, infinities or numbers beyond them"
        ) from None
    if _is_deeper(document, MAX_DEPTH):
        raise _too_deep()
    return document


def text_body(body: str) -> bytes:
    """The bytes of a body that API Gateway has decoded.

    Raises:
        NotUtf8: API Gateway could not decode them, and wrote U+FFFD instead.
    """
    if "\ufffd" in body:
        raise NotUtf8
    return body.encode("utf-8", "surrogatepass")


def _too_deep() -> MalformedBody:
    return MalformedBody("the body may be nested at most {max} levels deep", max=MAX_DEPTH)


def _is_deeper(document: Any, levels: int) -> bool:
    if not isinstance(document, (dict, list)):
        return False
    inner = document.values() if isinstance(document, dict) else document
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _field_errors(error: DomainError) -> list[FieldError] | None:
    if isinstance(error, InvalidFields):
        return error.errors
    if isinstance(error, InvalidInput) and error.field:
        field = FieldError(
            field=shown(error.field), rule=error.message, code=error.fault, parameters=dict[str, Any](error.parameters)
        )
        return [field]
    return None


def _detail(error: DomainError) -> str:
    single = isinstance(error, InvalidInput) and not isinstance(error, InvalidFields) and error.field
    return f"{error.field}: {error.message}" if single else error.message


def _is_passing(error: Exception) -> bool:
    if isinstance(error, ClientError):
        reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
        return error.response["Error"]["Code"] in _PASSING or bool(reasons & PASSING_REASONS)
    return isinstance(error, (HTTPClientError, AwsConnectionError))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("repeated key")
    return document


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("out of range")
    return number

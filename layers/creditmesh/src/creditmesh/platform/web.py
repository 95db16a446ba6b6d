"""HTTP for handlers, independent of the framework: strict JSON in, problem details (RFC 9457) out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as AwsConnectionError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from creditmesh.kernel.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound, Unavailable
from creditmesh.platform.observability import logger, place
from creditmesh.platform.tables import PASSING_REASONS

T = TypeVar("T")

JSON = "application/json"
PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"
MAX_BODY_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 5

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


class FieldError(BaseModel):
    """A fault of one field."""

    field: str = Field(description="path of the field, like `data.approved_amount`")
    rule: str = Field(description="the rule it breaks")


class Problem(BaseModel):
    """Problem details of RFC 9457."""

    type: str
    title: str
    status: int
    code: str = Field(description="stable, machine-readable name of the problem")
    detail: str
    instance: str
    errors: list[FieldError] | None = Field(default=None, description="only for bad input")


class Unauthenticated(DomainError):
    """The request carries no valid proof of who sends it."""

    code = "unauthenticated"


class MalformedBody(DomainError):
    """The body is not JSON: bad syntax, not UTF-8, a repeated key, NaN or an infinity."""

    code = "malformed_json"


class BodyTooLarge(DomainError):
    """The body is longer than the route takes."""

    code = "body_too_large"


class UnsupportedMediaType(DomainError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"


class MethodNotAllowed(DomainError):
    """The path exists, but not for this method."""

    code = "method_not_allowed"


class InvalidFields(InvalidInput):
    """Several fields break their rules."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.rule}" for error in errors), field=errors[0].field)
        self.errors = errors


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


def problem(status: HTTPStatus, code: str, detail: str, instance: str, errors: list[FieldError] | None = None) -> Reply:
    """A problem document as response."""
    document = Problem(
        type=f"urn:creditmesh:problem:{code}",
        title=_TITLES.get(status, status.phrase),
        status=status,
        code=code,
        detail=detail,
        instance=instance,
        errors=errors,
    )
    text = document.model_dump_json(exclude_none=True)
    return Reply(status, text, PROBLEM, EXTRA_HEADERS.get(status, {}))


def answer(error: Exception, instance: str) -> Reply:
    """The problem document for an error; unexpected errors are logged by class and place, and reveal nothing."""
    if isinstance(error, DomainError) and (status := status_of(type(error))) != HTTPStatus.INTERNAL_SERVER_ERROR:
        return problem(status, error.code, _detail(error), instance, _field_errors(error))
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
        raise BodyTooLarge(f"the body may have at most {limit} bytes")
    if (content_type or "").partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(f"content-type must be {JSON}")
    try:
        return json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise MalformedBody("the body must be JSON in UTF-8, without repeated keys, NaN or infinities") from None


def validated(adapter: TypeAdapter[T], document: Any, *, tagged: bool = False) -> T:
    """Convert a document to a model.

    Args:
        adapter: of the model.
        document: the parsed JSON.
        tagged: the model is a discriminated union, for which pydantic prefixes each path with the tag.

    Raises:
        InvalidFields: names each field and rule.
    """
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        raise InvalidFields([_field_error(one, tagged) for one in error.errors(include_url=False)]) from None


def _field_error(error: ErrorDetails, tagged: bool) -> FieldError:
    path = [str(part) for part in error["loc"][1 if tagged else 0 :]]
    discriminator = str(error.get("ctx", {}).get("discriminator", "")).strip("'")
    return FieldError(field=".".join(path) or discriminator or "body", rule=error["msg"].removeprefix("Value error, "))


def _field_errors(error: DomainError) -> list[FieldError] | None:
    if isinstance(error, InvalidFields):
        return error.errors
    if isinstance(error, InvalidInput) and error.field:
        return [FieldError(field=error.field, rule=error.message)]
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

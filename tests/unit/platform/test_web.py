"""Problem documents and strict JSON (RFC 9457, DESIGN 8)."""

from __future__ import annotations

import json
import logging
from typing import Literal

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ParamValidationError
from pydantic import BaseModel, TypeAdapter

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.closing.model import ContradictoryAnswer, LenderUnavailable
from creditmesh.intake.model import ApplicationClosed
from creditmesh.kernel import errors
from creditmesh.platform.crypto import SealBroken
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.web import (
    BodyTooLarge,
    MalformedBody,
    MethodNotAllowed,
    Reply,
    Unauthenticated,
    UnsupportedMediaType,
    answer,
    read_json,
    safely,
    validated,
)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidInput("must be odd", field="a"), 422, "invalid_input"),
        (errors.KeyReused("used", field="Idempotency-Key"), 422, "idempotency_key_reused"),
        (errors.NotFound("none"), 404, "not_found"),
        (errors.Forbidden("no"), 403, "forbidden"),
        (errors.Conflict("no"), 409, "conflict"),
        (ApplicationClosed("ended"), 409, "application_closed"),
        (ContradictoryAnswer("no"), 409, "contradictory_answer"),
        (ConditionFailed("changed"), 409, "state_changed"),
        (errors.Unavailable("later"), 503, "unavailable"),
        (LenderUnavailable("later"), 503, "lender_unavailable"),
        (Unauthenticated("who"), 401, "unauthenticated"),
        (MalformedBody("no"), 400, "malformed_json"),
        (BodyTooLarge("no"), 413, "body_too_large"),
        (UnsupportedMediaType("no"), 415, "unsupported_media_type"),
        (MethodNotAllowed("no"), 405, "method_not_allowed"),
        (AuthorizationRequired("internal"), 500, "internal_error"),
        (SealBroken("internal"), 500, "internal_error"),
        (ValueError("internal"), 500, "internal_error"),
    ],
)
def test_the_class_decides_the_answer(error, status, code):
    reply = answer(error, "/v1/x")
    document = json.loads(reply.body)
    assert (reply.status, reply.content_type) == (status, "application/problem+json")
    assert {"type", "title", "status", "code", "detail", "instance"} <= set(document)
    assert (document["status"], document["code"], document["instance"]) == (status, code, "/v1/x")
    assert ("internal" in document["detail"]) is False


def test_every_kernel_error_but_the_base_has_an_answer_of_its_own():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DomainError)]
    for kind in set(kinds) - {errors.DomainError}:
        assert answer(kind("why"), "/").status < 500 or kind is errors.Unavailable


def test_a_field_is_named_in_detail_and_errors():
    document = json.loads(answer(errors.InvalidInput("must be odd", field="data.a"), "/").body)
    assert (document["detail"], document["errors"]) == (
        "data.a: must be odd", [{"field": "data.a", "rule": "must be odd"}]
    )  # fmt: skip


def _aws(code: str, reasons: list[str] | None = None) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": "secret"},
        "CancellationReasons": [{"Code": r} for r in reasons or []],
    }
    return ClientError(response, "PutItem")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (_aws("ThrottlingException"), 503),
        (_aws("TransactionCanceledException", ["None", "TransactionConflict"]), 503),
        (_aws("TransactionCanceledException", ["ValidationError"]), 500),
        (_aws("AccessDeniedException"), 500),
        (ConnectTimeoutError(endpoint_url="http://x.test"), 503),
        (ParamValidationError(report="secret"), 500),
    ],
)
def test_what_passes_by_itself_asks_to_come_again(error, status, caplog):
    with caplog.at_level(logging.INFO):
        reply = answer(error, "/")
    assert (reply.status, "retry-after" in reply.all_headers()) == (status, status == 503)
    assert "secret" not in reply.body + caplog.text


def test_safely_answers_whatever_happens():
    assert safely(lambda: Reply(204), "/").status == 204
    assert safely(lambda: Reply(1 // 0), "/").status == 500


def test_every_reply_carries_the_security_headers():
    headers = Reply(200, "{}").proxy()["headers"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "content-type" not in Reply(204).all_headers()


def test_json_keeps_integers_whole_and_counts_bytes():
    assert read_json(b'{"a": 12345678901234567890}', "application/json") == {"a": 12345678901234567890}
    with pytest.raises(BodyTooLarge):
        read_json("é".encode() * 3, "application/json", limit=5)


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe{\x00}\x00", b'"\xff"', b"\xef\xbb\xbf{}", b'{"a":1,"\\u0061":2}', b"-Infinity"]
)
def test_json_is_utf8_without_tricks(raw):
    with pytest.raises(MalformedBody):
        read_json(raw, "application/json")


class _Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class _Pair(BaseModel):
    cats: list[_Cat]


def test_a_nested_field_is_named_by_its_path():
    with pytest.raises(errors.InvalidInput) as caught:
        validated(TypeAdapter(_Pair), {"cats": [{"kind": "cat", "lives": 9}, {"kind": "cat", "lives": "many"}]})
    assert caught.value.field == "cats.1.lives"

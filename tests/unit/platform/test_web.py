"""Problem documents and strict JSON (RFC 9457, DESIGN 8)."""

from __future__ import annotations

import json
import logging

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ParamValidationError

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
    NotUtf8,
    Reply,
    Unauthenticated,
    UnsupportedMediaType,
    answer,
    read_json,
    safely,
    text_body,
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
        "data.a: must be odd",
        [{"field": "data.a", "rule": "must be odd", "code": "invalid_input", "parameters": {}}],
    )  # fmt: skip


def test_a_sentence_has_its_code_and_parameters_beside_it():
    error = errors.InvalidInput("must be at most {max}", field="a", fault="too_large", max=7)
    (told,) = json.loads(answer(error, "/").body)["errors"]
    assert told == {"field": "a", "rule": "must be at most 7", "code": "too_large", "parameters": {"max": 7}}
    document = json.loads(answer(errors.Conflict("has ended: {outcome}", outcome="disbursed"), "/").body)
    assert (document["detail"], document["parameters"]) == ("has ended: disbursed", {"outcome": "disbursed"})


@pytest.mark.parametrize("path", ["/v1/\ud800", "/v1/a b", "/v1/\x00", "/v1/好", '/v1/"'])
def test_the_instance_is_a_uri_whatever_was_asked_for(path):
    instance = json.loads(answer(errors.NotFound("no such route"), path).body)["instance"]
    assert instance.isascii()
    assert instance.isprintable()
    assert not set(' "') & set(instance)


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


@pytest.mark.parametrize("raw", [b'{"a":1,"\\u0061":2}', b"-Infinity", b"1e400"])
def test_json_is_without_tricks(raw):
    with pytest.raises(MalformedBody) as refused:
        read_json(raw, "application/json")
    assert refused.value.code == "malformed_json"


@pytest.mark.parametrize("levels", [31, 1000, 100_000])
def test_json_is_not_nested_deeply(levels):
    for raw in (b"[" * levels + b"]" * levels, b'{"a":' * levels + b"1" + b"}" * levels):
        with pytest.raises(MalformedBody, match="30 levels"):
            read_json(raw, "application/json", limit=10**7)
    assert read_json(b"[" * 30 + b"]" * 30, "application/json")


@pytest.mark.parametrize(
    "raw",
    [
        '{"firm_name": "江苏测试有限公司"}'.encode("gb18030"),
        '{"firm_name": "測試有限公司"}'.encode("big5"),
        '{"firm_name": "Müller"}'.encode("latin-1"),
        '{"firm_name": "测试"}'.encode("utf-16"),
        '{"firm_name": "测试"}'.encode("utf-8-sig"),
        b'{"firm_name": "\xed\xa0\x80"}',
        b'{"firm_name": "\xc0\x80"}',
    ],
)
@pytest.mark.parametrize("label", ["application/json", "application/json; charset=gb18030"])
def test_json_is_utf8(raw, label):
    with pytest.raises(NotUtf8):
        read_json(raw, label)


def test_what_api_gateway_could_not_decode_is_not_utf8():
    with pytest.raises(NotUtf8):
        text_body('{"firm_name": "江苏测试有限公司"}'.encode("gb18030").decode("utf-8", "replace"))
    assert text_body('{"firm_name": "测试"}') == '{"firm_name": "测试"}'.encode()


@pytest.mark.parametrize("label", ["charset=gb18030", 'charset="GBK"', "charset = latin-1", "q=1;charset=utf-16"])
def test_another_charset_is_refused(label):
    with pytest.raises(UnsupportedMediaType):
        read_json(b"{}", f"application/json; {label}")


@pytest.mark.parametrize("label", ["charset=utf-8", 'charset="UTF-8"', "charset=utf8", "version=1"])
def test_json_may_be_labelled_as_what_it_is(label):
    assert read_json(b"{}", f"application/json; {label}") == {}

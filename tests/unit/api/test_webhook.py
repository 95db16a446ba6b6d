"""Lenders' signed messages (C21-C23, DESIGN 7)."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from closing import receive_webhook
from creditmesh.platform.signing import signed_headers
from tests.support import wired
from tests.unit.api.client import DOCUMENT, Api, Context, submit
from tests.unit.api.conftest import SECRETS

pytestmark = pytest.mark.usefixtures("cloud")


@pytest.fixture
def submitted():
    """A borrower and the id of his application, which lender-a has to decide on."""
    borrower = Api("borrower")
    return borrower, submit(borrower)


def _approval(application_id: str, **changed: Any) -> dict[str, Any]:
    data = {
        "application_id": application_id, "decision": "approved", "lender_reference": "L-1",
        "approved_amount": "300000.00", "currency": "CNY", "annual_rate_bps": 540, "term_months": 12,
    } | changed  # fmt: skip
    return _message("loan.decision", **data)


def _message(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": "2026-11-22T00:00:00Z", "data": data}


def _event(body: bytes, headers: dict[str, str], lender: str = "lender-a", encoded: bool = False) -> dict[str, Any]:
    text = base64.b64encode(body).decode() if encoded else body.decode()
    return {
        "resource": "/webhooks/{institution_id}", "path": f"/webhooks/{lender}", "httpMethod": "POST",
        "headers": {name.title(): value for name, value in headers.items()},
        "pathParameters": {"institution_id": lender},
        "requestContext": {"resourcePath": "/webhooks/{institution_id}", "httpMethod": "POST"}, "body": text,
        "isBase64Encoded": encoded,
    }  # fmt: skip


def _send(message: Any, *, secret: str = SECRETS["new"], age: int = 0, message_id: str | None = None, **more: Any):
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    headers = signed_headers(secret, message_id or f"msg_{uuid.uuid4().hex}", int(time.time()) - age, body)
    return _handle(_event(body, headers | more.pop("headers", {}), **more))


def _handle(event: dict[str, Any]) -> tuple[int, Any]:
    answer = receive_webhook.handler(event, Context())
    assert answer["headers"]["cache-control"] == "no-store"
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("secret", ["new", "old"])
def test_an_approval_lets_the_process_go_on(submitted, answers, secret, encoded):
    borrower, application_id = submitted
    assert _send(_approval(application_id), secret=SECRETS[secret], encoded=encoded) == (200, {"duplicate": False})
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "approved"
    assert answers.of(f"decision-{application_id}") == ["SendTaskSuccess"]


def test_a_rejection_tells_the_borrower_why(submitted, answers):
    borrower, application_id = submitted
    rejection = _message(
        "loan.decision", application_id=application_id, decision="rejected", lender_reference="L-2",
        reason_code="SECTOR", reason="we have lent enough to this sector",
    )  # fmt: skip
    assert _send(rejection) == (200, {"duplicate": False})
    view = borrower.get(f"/v1/applications/{application_id}").json()
    assert (view["outcome"], view["outcome_note"]) == ("lender_rejected", "we have lent enough to this sector")
    assert answers.of(f"decision-{application_id}") == ["SendTaskFailure"]


def test_a_repeat_is_answered_and_changes_nothing(submitted):
    borrower, application_id = submitted
    message, message_id = _approval(application_id), "msg_repeat"
    assert _send(message, message_id=message_id) == (200, {"duplicate": False})
    timeline = borrower.get(f"/v1/applications/{application_id}/timeline").json()
    assert _send(message, message_id=message_id) == (200, {"duplicate": True})
    assert _send(message) == (200, {"duplicate": True})
    assert borrower.get(f"/v1/applications/{application_id}/timeline").json() == timeline


def test_a_contradiction_is_refused(submitted):
    _, application_id = submitted
    _send(_approval(application_id))
    status, problem = _send(_approval(application_id, approved_amount="250000.00"))
    assert (status, problem["code"]) == (409, "contradictory_answer")


def test_contract_and_disbursement_to_the_end(submitted):
    borrower, application_id = submitted
    digest = hashlib.sha256(DOCUMENT.encode()).hexdigest()
    _send(_approval(application_id))
    contract = {"application_id": application_id, "contract_id": "C-1", "document": DOCUMENT, "document_sha256": digest}
    assert _send(_message("loan.contract.ready", **contract | {"document_sha256": "0" * 64}))[0] == 422
    assert _send(_message("loan.contract.ready", **contract)) == (200, {"duplicate": False})
    paid = {
        "application_id": application_id, "contract_id": "C-1", "disbursement_id": "D-1", "amount": "300000.00",
        "currency": "CNY", "disbursed_at": "2026-11-22T00:00:00Z", "bank_reference": "B-1",
    }  # fmt: skip
    signature = {"document_sha256": digest, "signer_name": "Li Example", "consent": True}
    assert borrower.post(f"/v1/applications/{application_id}/signature", signature).status == 202
    wired.closings().order_disbursement(application_id, "t-order")
    other = {"amount": "300000.01", "disbursement_id": "D-0"}
    assert _send(_message("loan.disbursed", **paid | other))[0] == 200  # entered, and a person is called
    assert _send(_message("loan.disbursed", **paid)) == (200, {"duplicate": False})
    assert borrower.get(f"/v1/applications/{application_id}").json()["outcome"] == "disbursed"


def test_a_long_contract_is_taken(submitted):
    borrower, application_id = submitted
    _send(_approval(application_id))
    document = "条" * 60_000
    contract = {
        "application_id": application_id, "contract_id": "C-1", "document": document,
        "document_sha256": hashlib.sha256(document.encode()).hexdigest(),
    }  # fmt: skip
    assert _send(_message("loan.contract.ready", **contract)) == (200, {"duplicate": False})
    assert borrower.get(f"/v1/applications/{application_id}/contract").json()["document"] == document


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": SECRETS["b"]},
        {"age": 301},
        {"age": -301},
        {"lender": "lender-b"},
        {"lender": "nobody"},
        {"lender": "registry"},
        {"headers": {"webhook-signature": "v1,"}},
        {"headers": {"webhook-signature": "v1"}},
        {"headers": {"webhook-signature": "v2,AAAA"}},
        {"headers": {"webhook-signature": ""}},
        {"headers": {"webhook-id": ""}},
        {"headers": {"webhook-id": "another"}},
        {"headers": {"webhook-timestamp": "now"}},
        {"headers": {"webhook-timestamp": "٣"}},
    ],
)
def test_what_is_not_authentic_is_refused_without_a_reason(submitted, forged):
    borrower, application_id = submitted
    status, problem = _send(_approval(application_id), **forged)
    assert (status, problem["code"], problem["detail"]) == (401, "unauthenticated", "not authentic")
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "submitted"


def test_a_source_with_a_key_of_its_own_is_no_lender(submitted):
    borrower, application_id = submitted
    status, problem = _send(_approval(application_id), lender="tax")
    assert (status, problem["errors"]) == (
        422,
        [{
            "field": "type", "rule": "must be a message that a channel awaits", "code": "not_awaited", "parameters": {},
        }],
    )  # fmt: skip
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "submitted"


@pytest.mark.parametrize("encoded", [False, True])
def test_a_message_that_is_not_utf8_is_told_so(submitted, encoded):
    body = json.dumps(_approval(submitted[1], reason="批准"), ensure_ascii=False).encode("gb18030")
    event = _event(b"", signed_headers(SECRETS["new"], "msg_gb", int(time.time()), body), encoded=encoded)
    event["body"] = base64.b64encode(body).decode() if encoded else body.decode("utf-8", "replace")
    status, problem = _handle(event)
    assert (status, problem["code"]) == (400, "body_not_utf8")


@pytest.mark.parametrize("text", ["a\x00b", "a\u202eb", "\u200b\u200b", "a\ud800", "\ufffd", "a\x1bb"])
@pytest.mark.parametrize("field", ["lender_reference", "reason"])
def test_a_lenders_texts_can_be_read(submitted, field, text):
    body = json.dumps(_approval(submitted[1], **{field: text})).encode()
    status, problem = _send(body)
    assert (status, [error["field"] for error in problem["errors"]]) == (422, [f"data.{field}"])


@pytest.mark.parametrize("message_id", ["a\ud800", "ä", "a\x00", "a\r\nb", ""])
def test_a_broken_message_id_is_not_authentic(submitted, message_id):
    body = json.dumps(_approval(submitted[1])).encode()
    headers = signed_headers(SECRETS["new"], "msg_1", int(time.time()), body) | {"webhook-id": message_id}
    assert _handle(_event(body, headers))[0] == 401


def test_a_changed_body_is_refused(submitted):
    body = json.dumps(_approval(submitted[1])).encode()
    headers = signed_headers(SECRETS["new"], "msg_1", int(time.time()), body)
    assert _handle(_event(body.replace(b"540", b"040"), headers))[0] == 401


def test_one_good_signature_among_several_is_enough(submitted):
    body = json.dumps(_approval(submitted[1])).encode()
    headers = signed_headers(SECRETS["new"], "msg_several", int(time.time()), body)
    headers["webhook-signature"] = f"v1,AAAA v2,BBBB {headers['webhook-signature']}"
    assert _handle(_event(body, headers)) == (200, {"duplicate": False})


def test_an_unsigned_request_and_an_empty_one():
    assert _handle(_event(b"{}", {"content-type": "application/json"}))[0] == 401
    assert _handle(_event(b"", {}) | {"body": None, "headers": None})[0] == 401
    assert _handle(_event(b"", {}) | {"body": "***", "isBase64Encoded": True})[0] == 401


def test_too_long_a_body_is_refused_before_anything_else():
    assert _handle(_event(b"x" * (4 * 1024 * 1024 + 1), {}))[0] == 413


def test_a_lenders_message_is_short():
    body = json.dumps(_message("loan.decision", text="x" * 256 * 1024)).encode()
    headers = signed_headers(SECRETS["new"], "msg_long", int(time.time()), body)
    assert _handle(_event(body, headers))[0] == 413


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"approved_amount": "1e5"}, "data.approved_amount"),
        ({"approved_amount": 300000}, "data.approved_amount"),
        ({"approved_amount": "-1.00"}, "data.approved_amount"),
        ({"approved_amount": "0.00"}, "data.approved_amount"),
        ({"approved_amount": "999999999.00"}, "data.approved_amount"),
        ({"approved_amount": None}, "data.approved_amount"),
        ({"currency": "USD"}, "data.currency"),
        ({"annual_rate_bps": 3601}, "data.annual_rate_bps"),
        ({"term_months": 0}, "data.term_months"),
        ({"decision": "maybe"}, "data.decision"),
        ({"lender_reference": ""}, "data.lender_reference"),
    ],
)
def test_a_bad_approval_is_named_and_changes_nothing(submitted, changed, field):
    borrower, application_id = submitted
    status, problem = _send(_approval(application_id, **changed))
    assert (status, [one["field"] for one in problem["errors"]]) == (422, [field])
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "submitted"


def test_an_authentic_message_that_cannot_be_read():
    unknown = _send({"type": "loan.weather", "data": {}})
    assert (unknown[0], unknown[1]["errors"][0]["field"]) == (422, "type")
    assert _send(b"{")[0] == 400
    assert _send(b'{"type": "loan.decision", "type": "loan.disbursed"}')[0] == 400
    assert _send(_approval("app_1"), headers={"content-type": "text/plain"})[0] == 415
    long_id = _send(_approval("app_1"), message_id="m" * 201)
    assert (long_id[0], long_id[1]["errors"][0]["field"]) == (422, "webhook-id")


def test_another_lenders_application_looks_like_none(submitted):
    _, application_id = submitted
    foreign = _send(_approval(application_id), secret=SECRETS["b"], lender="lender-b")
    absent = _send(_approval("app_none"))
    assert (foreign[0], absent[0]) == (404, 404)
    assert foreign[1]["code"] == absent[1]["code"]


def test_an_outage_asks_the_lender_to_come_again(submitted):
    def busy(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="http://dynamodb.test")

    events = wired.client("dynamodb").meta.events
    events.register("before-parameter-build.dynamodb", busy)
    try:
        event = _event(body := json.dumps(_approval(submitted[1])).encode(), _headers(body))
        answer = receive_webhook.handler(event, Context())
    finally:
        events.unregister("before-parameter-build.dynamodb", busy)
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "5")


def _headers(body: bytes) -> dict[str, str]:
    return signed_headers(SECRETS["new"], "msg_busy", int(time.time()), body)

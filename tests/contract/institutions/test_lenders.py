"""A lender speaks as the interface says, answers repeats as repeats and never pays twice (C17, C21-C24)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from creditmesh.closing.model import LENDER_MESSAGE
from creditmesh.platform.signing import SignatureRefused, verify
from institutions.config import Config
from institutions.population import LENDERS_HABITS, Firm, Population
from institutions.push import PushFailed, push_catalogue

from .conftest import AS_OF, Platform
from .exchange import Exchange, submission

FirmOf = Callable[[str], Firm]
LENDER = "harbor-bank"


@pytest.fixture
def bank(client: Callable[[str], TestClient]) -> TestClient:
    return client(LENDER)


@pytest.fixture
def exchange(bank: TestClient, config: Config) -> Exchange:
    return Exchange(bank, config.institutions[LENDER].webhook_secret)


def settle(bank: TestClient) -> None:
    """Wait until the lender has noted the end of every delivery; it knows a moment later than the platform."""
    deadline = time.monotonic() + 10
    while any(row["state"] == "pending" for row in bank.get("/_callbacks").json()["callbacks"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_from_submission_to_disbursement(
    bank: TestClient, exchange: Exchange, platform: Platform, config: Config, firm: FirmOf
) -> None:
    assert exchange.submit(submission(firm("good_firm"))).status_code == 202
    decision = platform.wait_for(1)[0]["data"]
    assert (decision["decision"], decision["approved_amount"], decision["currency"]) == ("approved", "300000.00", "CNY")
    assert (decision["annual_rate_bps"], decision["term_months"]) == (620, 12)
    assert exchange.request_contract(decision).status_code == 202
    contract = platform.wait_for(2)[1]["data"]
    assert hashlib.sha256(contract["document"].encode()).hexdigest() == contract["document_sha256"]
    assert exchange.sign(contract).status_code == 202
    paid = platform.wait_for(3)[2]["data"]
    assert (paid["amount"], paid["contract_id"]) == ("300000.00", contract["contract_id"])
    ledger = bank.get("/_ledger").json()["disbursements"]
    assert [(row["application_id"], row["disbursement_id"], row["amount"]) for row in ledger] == [
        ("app-1", paid["disbursement_id"], "300000.00")
    ]
    assert bank.get("/_applications").json()["applications"][0]["state"] == "disbursed"
    for headers, body in platform.received:
        assert headers[":path"] == f"/webhooks/{LENDER}"
        assert verify([config.institutions[LENDER].webhook_secret], headers, body, int(time.time()))
        LENDER_MESSAGE.validate_json(body)


def test_a_test_message_is_taken_once_and_changes_nothing(bank: TestClient, exchange: Exchange) -> None:
    """S20: what `POST /v1/lender-messages/test` sends."""
    said = {"sent_by": "lender", "at": "2026-11-21T00:00:00.000Z"}
    assert exchange.send("platform.test", said, webhook_id="lender-a.test.1").status_code == 202
    assert exchange.send("platform.test", said, webhook_id="lender-a.test.1").status_code == 200
    assert bank.get("/_applications").json() == {"applications": []}


def test_what_is_not_authentic_is_refused(bank: TestClient, exchange: Exchange, firm: FirmOf) -> None:
    data = submission(firm("good_firm"))
    assert exchange.submit(data, age=301).status_code == 401
    assert exchange.submit(data, age=-301).status_code == 401
    assert Exchange(bank, "whsec_" + "AAAA" * 8).submit(data).status_code == 401
    assert bank.post("/v1/applications", json={"data": data}).json() == {"error": "unauthorized"}
    assert bank.get("/_applications").json() == {"applications": []}


def test_a_repeat_of_a_message_changes_nothing(
    bank: TestClient, exchange: Exchange, platform: Platform, firm: FirmOf
) -> None:
    data = submission(firm("good_firm"))
    assert [exchange.submit(data, webhook_id="same").status_code for _ in range(3)] == [202, 200, 200]
    platform.wait_for(1)
    assert len(bank.get("/_callbacks").json()["callbacks"]) == 1


def test_the_same_application_with_other_content_is_a_conflict(exchange: Exchange, firm: FirmOf) -> None:
    assert exchange.submit(submission(firm("good_firm"))).status_code == 202
    assert exchange.submit(submission(firm("good_firm"))).status_code == 200
    answer = exchange.submit(submission(firm("good_firm"), amount="300000.01"))
    assert (answer.status_code, answer.json()["field"]) == (409, "application_id")


def test_a_question_put_again_is_answered_again_under_the_same_id(
    bank: TestClient, exchange: Exchange, platform: Platform, firm: FirmOf
) -> None:
    exchange.submit(submission(firm("good_firm")))
    platform.wait_for(1)
    settle(bank)
    assert exchange.submit(submission(firm("good_firm"))).status_code == 200
    one, other = platform.wait_for(2)
    assert one == other
    assert len({headers["webhook-id"] for headers, _ in platform.received}) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "300000"}, "amount"),
        ({"amount": 300000.0}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"term_months": "12"}, "term_months"),
        ({"firm": None}, "firm"),
        ({"firm": {"name": "x", "taxpayer_id": "x"}}, "firm.taxpayer_id"),
        ({"assessment": {"score": 1, "grade": "A"}}, "assessment.limit"),
        ({"application_id": ""}, "application_id"),
    ],
)
def test_malformed_fields_are_refused_by_name(
    bank: TestClient, exchange: Exchange, firm: FirmOf, changes: dict[str, Any], field: str
) -> None:
    answer = exchange.submit(submission(firm("good_firm"), **changes))
    assert (answer.status_code, answer.json()) == (422, {"error": "invalid_field", "field": field})
    assert bank.get("/_applications").json() == {"applications": []}


def test_a_refused_message_can_be_sent_again_corrected(exchange: Exchange, firm: FirmOf) -> None:
    assert exchange.submit(submission(firm("good_firm"), amount="x"), webhook_id="same").status_code == 422
    assert exchange.submit(submission(firm("good_firm")), webhook_id="same").status_code == 202


def test_the_unwanted_firm_is_rejected_with_a_reason(exchange: Exchange, platform: Platform, firm: FirmOf) -> None:
    exchange.submit(submission(firm("lender_rejects")))
    data = platform.wait_for(1)[0]["data"]
    assert (data["decision"], data["reason_code"]) == ("rejected", "internal_policy")
    assert data["reason"]
    assert exchange.request_contract(data).status_code == 409


def test_the_silent_lender_takes_the_message_and_never_answers(
    bank: TestClient, exchange: Exchange, platform: Platform, firm: FirmOf
) -> None:
    assert exchange.submit(submission(firm("lender_silent"), "app-silent")).status_code == 202
    exchange.submit(submission(firm("good_firm"), "app-other"))
    assert [message["data"]["application_id"] for message in platform.wait_for(1)] == ["app-other"]
    assert [row["application_id"] for row in bank.get("/_callbacks").json()["callbacks"]] == ["app-other"]


def test_steps_out_of_order_are_refused(exchange: Exchange, platform: Platform, firm: FirmOf) -> None:
    assert exchange.request_contract({"application_id": "unknown", "lender_reference": "x"}).status_code == 422
    exchange.submit(submission(firm("good_firm")))
    decision = platform.wait_for(1)[0]["data"]
    early = {"application_id": "app-1", "contract_id": "x", "document_sha256": "x"}
    assert exchange.sign(early).status_code == 409
    assert exchange.request_contract({**decision, "lender_reference": "other"}).status_code == 422
    assert exchange.request_contract(decision).status_code == 202
    contract = platform.wait_for(2)[1]["data"]
    answer = exchange.sign({**contract, "document_sha256": "0" * 64})
    assert (answer.status_code, answer.json()["field"]) == (422, "document_sha256")


@pytest.mark.parametrize("cause", ["fault", "firm"])
def test_a_failed_disbursement_is_told_and_can_be_ordered_again(
    cause: str, bank: TestClient, exchange: Exchange, platform: Platform, firm: FirmOf
) -> None:
    """Once by an injected fault, once as the persona `payment_repeated` always has it."""
    if cause == "fault":
        bank.post("/_faults", json={"kind": "fail_disbursement"})
        exchange.submit(submission(firm("good_firm")))
    else:
        exchange.submit(submission(Population(7).firm(LENDERS_HABITS["payment_repeated"], AS_OF)))
    exchange.request_contract(platform.wait_for(1)[0]["data"])
    contract = platform.wait_for(2)[1]["data"]
    assert exchange.sign(contract).status_code == 202
    failed = platform.wait_for(3)[2]
    assert (failed["type"], failed["data"]["reason_code"]) == ("loan.disbursement.failed", "account_rejected")
    assert bank.get("/_ledger").json() == {"disbursements": []}
    settle(bank)
    assert exchange.sign(contract).status_code == 200  # the same order: it has failed
    assert platform.wait_for(4)[3] == failed
    assert exchange.sign(contract, "order-2").status_code == 202
    assert platform.wait_for(5)[4]["type"] == "loan.disbursed"
    settle(bank)
    assert exchange.sign(contract, "order-2").status_code == 200
    assert platform.wait_for(6)[5]["type"] == "loan.disbursed"
    assert len(bank.get("/_ledger").json()["disbursements"]) == 1


def test_callbacks_are_tried_until_they_are_taken(exchange: Exchange, platform: Platform, firm: FirmOf) -> None:
    platform.answers = [503, 429, 500]
    exchange.submit(submission(firm("good_firm")))
    messages = platform.wait_for(4)
    assert messages == [messages[0]] * 4
    assert len({headers["webhook-id"] for headers, _ in platform.received}) == 1


def test_a_final_refusal_is_not_tried_again(
    bank: TestClient, exchange: Exchange, platform: Platform, firm: FirmOf
) -> None:
    platform.answers = [422]
    exchange.submit(submission(firm("good_firm"), "app-refused"))
    platform.wait_for(1)
    exchange.submit(submission(firm("good_firm"), "app-next"))
    assert platform.wait_for(2)[1]["data"]["application_id"] == "app-next"
    settle(bank)
    states = {row["application_id"]: row["state"] for row in bank.get("/_callbacks").json()["callbacks"]}
    assert states["app-refused"] == "refused"


def test_callbacks_can_be_spoiled_and_swallowed(
    bank: TestClient, exchange: Exchange, platform: Platform, config: Config, firm: FirmOf
) -> None:
    bank.post("/_faults", json={"kind": "drop", "count": 1})
    exchange.submit(submission(firm("good_firm"), "app-dropped"))
    settle(bank)
    assert platform.received == []
    bank.post("/_faults", json={"kind": "wrong_signature", "count": 1})
    platform.answers = [401]
    exchange.submit(submission(firm("good_firm"), "app-spoiled"))
    platform.wait_for(2)
    (spoiled, body), (sound, _) = platform.received
    secret = config.institutions[LENDER].webhook_secret
    with pytest.raises(SignatureRefused):
        verify([secret], spoiled, body, int(time.time()))
    assert verify([secret], sound, body, int(time.time()))


def test_the_catalogue_is_shown_and_pushed(bank: TestClient, platform: Platform, config: Config) -> None:
    shown = {product["product_id"] for product in bank.get("/v1/catalogue").json()["products"]}
    pushed = bank.post("/_push", json={"api_url": platform.url, "token": "t0ken"}).json()["pushed"]
    assert set(pushed) == shown
    for product_id, (headers, body) in zip(pushed, platform.received, strict=True):
        assert headers[":path"] == f"/v1/products/{product_id}"
        assert headers["authorization"] == "Bearer t0ken"
        assert json.loads(body)["currency"] == "CNY"


def test_a_push_is_tried_again_on_passing_failures_only(platform: Platform, config: Config) -> None:
    platform.answers = [503]
    assert push_catalogue(platform.url, "t", LENDER, config) == ["harbor-working-capital", "harbor-invoice"]
    platform.answers = [403]
    with pytest.raises(PushFailed, match="403"):
        push_catalogue(platform.url, "t", LENDER, config)
    with pytest.raises(KeyError):
        push_catalogue(platform.url, "t", "tax-bureau", config)

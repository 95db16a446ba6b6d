"""The credit bureau answers late, is paid once and believes only what is signed (C09, G05)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from creditmesh.platform.signing import verify
from institutions.config import Config, InstitutionConfig, parse
from institutions.credit_figures import credit_bureau_data
from institutions.population import Firm, Population
from institutions.serve import build

from .calls import credit_headers, enquire
from .conftest import AS_OF, Platform
from .forms import structured

Open = Callable[[str], TestClient]
FirmOf = Callable[[str], Firm]


@pytest.fixture
def settings(config: Config) -> InstitutionConfig:
    return config.institutions["credit-bureau"]


@pytest.fixture
def bureau(client: Open) -> TestClient:
    return client("credit-bureau")


def look_up(bureau: TestClient, settings: InstitutionConfig, enquiry_id: str) -> Any:
    return bureau.get(f"/api/v1/enquiries/{enquiry_id}", headers=credit_headers(settings, b""))


def charged(bureau: TestClient) -> list[str]:
    return [row["request_id"] for row in bureau.get("/_ledger").json()["charges"]]


def test_a_report_comes_by_signed_callback(
    bureau: TestClient, settings: InstitutionConfig, platform: Platform, firm: FirmOf
) -> None:
    good = firm("good_firm")
    begun = time.monotonic()
    answer = enquire(bureau, settings, good.taxpayer_id, "req-1")
    assert answer.status_code == 202
    enquiry_id = answer.json()["enquiry_id"]
    assert look_up(bureau, settings, enquiry_id).json() == {"status": "pending"}
    message = platform.wait_for(1)[0]
    assert time.monotonic() - begun >= settings.delay_ms / 1000
    headers, body = platform.received[0]
    assert headers[":path"] == "/webhooks/credit-bureau"
    assert verify([settings.webhook_secret], headers, body, int(time.time())) == f"msg_{enquiry_id}"
    assert message["type"] == "credit.report.ready"
    assert (message["data"]["request_id"], message["data"]["enquiry_id"]) == ("req-1", enquiry_id)
    assert structured("credit_bureau", message["data"]["report"]) == credit_bureau_data(good, AS_OF)
    assert look_up(bureau, settings, enquiry_id).json() == {"status": "ready", "report": message["data"]["report"]}


def test_every_report_becomes_third_information_by_rule(
    client: Open, config: Config, document: dict[str, Any], platform: Platform
) -> None:
    document["institutions"]["credit-bureau"]["delay_ms"] = 0
    quick = parse(document)
    settings, firms = quick.institutions["credit-bureau"], [Population(7).firm(index, AS_OF) for index in range(8, 48)]
    with TestClient(build("credit-bureau", quick)) as bureau:
        for firm in firms:
            assert enquire(bureau, settings, firm.taxpayer_id, f"req-{firm.index}").status_code == 202
        told = {message["data"]["request_id"]: message["data"]["report"] for message in platform.wait_for(len(firms))}
    documents = {f"req-{firm.index}": credit_bureau_data(firm, AS_OF) for firm in firms}
    assert {request: structured("credit_bureau", report) for request, report in told.items()} == documents
    assert sum(len(one["overdue"]) for one in documents.values()) > 5


def test_a_repeat_is_the_same_enquiry_and_charged_once(
    bureau: TestClient, settings: InstitutionConfig, platform: Platform, firm: FirmOf
) -> None:
    good = firm("good_firm").taxpayer_id
    first = enquire(bureau, settings, good, "req-1")
    second = enquire(bureau, settings, good, "req-1")
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json() == second.json()
    platform.wait_for(1)
    assert charged(bureau) == ["req-1"]
    assert bureau.get("/_calls").json() == {"calls": {"POST /api/v1/enquiries": 2}, "count": 2}


def test_a_repeat_after_the_report_has_it_told_again_under_the_same_id(
    bureau: TestClient, settings: InstitutionConfig, platform: Platform, firm: FirmOf
) -> None:
    good = firm("good_firm").taxpayer_id
    enquire(bureau, settings, good, "req-1")
    platform.wait_for(1)
    deadline = time.monotonic() + 10
    while bureau.get("/_callbacks").json()["callbacks"][0]["state"] != "delivered":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert enquire(bureau, settings, good, "req-1").status_code == 200
    first, again = platform.wait_for(2)
    assert first == again
    assert platform.received[0][0]["webhook-id"] == platform.received[1][0]["webhook-id"]
    assert charged(bureau) == ["req-1"]


def test_an_id_belongs_to_one_question(bureau: TestClient, settings: InstitutionConfig, firm: FirmOf) -> None:
    good, other = firm("good_firm").taxpayer_id, firm("thin_file").taxpayer_id
    enquire(bureau, settings, good, "req-1")
    assert enquire(bureau, settings, other, "req-1").status_code == 409
    assert enquire(bureau, settings, good, "req-1", consent_reference="other").status_code == 409
    assert charged(bureau) == ["req-1"]


def test_nobody_costs_nothing(bureau: TestClient, settings: InstitutionConfig) -> None:
    answer = enquire(bureau, settings, "91110000600037341L", "req-1")
    assert (answer.status_code, answer.json()) == (404, {"error": "no_such_company"})
    assert look_up(bureau, settings, "ENQ-none").status_code == 404
    assert bureau.get("/_ledger").json() == {"charges": [], "count": 0, "total": "0.00", "currency": "CNY"}


@pytest.mark.parametrize("missing", ["taxpayer_id", "consent_reference", "request_id"])
@pytest.mark.parametrize("value", [None, "", 7, "x" * 300])
def test_what_is_malformed_is_refused(
    bureau: TestClient, settings: InstitutionConfig, firm: FirmOf, missing: str, value: object
) -> None:
    fields = {"taxpayer_id": firm("good_firm").taxpayer_id, "consent_reference": "c", "request_id": "r", missing: value}
    for body in (json.dumps(fields).encode(), b"[" * 50_000, b"\xff"):
        answer = bureau.post("/api/v1/enquiries", content=body, headers=credit_headers(settings, body))
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_only_what_the_client_signed_now_and_once_is_believed(
    bureau: TestClient, settings: InstitutionConfig, firm: FirmOf
) -> None:
    fields = {"taxpayer_id": firm("good_firm").taxpayer_id, "consent_reference": "c", "request_id": "r"}
    body = json.dumps(fields).encode()
    good = credit_headers(settings, body, nonce="one-nonce")
    wrong = [
        {},
        {**good, "x-signature": good["x-signature"][:-1] + "g"},
        {**good, "x-client-id": "other"},
        {**good, "x-timestamp": "0"},
        {**good, "x-nonce": "other-nonce"},
        credit_headers(settings, body + b" "),
        credit_headers(settings, body, age=301),
        credit_headers(settings, body, age=-310),
        credit_headers(settings, body, nonce="short"),
        credit_headers(replace(settings, signing_secret=""), body),
        credit_headers(replace(settings, signing_secret="other"), body),
    ]
    for headers in wrong:
        answer = bureau.post("/api/v1/enquiries", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})
    assert charged(bureau) == []
    assert bureau.post("/api/v1/enquiries", content=body, headers=good).status_code == 202
    assert bureau.post("/api/v1/enquiries", content=body, headers=good).status_code == 401
    assert look_up(bureau, replace(settings, signing_secret="other"), "ENQ-none").status_code == 401


def test_a_report_survives_what_the_platform_and_the_tester_do_to_it(
    bureau: TestClient, settings: InstitutionConfig, platform: Platform, firm: FirmOf
) -> None:
    platform.answers = [503]
    bureau.post("/_faults", json={"kind": "wrong_signature", "path": "credit.report"})
    enquire(bureau, settings, firm("good_firm").taxpayer_id, "req-1")
    first, again = platform.wait_for(2)
    assert first == again
    now = int(time.time())
    assert platform.received[0][0]["webhook-signature"] != platform.received[1][0]["webhook-signature"]
    assert verify([settings.webhook_secret], platform.received[1][0], platform.received[1][1], now)


@pytest.mark.parametrize(
    ("order", "shown"),
    [
        ({"kind": "drift", "path": "credit.report"}, "data_v2"),
        ({"kind": "drift", "path": "credit.report", "field": "facilities"}, "facilities_v2"),
    ],
)
def test_a_callback_may_drift_too(
    bureau: TestClient, settings: InstitutionConfig, platform: Platform, firm: FirmOf, order: Any, shown: str
) -> None:
    bureau.post("/_faults", json=order)
    enquire(bureau, settings, firm("good_firm").taxpayer_id, "req-1")
    platform.wait_for(1)
    headers, body = platform.received[0]
    assert f'"{shown}"' in body.decode()
    assert verify([settings.webhook_secret], headers, body, int(time.time()))

"""The education register and the anti-fraud service speak as the interface says (M01, M03)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from institutions.config import Config, InstitutionConfig
from institutions.education_figures import education_data
from institutions.fraud_figures import anti_fraud_data
from institutions.population import Firm, Population
from institutions.registry_figures import legal_representative

from .calls import ask_education, ask_fraud, fraud_headers
from .conftest import AS_OF
from .forms import structured

Open = Callable[[str], TestClient]
FirmOf = Callable[[str], Firm]
NOBODY = "91110000600037341L"


@pytest.fixture
def education(config: Config) -> InstitutionConfig:
    return config.institutions["education-register"]


@pytest.fixture
def register(client: Open) -> TestClient:
    return client("education-register")


@pytest.fixture
def settings(config: Config) -> InstitutionConfig:
    return config.institutions["fraud-shield"]


@pytest.fixture
def shield(client: Open) -> TestClient:
    return client("fraud-shield")


@pytest.mark.parametrize("charset", ["gb18030", "utf-8"])
def test_degrees_come_in_gb18030_and_become_third_information_by_rule(
    register: TestClient, education: InstitutionConfig, charset: str
) -> None:
    for index in range(40):
        firm = Population(7).firm(index, AS_OF)
        answer = ask_education(register, education, firm.taxpayer_id, legal_representative(firm), charset)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=GB18030")
        with pytest.raises(UnicodeDecodeError):
            answer.content.decode("utf-8")
        raw = json.loads(answer.content.decode("gb18030"))
        assert structured("education", raw) == education_data(firm, AS_OF)


def test_another_name_another_firm_and_no_key_find_nothing(
    register: TestClient, education: InstitutionConfig, firm: FirmOf
) -> None:
    good = firm("good_firm")
    name = legal_representative(good)
    asked = [
        (ask_education(register, education, good.taxpayer_id, "无此人"), 404, "no_such_person"),
        (ask_education(register, education, NOBODY, name), 404, "no_such_company"),
        (ask_education(register, replace(education, api_key=""), good.taxpayer_id, name), 401, "invalid_api_key"),
        (ask_education(register, education, good.taxpayer_id, name, code="A" * 16), 403, "verification_code_invalid"),
        (ask_education(register, education, good.taxpayer_id, name, code=""), 400, "invalid_request"),
        (ask_education(register, education, good.taxpayer_id, ""), 400, "invalid_request"),
        (ask_education(register, education, "x" * 9_000, name), 400, "invalid_request"),
    ]
    for answer, status, error in asked:
        assert (answer.status_code, answer.json()) == (status, {"error": error})
    body = register.post("/query", content="姓名".encode(), headers={"x-api-key": education.api_key})
    assert (body.status_code, body.json()) == (400, {"error": "invalid_request"})


def test_scores_become_third_information_by_rule(shield: TestClient, settings: InstitutionConfig) -> None:
    hits = 0
    for index in range(60):
        firm = Population(7).firm(index, AS_OF)
        answer = ask_fraud(shield, settings, firm.taxpayer_id)
        assert answer.status_code == 200
        assert structured("anti_fraud", answer.json()) == anti_fraud_data(firm, AS_OF)
        hits += len(answer.json()["verdict"]["signals"])
    assert hits
    assert shield.get("/_ledger").json()["count"] == 60


def test_a_repeat_with_its_id_is_free_and_without_one_is_not(
    shield: TestClient, settings: InstitutionConfig, firm: FirmOf
) -> None:
    good, thin = firm("good_firm").taxpayer_id, firm("thin_file").taxpayer_id
    first, again = (ask_fraud(shield, settings, good, "req-1") for _ in range(2))
    assert first.content == again.content
    other = ask_fraud(shield, settings, thin, "req-1")
    assert (other.status_code, other.json()["error"]) == (409, "content_differs")
    ledger = shield.get("/_ledger").json()
    assert [(row["request_id"], row["taxpayer_id"], row["fee"]) for row in ledger["charges"]] == [
        ("req-1", good, "1.50")
    ]
    for _ in range(2):
        ask_fraud(shield, settings, good)
    ledger = shield.get("/_ledger").json()
    assert (ledger["count"], ledger["total"]) == (3, "4.50")
    assert shield.get("/_calls").json()["calls"] == {"POST /score": 5}
    assert shield.delete("/_calls").status_code == 204
    assert shield.get("/_calls").json() == {"calls": {}, "count": 0}


def test_nobody_costs_nothing(shield: TestClient, settings: InstitutionConfig) -> None:
    answer = ask_fraud(shield, settings, NOBODY, "req-1")
    assert (answer.status_code, answer.json()) == (404, {"error": "no_such_company"})
    assert shield.get("/_ledger").json()["count"] == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"taxpayer_id": 1}', b'{"taxpayer_id": "x", "device_id": 1}'])
def test_what_is_malformed_is_refused(shield: TestClient, settings: InstitutionConfig, body: bytes) -> None:
    answer = shield.post("/score", content=body, headers=fraud_headers(settings, body))
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_only_what_the_client_signed_now_is_believed(
    shield: TestClient, settings: InstitutionConfig, firm: FirmOf
) -> None:
    body = json.dumps({"taxpayer_id": firm("good_firm").taxpayer_id, "device_id": "d-1"}).encode()
    good = fraud_headers(settings, body)
    wrong = [
        {},
        {**good, "x-signature": ""},
        {**good, "x-client-id": "other"},
        {**good, "x-timestamp": good["x-timestamp"] + "0"},
        fraud_headers(settings, body + b" "),
        fraud_headers(settings, body, age=301),
        fraud_headers(replace(settings, signing_secret="other"), body),
    ]
    for headers in wrong:
        assert shield.post("/score", content=body, headers=headers).status_code == 401
    assert shield.get("/_ledger").json()["count"] == 0
    assert shield.post("/score", content=body, headers=good).status_code == 200

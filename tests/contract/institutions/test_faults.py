"""What goes wrong on order: each fault spoils what it says, as often as ordered, and nothing else."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import xmltodict
from starlette.testclient import TestClient

from institutions.config import Config, InstitutionConfig, parse
from institutions.population import Firm
from institutions.registry_figures import legal_representative
from institutions.serve import build

from .calls import ask_court, ask_education, ask_fraud

Open = Callable[[str], TestClient]
FirmOf = Callable[[str], Firm]


@pytest.fixture
def registry(client: Open, config: Config) -> TestClient:
    one = client("company-registry")
    one.headers["x-api-key"] = config.institutions["company-registry"].api_key
    return one


@pytest.fixture
def path(firm: FirmOf) -> str:
    return f"/api/v1/companies/{firm('good_firm').taxpayer_id}"


@pytest.fixture
def court(config: Config) -> InstitutionConfig:
    return config.institutions["court-register"]


def order(http: TestClient, kind: str, **more: Any) -> None:
    answer = http.post("/_faults", json={"kind": kind, **more})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(("status", "retry_after"), [(429, 7), (503, 0), (500, None)])
def test_a_status_may_say_when_to_come_again(
    registry: TestClient, path: str, status: int, retry_after: int | None
) -> None:
    order(registry, "status", status=status, retry_after=retry_after)
    answer = registry.get(path)
    expected = None if retry_after is None else str(retry_after)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, expected)
    assert registry.get(path).status_code == 200


def test_the_wrong_charset_has_the_right_text(registry: TestClient, path: str) -> None:
    right = registry.get(path)
    order(registry, "wrong_charset")
    answer = registry.get(path)
    assert answer.headers["content-type"] == right.headers["content-type"]
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode("utf-8")
    assert answer.content.decode("gb18030") == right.text


def test_the_wrong_charset_of_what_should_be_gb18030(client: Open, config: Config, firm: FirmOf) -> None:
    register, settings, good = (
        client("education-register"),
        config.institutions["education-register"],
        firm("good_firm"),
    )
    order(register, "wrong_charset")
    answer = ask_education(register, settings, good.taxpayer_id, legal_representative(good))
    assert answer.headers["content-type"] == "application/json; charset=GB18030"
    assert json.loads(answer.content.decode("utf-8"))["xm"] == legal_representative(good)


def test_plain_letters_too_come_in_a_charset_that_shows(client: Open, config: Config, firm: FirmOf) -> None:
    shield, settings = client("fraud-shield"), config.institutions["fraud-shield"]
    order(shield, "wrong_charset")
    answer = ask_fraud(shield, settings, firm("good_firm").taxpayer_id)
    assert json.loads(answer.content.decode("utf-16-le"))["entity"] == firm("good_firm").taxpayer_id
    assert shield.get("/_ledger").json()["count"] == 1


def test_huge_is_as_large_as_ordered_and_well_formed(
    registry: TestClient, path: str, client: Open, court: InstitutionConfig
) -> None:
    order(registry, "huge", megabytes=3)
    answer = registry.get(path)
    assert "content-length" not in answer.headers
    assert 3 * 2**20 < len(answer.content) < 3 * 2**20 + 100
    assert answer.json()["filler"]
    courts = client("court-register")
    order(courts, "huge", megabytes=1)
    answer = ask_court(courts, court, "x")
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.content.startswith(b"<filler>x")
    assert answer.content.endswith(b"x</filler>")


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        ({}, {"registration_v2": dict}),
        ({"field": "filings"}, {"filings_v2": list}),
        ({"field": "filings", "how": "retype"}, {"filings": dict}),
        ({"how": "retype"}, {"registration": list}),
    ],
)
def test_drift_changes_one_field_and_nothing_else(
    registry: TestClient, path: str, more: dict[str, str], changed: dict[str, type]
) -> None:
    right = registry.get(path).json()
    order(registry, "drift", **more)
    answer = registry.get(path).json()
    for name, kind in changed.items():
        assert type(answer[name]) is kind
        original = name.removesuffix("_v2")
        assert answer[name] in (right[original], [right[original]], {"items": right[original]})
        assert {k: v for k, v in answer.items() if k != name} == {k: v for k, v in right.items() if k != original}
        if name != original:
            assert original not in answer


def test_drift_reaches_a_field_in_the_depth(registry: TestClient, path: str) -> None:
    order(registry, "drift", field="registered_capital", how="retype")
    answer = registry.get(path).json()
    assert isinstance(answer["registration"]["registered_capital"], list)


def test_drift_of_xml(client: Open, court: InstitutionConfig, firm: FirmOf) -> None:
    courts, listed = client("court-register"), firm("blacklisted").taxpayer_id

    def body() -> Any:
        answer = xmltodict.parse(ask_court(courts, court, listed).content)
        return answer["soap:Envelope"]["soap:Body"]["QueryJudicialRecordResponse"]

    right = body()
    order(courts, "drift")
    order(courts, "drift", field="CaseNo")
    order(courts, "drift", field="Listed", how="retype")
    first, second, third = body(), body(), body()
    assert first == {**{k: v for k, v in right.items() if k != "TaxpayerId"}, "TaxpayerIdV2": listed}
    assert second["Cases"]["Case"]["CaseNoV2"] == right["Cases"]["Case"]["CaseNo"]
    assert "CaseNo" not in second["Cases"]["Case"]
    assert third["DishonestDebtor"]["Listed"] == {"Value": "true"}
    assert body() == right


def test_the_xml_bomb_is_small_and_would_be_immense(client: Open, court: InstitutionConfig) -> None:
    courts = client("court-register")
    order(courts, "xml_bomb")
    answer = ask_court(courts, court, "x")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    entities = dict(re.findall(r'<!ENTITY (\w+) "([^"]*)">', answer.text))
    size = len(entities["l0"])
    for level in range(1, 11):
        assert entities[f"l{level}"] == f"&l{level - 1};" * 10
        size *= 10
    assert "<bomb>&l10;</bomb>" in answer.text
    assert len(answer.content) < 2_000 < 10**10 < size


def test_a_redirect_leads_where_ordered(registry: TestClient, path: str) -> None:
    order(registry, "redirect", location="http://127.0.0.1:9/elsewhere")
    answer = registry.get(path)
    assert (answer.status_code, answer.headers["location"]) == (302, "http://127.0.0.1:9/elsewhere")
    assert registry.get(path).status_code == 200


@pytest.mark.parametrize(
    ("malformed", "field"),
    [
        ({"kind": "redirect"}, "location"),
        ({"kind": "redirect", "location": 7}, "location"),
        ({"kind": "redirect", "location": "ü"}, "location"),
        ({"kind": "huge", "megabytes": 0}, "megabytes"),
        ({"kind": "status", "retry_after": -1}, "retry_after"),
        ({"kind": "status", "retry_after": "1"}, "retry_after"),
        ({"kind": "drift", "how": "vanish"}, "how"),
        ({"kind": "drift", "field": 1}, "field"),
    ],
)
def test_malformed_orders_are_refused_by_field(registry: TestClient, malformed: Any, field: str) -> None:
    answer = registry.post("/_faults", json=malformed)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert registry.get("/_faults").json() == {"faults": []}


def test_calls_are_counted_spoiled_or_not_and_the_testers_are_not(registry: TestClient, path: str) -> None:
    order(registry, "status")
    registry.get(path)
    registry.get(path)
    registry.get("/api/v1/companies/x")
    registry.get("/_health")
    expected = {f"GET {path}": 2, "GET /api/v1/companies/x": 1}
    assert registry.get("/_calls").json() == {"calls": expected, "count": 3}


def test_latency_holds_up_answers_but_not_the_tester(document: dict[str, Any]) -> None:
    document["institutions"]["company-registry"]["latency_ms"] = 1_000
    with TestClient(build("company-registry", parse(document))) as slow:
        begun = time.monotonic()
        assert slow.get("/_health").status_code == 200
        assert time.monotonic() - begun < 0.8
        assert slow.get("/api/v1/companies/x").status_code == 401
        assert time.monotonic() - begun >= 1.0

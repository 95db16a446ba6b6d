"""The tax bureau and the company registry speak as the interface says (C05-C09)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from creditmesh.gateway.key_data import extract
from institutions.config import Config
from institutions.population import Firm, expired_code, password

from .conftest import AS_OF

Open = Callable[[str], TestClient]
FirmOf = Callable[[str], Firm]


@pytest.fixture
def bureau(client: Open) -> TestClient:
    return client("tax-bureau")


def log_in(bureau: TestClient, taxpayer_id: str, **fields: str) -> str:
    """The session of a login."""
    form = {"client_id": "creditmesh", "taxpayer_id": taxpayer_id, "password": password(taxpayer_id), **fields}
    page = bureau.post("/oauth/login", data=form)
    assert page.status_code == 200
    match = re.search(r'name="session" value="([^"]+)"', page.text)
    assert match
    return match[1]


def grant(bureau: TestClient, session: str, days: str = "365", decision: str = "allow") -> Any:
    return bureau.post("/oauth/grant", data={"session": session, "validity_days": days, "decision": decision})


def code_for(bureau: TestClient, taxpayer_id: str, days: str = "365") -> str:
    match = re.search(r'<code id="code">([^<]+)</code>', grant(bureau, log_in(bureau, taxpayer_id), days).text)
    assert match
    return match[1]


def fetch(bureau: TestClient, config: Config, taxpayer_id: str, code: str, key: str | None = None) -> Any:
    api_key = config.institutions["tax-bureau"].api_key if key is None else key
    body = {"taxpayer_id": taxpayer_id, "authorization_code": code}
    return bureau.post("/api/v1/taxpayer-data", json=body, headers={"x-api-key": api_key})


def test_a_granted_code_opens_the_data(bureau: TestClient, config: Config, firm: FirmOf) -> None:
    good = firm("good_firm").taxpayer_id
    page = bureau.get("/oauth/authorize", params={"client_id": "creditmesh", "taxpayer_id": good})
    assert page.status_code == 200
    assert f'value="{good}"' in page.text
    answer = fetch(bureau, config, good, code_for(bureau, good))
    assert answer.status_code == 200
    assert answer.json()["basics"]["taxpayer_id"] == good
    assert (len(answer.json()["statements"]), len(answer.json()["invoices"])) == (8, 24)


def test_the_code_goes_back_to_the_page_that_waits(bureau: TestClient, firm: FirmOf) -> None:
    good = firm("good_firm").taxpayer_id
    session = log_in(bureau, good, redirect_uri="http://localhost:8080/back?x=1", state="s&t")
    answer = grant(bureau, session)
    assert answer.status_code == 303
    parts = urlsplit(answer.headers["location"])
    query = parse_qs(parts.query)
    assert (parts.netloc, parts.path, query["x"], query["state"]) == ("localhost:8080", "/back", ["1"], ["s&t"])
    assert query["taxpayer_id"] == [good]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", query["expires_at"][0])


def test_a_refusal_goes_back_too(bureau: TestClient, firm: FirmOf) -> None:
    session = log_in(bureau, firm("good_firm").taxpayer_id, redirect_uri="http://localhost/back", state="s")
    location = grant(bureau, session, decision="deny").headers["location"]
    assert parse_qs(urlsplit(location).query) == {"error": ["access_denied"], "state": ["s"]}


@pytest.mark.parametrize(
    "uri", ["https://elsewhere.example/", "javascript:alert(1)", "http://localhost@evil.example/", "//x"]
)
def test_a_code_goes_nowhere_else(bureau: TestClient, uri: str) -> None:
    answer = bureau.get("/oauth/authorize", params={"client_id": "creditmesh", "redirect_uri": uri})
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_an_unknown_client_is_refused(bureau: TestClient) -> None:
    assert bureau.get("/oauth/authorize", params={"client_id": "other"}).status_code == 400


def test_a_wrong_password_is_refused(bureau: TestClient, firm: FirmOf) -> None:
    form = {"client_id": "creditmesh", "taxpayer_id": firm("good_firm").taxpayer_id, "password": "wrong"}
    assert bureau.post("/oauth/login", data=form).status_code == 401
    assert bureau.post("/oauth/login", data={**form, "taxpayer_id": "nobody", "password": ""}).status_code == 401


def test_a_session_serves_once(bureau: TestClient, firm: FirmOf) -> None:
    session = log_in(bureau, firm("good_firm").taxpayer_id)
    assert grant(bureau, session).status_code == 200
    assert grant(bureau, session).status_code == 400


@pytest.mark.parametrize("days", ["0", "3651", "-1", "1.5", "", "９"])
def test_validity_is_from_one_day_to_ten_years(bureau: TestClient, firm: FirmOf, days: str) -> None:
    assert grant(bureau, log_in(bureau, firm("good_firm").taxpayer_id), days).status_code == 400


def test_what_comes_from_outside_is_escaped(bureau: TestClient) -> None:
    attack = '"><script>alert(1)</script>'
    page = bureau.get("/oauth/authorize", params={"client_id": "creditmesh", "taxpayer_id": attack, "state": attack})
    assert "<script" not in page.text


def test_codes_that_give_no_access_say_why(bureau: TestClient, config: Config, firm: FirmOf) -> None:
    good, other = firm("good_firm").taxpayer_id, firm("expired_code").taxpayer_id
    code = code_for(bureau, good)
    refusals = {
        "code_unknown": fetch(bureau, config, good, "no-such-code"),
        "taxpayer_mismatch": fetch(bureau, config, other, code),
        "code_expired": fetch(bureau, config, other, expired_code(7)),
    }
    headers = {"x-api-key": config.institutions["tax-bureau"].api_key}
    body = {"taxpayer_id": good, "authorization_code": code}
    assert bureau.post("/oauth/revoke", json=body, headers={"x-api-key": "wrong"}).status_code == 401
    assert fetch(bureau, config, good, code).status_code == 200
    assert bureau.post("/oauth/revoke", json=body, headers=headers).status_code == 204
    refusals["code_revoked"] = fetch(bureau, config, good, code)
    for reason, answer in refusals.items():
        assert (answer.status_code, answer.json()) == (403, {"error": reason})


def test_a_wrong_key_or_body_is_refused(bureau: TestClient, config: Config) -> None:
    assert fetch(bureau, config, "x", "y", key="wrong").json() == {"error": "invalid_api_key"}
    headers = {"x-api-key": config.institutions["tax-bureau"].api_key}
    assert bureau.post("/api/v1/taxpayer-data", content=b"[", headers=headers).status_code == 400
    assert bureau.post("/api/v1/taxpayer-data", json=[1], headers=headers).status_code == 400


def test_codes_outlive_the_process(client: Open, config: Config, firm: FirmOf) -> None:
    good = firm("good_firm").taxpayer_id
    code = code_for(client("tax-bureau"), good)
    assert fetch(client("tax-bureau"), config, good, code).status_code == 200


def test_the_registry_knows_the_firms_and_only_them(client: Open, config: Config, firm: FirmOf) -> None:
    registry, good = client("company-registry"), firm("good_firm")
    headers = {"x-api-key": config.institutions["company-registry"].api_key}
    answer = registry.get(f"/api/v1/companies/{good.taxpayer_id}", headers=headers)
    assert answer.status_code == 200
    assert answer.json()["registration"]["name"] == good.name
    missing = registry.get("/api/v1/companies/91110000600037341L", headers=headers)
    assert (missing.status_code, missing.json()) == (404, {"error": "no_such_company"})
    assert registry.get(f"/api/v1/companies/{good.taxpayer_id}").status_code == 401


def test_key_data_is_drawn_from_the_answers_as_they_are(client: Open, config: Config, firm: FirmOf) -> None:
    good = firm("good_firm").taxpayer_id
    bureau = client("tax-bureau")
    tax = fetch(bureau, config, good, code_for(bureau, good)).json()
    headers = {"x-api-key": config.institutions["company-registry"].api_key}
    registry = client("company-registry").get(f"/api/v1/companies/{good}", headers=headers).json()
    sources = {"tax": tax, "registry": registry}
    lists = dict.fromkeys(
        ("blacklist_hits", "greylist_hits", "whitelist_hits", "blacklist_name_score_bps", "greylist_name_score_bps"), 0
    )
    data = extract(sources, requested_amount_minor=1, requested_term_months=1, as_of=AS_OF, **lists)
    assert data.quality == []
    asked = {"tax", "registry", "screening", "application"}
    theirs = [name for name, origins in data.lineage.items() if {one["source"] for one in origins} <= asked]
    assert len(theirs) > 60
    assert [name for name in theirs if data.features[name] is None] == []


def test_faults_come_as_ordered_and_end(client: Open, config: Config) -> None:
    registry = client("company-registry")
    path = "/api/v1/companies/x"
    assert (
        registry.post("/_faults", json={"kind": "status", "status": 503, "count": 2, "path": "/api"}).status_code == 201
    )
    assert registry.post("/_faults", json={"kind": "garbage", "count": 1}).status_code == 201
    assert [registry.get(path).status_code for _ in range(2)] == [503, 503]
    garbage = registry.get(path)
    assert garbage.status_code == 200
    with pytest.raises(ValueError, match="Expecting"):
        garbage.json()
    assert registry.get(path).status_code == 401
    assert registry.get("/_faults").json() == {"faults": []}


def test_faults_can_be_called_off_and_spare_the_testers_paths(client: Open) -> None:
    registry = client("company-registry")
    registry.post("/_faults", json={"kind": "status", "count": 5})
    assert registry.get("/_health").json() == {"status": "ok"}
    assert registry.delete("/_faults").status_code == 204
    assert registry.get("/api/v1/companies/x").status_code == 401


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"kind": "fire"}, "kind"),
        ({"kind": "delay", "count": 0}, "count"),
        ({"kind": "status", "status": 200}, "status"),
        ({"kind": "delay", "delay_ms": "1"}, "delay_ms"),
        ([], "body"),
    ],
)
def test_malformed_orders_are_refused_by_field(client: Open, order: Any, field: str) -> None:
    answer = client("company-registry").post("/_faults", json=order)
    assert (answer.status_code, answer.json()["field"]) == (400, field)

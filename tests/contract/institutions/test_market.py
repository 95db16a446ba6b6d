"""The shop platform gives tokens and pages as the interface says (E16, M03)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from institutions.access import issue_token
from institutions.config import Config, InstitutionConfig
from institutions.population import Firm, Population
from institutions.shop_figures import shop_data

from .calls import ask_market, token
from .conftest import AS_OF
from .forms import structured

FORM = {"grant_type": "client_credentials"}


@pytest.fixture
def settings(config: Config) -> InstitutionConfig:
    return config.institutions["market-square"]


@pytest.fixture
def market(client: Callable[[str], TestClient]) -> TestClient:
    return client("market-square")


def pages(market: TestClient, bearer: str, taxpayer_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while not found or cursor:
        answer = ask_market(market, bearer, taxpayer_id, cursor)
        assert answer.status_code == 200
        found.append(answer.json())
        cursor = found[-1]["next"]
    return found


def test_its_pages_become_third_information_by_rule(market: TestClient, settings: InstitutionConfig) -> None:
    bearer, lengths = token(market, settings), set()
    for index in range(60):
        firm = Population(7).firm(index, AS_OF)
        document = shop_data(firm, AS_OF)
        if document is None:
            answer = ask_market(market, bearer, firm.taxpayer_id)
            assert (answer.status_code, answer.json()) == (404, {"error": "no_shop"})
            continue
        found = pages(market, bearer, firm.taxpayer_id)
        assert all(len(page["items"]) == 6 for page in found[:-1])
        joined = {**found[0], "items": [item for page in found for item in page["items"]]}
        assert structured("shop", joined) == document
        lengths.add(len(found))
    assert {1, 4} <= lengths


def test_a_token_is_given_for_the_secret_in_the_form_or_by_basic(
    market: TestClient, settings: InstitutionConfig, firm: Callable[[str], Firm]
) -> None:
    client = {"client_id": settings.client_id, "client_secret": settings.client_secret}
    answer = market.post("/oauth/token", data={**FORM, **client})
    assert answer.headers["cache-control"] == "no-store"
    granted = answer.json()
    assert (granted["token_type"], granted["expires_in"], granted["scope"]) == ("Bearer", 300, "sales.read")
    good = firm("good_firm").taxpayer_id
    for bearer in (granted["access_token"], token(market, settings)):
        assert ask_market(market, bearer, good).status_code == 200


@pytest.mark.parametrize(
    ("form", "basic", "status", "error"),
    [
        ({}, True, 400, "invalid_request"),
        ({"scope": "sales.read"}, True, 400, "invalid_request"),
        ({"grant_type": "password"}, True, 400, "unsupported_grant_type"),
        ({**FORM, "scope": "sales.write"}, True, 400, "invalid_scope"),
        ({**FORM, "client_secret": "x"}, True, 400, "invalid_request"),
        (FORM, False, 401, "invalid_client"),
        ({**FORM, "client_id": "creditmesh", "client_secret": "x"}, False, 401, "invalid_client"),
    ],
)
def test_token_errors_are_the_standards(
    market: TestClient, settings: InstitutionConfig, form: dict[str, str], basic: bool, status: int, error: str
) -> None:
    credentials = (settings.client_id, settings.client_secret) if basic else None
    answer = market.post("/oauth/token", data=form, auth=credentials)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("authorization", ["Basic", "Basic !!!", "Basic eA==", "Bearer eA==", "Basic w7w6eA=="])
def test_a_strange_header_is_no_client(market: TestClient, authorization: str) -> None:
    answer = market.post("/oauth/token", data=FORM, headers={"authorization": authorization})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_bad_or_expired_token_opens_nothing(
    market: TestClient, settings: InstitutionConfig, firm: Callable[[str], Firm]
) -> None:
    good = firm("good_firm").taxpayer_id
    ended = issue_token(settings.client_secret, 300, time.time() - 301)
    foreign = issue_token("other", 300)
    ends, rest = token(market, settings).split(".", 1)
    for bearer in ("x", "a.b.c", ended, foreign, f"{int(ends) + 1}.{rest}", ""):
        answer = ask_market(market, bearer, good)
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    bare = market.get("/v1/sales", params={"taxpayer_id": good})
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, 'Bearer realm="market-square"')


@pytest.mark.parametrize("cursor", ["x", "ZnJvbTp4", "%%%", "ü"])
def test_a_cursor_is_only_what_a_page_gave(
    market: TestClient, settings: InstitutionConfig, firm: Callable[[str], Firm], cursor: str
) -> None:
    answer = ask_market(market, token(market, settings), firm("good_firm").taxpayer_id, cursor)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_cursor"})

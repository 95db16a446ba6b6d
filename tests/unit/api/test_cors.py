"""No page of another origin may call the API unless the stage names its origin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from creditmesh.platform.settings import settings
from tests.unit.api.client import Answer, Api

ORIGIN = "https://pages.example"
pytestmark = pytest.mark.usefixtures("cloud")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PAGES_ORIGIN", ORIGIN)
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def preflight(path: str, method: str = "POST") -> Answer:
    """What a browser asks before a page's request; API Gateway gives it to the greedy path."""
    asked = {
        "Origin": ORIGIN, "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }  # fmt: skip
    return Api().call("OPTIONS", path, headers=asked, resource="/{proxy+}")


def cors_headers(answer: Answer) -> dict[str, str]:
    return {name: text for name, text in answer.headers.items() if name.startswith("access-control-")}


def test_by_default_nothing_is_said_to_browsers():
    assert cors_headers(Api().get("/v1/health")) == {}
    refused = preflight("/v1/applications")
    assert (refused.status, refused.json()["code"], cors_headers(refused)) == (404, "not_found", {})


@pytest.mark.parametrize("path", ["/v1/applications", "/v1/applications/app_1/choice", "/v1/guest/applications"])
def test_a_preflight_names_what_pages_may_send(pages, path):
    answer = preflight(path)
    assert (answer.status, answer.body) == (204, "")
    allowed = cors_headers(answer)
    assert allowed["access-control-allow-origin"] == ORIGIN
    assert allowed["access-control-allow-credentials"] == "true"
    assert set(allowed["access-control-allow-methods"].split(", ")) == {"GET", "POST", "PUT", "DELETE"}
    headers = set(allowed["access-control-allow-headers"].split(", "))
    assert {"authorization", "content-type", "idempotency-key", "if-match", "x-csrf-token"} <= headers
    assert 0 < int(allowed["access-control-max-age"]) <= 7200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("path", "status"), [("/v1/health", 200), ("/v1/applications", 401), ("/v1/nowhere", 404)])
def test_every_answer_may_be_read_by_the_pages(pages, path, status):
    answer = Api().get(path)
    assert answer.status == status
    assert cors_headers(answer)["access-control-allow-origin"] == ORIGIN
    assert "retry-after" in cors_headers(answer)["access-control-expose-headers"]


def test_another_origin_is_not_let_in(pages):
    answer = Api().call("OPTIONS", "/v1/applications", headers={"Origin": "https://evil.example"}, resource="/{proxy+}")
    assert answer.headers["access-control-allow-origin"] == ORIGIN, "a browser compares it with the page's own"

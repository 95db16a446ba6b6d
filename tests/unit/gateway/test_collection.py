"""Collection from the sources as a step of the process (C03, C07-C10, C12)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.gateway.model import SourceUnavailable
from creditmesh.intake.model import ApplicationClosed, Outcome
from creditmesh.platform import wiring
from creditmesh.platform.http import Answer, InstitutionUnavailable
from tests.support.fakes import Call
from tests.support.world import CODE, FIRM, KEYS, REGISTRY, TAX, World

TAX_DATA, COMPANY = f"{TAX}/api/v1/taxpayer-data", f"{REGISTRY}/api/v1/companies/"


@pytest.fixture
def ready(world: World) -> World:
    """Received and authorised; both sources answer."""
    world.authorize()
    world.sources_answer()
    assert world.application_id
    return world


def collect(world: World) -> None:
    wiring.collecting().collect(world.application_id)


def test_the_sources_are_asked_with_what_opens_them(ready: World) -> None:
    collect(ready)
    (tax,), (registry,) = ready.http.to(TAX), ready.http.to(REGISTRY)
    assert tax.json() == {"taxpayer_id": FIRM.taxpayer_id, "authorization_code": CODE}
    assert tax.headers["x-api-key"] == KEYS["tax-bureau"]["api_key"]
    assert registry.url == COMPANY + FIRM.taxpayer_id
    assert ready.application().status == "collected"


def test_raw_answers_are_kept_as_received(ready: World) -> None:
    collect(ready)
    document = wiring.key_data().get(ready.application().key_data_key or "")
    assert [source.source for source in document.sources] == ["tax", "registry"]
    for source in document.sources:
        raw = wiring.data().get(source.raw_key)
        assert hashlib.sha256(raw).hexdigest() == source.sha256
        assert json.loads(raw)["currency"] == "CNY"
    assert document.features["requested_amount_minor"] == 10_000_000
    assert document.features["blacklist_hits"] == 0


def test_collecting_twice_asks_once(ready: World) -> None:
    collect(ready)
    collect(ready)
    assert len(ready.http.calls) == 2
    assert [entry.status for entry in ready.application().timeline] == ["received", "collected"]


def test_blacklist_hits_become_key_data(ready: World) -> None:
    wiring.lists().enter(FIRM.taxpayer_id, source="test", reason="fraud")
    collect(ready)
    document = wiring.key_data().get(ready.application().key_data_key or "")
    assert document.features["blacklist_hits"] == 1


def test_without_an_authorisation_no_source_is_asked(world: World) -> None:
    with pytest.raises(AuthorizationRequired, match="none_stored"):
        collect(world)
    assert world.http.calls == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "code_unknown"), (403, "code_expired"), (403, "code_revoked"), (403, "taxpayer_mismatch"), (404, "no_data")],
)
def test_a_refused_code_is_marked_and_another_is_asked_for(ready: World, status: int, reason: str) -> None:
    ready.http.answer("POST", TAX_DATA, status, {"error": reason})
    with pytest.raises(AuthorizationRequired, match=reason):
        collect(ready)
    ready.sources_answer()
    ready.http.calls.clear()
    with pytest.raises(AuthorizationRequired, match=reason):
        collect(ready)
    assert ready.http.calls == []
    ready.clock.advance(1)
    ready.authorize("code-brought-later-0002")
    collect(ready)
    assert ready.http.to(TAX)[0].json()["authorization_code"] == "code-brought-later-0002"


STRANGE = [
    (401, {"error": "invalid_api_key"}),
    (403, {"error": "something new"}),
    (403, ["no object"]),
    (400, None),
    (302, None),
]


@pytest.mark.parametrize(("status", "document"), STRANGE)
def test_any_other_answer_of_the_bureau_says_nothing_of_the_code(ready: World, status: int, document: Any) -> None:
    ready.http.answer("POST", TAX_DATA, status, document)
    with pytest.raises(SourceUnavailable, match="tax-bureau"):
        collect(ready)
    assert wiring.authorizations().has_usable(FIRM.taxpayer_id)
    ready.sources_answer()
    collect(ready)


@pytest.mark.parametrize(("method", "url"), [("POST", TAX_DATA), ("GET", COMPANY)])
def test_a_silent_source_is_unavailable_and_collection_can_be_tried_again(ready: World, method: str, url: str) -> None:
    ready.http.fail(method, url, InstitutionUnavailable("no answer: ReadTimeoutError"))
    with pytest.raises(SourceUnavailable):
        collect(ready)
    assert ready.application().status == "received"
    ready.sources_answer()
    collect(ready)
    assert ready.application().status == "collected"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"\xff", b'{"basics": 7}'])
def test_garbage_is_kept_and_the_source_counts_as_unavailable(ready: World, body: bytes) -> None:
    def garbage(call: Call) -> Answer:
        return Answer(200, body)

    ready.http.routes["POST", TAX_DATA] = garbage
    with pytest.raises(SourceUnavailable):
        collect(ready)
    kept = f"raw/{ready.application_id}/tax-{hashlib.sha256(body).hexdigest()[:16]}.json"
    assert wiring.data().get(kept) == body


def test_a_firm_the_registry_does_not_know(ready: World) -> None:
    ready.http.answer("GET", COMPANY, 404, {"error": "no_such_company"})
    with pytest.raises(SourceUnavailable, match="404"):
        collect(ready)


def test_for_a_closed_application_nothing_is_collected(ready: World) -> None:
    wiring.applications().close(ready.application_id, Outcome.WITHDRAWN)
    with pytest.raises(ApplicationClosed):
        collect(ready)
    assert ready.http.calls == []


def test_withdrawn_while_it_was_collected(ready: World) -> None:
    answer = ready.http.routes["GET", COMPANY]

    def withdraw(call: Call) -> Answer:
        wiring.applications().close(ready.application_id, Outcome.WITHDRAWN)
        return answer(call)

    ready.http.routes["GET", COMPANY] = withdraw
    with pytest.raises(ApplicationClosed):
        collect(ready)
    assert ready.application().outcome == "withdrawn"

"""A source that is away is replaced by its fallback channel, and by that one's, as far as they lead (G13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.authorization.scopes import SCOPES
from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.gateway.model import AnswersPending, SourceUnavailable
from creditmesh.platform.http import InstitutionUnavailable
from institutions.mirror import extract
from institutions.registry_figures import registry_data
from tests.support import wired
from tests.support.world import BUREAU, FIRM, MIRROR, NOW, REGISTRY, TAX, World, documents_anew

COMPANY, EXTRACT = f"{REGISTRY}/api/v1/companies/", f"{MIRROR}/extracts"
KNOWN = registry_data(FIRM, NOW.date())


@pytest.fixture
def ready(world: World) -> Iterator[World]:
    """Received and authorised; the registry is away, its mirror answers. Documents are as shipped."""
    with documents_anew(world.stack):
        world.authorize()
        world.sources_answer()
        world.http.answer("GET", COMPANY, 503)
        world.http.answer("GET", EXTRACT, 200, extract(KNOWN, older=False))
        assert world.application_id
        yield world


def document(world: World) -> Any:
    return wired.key_data().get(world.application().key_data_key or "")


def sources(world: World) -> list[tuple[str, str, str | None]]:
    return [(one.channel, one.outcome, one.reason) for one in document(world).sources if one.source == "registry"]


def change(shipped: str, **changes: Any) -> None:
    stored = wired.channels().stored(shipped).document
    wired.channels().put(Channel.model_validate({**stored, **changes}), "operator-1", None)


def plan(*names: str, required: tuple[str, ...] = ("tax-bureau", "company-registry")) -> None:
    channels = [{"channel_id": name, "required": name in required} for name in names]
    made = CollectionPlan.model_validate({"plan_id": "standard", "channels": channels})
    wired.channels().put_plan(made, "operator-1", None)


@pytest.mark.parametrize("older", [True, False])
def test_the_fallback_gives_what_the_source_would_have(ready: World, older: bool) -> None:
    ready.http.answer("GET", EXTRACT, 200, extract(KNOWN, older=older))
    ready.collect()
    assert sources(ready) == [
        ("company-registry", "unavailable", "answered 503"),
        ("registry-mirror", "complete", "by_fallback_rule" if older else None),
    ]
    (call,) = ready.http.to(MIRROR)
    assert call.url == f"{EXTRACT}?uscc={FIRM.taxpayer_id}"
    by_fallback = document(ready).features
    ready.sources_answer()
    ready.clock.advance(7200)
    ready.__dict__["application_id"] = ready.apply("key-00000002").application_id
    ready.collect()
    lost = {name for name, value in document(ready).features.items() if by_fallback[name] != value}
    assert lost == ({"employee_count"} if older else set())


@pytest.mark.parametrize(
    "away",
    [
        InstitutionUnavailable("no_answer", error="ReadTimeoutError"),
        503, 500, 401, {"registration": None}, "<html>",
    ],
)  # fmt: skip
def test_whatever_makes_a_source_unavailable(ready: World, away: Any) -> None:
    if isinstance(away, InstitutionUnavailable):
        ready.http.fail("GET", COMPANY, away)
    else:
        ready.http.answer("GET", COMPANY, *((away,) if isinstance(away, int) else (200, away)))
    ready.collect()
    assert [(name, outcome) for name, outcome, _ in sources(ready)] == [
        ("company-registry", "unavailable"), ("registry-mirror", "complete"),
    ]  # fmt: skip


def test_a_source_that_answers_needs_no_fallback(ready: World) -> None:
    ready.sources_answer()
    ready.collect()
    assert sources(ready) == [("company-registry", "complete", None)]
    assert ready.http.to(MIRROR) == []


def test_neither_does_one_that_does_not_know_the_firm(ready: World) -> None:
    """Its answer is the registry's word; a copy's word is not put above it."""
    ready.http.answer("GET", COMPANY, 404, {"error": "no_such_company"})
    with pytest.raises(SourceUnavailable, match="company-registry: no_data"):
        ready.collect()
    assert ready.http.to(MIRROR) == []


def test_neither_does_one_whose_request_lacks_a_field(ready: World) -> None:
    change("company-registry", fields={"taxpayer_id": {}, "licence_no": {}})
    with pytest.raises(SourceUnavailable, match="company-registry: incomplete"):
        ready.collect()
    assert ready.http.to(MIRROR) == []


def test_neither_does_one_that_is_not_allowed(ready: World) -> None:
    """A consent that is lacking is asked for: a second source is no way around it."""
    change("company-registry", consent_scope="credit_bureau")
    with pytest.raises(AuthorizationRequired):
        ready.collect()
    assert ready.http.calls == []


def test_a_disabled_source_has_its_fallback_too(ready: World) -> None:
    change("company-registry", enabled=False)
    ready.collect()
    assert sources(ready) == [("company-registry", "unavailable", "disabled"), ("registry-mirror", "complete", None)]


def test_where_all_are_away_the_last_ones_reason_is_told(ready: World) -> None:
    ready.http.answer("GET", EXTRACT, 500)
    with pytest.raises(SourceUnavailable, match="company-registry: unavailable: answered 500"):
        ready.collect()
    ready.http.answer("GET", EXTRACT, 404, {"error": "no_extract"})
    ready.clock.advance(60)
    with pytest.raises(SourceUnavailable, match="company-registry: no_data: no_extract"):
        ready.collect()


def test_a_fallbacks_fallback_is_asked_after_it(ready: World) -> None:
    change("registry-mirror", channel_id="third-source", transport={
        "type": "rest", "method": "GET", "path": "/third", "query": {"uscc": "{{taxpayer_id}}"},
    })  # fmt: skip
    change("registry-mirror", fallback_channel="third-source")
    ready.http.answer("GET", EXTRACT, 500)
    ready.http.answer("GET", f"{MIRROR}/third", 200, extract(KNOWN, older=True))
    ready.collect()
    assert [(name, outcome) for name, outcome, _ in sources(ready)] == [
        ("company-registry", "unavailable"), ("registry-mirror", "unavailable"), ("third-source", "complete"),
    ]  # fmt: skip


def test_fallbacks_in_a_circle_end(ready: World) -> None:
    """Two operators at once can still make one, which the catalogue refuses one of them alone."""
    document = {**wired.channels().stored("registry-mirror").document, "fallback_channel": "company-registry"}
    wired.channels()._channels.put("registry-mirror", document, "operator-1", None)
    wired.channels()._read_at = None
    ready.http.answer("GET", EXTRACT, 500)
    with pytest.raises(SourceUnavailable):
        ready.collect()
    assert (len(ready.http.to(REGISTRY)), len(ready.http.to(MIRROR))) == (3, 3)  # tries of one call each


def test_a_fallback_that_is_gone_is_unavailable(ready: World) -> None:
    document = {**wired.channels().stored("company-registry").document, "fallback_channel": "nobody"}
    wired.channels()._channels.put("company-registry", document, "operator-1", None)
    wired.channels()._read_at = None
    with pytest.raises(SourceUnavailable, match="company-registry: unavailable: no such channel"):
        ready.collect()


def test_a_consent_that_only_the_fallback_needs_is_not_asked_for(ready: World) -> None:
    """The source will be back before the borrower has read the text."""
    change("registry-mirror", consent_scope="credit_bureau")
    with pytest.raises(SourceUnavailable, match="company-registry: no_consent: none_stored"):
        ready.collect()
    assert ready.http.to(MIRROR) == []


def test_the_fallback_of_an_optional_source_is_followed_and_may_fail(ready: World) -> None:
    plan("tax-bureau", "company-registry", required=("tax-bureau",))
    ready.http.answer("GET", EXTRACT, 500)
    ready.collect()
    assert [outcome for _, outcome, _ in sources(ready)] == ["unavailable", "unavailable"]


def test_a_plan_that_names_both_asks_neither_twice(ready: World) -> None:
    plan("tax-bureau", "company-registry", "registry-mirror")
    ready.collect()
    assert len(ready.http.to(MIRROR)) == 1


def test_the_last_word_holds_for_a_fallback_too(ready: World) -> None:
    """A late answer that did not come makes its channel unavailable, and that one's fallback is asked."""
    consent = SCOPES["credit_bureau"]
    wired.authorizations().consent(
        FIRM.taxpayer_id, consent.name, "borrower:user-1", tenant="firm-1", text_version=consent.text_version,
        language="en", valid_days=90,
    )  # fmt: skip
    ready.sources_answer()
    ready.http.answer("POST", BUREAU, 202, {"enquiry_id": "e-1"})
    change("credit-bureau", channel_id="second-bureau", base_url=None, callback=None, transport={
        "type": "rest", "path": "/second", "body": {"taxpayer_id": "{{taxpayer_id}}"},
    })  # fmt: skip
    change("credit-bureau", fallback_channel="second-bureau")
    report = {"subject": {"id": FIRM.taxpayer_id}, "credit": {"facilities": []}, "searches": [], "currency": "CNY"}
    ready.http.answer("POST", f"{BUREAU}/second", 200, report)
    change("second-bureau", structure={"rule": "{taxpayer_id: subject.id}", "complete": ["taxpayer_id"]})
    plan("tax-bureau", "company-registry", "credit-bureau")
    with pytest.raises(AnswersPending):
        ready.collect()
    assert ready.http.to(f"{BUREAU}/second") == []
    ready.collect(last_word=True)
    found = [(one.channel, one.outcome) for one in document(ready).sources if one.source == "credit_bureau"]
    assert found == [("credit-bureau", "unavailable"), ("second-bureau", "complete")]


def test_the_source_is_asked_first_again_once_it_is_back(ready: World) -> None:
    ready.collect()
    ready.sources_answer()
    ready.clock.advance(7200)
    ready.__dict__["application_id"] = ready.apply("key-00000002").application_id
    ready.collect()
    assert sources(ready) == [("company-registry", "complete", None)]
    assert len(ready.http.to(TAX)) == 2

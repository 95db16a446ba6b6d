"""Every shipped document gives, against the institution it is for, what the institution knows (G07-G09, G12)."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from creditmesh.gateway.channels.catalogue import ChannelVersion
from creditmesh.gateway.channels.document import Outcome
from creditmesh.gateway.channels.dry_run import Sample, dry_run
from creditmesh.platform.institutions import Keys
from creditmesh.platform.signing import verify
from institutions.court_figures import judicial_data
from institutions.credit_figures import credit_bureau_data
from institutions.education_figures import education_data
from institutions.fraud_figures import anti_fraud_data
from institutions.mirror import in_older_form
from institutions.population import Firm, Population
from institutions.registry_figures import registry_data
from institutions.shop_figures import shop_data
from institutions.tax_figures import tax_data

from .conftest import AS_OF, HTTP, World, shipped

Figures = Callable[[Firm, date], Any]


def mirrored(firm: Firm, day: date) -> Any:
    """What the mirror knows, whichever form it holds it in."""
    known = registry_data(firm, day)
    if in_older_form(firm):
        known["filings"] = [{"year": one["year"], "filed_on": one["filed_on"]} for one in known["filings"]]
    return known


DIRECT: dict[str, tuple[Figures, bool]] = {
    "tax-bureau": (tax_data, True),
    "company-registry": (registry_data, True),
    "court-register": (judicial_data, False),
    "market-square": (shop_data, False),
    "education-register": (education_data, False),
    "fraud-shield": (anti_fraud_data, False),
    "registry-mirror": (mirrored, True),
}
"""Source -> what it knows, and whether that has more than third information takes."""


def expected(figures: Figures, firm: Firm, name: str) -> Any:
    """What an institution knows, in the forms that its wire has: XML tells truth as text, and nothing for null."""
    document = json.loads(json.dumps(figures(firm, AS_OF)))
    if name == "court-register":
        document["dishonest_debtor"]["listed"] = str(document["dishonest_debtor"]["listed"]).lower()
    return document


@pytest.mark.parametrize("name", DIRECT)
def test_third_information_is_what_the_institution_knows(world: World, name: str) -> None:
    figures, more = DIRECT[name]
    for _ in range(3):
        firm = world.firm()
        result = world.collect(shipped(name), firm)
        assert result.outcome is (Outcome.FILLED if name == "education-register" else Outcome.COMPLETE), result
        third, known = world.engine.third(result), expected(figures, firm, name)
        if more:
            known = {section: known[section] for section in third}
        assert third == known
        assert len(result.raw_keys) >= 1


@pytest.mark.parametrize("name", sorted([*DIRECT, "credit-bureau"]))
def test_a_dry_run_of_what_came_makes_the_same_and_shows_no_secret(world: World, name: str) -> None:
    channel, firm = shipped(name), world.firm()
    result = world.collect(channel, firm)
    if name == "credit-bureau":
        answer: dict[str, Any] = {"message": world.hooks.about(firm.taxpayer_id)[1].decode()}
        world.engine.late.receive([ChannelVersion(channel, 1)], "credit.report.ready", answer["message"].encode())
        result = world.collect(channel, firm)
    else:
        answer = {"pages_base64": [b64encode(world.engine.objects.get(key)).decode() for key in result.raw_keys]}
    records = {"firm-profiles": world.engine.records["firm-profiles", firm.taxpayer_id]}
    sample = Sample.model_validate({"fields": {"taxpayer_id": firm.taxpayer_id}, "records": records, **answer})
    calls = world.calls(name)
    tried = dry_run(channel, sample, world.engine.source.origin(channel), world.engine.answers)
    assert (tried.outcome, all(step.ok for step in tried.steps)) == (result.outcome, True)
    assert json.loads(json.dumps(tried.steps[-1].result, default=str)) == world.engine.third(result)
    assert world.calls(name) == calls
    keys = world.engine.book.keys[name]
    code = world.engine.consents.granted[firm.taxpayer_id, "tax"].code
    request = next(step for step in tried.steps if step.name == "request").model_dump_json()
    secrets = {code, keys.api_key, *keys.secrets.values(), *keys.webhook_secrets} - {""}
    assert not [one for one in secrets if one in request]


@pytest.mark.parametrize("older", [True, False])
def test_the_mirror_stands_in_for_the_registry_in_either_form(world: World, older: bool) -> None:
    """G13: the fallback channel gives the same third information, by the fallback rule where its form is the older."""
    firm = next(firm for firm in (world.firm() for _ in range(40)) if in_older_form(firm) is older)
    world.fault("company-registry", "status", status=503, count=3)
    away = world.collect(shipped("company-registry"), firm)
    assert (away.outcome, away.fallback_channel) == ("unavailable", "registry-mirror")
    result = world.collect(shipped("registry-mirror"), firm)
    assert (result.outcome, result.reason) == ("complete", "by_fallback_rule" if older else None)
    assert world.engine.third(result) == {
        name: one for name, one in expected(mirrored, firm, "registry-mirror").items() if name != "generated_at"
    }


@pytest.mark.parametrize("persona", ["good_firm", "blacklisted", "thin_file"])
@pytest.mark.parametrize("name", ["court-register", "company-registry", "tax-bureau"])
def test_also_of_unusual_firms(world: World, name: str, persona: str) -> None:
    figures, more = DIRECT[name]
    firm = world.consenting(Population(world.config.seed).persona(persona, AS_OF))
    third, known = world.engine.third(world.collect(shipped(name), firm)), expected(figures, firm, name)
    assert third == ({section: known[section] for section in third} if more else known)


def test_the_credit_bureau_answers_late(world: World) -> None:
    channel, firm = shipped("credit-bureau"), world.firm()
    result = world.collect(channel, firm)
    assert (result.outcome, result.wait_seconds) == ("pending", 600)
    headers, body = world.hooks.about(firm.taxpayer_id)
    assert verify(world.engine.book.keys["credit-bureau"].webhook_secrets, headers, body, int(time.time()))
    assert world.engine.late.receive([ChannelVersion(channel, 1)], "credit.report.ready", body) is True
    found = world.collect(channel, firm)
    assert (found.outcome, found.cached) == ("complete", True)
    assert world.engine.third(found) == json.loads(json.dumps(credit_bureau_data(firm, AS_OF)))
    assert world.charges("credit-bureau", firm) == 1
    assert world.engine.health_of(channel).cost == "8.00"


@pytest.mark.parametrize("name", sorted([*DIRECT, "credit-bureau"]))
def test_nobody_is_known_nowhere(world: World, name: str) -> None:
    firm = world.firm()
    nobody = "91990000600037341L"
    for (taxpayer_id, scope), consent in list(world.engine.consents.granted.items()):
        if taxpayer_id == firm.taxpayer_id:
            world.engine.consents.granted[nobody, scope] = consent
    world.engine.records["firm-profiles", nobody] = {"legal_representative": "Nobody"}
    result = world.engine.collect(shipped(name), nobody)
    assert result.outcome is (Outcome.REFUSED if name == "tax-bureau" else Outcome.NO_DATA), result
    assert result.reason in ("no_such_company", "no_shop", "taxpayer_mismatch", "no_data", "code_unknown", "no_extract")


def test_a_code_the_bureau_has_revoked_is_refused_and_remembered(world: World) -> None:
    firm = world.firm()
    consent = world.engine.consents.granted[firm.taxpayer_id, "tax"]
    asked = {"taxpayer_id": firm.taxpayer_id, "authorization_code": consent.code}
    key = {"x-api-key": world.config.institutions["tax-bureau"].api_key}
    assert HTTP.post(f"{world.urls['tax-bureau']}/oauth/revoke", json=asked, headers=key).status_code == 204
    result = world.collect(shipped("tax-bureau"), firm)
    assert (result.outcome, result.reason) == ("refused", "code_revoked")
    assert world.engine.consents.refused == {consent.authorization_id: "code_revoked"}
    assert world.collect(shipped("tax-bureau"), firm).outcome is Outcome.NO_CONSENT
    assert world.calls("tax-bureau") >= 1


@pytest.mark.parametrize("name", sorted([*DIRECT, "credit-bureau"]))
def test_an_answer_serves_until_its_window_ends(world: World, name: str) -> None:
    firm, channel = world.firm(), shipped(name)
    world.collect(channel, firm)
    before = world.calls(name)
    again = world.collect(channel, firm, by="app-2")
    assert again.outcome in ("complete", "filled", "pending")
    assert world.calls(name) == before


def test_the_shops_token_serves_many_firms(world: World) -> None:
    for _ in range(3):
        assert world.collect(shipped("market-square"), world.firm()).outcome is Outcome.COMPLETE
    calls = HTTP.get(f"{world.urls['market-square']}/_calls").json()["calls"]
    assert calls["POST /oauth/token"] == 1
    assert calls["GET /v1/sales"] >= 9


def test_without_a_stored_name_the_education_register_is_not_asked(world: World) -> None:
    firm = world.firm()
    world.engine.records.clear()
    result = world.collect(shipped("education-register"), firm)
    assert (result.outcome, result.missing, world.calls("education-register")) == ("incomplete", ["person_name"], 0)


def test_wrong_keys_are_named(world: World) -> None:
    for name in ("company-registry", "fraud-shield", "market-square"):
        secrets = {"signing_secret": "wrong-secret-1", "client_secret": "wrong-secret-2"}
        world.engine.book.keys[name] = Keys(api_key="wrong-key-1", secrets=secrets)
        world.known |= {"wrong-key-1", *secrets.values()}
        reason = world.collect(shipped(name), world.firm()).reason
        assert reason == ("issues no token: answered 401" if name == "market-square" else "answered 401")

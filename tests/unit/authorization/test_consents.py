"""Consents given on the platform: texts, validity, history, uses (C02, S09)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from importlib import resources
from typing import Any

import pytest

from creditmesh.authorization.model import Authorization, AuthorizationRequired
from creditmesh.authorization.scopes import SCOPES, Way
from creditmesh.authorization.texts import LANGUAGES, text_of
from creditmesh.kernel.clock import iso, parse_instant
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.observability import logger
from tests.support import wired
from tests.support.world import BORROWER, CODE, FIRM, NOW, World

TAXPAYER, TENANT = FIRM.taxpayer_id, BORROWER.tenant
VERSION = SCOPES["credit_bureau"].text_version
# Published texts by their first 16 hex digits: one that was agreed to must not change; a change is a new version.
PUBLISHED: dict[str, str] = {
    "anti_fraud.2026-11.en.txt": "fb98b84b6634a609",
    "anti_fraud.2026-11.zh-CN.txt": "110e6003f262126a",
    "credit_bureau.2026-11.en.txt": "5591cd63de95d9be",
    "credit_bureau.2026-11.zh-CN.txt": "d50eb10720f820c6",
    "education.2026-11.en.txt": "28b729d7ff5c0368",
    "education.2026-11.zh-CN.txt": "3e830c9fb23d9644",
    "shop.2026-11.en.txt": "b088ad6c4ed5328b",
    "shop.2026-11.zh-CN.txt": "6d7c92c271b5e800",
    "tax.2026-11.en.txt": "990f72c5dc98b2a5",
    "tax.2026-11.zh-CN.txt": "6e7ce1129eff1931",
}


def consent(scope: str = "credit_bureau", **changes: Any) -> None:
    given: dict[str, Any] = {"tenant": TENANT, "text_version": VERSION, "language": "en", "valid_days": 30}
    if scope == "education":
        given["fields"] = {"verification_code": "A" * 16}
    wired.authorizations().consent(TAXPAYER, scope, "borrower:user-1", **(given | changes))


def kinds() -> list[str]:
    return [one.kind.value for one in wired.authorizations().history(TAXPAYER, tenant=TENANT)]


def test_published_texts_do_not_change() -> None:
    folder = resources.files("creditmesh.authorization").joinpath("texts")
    found = {one.name: hashlib.sha256(one.read_bytes()).hexdigest()[:16] for one in folder.iterdir()}
    assert found == PUBLISHED


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_every_right_has_its_text_in_every_language(scope: Any) -> None:
    texts = [text_of(scope, language) for language in LANGUAGES]
    assert len({text.sha256 for text in texts}) == len(LANGUAGES)
    for text in texts:
        assert text.title
        assert len(text.body) > 100
        assert text.version == scope.text_version
    assert (scope.revoke_path is not None) == (scope.way is Way.REDIRECT)


def test_the_record_says_what_when_for_what_and_until_when(world: World) -> None:
    consent()
    (record,) = wired.authorizations().history(TAXPAYER, tenant=TENANT)
    assert (record.kind, record.at, record.by, record.how) == ("granted", iso(NOW), "borrower:user-1", "platform")
    assert record.expires_at == iso(NOW + timedelta(days=30))
    assert record.consent is not None
    text = text_of(SCOPES["credit_bureau"], "en")
    assert record.consent.text_sha256 == text.sha256
    assert (record.consent.text_version, record.consent.language) == (text.version, "en")
    assert record.consent.purposes == ("loan_assessment", "loan_monitoring", "debt_collection")


@pytest.mark.parametrize(
    ("changes", "days"),
    [({"valid_days": 1}, 1), ({"valid_days": 1825}, 1825), ({"valid_days": None, "until": iso(NOW + timedelta(7))}, 7)],
)
def test_it_holds_as_long_as_the_borrower_chose(world: World, changes: dict[str, Any], days: int) -> None:
    consent(**changes)
    found = wired.authorizations().usable(TAXPAYER, "credit_bureau")
    assert parse_instant(found.expires_at) == NOW + timedelta(days=days)
    assert found.code == ""
    world.clock.advance(days * 86400)
    with pytest.raises(AuthorizationRequired, match="consent_expired"):
        wired.authorizations().usable(TAXPAYER, "credit_bureau")


@pytest.mark.parametrize(
    ("scope", "changes", "field"),
    [
        ("credit_bureau", {"valid_days": 0}, "valid_days"),
        ("credit_bureau", {"valid_days": -1}, "valid_days"),
        ("credit_bureau", {"valid_days": 1826}, "valid_days"),
        ("credit_bureau", {"valid_days": 10**30}, "valid_days"),
        ("education", {"valid_days": 181}, "valid_days"),
        ("credit_bureau", {"valid_days": None}, "valid_days"),
        ("credit_bureau", {"until": iso(NOW + timedelta(7))}, "valid_days"),
        ("credit_bureau", {"valid_days": None, "until": iso(NOW)}, "until"),
        ("credit_bureau", {"valid_days": None, "until": iso(NOW + timedelta(1826))}, "until"),
        ("credit_bureau", {"valid_days": None, "until": "2027-01-01"}, "until"),
        ("credit_bureau", {"valid_days": None, "until": "9999-12-31T23:59:59-23:59"}, "until"),
        ("credit_bureau", {"text_version": "2020-01"}, "text_version"),
        ("tax", {}, "scope"),
        ("registry", {}, "scope"),
        ("", {}, "scope"),
    ],
)
def test_a_consent_that_breaks_a_rule_leaves_nothing(
    world: World, scope: str, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        consent(scope, **changes)
    assert refused.value.field == field
    assert world.items("Authorizations") == world.items("ConsentRecords") == []


def test_rights_stand_side_by_side_and_history_survives_what_stands(world: World) -> None:
    world.authorize()
    consent()
    consent("shop")
    world.clock.advance(60)
    consent(valid_days=60)
    wired.authorizations().withdraw(TAXPAYER, "credit_bureau", "borrower:user-1", tenant=TENANT)
    assert sorted(kinds()) == ["granted"] * 4 + ["overwritten", "withdrawn"]
    assert kinds()[-1] == "granted"
    ended = {one.scope.name for one in wired.authorizations().standing_of(TAXPAYER, tenant=TENANT) if one.problem}
    assert ended == {"credit_bureau", "education", "anti_fraud"}
    assert CODE not in str(world.items("ConsentRecords"))


def test_the_history_is_the_tenants_own(world: World) -> None:
    consent()
    consent(tenant="firm-2")
    assert kinds() == ["granted"]


def test_every_use_is_noted_with_what_it_was_for(world: World) -> None:
    consent()
    held = wired.authorizations().usable(TAXPAYER, "credit_bureau")
    logger.set_correlation_id("run-1")
    try:
        wired.authorizations().use(held, purpose="loan_assessment", by="app_1", channel="credit-bureau")
    finally:
        logger.set_correlation_id(None)
    world.clock.advance(5)
    wired.authorizations().use(held, purpose="loan_monitoring", by="scan_1", channel="credit-bureau")
    newest, oldest = wired.authorizations().uses(TAXPAYER, tenant=TENANT)
    assert (oldest.by, oldest.purpose, oldest.outcome, oldest.correlation_id, oldest.at) == (
        "app_1", "loan_assessment", "allowed", "run-1", iso(NOW),
    )  # fmt: skip
    assert (newest.by, newest.correlation_id) == ("scan_1", None)
    stands = wired.authorizations().usable(TAXPAYER, "credit_bureau")
    assert stands.last_used_at == newest.at
    assert wired.authorizations().uses(TAXPAYER, tenant="firm-2").items == []
    assert kinds() == ["granted"]


def test_a_use_that_the_consent_does_not_name_is_refused_and_noted(world: World) -> None:
    consent("education")
    held = wired.authorizations().usable(TAXPAYER, "education")
    with pytest.raises(AuthorizationRequired, match="purpose_not_consented"):
        wired.authorizations().use(held, purpose="loan_monitoring", by="scan_1", channel="education")
    (use,) = wired.authorizations().uses(TAXPAYER, tenant=TENANT)
    assert (use.outcome, use.problem) == ("denied", "purpose_not_consented")
    rights = wired.authorizations().rights(TAXPAYER, tenant=TENANT)
    assert rights.usable("education", "loan_assessment") == held
    with pytest.raises(AuthorizationRequired, match="purpose_not_consented"):
        rights.usable("education", "loan_monitoring")  # a cached answer is not a use
    with pytest.raises(ValueError, match="curiosity"):
        wired.authorizations().use(held, purpose="curiosity", by="scan_1", channel="education")


def test_what_ended_between_reading_and_using_is_not_used(world: World) -> None:
    endings: list[tuple[Callable[[Authorization], None], str]] = [
        (lambda _: consent(), "superseded"),
        (lambda _: wired.authorizations().withdraw(TAXPAYER, "credit_bureau", "x", tenant=TENANT), "withdrawn"),
        (lambda held: wired.authorizations().refuse(held, "not_a_customer"), "not_a_customer"),
        (lambda _: world.clock.advance(31 * 86400), "consent_expired"),
    ]
    for end, reason in endings:
        world.clock.advance(1)
        consent()
        held = wired.authorizations().usable(TAXPAYER, "credit_bureau")
        end(held)
        with pytest.raises(AuthorizationRequired, match=reason) as refused:
            wired.authorizations().use(held, purpose="loan_assessment", by="app_1", channel="credit-bureau")
        assert refused.value.scope == "credit_bureau"
    outcomes = [(use.outcome, use.problem) for use in wired.authorizations().uses(TAXPAYER, tenant=TENANT)]
    assert outcomes == [
        ("denied", "consent_expired"), ("denied", "not_a_customer"), ("denied", "withdrawn"), ("denied", "superseded"),
    ]  # fmt: skip

"""From disbursement on, the rights that monitoring the loan rests on are watched (C28)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from creditmesh.authorization.scopes import SCOPES
from creditmesh.intake.model import ApplicationClosed, Outcome
from creditmesh.kernel.clock import iso
from creditmesh.platform.tables import ConditionFailed, Step, Update
from tests.support import wired
from tests.support.aws import table_name
from tests.support.functions import invoke, stream_event
from tests.support.world import (
    APPROVAL,
    BORROWER,
    DISBURSEMENT,
    FAILURE,
    FIRM,
    LENDER,
    OPERATOR,
    REJECTION,
    STRANGER,
    World,
    request,
)

TAXPAYER, TENANT = FIRM.taxpayer_id, BORROWER.tenant
NEW_CODE = "code-brought-later-0002"


def consent(scope: str, tenant: str = TENANT, days: int = 90) -> None:
    version = SCOPES[scope].text_version
    wired.authorizations().consent(
        TAXPAYER, scope, "borrower:user-1", tenant=tenant, text_version=version, language="en", valid_days=days,
        fields={"verification_code": "A" * 16} if scope == "education" else {},
    )  # fmt: skip


def withdraw(scope: str = "tax") -> None:
    wired.authorizations().withdraw(TAXPAYER, scope, "borrower:user-1", tenant=TENANT)


def disburse(world: World, webhook_id: str = "w-3") -> bool:
    return world.say("loan.disbursed", webhook_id, **DISBURSEMENT)


def spots(caller: Any = OPERATOR) -> set[tuple[str, str | None]]:
    return {(one.scope, one.blind_cause) for one in wired.watches().blind_spots(caller)}


def asked() -> list[str | None]:
    """Renewals that were requested, with their reasons."""
    history = wired.authorizations().history(TAXPAYER, tenant=TENANT)
    return [one.note for one in history if one.kind == "renewal_requested"]


def test_watched_is_what_may_be_used_for_monitoring_and_is_granted_or_required(world: World) -> None:
    world.to_ordered()
    consent("credit_bureau")
    consent("shop")
    withdraw("shop")
    consent("education")  # its text does not name monitoring
    consent("anti_fraud", tenant=STRANGER.tenant)
    assert world.items("Watches") == []
    assert disburse(world)
    watched = {(one["scope"], one["tenant"], one["subject_id"], one["lender_id"]) for one in world.items("Watches")}
    assert watched == {(scope, TENANT, world.application_id, "lender-a") for scope in ("tax", "credit_bureau", "shop")}
    assert spots() == spots(LENDER) == {("shop", "withdrawn")}


def test_watching_begins_in_the_transaction_of_the_disbursement(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_ordered()
    tables, made = wired.tables(), []
    transact = tables.transact

    def noted(steps: list[Step], token: str) -> None:
        made.append({one.table for one in steps})
        transact(steps, token)

    monkeypatch.setattr(tables, "transact", noted)
    disburse(world)
    assert [tables for tables in made if table_name("Watches") in tables] == [
        {
            table_name(name)
            for name in (
                "Applications",
                "Closings",
                "LedgerAccounts",
                "LedgerEntries",
                "LedgerTransfers",
                "Products",
                "Waits",
                "Watches",
            )
        }
    ]


def test_without_the_disbursement_nothing_is_watched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_ordered()

    def conflict(*_: Any) -> None:
        raise ConditionFailed("changed meanwhile")

    monkeypatch.setattr(wired.tables(), "transact", conflict)
    with pytest.raises(ConditionFailed):
        disburse(world)
    assert (world.items("Watches"), world.application().outcome) == ([], None)


def test_a_repeat_changes_nothing(world: World) -> None:
    world.to_ordered()
    disburse(world)
    before = world.items("Watches"), world.items("ConsentRecords")
    world.clock.advance(60)
    assert not disburse(world)
    assert not disburse(world, "w-other")
    assert (world.items("Watches"), world.items("ConsentRecords")) == before


@pytest.mark.parametrize(
    ("said", "kind"), [(REJECTION, "loan.decision"), (APPROVAL, "loan.decision"), (FAILURE, "loan.disbursement.failed")]
)
def test_other_answers_begin_nothing(world: World, said: dict[str, Any], kind: str) -> None:
    world.to_submitted() if kind == "loan.decision" else world.to_ordered()
    world.say(kind, "w-3", **said)
    assert world.items("Watches") == []


@pytest.mark.parametrize("cause", ["withdrawn", "code_revoked", "code_expired", "consent_expired"])
def test_a_right_that_ended_before_is_a_blind_spot_at_once(world: World, cause: str) -> None:
    if cause == "consent_expired":
        consent("credit_bureau", days=1)
    world.to_ordered()
    if cause == "withdrawn":
        withdraw()
    elif cause == "code_revoked":
        wired.authorizations().refuse(wired.authorizations().usable(TAXPAYER), cause)
    else:
        world.clock.advance(86400 * (400 if cause == "code_expired" else 2))
        invoke("SweepAuthorizationsFunction", {})
    disburse(world)
    assert spots() == {("credit_bureau" if cause == "consent_expired" else "tax", cause)}
    assert asked() == [cause]


def test_a_right_withdrawn_while_the_message_is_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The withdrawal meets no watch yet, so the disbursement has to look again."""
    world.to_ordered()
    tables = wired.tables()
    transact = tables.transact

    def first(steps: list[Step], token: str) -> None:
        monkeypatch.setattr(tables, "transact", transact)
        withdraw()
        transact(steps, token)

    monkeypatch.setattr(tables, "transact", first)
    disburse(world)
    assert spots() == {("tax", "withdrawn")}


def test_a_repeat_marks_what_the_first_time_did_not_reach(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_ordered()
    withdraw()

    def dies(*_: Any, **__: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(wired.loan_monitoring(), "begun", dies)
    with pytest.raises(TimeoutError):
        disburse(world)
    monkeypatch.undo()
    assert (spots(), world.application().outcome) == (set(), Outcome.DISBURSED)
    assert not disburse(world)
    assert spots() == {("tax", "withdrawn")}


def test_a_consent_whose_text_does_not_name_monitoring_is_a_blind_spot(world: World) -> None:
    world.to_ordered()
    (item,) = world.items("Authorizations")
    key = {name: item[name] for name in ("taxpayer_index", "record")}
    older = {**item["consent"], "purposes": ["loan_assessment"]}
    wired.tables().write(Update(table_name("Authorizations"), key, {"consent": older}))
    disburse(world)
    assert spots() == {("tax", "purpose_not_consented")}


def test_a_withdrawal_under_monitoring_asks_once_with_its_consequence(world: World) -> None:
    world.to_ordered()
    consent("credit_bureau")
    disburse(world)
    assert (spots(), asked()) == (set(), [])
    withdraw("credit_bureau")
    withdraw("credit_bureau")
    invoke("PublishConsentsFunction", stream_event(world, "ConsentRecords"))
    assert (spots(), asked()) == ({("credit_bureau", "withdrawn")}, ["withdrawn"])
    (standing,) = (
        one for one in wired.authorizations().standing_of(TAXPAYER, tenant=TENANT) if one.scope.name == "credit_bureau"
    )
    assert standing.authorization is not None
    assert standing.authorization.renewal_requested_at
    consent("credit_bureau")
    assert spots() == set()
    world.clock.advance(60)
    withdraw("credit_bureau")
    assert asked() == ["withdrawn", "withdrawn"], "of a new consent"


def test_two_loans_under_one_right_are_both_marked_and_asked_for_once(world: World) -> None:
    world.to_ordered()
    disburse(world)
    wired.authorizations().watch(TAXPAYER, "tax", "another-loan", tenant=TENANT, lender_id="lender-b")
    withdraw()
    assert {one.subject_id for one in wired.watches().blind_spots(OPERATOR)} == {
        world.application_id,
        "another-loan",
    }
    assert asked() == ["withdrawn"]


def until(world: World) -> str:
    return iso(world.clock.now() + timedelta(days=30))


def expired(world: World) -> None:
    """A disbursed loan whose right has expired."""
    world.to_ordered()
    disburse(world)
    world.clock.advance(86400 * 400)
    invoke("SweepAuthorizationsFunction", {})
    assert spots() == {("tax", "code_expired")}
    assert asked() == [None]


def test_a_closed_applications_borrower_renews_by_code(world: World) -> None:
    expired(world)
    application = wired.intake().authorize(BORROWER, world.application_id, NEW_CODE, until(world))
    assert (application.status, application.outcome) == ("closed", Outcome.DISBURSED)
    assert spots() == set()
    assert wired.authorizations().usable(TAXPAYER, tenant=TENANT).code == NEW_CODE


def test_a_closed_applications_borrower_renews_by_link(world: World) -> None:
    expired(world)
    link = wired.intake().login_link(BORROWER, world.application_id)
    flow = wired.redirects().named_by(parse_qs(urlsplit(link.url).query)["state"][0])
    assert wired.intake().authorize_on_return(flow, TAXPAYER, NEW_CODE, until(world)).outcome == Outcome.DISBURSED
    assert spots() == set()


def test_a_closed_application_without_a_loan_renews_nothing(world: World) -> None:
    world.to_submitted()
    world.say("loan.decision", "w-3", **REJECTION)
    with pytest.raises(ApplicationClosed):
        wired.intake().login_link(BORROWER, world.application_id)
    with pytest.raises(ApplicationClosed):
        wired.intake().authorize(BORROWER, world.application_id, NEW_CODE, until(world))


def test_a_stranger_renews_nothing(world: World) -> None:
    expired(world)
    mine = wired.intake().apply(STRANGER, request(), "key-of-a-stranger-1")
    world.end(Outcome.NO_MATCH, mine.application_id)
    with pytest.raises(ApplicationClosed):
        wired.intake().login_link(STRANGER, mine.application_id)


def test_a_required_right_is_watched_though_none_is_stored(world: World) -> None:
    world.to_ordered()
    (item,) = world.items("Authorizations")
    wired.tables().delete(table_name("Authorizations"), {name: item[name] for name in ("taxpayer_index", "record")})
    disburse(world)
    assert spots() == {("tax", "none_stored")}


def test_a_first_grant_ends_the_blind_spot_of_what_was_never_granted(world: World) -> None:
    world.to_ordered()
    wired.authorizations().watch(TAXPAYER, "credit_bureau", "loan-1", tenant=TENANT)
    assert spots() == {("credit_bureau", "none_stored")}
    consent("credit_bureau")
    invoke("PublishConsentsFunction", stream_event(world, "ConsentRecords"))
    assert spots() == set()


def test_two_who_look_at_once_mark_and_ask_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_ordered()
    disburse(world)
    world.clock.advance(86400 * 400)
    (right,) = (one for one in world.items("Authorizations") if one["scope"] == "tax")
    tables, read = wired.tables(), wired.tables().get

    def read_slowly(*arguments: Any) -> Any:
        found = read(*arguments)
        monkeypatch.setattr(tables, "get", read)
        assert wired.watches().reconcile(right["taxpayer_index"], "tax", TENANT) == 1
        world.clock.advance(1)
        return found

    monkeypatch.setattr(tables, "get", read_slowly)
    assert wired.watches().reconcile(right["taxpayer_index"], "tax", TENANT) == 0
    kinds = [one.kind for one in wired.authorizations().history(TAXPAYER, tenant=TENANT)]
    assert (kinds.count("blind_spot"), asked()) == (1, ["code_expired"])

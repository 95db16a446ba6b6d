"""Withdrawal: at once, code erased, source told, applications back to asking; erasure on request (S09)."""

from __future__ import annotations

import pytest

from creditmesh.authorization.endings import FollowUp
from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.authorization.scopes import SCOPES
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.deliveries import GRACE_SECONDS
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.outbox import API_KEY, MANNERS
from tests.support import wired
from tests.support.world import BORROWER, CODE, FIRM, KEYS, TAX, World

TAXPAYER, TENANT = FIRM.taxpayer_id, BORROWER.tenant
REVOKE = f"{TAX}/oauth/revoke"
Ended = list[tuple[str, str]]


@pytest.fixture
def ended(world: World) -> Ended:
    """What was told to erase what it read: (scope, authorisation id)."""
    told: Ended = []

    def on_ended(_taxpayer_index: str, scope: str, authorization_id: str) -> None:
        told.append((scope, authorization_id))

    store, watches = wired.authorization_store(), wired.watches()
    follow_up = FollowUp(store, watches, on_ended, lambda *_: None, wired.clock())
    wired.instead("consent_follow_up", follow_up)
    return told


def withdraw(scope: str = "tax") -> None:
    wired.authorizations().withdraw(TAXPAYER, scope, "borrower:user-1", tenant=TENANT)


def consent(scope: str = "shop") -> None:
    version = SCOPES[scope].text_version
    wired.authorizations().consent(
        TAXPAYER, scope, "borrower:user-1", tenant=TENANT, text_version=version, language="en", valid_days=30
    )


def kinds() -> list[str]:
    return [one.kind.value for one in wired.authorizations().history(TAXPAYER, tenant=TENANT)]


def test_it_takes_effect_at_once_and_the_code_is_gone(world: World, ended: Ended) -> None:
    world.authorize()
    held = wired.authorizations().usable(TAXPAYER)
    withdraw()
    with pytest.raises(AuthorizationRequired, match="withdrawn"):
        wired.authorizations().usable(TAXPAYER)
    with pytest.raises(AuthorizationRequired, match="withdrawn"):
        wired.authorizations().use(held, purpose="loan_assessment", by="app_1", channel="tax-bureau")
    (stored,) = world.items("Authorizations")
    assert {"code", "code_verifier", "due_at", "due_queue"}.isdisjoint(stored)
    assert ended == [("tax", held.authorization_id)]


def test_withdrawing_again_changes_nothing(world: World, ended: Ended) -> None:
    world.authorize()
    withdraw()
    withdraw()
    assert kinds() == ["withdrawn", "granted"]
    assert len(world.items("Outbox")) == 1
    assert len(ended) == 1


def test_what_was_never_granted_cannot_be_withdrawn(world: World) -> None:
    with pytest.raises(NotFound):
        withdraw()
    with pytest.raises(InvalidInput) as refused:
        withdraw("registry")
    assert refused.value.field == "scope"


def test_an_application_that_was_not_collected_yet_asks_again(world: World) -> None:
    wired.intake().await_authorization(world.application_id, "t-1", "none_stored", 3)
    wired.intake().authorize(BORROWER, world.application_id, CODE, "2027-01-01T00:00:00Z")
    withdraw()
    with pytest.raises(AuthorizationRequired, match="withdrawn"):
        wired.authorizations().usable(TAXPAYER)
    wired.intake().await_authorization(world.application_id, "t-2", "withdrawn", 3)
    assert world.application().status == "authorization_required"
    assert "t-2" not in world.steps.succeeded
    wired.intake().authorize(BORROWER, world.application_id, "code-brought-later-0002", "2027-01-01T00:00:00Z")
    assert "t-2" in world.steps.succeeded


def test_one_that_was_overtaken_by_a_newer_one_asks_nobody(world: World) -> None:
    world.authorize()
    wired.intake().await_authorization(world.application_id, "t-1", "superseded", 3)
    assert world.steps.succeeded == {"t-1": {}}
    assert world.application().authorization_requests == 0


def tell(world: World) -> list[str]:
    """Deliver what waits in the outbox; how each delivery ended."""
    waits = [item for item in world.items("Outbox") if item["state"] == "pending"]
    return [wired.deliveries().deliver(item["message_id"], item["attempts"]) for item in waits]


def test_the_source_is_told_and_the_code_erased_for_good(world: World) -> None:
    world.authorize()
    withdraw()
    world.http.answer("POST", REVOKE, 204)
    world.clock.advance(1)
    assert [tell(world), tell(world)] == [["sent"], []]
    (call,) = world.http.to(REVOKE)
    assert call.json() == {"taxpayer_id": TAXPAYER, "authorization_code": CODE}
    assert call.headers["x-api-key"] == KEYS["tax-bureau"]["api_key"]
    (item,) = world.items("Outbox")
    assert (item["state"], "body" in item, "queue" in item) == ("sent", False, False)
    assert kinds() == ["revoked", "withdrawn", "granted"]


def test_a_source_that_is_down_is_told_later_and_at_last_given_up(world: World) -> None:
    world.authorize()
    withdraw()
    world.http.fail("POST", REVOKE, InstitutionUnavailable("answered", status=503))
    attempts = MANNERS[API_KEY].attempts
    for attempt in range(1, attempts):
        assert tell(world) == ["later"]
        (item,) = world.items("Outbox")
        assert (item["state"], item["attempts"]) == ("pending", attempt)
        world.clock.advance(6 * 3600 + GRACE_SECONDS)
        assert [one.message_id for one in wired.overdue_messages()] == [item["message_id"]]
    assert tell(world) == ["parked"]
    (item,) = world.items("Outbox")
    assert (item["state"], "body" in item) == ("parked", False)
    assert kinds()[0] == "revocation_failed"
    world.clock.advance(6 * 3600 + GRACE_SECONDS)
    assert list(wired.overdue_messages()) == []


@pytest.mark.parametrize(("status", "state"), [(404, "sent"), (410, "sent"), (401, "pending"), (400, "pending")])
def test_what_the_source_answers(world: World, status: int, state: str) -> None:
    world.authorize()
    withdraw()
    world.http.answer("POST", REVOKE, status)
    tell(world)
    assert world.items("Outbox")[0]["state"] == state


def test_a_source_that_is_not_configured_is_like_one_that_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.authorize()
    with monkeypatch.context() as patch:
        patch.setattr(wired.directory(), "of_kind", lambda kind: [])
        withdraw()
    assert tell(world) == ["later"]
    assert world.items("Outbox")[0]["last_fault"] == {"code": "not_in_directory", "parameters": {}}


@pytest.mark.parametrize("end", ["refuse", "expire"])
def test_of_a_code_that_opens_nothing_no_source_is_told(world: World, end: str) -> None:
    world.authorize()
    if end == "refuse":
        wired.authorizations().refuse(wired.authorizations().usable(TAXPAYER), "code_revoked")
    else:
        world.clock.advance(366 * 86400)
        wired.expiry_sweep().run()
    withdraw()
    assert world.items("Outbox") == []
    assert kinds()[0] == "withdrawn"


def test_rights_without_a_code_need_no_revocation(world: World, ended: Ended) -> None:
    consent("shop")
    withdraw("shop")
    assert world.items("Outbox") == []
    assert [scope for scope, _ in ended] == ["shop"]


def test_each_ending_erases_what_was_read(world: World, ended: Ended) -> None:
    world.authorize()
    first = wired.authorizations().usable(TAXPAYER)
    world.authorize("code-brought-later-0002")
    second = wired.authorizations().usable(TAXPAYER)
    wired.authorizations().refuse(second, "code_revoked")
    consent("shop")
    world.clock.advance(31 * 86400)
    wired.expiry_sweep().run()
    assert ended[:2] == [("tax", first.authorization_id), ("tax", second.authorization_id)]
    assert [scope for scope, _ in ended] == ["tax", "tax", "shop"]


def test_erasure_withdraws_everything_and_keeps_the_proof(world: World, ended: Ended) -> None:
    world.authorize()
    consent("shop")
    held = wired.authorizations().usable(TAXPAYER, "shop")
    wired.authorizations().use(held, purpose="loan_assessment", by="app_1", channel="shop")
    assert wired.authorizations().erase(TAXPAYER, "borrower:user-1", tenant=TENANT) == ["shop", "tax"]
    assert sorted(kinds()) == ["erased", "erased", "granted", "granted", "withdrawn", "withdrawn"]
    assert len(list(wired.authorizations().uses(TAXPAYER, tenant=TENANT))) == 1
    assert not any(item.get("code") for item in world.items("Authorizations"))
    assert {scope for scope, _ in ended} == {"shop", "tax"}
    assert wired.authorizations().erase(TAXPAYER, "borrower:user-2", tenant="firm-2") == []


def test_the_stream_finishes_what_a_dead_process_left_but_spares_what_came_since(world: World, ended: Ended) -> None:
    world.authorize()
    withdraw()
    (record,) = [one for one in wired.authorizations().history(TAXPAYER, tenant=TENANT) if one.kind == "withdrawn"]
    ended.clear()
    wired.consent_follow_up().again(record)
    assert ended == [("tax", record.authorization_id)]
    world.clock.advance(1)
    world.authorize("code-brought-later-0002")
    ended.clear()
    for one in wired.authorizations().history(TAXPAYER, tenant=TENANT):
        wired.consent_follow_up().again(one)
    assert ended == []


def test_a_withdrawal_that_meets_a_renewal_ends_the_renewal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.authorize()
    store = wired.authorization_store()
    renewed: list[object] = []
    original = store.get

    def get(*key: str) -> object:
        found = original(*key)
        if not renewed:
            renewed.append(found)
            world.clock.advance(1)
            world.authorize("code-brought-between-03")
        return found

    monkeypatch.setattr(store, "get", get)
    withdraw()
    assert wired.authorizations().problem(TAXPAYER, tenant=TENANT)
    assert kinds()[0] == "withdrawn"
    assert len(world.items("Outbox")) == 1


def test_a_refusal_by_the_source_after_the_withdrawal_changes_nothing(world: World) -> None:
    world.authorize()
    held = wired.authorizations().usable(TAXPAYER)
    withdraw()
    wired.authorizations().refuse(held, "revoked")
    assert wired.authorizations().problem(TAXPAYER, tenant=TENANT) == "withdrawn"
    assert "rejected" not in kinds()

"""Several applications of a firm wait for the same authorisation; giving it once is enough (C04)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from creditmesh.authorization.scopes import SCOPES
from creditmesh.intake.model import WAITS, Application, AuthorizationExhausted, Status
from creditmesh.kernel.clock import iso
from tests.support import wired
from tests.support.functions import invoke, stream_event
from tests.support.world import BORROWER, CODE, FIRM, NOW, STRANGER, World

UNTIL = iso(NOW + timedelta(days=30))


def applied(world: World, number: int, **more: object) -> str:
    return world.apply(f"key-0000000{number}", **more).application_id  # type: ignore[arg-type]


def asked(application_id: str, token: str, reason: str = "none_stored", allowed: int = 3) -> None:
    wired.intake().await_authorization(application_id, token, reason, allowed)


def bring(application_id: str, code: str = CODE, until: str = UNTIL) -> None:
    wired.intake().authorize(BORROWER, application_id, code, until)


def published(world: World) -> None:
    assert invoke("PublishConsentsFunction", stream_event(world, "ConsentRecords")) == {"batchItemFailures": []}


def status(application_id: str) -> str:
    return wired.applications().get(application_id).status


def test_the_others_go_on_when_one_is_authorised(world: World) -> None:
    ids = [applied(world, number) for number in range(3)]
    for number, application_id in enumerate(ids):
        asked(application_id, f"t-{number}")
    bring(ids[1])
    published(world)
    assert [status(one) for one in ids] == ["authorized"] * 3
    assert world.steps.succeeded == {"t-0": {}, "t-1": {}, "t-2": {}}
    assert [entry.by for entry in wired.applications().get(ids[0]).timeline][-1] == "platform"


def test_a_repeat_changes_nothing(world: World) -> None:
    ids = [applied(world, number) for number in range(2)]
    for number, application_id in enumerate(ids):
        asked(application_id, f"t-{number}")
    bring(ids[0])
    published(world)
    before = world.items("Applications"), world.items("Waits"), dict(world.steps.succeeded)
    published(world)
    assert (world.items("Applications"), world.items("Waits"), dict(world.steps.succeeded)) == before


def test_another_accounts_application_of_the_same_firm_is_not_answered(world: World) -> None:
    own, foreign = applied(world, 0), applied(world, 1, caller=STRANGER)
    asked(own, "t-own")
    asked(foreign, "t-foreign")
    bring(own)
    published(world)
    assert (status(own), status(foreign)) == ("authorized", "authorization_required")
    assert world.steps.succeeded == {"t-own": {}}


def test_one_that_is_asked_after_the_grant_is_not_asked(world: World) -> None:
    first, second = applied(world, 0), applied(world, 1)
    asked(first, "t-1")
    bring(first)
    published(world)
    asked(second, "t-2")
    assert status(second) == "received"
    assert world.steps.succeeded == {"t-1": {}, "t-2": {}}


def test_a_grant_is_good_for_going_on_once(world: World) -> None:
    """What is still lacking may be another right: asking must not be skipped for ever."""
    first, second = applied(world, 0), applied(world, 1)
    asked(first, "t-1")
    bring(first)
    published(world)
    asked(second, "t-2")
    asked(second, "t-3")
    assert status(second) == "authorization_required"
    assert "t-3" not in world.steps.succeeded


def test_a_grant_that_is_gone_again_does_not_keep_one_from_being_asked(world: World) -> None:
    first, second = applied(world, 0), applied(world, 1)
    asked(first, "t-1")
    bring(first)
    published(world)
    firm = wired.applications().get(first)
    wired.authorizations().withdraw(firm.taxpayer_id, "tax", "borrower:user-1", tenant=firm.tenant)
    asked(second, "t-2")
    assert status(second) == "authorization_required"
    assert "t-2" not in world.steps.succeeded


def test_an_expired_code_lets_nobody_go_on(world: World) -> None:
    first, second = applied(world, 0), applied(world, 1)
    asked(first, "t-1")
    asked(second, "t-2")
    bring(first, until=iso(NOW - timedelta(days=1)))
    published(world)
    assert status(second) == "authorization_required"


def test_ended_applications_stay_ended(world: World) -> None:
    first, second = applied(world, 0), applied(world, 1)
    asked(first, "t-1")
    asked(second, "t-2")
    wired.intake().withdraw(BORROWER, second)
    bring(first)
    published(world)
    assert (status(first), status(second)) == ("authorized", "closed")
    assert world.steps.succeeded == {"t-1": {}}


def test_asked_as_often_as_allowed_whoever_answers(world: World) -> None:
    first, second = applied(world, 0), applied(world, 1)
    asked(second, "s-0")
    for number in range(3):
        asked(first, f"f-{number}")
        bring(first, f"refused-code-000{number}")
        published(world)
        wired.authorizations().refuse(wired.authorizations().usable(FIRM.taxpayer_id), "code_unknown")
        if number < 2:
            asked(second, f"s-{number + 1}", "code_unknown")
    with pytest.raises(AuthorizationExhausted):
        asked(second, "s-3", "code_unknown")


def granted(application_id: str) -> None:
    firm = wired.applications().get(application_id)
    wired.waiting_applications().granted(firm.taxpayer_index, firm.tenant)


def test_asked_while_the_grant_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    only = applied(world, 0)
    world.authorize()
    world.after_next_read(monkeypatch, lambda: asked(only, "t-1"))
    granted(only)
    assert status(only) == "authorized"
    assert world.steps.succeeded == {"t-1": {}}


def test_answered_by_the_borrower_while_the_grant_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    only = applied(world, 0)
    asked(only, "t-1")
    world.authorize()
    world.after_next_read(monkeypatch, lambda: bring(only, "another-code-0001"))
    granted(only)
    assert [entry.by for entry in wired.applications().get(only).timeline][-1] == "borrower"
    assert world.steps.succeeded == {"t-1": {}}


def test_withdrawn_while_the_grant_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    only = applied(world, 0)
    asked(only, "t-1")
    world.authorize()
    world.after_next_read(monkeypatch, lambda: wired.intake().withdraw(BORROWER, only))
    granted(only)
    assert status(only) == "closed"
    assert world.steps.succeeded == {}


def test_the_grant_is_told_while_the_step_is_run_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    only = applied(world, 0)
    store = wired.applications()
    read = store.get

    def slowly(application_id: str) -> Application:
        found = read(application_id)
        monkeypatch.setattr(store, "get", read)
        world.authorize()
        granted(only)
        return found

    monkeypatch.setattr(store, "get", slowly)
    asked(only, "t-1", "superseded")  # a reason that makes it read first
    assert world.steps.succeeded == {"t-1": {}}


def test_the_grant_is_told_before_the_borrowers_own_answer_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream may be faster than the call that granted."""
    only = applied(world, 0)
    asked(only, "t-1")
    answering = wired.waits().answering

    def late(*given: Any) -> Any:
        monkeypatch.setattr(wired.waits(), "answering", answering)
        granted(only)
        return answering(*given)

    monkeypatch.setattr(wired.waits(), "answering", late)
    bring(only)
    assert status(only) == "authorized"
    assert world.steps.succeeded == {"t-1": {}}


def test_one_whose_process_was_not_reached_is_told_later(world: World) -> None:
    first, second = applied(world, 0), applied(world, 1)
    asked(first, "t-1")
    asked(second, "t-2")
    world.steps.gone.add("t-1")
    bring(second)
    published(world)
    assert (status(first), set(world.steps.succeeded)) == ("authorized", {"t-2"})
    world.steps.gone.clear()
    assert wired.waits().tell(first, WAITS[Status.AUTHORIZATION_REQUIRED])
    assert world.steps.succeeded["t-1"] == {}


def test_the_grant_of_another_right_answers_nobody(world: World) -> None:
    application_id = applied(world, 0)
    asked(application_id, "t-1")
    wired.authorizations().consent(
        FIRM.taxpayer_id, "credit_bureau", "borrower:user-1", tenant=BORROWER.tenant,
        text_version=SCOPES["credit_bureau"].text_version, language="en", valid_days=30,
    )  # fmt: skip
    published(world)
    assert (status(application_id), world.steps.succeeded) == ("authorization_required", {})


def test_whose_right_was_replaced_while_it_was_used_goes_on_with_the_new_one(world: World) -> None:
    """The grant was published before the application was there, so that nothing has marked it."""
    first = applied(world, 0)
    asked(first, "t-1")
    bring(first)
    second = applied(world, 1)
    asked(second, "t-2", "superseded")
    assert (status(second), world.steps.succeeded) == ("received", {"t-1": {}, "t-2": {}})

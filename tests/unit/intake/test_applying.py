"""Taking an application in, reading it, withdrawing it (C01)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from creditmesh.intake.model import ApplicationClosed, NotAwaited, Outcome, Status
from creditmesh.intake.search import Search
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound
from creditmesh.platform.paging import Window
from tests.support import wired
from tests.support.world import BORROWER, DISBURSEMENT, FIRM, LENDER, OPERATOR, STRANGER, World, request

BANK = Caller(subject="bank-user", role=Role.BANK, tenant="bank-1")


def test_a_request_becomes_an_application_with_a_process(world: World) -> None:
    taken = world.apply()
    assert (taken.status, taken.channel, taken.tenant) == (Status.RECEIVED, "direct", "firm-1")
    assert taken == wired.applications().get(taken.application_id)
    given = {"application_id": taken.application_id, "problem": "none_stored"}
    assert world.steps.inputs == {taken.application_id: given}


def test_a_firm_that_has_authorised_already_is_not_asked_first(world: World) -> None:
    world.apply()
    world.authorize()
    again = world.apply(key="another-key-1")
    assert world.steps.inputs[again.application_id] == {"application_id": again.application_id}


def test_the_taxpayer_id_is_stored_sealed_only(world: World) -> None:
    taken = world.apply()
    assert taken.taxpayer_id == FIRM.taxpayer_id
    assert FIRM.taxpayer_id not in str(world.items("Applications"))
    assert FIRM.taxpayer_id not in repr(taken)


def test_the_same_key_meets_the_first_application_again(world: World) -> None:
    first = world.apply()
    world.clock.advance(60)
    assert world.apply() == first
    assert list(world.steps.executions) == [first.application_id]


def test_a_repeat_starts_the_process_that_a_crash_left_unstarted(world: World) -> None:
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="ThrottlingException"):
        world.apply()
    world.steps.refuse = None
    application_id = world.apply().application_id
    assert list(world.steps.executions) == [application_id]


@pytest.mark.parametrize(
    "change", [{"amount": "100000.01"}, {"term_months": 13}, {"firm_name": "Another"}, {"purpose": "other"}]
)
def test_the_same_key_for_another_request_is_refused(world: World, change: dict[str, Any]) -> None:
    world.apply()
    with pytest.raises((Conflict, InvalidInput)) as refused:
        world.apply(**change)
    assert refused.value.field == "Idempotency-Key"
    assert len(world.items("Applications")) == 1


def test_a_key_means_nothing_to_another_tenant(world: World) -> None:
    assert world.apply().application_id != world.apply(caller=STRANGER).application_id


@pytest.mark.parametrize("amount", ["999.99", "100000000.01", "0.00"])
def test_an_amount_the_platform_does_not_lend(world: World, amount: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.apply(amount=amount)
    assert refused.value.field == "amount"


@pytest.mark.parametrize("amount", ["1000.00", "100000000.00"])
def test_the_least_and_the_most_it_lends(world: World, amount: str) -> None:
    assert str(world.apply(amount=amount).requested()) == amount


def test_a_wrong_check_digit(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.apply(taxpayer_id="91350200M000000510")
    assert refused.value.field == "taxpayer_id"


@pytest.mark.parametrize(
    "change",
    [{"term_months": 0}, {"term_months": 361}, {"term_months": "12"}, {"term_months": 1.0}, {"currency": "cny"},
     {"firm_name": " "}, {"purpose": ""}, {"unknown": 1}],
)  # fmt: skip
def test_a_request_that_breaks_a_rule(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**change)


@pytest.mark.parametrize("caller", [LENDER, OPERATOR])
def test_only_borrowers_and_banks_apply(world: World, caller: Caller) -> None:
    with pytest.raises(Forbidden):
        world.apply(caller=caller)


def test_who_sees_an_application(world: World) -> None:
    application_id = world.apply(caller=BANK).application_id
    for caller in (BANK, OPERATOR):
        assert wired.intake().read(caller, application_id).channel == "bank:bank-1"
    for caller in (BORROWER, STRANGER, LENDER):
        with pytest.raises(NotFound):
            wired.intake().read(caller, application_id)


def test_a_lender_sees_what_was_submitted_to_it(world: World) -> None:
    world.to_chosen()
    with pytest.raises(NotFound):
        wired.intake().read(LENDER, world.application_id)
    wired.closings().submit(world.application_id, "t")
    assert wired.intake().read(LENDER, world.application_id).chosen_lender_id == "lender-a"
    other = Caller(subject="x", role=Role.LENDER, tenant="lender-b")
    with pytest.raises(NotFound):
        wired.intake().read(other, world.application_id)


def test_lists_hold_the_callers_own_newest_first(world: World) -> None:
    ids = []
    for number in range(3):
        ids.append(world.apply(f"key-0000000{number}").application_id)
        world.clock.advance(1)
    world.apply(caller=STRANGER)
    lists = wired.application_lists()
    listed = lists.find(BORROWER, Search(), Window(10))
    assert [one.application_id for one in listed] == ids[::-1]
    assert len(lists.find(BORROWER, Search(), Window(2)).items) == 2
    assert lists.find(BORROWER, Search(frozenset({Status.CLOSED})), Window(10)).items == []
    assert len(lists.find(OPERATOR, Search(frozenset({Status.RECEIVED})), Window(10)).items) == 4
    assert len(lists.find(OPERATOR, Search(), Window(10)).items) == 4


def test_withdrawing_ends_the_wait_that_stands_now(world: World) -> None:
    wired.intake().await_authorization(world.application_id, "t-1", "none_stored", 3)
    wired.intake().await_authorization(world.application_id, "t-2", "none_stored", 3)
    gone = wired.intake().withdraw(BORROWER, world.application_id)
    assert (gone.outcome, world.steps.failed) == (Outcome.WITHDRAWN, {"t-2": "ApplicationClosed"})
    with pytest.raises(ApplicationClosed):
        wired.intake().withdraw(BORROWER, world.application_id)


def test_withdrawing_offers(world: World) -> None:
    world.to_offered()
    wired.intake().withdraw(BORROWER, world.application_id)
    assert world.steps.failed == {"t-choice": "ApplicationClosed"}


def test_no_withdrawal_while_a_lender_decides(world: World) -> None:
    world.to_submitted()
    with pytest.raises(NotAwaited):
        wired.intake().withdraw(BORROWER, world.application_id)
    with pytest.raises(Forbidden):
        wired.intake().withdraw(OPERATOR, world.application_id)
    with pytest.raises(NotFound):
        wired.intake().withdraw(STRANGER, world.application_id)
    assert world.application().status == "submitted"


def test_no_withdrawal_of_a_signed_contract_while_a_person_looks(world: World) -> None:
    """The lender may have been told to pay."""
    world.to_ordered()
    wired.operators().hand_over(world.application_id, "t-operator", "OrderDisbursement", "States.Timeout")
    with pytest.raises(NotAwaited, match="signed"):
        wired.intake().withdraw(BORROWER, world.application_id)
    assert world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    assert world.application().outcome == Outcome.DISBURSED


def test_the_first_outcome_stays(world: World) -> None:
    world.to_offered()
    store = wired.applications()
    assert store.expire(world.application_id, Outcome.CHOICE_EXPIRED)
    assert not store.expire(world.application_id, Outcome.CLOSED_BY_OPERATOR)
    assert world.application().outcome == Outcome.CHOICE_EXPIRED
    assert world.application().timeline[-1].status == "closed"


def test_an_answer_just_before_the_time_out_stands(world: World) -> None:
    world.to_signed()
    assert not wired.applications().expire(world.application_id, Outcome.SIGNATURE_EXPIRED)
    assert world.application().status == "signed"

"""Orders to pay, payments, failures and cancellations; the ledger goes with each (C22-C24, S05, S14)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from creditmesh.closing.model import Closing, ContradictoryAnswer, OrderOutstanding
from creditmesh.closing.payments import ORDER_STANDS
from creditmesh.intake.model import NotAwaited, Outcome
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.ledger.transfers import TransferIdReused
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import BORROWER, DISBURSEMENT, FAILURE, OPERATOR, World


def closing(world: World) -> Closing:
    found = wired.closing_store().find(world.application_id)
    assert found is not None
    return found


def states(world: World) -> list[str]:
    return [order.state for order in closing(world).orders]


def transfers(world: World) -> dict[str, str]:
    """State of each transfer, by the end of its id."""
    known = {
        item["transfer_id"].removeprefix(world.application_id): item["state"] for item in world.items("LedgerTransfers")
    }
    return dict(sorted(known.items()))


def sums(world: World) -> dict[str, int]:
    """Posted debits less credits, by kind of account."""
    found = {item["place"].rpartition(":")[2]: item["debits_posted"] - item["credits_posted"]
             for item in world.items("LedgerAccounts")}  # fmt: skip
    return {kind: int(amount) for kind, amount in found.items() if amount}


def body(world: World, message: str) -> Any:
    item = next(one for one in world.items("Outbox") if one["message_id"].endswith(message))
    return json.loads(wired.cipher().open(item["body"], table_name("Outbox"), item["message_id"], "body"))


def exceptions(world: World) -> list[tuple[str, str]]:
    return [(task["stage"], task["reason"]) for task in world.items("OperatorTasks") if task["queue"] == "open"]


def pay(world: World, webhook_id: str = "w-3", **changes: Any) -> bool:
    return world.say("loan.disbursed", webhook_id, **{**DISBURSEMENT, **changes})


def fail(world: World, webhook_id: str = "w-4", **changes: Any) -> bool:
    return world.say("loan.disbursement.failed", webhook_id, **{**FAILURE, **changes})


def with_person(world: World) -> str:
    """The order has failed, and a person looks; the task."""
    wired.operators().hand_over(world.application_id, "t-operator", "OrderDisbursement", "LenderUnavailable")
    return str(next(one["task_id"] for one in world.items("OperatorTasks") if one["queue"] == "open"))


def test_an_order_reserves_and_its_payment_posts(world: World) -> None:
    world.to_ordered("t-1")
    order = closing(world).orders[0]
    data = body(world, "disbursement.1")["data"]
    assert (data["order_id"], data["pay_before"]) == (order.order_id, order.expires_at)
    assert (transfers(world), sums(world)) == ({".1": "pending"}, {})
    assert pay(world, order_id=order.order_id)
    assert (transfers(world), states(world)) == ({".1": "posted"}, ["paid"])
    assert sums(world) == {"principal": 10_000_000, "cash": -10_000_000}
    assert world.application().outcome == Outcome.DISBURSED


def test_a_silent_lender_is_asked_again_for_the_same_order(world: World) -> None:
    world.to_ordered("t-1")
    wired.closings().order_disbursement(world.application_id, "t-2")
    assert body(world, "disbursement.2")["data"]["order_id"] == body(world, "disbursement.1")["data"]["order_id"]
    assert (transfers(world), states(world)) == ({".1": "pending"}, ["ordered"])


def test_a_failure_voids_and_its_reason_is_told(world: World) -> None:
    world.to_ordered("t-1")
    assert fail(world)
    assert (transfers(world), sums(world), states(world)) == ({".1": "voided"}, {}, ["failed"])
    assert world.steps.failed == {"t-1": "LenderUnavailable"}
    entry = world.application().timeline[-1]
    assert (entry.note_code, entry.note) == ("payment_failed", "the account is closed")
    assert not fail(world), "a repeat"
    assert not fail(world, "w-5"), "the same word under another id"


def test_another_order_follows_a_failure(world: World) -> None:
    world.to_ordered("t-1")
    fail(world)
    wired.closings().order_disbursement(world.application_id, "t-2")
    assert (transfers(world), states(world)) == ({".1": "voided", ".2": "pending"}, ["failed", "ordered"])
    assert pay(world, order_id=f"{world.application_id}.2")
    assert transfers(world) == {".1": "voided", ".2": "posted"}


def test_a_failed_order_that_was_paid_after_all_is_posted_and_the_new_one_released(world: World) -> None:
    world.to_ordered("t-1")
    fail(world)
    wired.closings().order_disbursement(world.application_id, "t-2")
    assert pay(world, order_id=f"{world.application_id}.1")
    assert transfers(world) == {".1": "voided", ".1:paid": "posted", ".2": "voided"}
    assert (sums(world)["principal"], states(world)) == (10_000_000, ["paid", "cancelled"])
    assert world.application().outcome == Outcome.DISBURSED


def test_an_order_that_has_expired_is_replaced(world: World) -> None:
    world.to_ordered("t-1")
    world.clock.advance(int((ORDER_STANDS + timedelta(seconds=1)).total_seconds()))
    wired.closings().order_disbursement(world.application_id, "t-2")
    assert (transfers(world), states(world)) == ({".1": "voided", ".2": "pending"}, ["expired", "ordered"])


def test_a_person_closes_only_what_nobody_will_pay(world: World) -> None:
    world.to_ordered()
    with_person(world)
    with pytest.raises(OrderOutstanding):
        wired.payments().require_settled(world.application_id)
    asked = wired.payments().ask_to_cancel(world.application_id)
    assert wired.payments().ask_to_cancel(world.application_id) == asked, "a repeat"
    assert body(world, f"{asked.order_id}.cancel")["data"]["order_id"] == asked.order_id
    with pytest.raises(OrderOutstanding):
        wired.payments().require_settled(world.application_id)
    assert world.say("loan.disbursement.cancelled", "w-c", order_id=asked.order_id)
    assert not world.say("loan.disbursement.cancelled", "w-c2", order_id=asked.order_id)
    wired.payments().require_settled(world.application_id)
    assert (transfers(world), states(world)) == ({".1": "voided"}, ["cancelled"])


def test_an_order_that_has_expired_may_be_closed(world: World) -> None:
    world.to_ordered()
    world.clock.advance(int((ORDER_STANDS + timedelta(seconds=1)).total_seconds()))
    wired.payments().require_settled(world.application_id)


def test_nothing_stays_reserved_after_an_end(world: World) -> None:
    world.to_ordered()
    world.end(Outcome.CLOSED_BY_OPERATOR)
    for _ in range(2):
        wired.commitments().ended(world.application_id, Outcome.CLOSED_BY_OPERATOR)
    assert (transfers(world), states(world)) == ({".1": "voided"}, ["expired"])


def test_a_payment_after_an_end_is_posted_and_a_person_called(world: World) -> None:
    world.to_ordered()
    world.end(Outcome.CLOSED_BY_OPERATOR)
    wired.commitments().ended(world.application_id, Outcome.CLOSED_BY_OPERATOR)
    assert pay(world)
    assert sums(world) == {"suspense": 10_000_000, "cash": -10_000_000}
    assert exceptions(world) == [("UnexpectedPayment", "application_ended")]
    before = world.items("LedgerEntries"), world.items("OperatorTasks")
    assert not pay(world)
    assert not pay(world, "w-other")
    assert (world.items("LedgerEntries"), world.items("OperatorTasks")) == before
    assert world.application().outcome == Outcome.CLOSED_BY_OPERATOR


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": "100000.01"}, "other_amount"),
        ({"amount": "99999.99"}, "other_amount"),
        ({"currency": "USD"}, "other_amount"),
        ({"contract_id": "c-2"}, "other_contract"),
    ],
)
def test_a_payment_that_is_not_the_agreed_one(world: World, change: dict[str, Any], reason: str) -> None:
    world.to_ordered()
    assert pay(world, **change)
    assert exceptions(world) == [("UnexpectedPayment", reason)]
    assert sum(sums(world).values()) == 0
    assert world.application().status == "signed"
    assert pay(world, "w-9", disbursement_id="d-9"), "the right one comes later"
    assert world.application().outcome == Outcome.DISBURSED


def test_a_second_payment_is_posted_apart(world: World) -> None:
    world.to_ordered()
    pay(world)
    assert pay(world, "w-5", disbursement_id="d-2")
    assert exceptions(world) == [("UnexpectedPayment", "paid_before")]
    assert sums(world) == {"principal": 10_000_000, "suspense": 10_000_000, "cash": -20_000_000}


def test_paid_before_it_was_ordered(world: World) -> None:
    world.to_contract()
    assert pay(world)
    assert exceptions(world) == [("UnexpectedPayment", "not_ordered")]


def test_a_payment_by_another_lender_or_for_no_application(world: World) -> None:
    world.to_ordered()
    assert world.say("loan.disbursed", "w-b", "lender-b", **DISBURSEMENT)
    unknown = {"application_id": "app_unknown"}
    assert world.say("loan.disbursed", "w-u", **{**DISBURSEMENT, **unknown, "disbursement_id": "d-u"})
    assert sorted(exceptions(world)) == [
        ("UnexpectedPayment", "not_this_lender"), ("UnexpectedPayment", "unknown_application"),
    ]  # fmt: skip


def test_a_payment_reported_otherwise_under_the_same_id(world: World) -> None:
    world.to_contract()
    pay(world)
    with pytest.raises(TransferIdReused):
        pay(world, "w-5", amount="5.00")


def test_an_exception_is_settled_by_an_operator(world: World) -> None:
    world.to_contract()
    pay(world)
    task = next(one["task_id"] for one in world.items("OperatorTasks"))
    with pytest.raises(InvalidInput):
        wired.operators().resolve(OPERATOR, task, "close", "no")
    done = wired.operators().resolve(OPERATOR, task, "settle", "returned by the bank")
    assert (done.action, exceptions(world)) == ("settle", [])
    assert world.application().status == "contract_ready"


def test_a_failure_of_an_order_that_is_not_open(world: World) -> None:
    world.to_ordered()
    pay(world)
    for said in ({}, {"order_id": f"{world.application_id}.7"}):
        with pytest.raises(ContradictoryAnswer):
            fail(world, **said)
    with pytest.raises(ContradictoryAnswer):
        world.say("loan.disbursement.cancelled", "w-c", order_id=f"{world.application_id}.1")
    assert sums(world)["principal"] == 10_000_000


def test_nothing_is_cancelled_that_was_not_ordered(world: World) -> None:
    world.to_signed()
    with pytest.raises(NotAwaited):
        wired.payments().ask_to_cancel(world.application_id)
    with pytest.raises(NotFound):
        wired.payments().ask_to_cancel("app_unknown")


def test_the_borrower_is_told_of_the_order(world: World) -> None:
    world.to_ordered()
    fail(world)
    found = wired.replies().standing(BORROWER, world.application_id)[1]
    assert found is not None
    last = found.order(None)
    assert last is not None
    assert (last.state, last.reason_code, last.reason) == ("failed", "ACCOUNT_CLOSED", "the account is closed")

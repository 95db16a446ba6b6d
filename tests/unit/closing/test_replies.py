"""Counter-offers, questions and rejections: the borrower replies, or other lenders' offers stand (S13, C23, E13)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from creditmesh.closing.model import MOST_INQUIRIES, ContradictoryAnswer, CounterExpired
from creditmesh.intake.model import NotAwaited, Outcome
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import (
    APPROVAL,
    BORROWER,
    CONTRACT,
    DISBURSEMENT,
    LENDER,
    NOW,
    OPERATOR,
    REJECTION,
    STRANGER,
    World,
)

COUNTER: dict[str, Any] = {**APPROVAL, "decision": "countered", "approved_amount": "80000.00", "annual_rate_bps": 820}
QUESTION: dict[str, Any] = {
    "decision": "information_required", "lender_reference": "ref-1", "question": "Who are your customers?",
}  # fmt: skip


def body(world: World, message: str) -> Any:
    item = next(one for one in world.items("Outbox") if one["message_id"].endswith(message))
    return json.loads(wired.cipher().open(item["body"], table_name("Outbox"), item["message_id"], "body"))


def used(world: World) -> int:
    return sum(int(one.get("used_minor", 0)) for one in world.items("Exposures"))


def decide(world: World, webhook_id: str = "w-1", lender: str = "lender-a", **said: Any) -> bool:
    return world.say("loan.decision", webhook_id, lender, **said)


def countered(world: World, **changes: Any) -> str:
    """With a counter-offer that awaits the borrower; its hash."""
    world.to_submitted("t-1")
    decide(world, **{**COUNTER, **changes})
    assert world.steps.failed == {"t-1": "CounterOffered"}
    wired.borrower_asked().await_reply(world.application_id, "t-reply")
    closing = wired.replies().standing(BORROWER, world.application_id)[1]
    assert closing is not None
    assert closing.counter is not None
    return closing.counter.terms.sha256


def asked(world: World, number: int = 1) -> None:
    decide(world, f"q-{number}", **{**QUESTION, "question": f"Question {number}?"})
    wired.borrower_asked().await_reply(world.application_id, f"t-reply-{number}")


def test_an_accepted_counter_offer_is_what_the_contract_is_made_of(world: World) -> None:
    chosen = countered(world)
    assert world.application().status == "countered"
    accepted = wired.replies().accept(BORROWER, world.application_id, chosen)
    assert (accepted.status, accepted.chosen_terms.amount if accepted.chosen_terms else None) == (
        "approved", "80000.00",
    )  # fmt: skip
    assert world.steps.succeeded["t-reply"] == {"next": "contract"}
    wired.closings().request_contract(world.application_id, "t-contract")
    data = body(world, "contract.1")["data"]
    assert (data["amount"], data["annual_rate_bps"], data["terms_sha256"]) == ("80000.00", 820, chosen)
    world.say("loan.contract.ready", "w-2", **CONTRACT)
    wired.signatures().sign(BORROWER, world.application_id, CONTRACT["document_sha256"], "Test Signer")
    wired.closings().order_disbursement(world.application_id, "t-pay")
    world.say("loan.disbursed", "w-3", **{**DISBURSEMENT, "amount": "80000.00"})
    assert world.application().outcome == Outcome.DISBURSED


def test_its_cost_is_worked_out_again(world: World) -> None:
    before = world.to_submitted() or world.application().chosen_terms
    assert before is not None
    decide(world, **COUNTER)
    closing = wired.replies().standing(BORROWER, world.application_id)[1]
    assert closing is not None
    assert closing.counter is not None
    cost, earlier = closing.counter.terms.cost, before.cost
    assert float(cost["apr_percent"]) > float(earlier["apr_percent"])
    assert float(cost["total_repaid"]) < float(earlier["total_repaid"])


@pytest.mark.parametrize(
    ("change", "field", "fault"),
    [
        ({"approved_amount": "100000.01"}, "data.approved_amount", "out_of_range"),
        ({"approved_amount": "0.00"}, "data.approved_amount", "out_of_range"),
        ({"term_months": 13}, "data.term_months", "too_large"),
        ({"currency": "EUR"}, "data.currency", "not_as_agreed"),
        ({"annual_rate_bps": None}, "data.annual_rate_bps", "required"),
        ({"annual_rate_bps": 3600}, "data.annual_rate_bps", "rate_exceeds_legal_cap"),
        ({"valid_until": "2026-11-21T07:59:59Z"}, "data.valid_until", "in_the_past"),
        (
            {"approved_amount": "100000.00", "annual_rate_bps": 700, "term_months": 12},
            "data.decision", "not_a_counter_offer",
        ),
    ],
)  # fmt: skip
def test_a_counter_offer_that_cannot_be(world: World, change: dict[str, Any], field: str, fault: str) -> None:
    world.to_submitted()
    before = world.items("Closings")
    with pytest.raises(InvalidInput) as refused:
        decide(world, **{**COUNTER, **change})
    assert (refused.value.field, refused.value.fault) == (field, fault)
    assert world.items("Closings") == before


@pytest.mark.parametrize(
    "change", [{"annual_rate_bps": 780}, {"approved_amount": "100000.00"}, {"term_months": 11}, {}]
)
def test_less_money_a_shorter_term_or_a_higher_rate_is_a_counter_offer(world: World, change: dict[str, Any]) -> None:
    countered(world, **change)
    assert world.application().status == "countered"


def test_a_declined_counter_offer_ends_where_nothing_else_stands(world: World) -> None:
    countered(world)
    ended = wired.replies().decline(BORROWER, world.application_id)
    assert (ended.outcome, world.steps.succeeded["t-reply"]) == (Outcome.COUNTER_DECLINED, {"next": "end"})
    assert body(world, "closed.1")["data"] == {
        "application_id": world.application_id, "reason": "counter_declined",
    }  # fmt: skip
    wired.closings().tell_end(world.application_id, "counter_declined")  # from the stream: it has been told


def test_after_a_declined_counter_offer_another_lender_s_offer_may_be_chosen(world: World) -> None:
    world.push("p-2", "lender-b")
    countered(world)
    before = used(world)
    again = wired.replies().decline(BORROWER, world.application_id)
    assert (again.status, again.chosen_lender_id, used(world)) == ("offered", None, 0)
    assert before > 0
    assert world.steps.succeeded["t-reply"] == {"next": "choice"}
    wired.offers().offer(world.application_id, "t-choice-2")
    world.choose("lender-b", "p-2")
    assert world.steps.succeeded["t-choice-2"] == {}


@pytest.mark.parametrize("repeat", ["accept", "decline"])
def test_a_repeated_reply_changes_nothing(world: World, repeat: str) -> None:
    chosen = countered(world)

    def reply() -> None:
        if repeat == "accept":
            wired.replies().accept(BORROWER, world.application_id, chosen)
        else:
            wired.replies().decline(BORROWER, world.application_id)

    reply()
    before = world.items("Closings"), world.items("Applications"), world.items("Outbox")
    reply()
    assert (world.items("Closings"), world.items("Applications"), world.items("Outbox")) == before


def test_a_reply_to_other_terms(world: World) -> None:
    countered(world)
    with pytest.raises(InvalidInput) as refused:
        wired.replies().accept(BORROWER, world.application_id, "0" * 64)
    assert refused.value.field == "terms_sha256"


def test_a_counter_offer_that_has_expired_may_only_be_declined(world: World) -> None:
    chosen = countered(world, valid_until=iso(NOW + timedelta(hours=1)))
    world.clock.advance(7200)
    with pytest.raises(CounterExpired):
        wired.replies().accept(BORROWER, world.application_id, chosen)
    assert wired.replies().decline(BORROWER, world.application_id).outcome == Outcome.COUNTER_DECLINED


def test_who_may_reply(world: World) -> None:
    chosen = countered(world)
    with pytest.raises(NotFound):
        wired.replies().accept(STRANGER, world.application_id, chosen)
    for caller in (LENDER, OPERATOR):
        with pytest.raises(Forbidden):
            wired.replies().decline(caller, world.application_id)


def test_nothing_is_replied_to_what_nobody_asked(world: World) -> None:
    world.to_submitted()
    for reply in (
        lambda: wired.replies().accept(BORROWER, world.application_id, "0" * 64),
        lambda: wired.replies().decline(BORROWER, world.application_id),
        lambda: wired.replies().inform(BORROWER, world.application_id, "something"),
    ):
        with pytest.raises(NotAwaited):
            reply()


def test_the_lender_cannot_change_its_mind_while_the_borrower_thinks(world: World) -> None:
    countered(world)
    for number, said in enumerate((APPROVAL, REJECTION, QUESTION, {**COUNTER, "approved_amount": "70000.00"})):
        with pytest.raises(ContradictoryAnswer):
            decide(world, f"other-{number}", **said)
    assert not decide(world, "w-again", **COUNTER), "the same word under another id"


def test_an_answered_question_goes_back_with_the_submission(world: World) -> None:
    world.to_submitted("t-1")
    asked(world)
    assert world.steps.failed == {"t-1": "InformationRequired"}
    assert world.application().status == "information_required"
    wired.replies().inform(BORROWER, world.application_id, "Three supermarkets.")
    assert world.steps.succeeded["t-reply-1"] == {"next": "decision"}
    wired.closings().submit(world.application_id, "t-2")
    information = [{"question": "Question 1?", "answer": "Three supermarkets."}]
    assert body(world, "decision.2")["data"]["information"] == information
    decide(world, **APPROVAL)
    assert (world.application().status, world.steps.succeeded["t-2"]) == ("approved", {})


def test_questions_are_few(world: World) -> None:
    world.to_submitted()
    for number in range(1, MOST_INQUIRIES + 1):
        asked(world, number)
        wired.replies().inform(BORROWER, world.application_id, f"answer {number}")
        wired.replies().inform(BORROWER, world.application_id, f"answer {number}")  # a repeat
        wired.closings().submit(world.application_id, f"t-{number}")
    with pytest.raises(InvalidInput) as refused:
        decide(world, "q-last", **QUESTION)
    assert refused.value.fault == "too_many"
    assert decide(world, **APPROVAL)


def test_a_question_without_words(world: World) -> None:
    world.to_submitted()
    with pytest.raises(InvalidInput) as refused:
        decide(world, decision="information_required", lender_reference="ref-1")
    assert refused.value.field == "data.question"


def test_a_step_that_runs_again_asks_again_or_goes_on(world: World) -> None:
    chosen = countered(world)
    wired.closings().submit(world.application_id, "t-restarted")
    assert world.steps.failed["t-restarted"] == "CounterOffered"
    wired.borrower_asked().await_reply(world.application_id, "t-reply-2")
    wired.replies().accept(BORROWER, world.application_id, chosen)
    assert world.steps.succeeded["t-reply-2"] == {"next": "contract"}
    wired.borrower_asked().await_reply(world.application_id, "t-reply-3")
    assert world.steps.succeeded["t-reply-3"] == {"next": "contract"}


def rejected_once(world: World) -> None:
    """Rejected by the first of two lenders."""
    world.push("p-2", "lender-b")
    world.to_submitted("t-1")
    decide(world, **REJECTION)
    assert world.steps.failed == {"t-1": "OfferRejected"}


def test_after_a_rejection_another_standing_offer_may_be_chosen(world: World) -> None:
    rejected_once(world)
    application = world.application()
    assert (application.status, application.chosen_terms, used(world)) == ("offered", None, 0)
    assert [one.model_dump() for one in application.refused] == [
        {"lender_id": "lender-a", "code": "POLICY", "reason": "too young"}
    ]
    _, standing = wired.offers().of(BORROWER, world.application_id)
    assert [one.lender_id for one in standing] == ["lender-b"]
    with pytest.raises(InvalidInput):
        world.choose("lender-a", "p-1")
    world.choose("lender-b", "p-2")
    assert used(world) > 0
    wired.offers().offer(world.application_id, "t-choice-2")
    wired.closings().submit(world.application_id, "t-2")
    assert body(world, "decision.2")["data"]["product_id"] == "p-2"
    assert decide(world, "b-1", "lender-b", **APPROVAL)
    assert (world.application().status, world.steps.succeeded["t-2"]) == ("approved", {})


def test_a_choice_that_comes_before_the_step_waits_again(world: World) -> None:
    rejected_once(world)
    world.choose("lender-b", "p-2")
    wired.offers().offer(world.application_id, "t-choice-2")
    assert world.steps.succeeded["t-choice-2"] == {}


def test_what_the_first_lender_says_afterwards(world: World) -> None:
    rejected_once(world)
    assert not decide(world, **REJECTION), "before another was chosen"
    world.choose("lender-b", "p-2")
    wired.closings().submit(world.application_id, "t-2")
    before = world.items("Closings"), world.items("Applications")
    assert not decide(world, **REJECTION)
    assert not decide(world, "w-other", **REJECTION)
    with pytest.raises(ContradictoryAnswer):
        decide(world, "w-2", **APPROVAL)
    with pytest.raises(NotFound):
        decide(world, "w-3", "lender-c", **APPROVAL)
    assert (world.items("Closings"), world.items("Applications")) == before


def test_the_last_rejection_ends_the_application(world: World) -> None:
    rejected_once(world)
    world.choose("lender-b", "p-2")
    wired.closings().submit(world.application_id, "t-2")
    decide(world, "b-1", "lender-b", **{**REJECTION, "reason": "too small"})
    assert world.steps.failed["t-2"] == "LenderRejected"
    application = world.application()
    assert (application.outcome, application.outcome_note) == (Outcome.LENDER_REJECTED, "too small")


@pytest.mark.parametrize("outcome", [Outcome.WITHDRAWN, Outcome.SIGNATURE_EXPIRED, Outcome.CLOSED_BY_OPERATOR])
def test_every_end_on_our_side_is_told_to_the_lender(world: World, outcome: Outcome) -> None:
    world.to_approved()
    world.end(outcome)
    for _ in range(2):
        wired.closings().tell_end(world.application_id, outcome)
    assert body(world, "closed.1")["data"]["reason"] == outcome


@pytest.mark.parametrize("outcome", [Outcome.DISBURSED, Outcome.LENDER_REJECTED])
def test_a_lender_is_not_told_its_own_word(world: World, outcome: Outcome) -> None:
    world.to_approved()
    wired.closings().tell_end(world.application_id, outcome)
    assert not any("closed" in item["message_id"] for item in world.items("Outbox"))


def test_a_counter_offer_that_comes_while_a_person_looks_needs_them_no_more(world: World) -> None:
    world.to_submitted()
    world.steps.gone.add("t-decision")
    wired.operators().hand_over(world.application_id, "t-operator", "SubmitToLender", "States.Timeout")
    decide(world, **COUNTER)
    assert world.steps.succeeded["t-operator"] == {"action": "retry"}
    wired.closings().submit(world.application_id, "t-2")
    assert world.steps.failed["t-2"] == "CounterOffered"


def test_a_borrower_may_withdraw_instead_of_replying(world: World) -> None:
    countered(world)
    assert wired.intake().withdraw(BORROWER, world.application_id).outcome == Outcome.WITHDRAWN
    assert world.steps.failed["t-reply"] == "ApplicationClosed"

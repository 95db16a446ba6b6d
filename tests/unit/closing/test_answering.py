"""What lenders answer is taken once, and only if it goes with what was agreed (C21-C23, DESIGN 7)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from creditmesh.closing.model import ContradictoryAnswer
from creditmesh.intake.model import Outcome
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.paging import Window
from creditmesh.platform.settings import settings
from tests.support import wired
from tests.support.aws import table_name
from tests.support.functions import invoke
from tests.support.world import (
    APPROVAL,
    BORROWER,
    CONTRACT,
    DISBURSEMENT,
    DOCUMENT,
    FAILURE,
    OPERATOR,
    REJECTION,
    World,
)


def decide(world: World, webhook_id: str = "w-1", **said: Any) -> bool:
    return world.say("loan.decision", webhook_id, **said)


def test_an_approval_goes_on(world: World) -> None:
    world.to_submitted("t-1")
    assert decide(world, **APPROVAL)
    assert world.steps.succeeded["t-1"] == {}
    entry = world.application().timeline[-1]
    assert (entry.status, entry.by, entry.subject, entry.note) == ("approved", "lender", "lender-a", "100000.00 CNY")


def test_a_rejection_is_told_with_its_reason(world: World) -> None:
    world.to_submitted("t-1")
    assert decide(world, **REJECTION)
    assert world.steps.failed == {"t-1": "LenderRejected"}
    assert (world.application().outcome, world.application().outcome_note) == (Outcome.LENDER_REJECTED, "too young")


@pytest.mark.parametrize("said", [APPROVAL, REJECTION])
def test_a_repeat_changes_nothing(world: World, said: dict[str, Any]) -> None:
    world.to_submitted()
    decide(world, **said)
    before = world.items("Closings"), world.items("Applications")
    assert not decide(world, **said)
    assert not decide(world, "w-other", **said), "the same word under another id"
    assert (world.items("Closings"), world.items("Applications")) == before


def test_another_word_under_a_known_id_tells_the_process_nothing_new(world: World) -> None:
    world.to_submitted("t-1")
    world.steps.gone.add("t-1")  # the process is told nothing yet
    decide(world, **APPROVAL)
    world.steps.gone.clear()
    assert not decide(world, **REJECTION)
    assert (world.steps.failed, world.application().status) == ({}, "approved")


@pytest.mark.parametrize(("first", "second"), [(APPROVAL, REJECTION), (REJECTION, APPROVAL)])
def test_a_decision_that_contradicts_the_first(world: World, first: dict[str, Any], second: dict[str, Any]) -> None:
    world.to_submitted()
    decide(world, **first)
    before = world.items("Closings"), world.items("Applications")
    with pytest.raises(ContradictoryAnswer):
        decide(world, "w-2", **second)
    assert (world.items("Closings"), world.items("Applications")) == before


def test_a_repeat_tells_a_process_that_the_first_time_did_not_reach(world: World) -> None:
    world.to_submitted("t-1")
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        decide(world, **APPROVAL)
    world.steps.refuse = None
    assert not decide(world, **APPROVAL)
    assert "t-1" in world.steps.succeeded


def test_an_old_approval_repeated_answers_no_later_question(world: World) -> None:
    world.to_approved()
    wired.closings().request_contract(world.application_id, "t-contract")
    decide(world, **APPROVAL)
    assert "t-contract" not in world.steps.succeeded


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"approved_amount": None}, "data.approved_amount"),
        ({"annual_rate_bps": None}, "data.annual_rate_bps"),
        ({"term_months": None}, "data.term_months"),
        ({"currency": None}, "data.currency"),
        ({"currency": "EUR"}, "data.currency"),
        ({"approved_amount": "500000.01"}, "data.approved_amount"),
        ({"approved_amount": "100000.01"}, "data.approved_amount"),
        ({"approved_amount": "0.00"}, "data.approved_amount"),
        ({"approved_amount": "90000.00"}, "data.approved_amount"),
        ({"annual_rate_bps": 781}, "data.annual_rate_bps"),
        ({"term_months": 11}, "data.term_months"),
        ({"term_months": 24}, "data.term_months"),
    ],
)
def test_an_approval_that_cannot_be(world: World, change: dict[str, Any], field: str) -> None:
    world.to_submitted()
    with pytest.raises(InvalidInput) as refused:
        decide(world, **{**APPROVAL, **change})
    assert refused.value.field == field
    assert world.application().status == "submitted"
    assert decide(world, **APPROVAL)


def test_a_cheaper_loan_than_offered_is_taken(world: World) -> None:
    world.to_submitted()
    before = world.application().chosen_terms
    assert decide(world, **{**APPROVAL, "annual_rate_bps": 700})
    after = world.application().chosen_terms
    assert before is not None
    assert after is not None
    assert (after.annual_rate_bps, after.sha256 != before.sha256) == (700, True)
    assert float(after.cost["apr_percent"]) < float(before.cost["apr_percent"])


@pytest.mark.parametrize("amount", ["1", "1.0", "-1.00", "1e5", "9" * 14 + ".00"])
def test_a_malformed_amount(world: World, amount: str) -> None:
    world.to_submitted()
    with pytest.raises(ValidationError):
        decide(world, **{**APPROVAL, "approved_amount": amount})


@pytest.mark.parametrize("said", [APPROVAL, REJECTION])
def test_a_decision_that_comes_while_a_person_looks_needs_him_no_more(world: World, said: dict[str, Any]) -> None:
    world.to_submitted()
    world.steps.gone.add("t-decision")
    wired.operators().hand_over(world.application_id, "t-operator", "SubmitToLender", "States.Timeout")
    assert decide(world, **said)
    assert world.steps.succeeded["t-operator"] == {"action": "retry"}
    assert wired.operators().list(OPERATOR, Window(10)).items == []
    (task,) = world.items("OperatorTasks")
    assert (task["resolved_by"], task["action"]) == ("lender-a", "retry")
    wired.closings().submit(world.application_id, "t-2")
    ended = world.steps.failed if said is REJECTION else world.steps.succeeded
    assert "t-2" in ended


def test_a_person_who_is_asked_to_look_while_the_answer_is_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_submitted("t-1")
    world.steps.gone.add("t-1")
    handed_over = (world.application_id, "t-operator", "SubmitToLender", "States.Timeout")
    world.after_next_read(monkeypatch, lambda: wired.operators().hand_over(*handed_over))
    assert decide(world, **APPROVAL)
    assert world.steps.succeeded["t-operator"] == {"action": "retry"}
    assert world.application().status == "approved"


def test_nothing_is_read_twice_for_an_answer_that_meets_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_ordered("t-1")
    tables, read = wired.tables(), []
    get_each = tables.get_each
    monkeypatch.setattr(tables, "get", lambda *_: pytest.fail("a second reading"))
    monkeypatch.setattr(tables, "get_each", lambda *wanted: read.append(wanted) or get_each(*wanted))
    assert world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    assert world.steps.succeeded["t-1"] == {}
    (own, *_), *ledger = read
    assert own.table == table_name("Applications")
    assert {ref.table for refs in ledger for ref in refs} <= {
        table_name("LedgerAccounts"),
        table_name("LedgerTransfers"),
    }


def test_a_payment_that_comes_while_a_person_looks(world: World) -> None:
    world.to_ordered()
    wired.operators().hand_over(world.application_id, "t-operator", "OrderDisbursement", "States.Timeout")
    assert world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    assert (world.application().outcome, world.steps.succeeded["t-operator"]) == ("disbursed", {"action": "retry"})


def test_a_repeat_tells_the_operators_process_that_the_first_time_did_not_reach(world: World) -> None:
    world.to_submitted()
    wired.operators().hand_over(world.application_id, "t-operator", "SubmitToLender", "States.Timeout")
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        decide(world, **REJECTION)
    world.steps.refuse = None
    assert not decide(world, **REJECTION)
    assert world.steps.succeeded["t-operator"] == {"action": "retry"}


def test_an_answer_between_time_out_and_hand_over_needs_no_person(world: World) -> None:
    world.to_submitted()
    decide(world, **APPROVAL)
    queue_for_operator(world, "SubmitToLender")
    assert world.steps.succeeded["t-operator"] == {"action": "retry"}


@pytest.mark.parametrize("stage", ["CollectCreditData", "AwaitSignature", "RequestContract"])
def test_a_person_asked_for_something_else_is_still_needed(world: World, stage: str) -> None:
    world.to_submitted()
    queue_for_operator(world, stage)
    decide(world, **APPROVAL)
    assert "t-operator" not in world.steps.succeeded
    assert len(wired.operators().list(OPERATOR, Window(10)).items) == 1


def test_an_operator_who_closed_is_not_overruled(world: World) -> None:
    world.to_submitted()
    wired.operators().hand_over(world.application_id, "t-operator", "SubmitToLender", "States.Timeout")
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    wired.operators().resolve(OPERATOR, task.task_id, "close", "too late")
    with pytest.raises(ContradictoryAnswer):
        decide(world, **APPROVAL)
    assert world.steps.succeeded["t-operator"] == {"action": "close"}


def queue_for_operator(world: World, stage: str) -> None:
    event = {"task_token": "t-operator", "stage": stage, "reason": "States.Timeout"}
    invoke("QueueForOperatorFunction", {**event, "application_id": world.application_id})


def test_an_answer_after_its_wait_failed_goes_to_whoever_looks(world: World) -> None:
    world.to_submitted("t-1")
    item = next(one for one in world.items("Outbox") if one["message_id"].endswith("decision.1"))
    wired.closings().message_parked(item)
    queue_for_operator(world, "SubmitToLender")
    assert decide(world, **APPROVAL)
    assert world.steps.failed == {"t-1": "LenderUnavailable"}
    assert "t-1" not in world.steps.succeeded
    assert world.steps.succeeded["t-operator"] == {"action": "retry"}


def test_a_decision_on_a_closed_application(world: World) -> None:
    world.to_submitted()
    world.end(Outcome.CLOSED_BY_OPERATOR)
    with pytest.raises(ContradictoryAnswer):
        decide(world, **APPROVAL)
    assert world.items("Closings")[0].get("decision") is None


def test_an_application_nobody_submitted(world: World) -> None:
    assert world.application_id
    with pytest.raises(NotFound):
        decide(world, **APPROVAL)


def test_a_contract_is_kept_as_it_came(world: World) -> None:
    world.to_contract("t-1")
    closing, document = wired.signatures().contract(BORROWER, world.application_id)
    assert document == DOCUMENT
    assert closing.contract is not None
    assert closing.contract["document_sha256"] == CONTRACT["document_sha256"]
    assert "t-1" in world.steps.succeeded


def test_a_contract_whose_hash_is_not_its_own(world: World) -> None:
    world.to_approved()
    with pytest.raises(InvalidInput) as refused:
        world.say("loan.contract.ready", "w-2", **{**CONTRACT, "document": "another text"})
    assert refused.value.field == "data.document_sha256"


def test_a_failure_of_the_next_order_is_new_though_it_says_the_same(world: World) -> None:
    world.to_ordered("t-1")
    assert world.say("loan.disbursement.failed", "w-3", **FAILURE)
    wired.closings().order_disbursement(world.application_id, "t-2")
    assert world.say("loan.disbursement.failed", "w-4", **FAILURE)
    assert world.steps.failed == {"t-1": "LenderUnavailable", "t-2": "LenderUnavailable"}


def test_a_failure_read_before_the_payment_is_not_recorded_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.to_ordered("t-1")
    world.after_next_read(monkeypatch, lambda: world.say("loan.disbursed", "w-3", **DISBURSEMENT))
    with pytest.raises(ContradictoryAnswer):
        world.say("loan.disbursement.failed", "w-4", **FAILURE)
    assert (world.application().outcome, "failed" in world.items("Closings")[0]) == (Outcome.DISBURSED, False)


def test_nor_is_it_where_the_wait_has_failed_and_a_person_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_ordered("t-1")
    item = next(one for one in world.items("Outbox") if one["message_id"].endswith("disbursement.1"))
    wired.closings().message_parked(item)
    world.after_next_read(monkeypatch, lambda: world.say("loan.disbursed", "w-3", **DISBURSEMENT))
    with pytest.raises(ContradictoryAnswer):
        world.say("loan.disbursement.failed", "w-4", **FAILURE)
    assert (world.application().outcome, "failed" in world.items("Closings")[0]) == (Outcome.DISBURSED, False)


@pytest.mark.parametrize("reach", ["to_submitted", "to_rejected"])
def test_a_contract_nobody_approved(world: World, reach: str) -> None:
    world.to_submitted()
    if reach == "to_rejected":
        decide(world, **REJECTION)
    with pytest.raises(ContradictoryAnswer):
        world.say("loan.contract.ready", "w-2", **CONTRACT)
    stored = world.stack.clients["s3"].list_objects_v2(Bucket=settings().data_bucket, Prefix="contracts/")
    assert stored["KeyCount"] == 0


def test_a_second_contract_does_not_replace_the_first(world: World) -> None:
    world.to_contract()
    text = "worse terms"
    import hashlib

    other = {"contract_id": "c-2", "document": text, "document_sha256": hashlib.sha256(text.encode()).hexdigest()}
    with pytest.raises(ContradictoryAnswer):
        world.say("loan.contract.ready", "w-3", **other)
    assert wired.signatures().contract(BORROWER, world.application_id)[1] == DOCUMENT
    assert not world.say("loan.contract.ready", "w-4", **CONTRACT)


def test_paid(world: World) -> None:
    world.to_ordered("t-1")
    assert world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    assert not world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    assert not world.say("loan.disbursed", "w-9", **DISBURSEMENT)
    assert (world.application().outcome, "t-1" in world.steps.succeeded) == (Outcome.DISBURSED, True)


def test_a_second_payment_under_another_id(world: World) -> None:
    world.to_ordered()
    world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    world.say("loan.disbursed", "w-4", **{**DISBURSEMENT, "disbursement_id": "d-2"})
    with pytest.raises(ContradictoryAnswer):
        world.say("loan.disbursement.failed", "w-5", **FAILURE)
    assert world.application().outcome == Outcome.DISBURSED


def test_failed_before_it_was_signed(world: World) -> None:
    world.to_contract()
    with pytest.raises(ContradictoryAnswer):
        world.say("loan.disbursement.failed", "w-3", **FAILURE)
    assert world.steps.failed == {}


def test_a_failure_of_another_contract(world: World) -> None:
    world.to_ordered("t-1")
    with pytest.raises(InvalidInput):
        world.say("loan.disbursement.failed", "w-3", **{**FAILURE, "contract_id": "c-2"})
    assert world.steps.failed == {}


def test_a_failure_said_twice_under_two_ids(world: World) -> None:
    world.to_ordered("t-1")
    assert world.say("loan.disbursement.failed", "w-3", **FAILURE)
    assert not world.say("loan.disbursement.failed", "w-4", **FAILURE)

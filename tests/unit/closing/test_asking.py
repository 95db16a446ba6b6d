"""Questions to the lender: submit, ask for the contract, order the disbursement (C21, C22, C24)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.closing.model import LENDER_MESSAGE
from creditmesh.intake.model import ApplicationClosed, NotAwaited, Outcome
from creditmesh.kernel.errors import NotFound
from creditmesh.kernel.money import format_minor
from creditmesh.platform.paging import Window
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import APPROVAL, BORROWER, CONTRACT, DISBURSEMENT, FIRM, OPERATOR, REJECTION, World


def messages(world: World) -> list[str]:
    return sorted(item["message_id"].partition(".")[2] for item in world.items("Outbox"))


def body(world: World, message: str) -> Any:
    item = next(one for one in world.items("Outbox") if one["message_id"].endswith(message))
    return json.loads(wired.cipher().open(item["body"], table_name("Outbox"), item["message_id"], "body"))


def test_a_submission_carries_product_firm_and_assessment(world: World) -> None:
    world.to_submitted("t-1")
    said = body(world, "decision.1")
    assert said["type"] == "loan.application.submitted"
    assert said["data"]["firm"] == {"name": FIRM.name, "taxpayer_id": FIRM.taxpayer_id}
    assert said["data"]["amount"] == "100000.00"
    application = world.application()
    terms, risk = application.chosen_terms, application.risk
    assert terms is not None
    assert risk is not None
    assert said["data"]["assessment"] == {
        "score": risk.score, "grade": risk.grade, "limit": format_minor(risk.limit_minor or 0),
        "model_version": "2.1.0",
    }  # fmt: skip
    assert (said["data"]["annual_rate_bps"], said["data"]["terms_sha256"]) == (780, terms.sha256)
    assert FIRM.taxpayer_id not in str(world.items("Outbox"))
    assert world.application().status == "submitted"


def test_submitting_without_a_choice(world: World) -> None:
    world.to_offered()
    with pytest.raises(NotAwaited):
        wired.closings().submit(world.application_id, "t-1")
    assert messages(world) == []


def test_a_silent_lender_is_asked_once_more_and_its_answer_meets_the_new_token(world: World) -> None:
    world.to_submitted("t-1")
    wired.closings().submit(world.application_id, "t-2")
    assert messages(world) == ["decision.1", "decision.2"]
    world.say("loan.decision", "w-1", **APPROVAL)
    assert "t-2" in world.steps.succeeded
    assert "t-1" not in world.steps.succeeded


@pytest.mark.parametrize(("said", "ends"), [(APPROVAL, "succeeded"), (REJECTION, "failed")])
def test_asking_again_what_has_been_answered_goes_on(world: World, said: dict[str, Any], ends: str) -> None:
    world.to_submitted("t-1")
    world.say("loan.decision", "w-1", **said)
    wired.closings().submit(world.application_id, "t-2")
    assert "t-2" in getattr(world.steps, ends)
    assert messages(world) == ["decision.1"]


def test_an_answer_that_came_while_the_question_was_put_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_submitted("t-1")
    world.after_next_read(monkeypatch, lambda: world.say("loan.decision", "w-1", **APPROVAL))
    wired.closings().submit(world.application_id, "t-2")
    assert {"t-1", "t-2"} <= set(world.steps.succeeded)
    assert messages(world) == ["decision.1"]


def test_a_question_put_again_while_the_answer_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_submitted("t-1")
    world.after_next_read(monkeypatch, lambda: wired.closings().submit(world.application_id, "t-2"))
    world.say("loan.decision", "w-1", **APPROVAL)
    assert "t-2" in world.steps.succeeded


def test_the_contract_is_asked_for_by_the_lenders_reference(world: World) -> None:
    world.to_approved()
    wired.closings().request_contract(world.application_id, "t-1")
    terms = world.application().chosen_terms
    assert terms is not None
    assert body(world, "contract.1")["data"] == {
        "application_id": world.application_id, "lender_reference": "ref-1", "amount": "100000.00", "currency": "CNY",
        "annual_rate_bps": 780, "term_months": 12, "repayment_method": "annuity", "terms_sha256": terms.sha256,
    }  # fmt: skip
    world.say("loan.contract.ready", "w-2", **CONTRACT)
    assert "t-1" in world.steps.succeeded
    wired.closings().request_contract(world.application_id, "t-2")
    assert "t-2" in world.steps.succeeded


def test_the_order_to_pay_carries_the_signature(world: World) -> None:
    world.to_contract()
    world.clock.advance(60)
    world.to_ordered("t-1")
    data = body(world, "disbursement.1")["data"]
    assert data["document_sha256"] == CONTRACT["document_sha256"]
    assert (data["contract_id"], data["signer_name"]) == ("c-1", "Test Signer")
    (closing,) = world.items("Closings")
    assert data["signed_at"] == closing["signature"]["signed_at"] != closing["created_at"]
    world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    assert "t-1" in world.steps.succeeded
    wired.closings().order_disbursement(world.application_id, "t-2")
    assert "t-2" in world.steps.succeeded
    assert world.application().outcome == Outcome.DISBURSED


def test_no_step_can_be_skipped(world: World) -> None:
    with pytest.raises(NotAwaited):
        wired.closings().request_contract(world.application_id, "t")
    world.to_submitted()
    with pytest.raises(NotAwaited):
        wired.closings().request_contract(world.application_id, "t")
    with pytest.raises(NotAwaited):
        wired.closings().order_disbursement(world.application_id, "t")


def test_a_closed_application_is_not_submitted(world: World) -> None:
    world.to_chosen()
    world.end(Outcome.CLOSED_BY_OPERATOR)
    with pytest.raises(ApplicationClosed):
        wired.closings().submit(world.application_id, "t")
    assert messages(world) == []


@pytest.mark.parametrize(
    ("reach", "ask", "standing"),
    [("to_submitted", "submit", "submitted"), ("to_approved", "request_contract", "approved"),
     ("to_signed", "order_disbursement", "signed")],
)  # fmt: skip
def test_after_an_operators_retry_it_stands_where_it_stood(world: World, reach: str, ask: str, standing: str) -> None:
    getattr(world, reach)()
    wired.operators().hand_over(world.application_id, "t-operator", "Stage", "LenderUnavailable")
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    wired.operators().resolve(OPERATOR, task.task_id, "retry", "called the lender")
    getattr(wired.closings(), ask)(world.application_id, "t-again")
    assert world.application().status == standing


def parked(world: World, message: str) -> None:
    item = next(one for one in world.items("Outbox") if one["message_id"].endswith(message))
    wired.closings().message_parked(item)


def test_a_parked_message_hands_its_process_over(world: World) -> None:
    world.to_submitted("t-1")
    parked(world, "decision.1")
    assert world.steps.failed == {"t-1": "LenderUnavailable"}


def test_a_parked_message_fails_the_right_token_only(world: World) -> None:
    world.to_submitted("t-1")
    wired.closings().submit(world.application_id, "t-2")
    parked(world, "decision.1")
    assert world.steps.failed == {}, "the same question was put again since, and that message is on its way"
    parked(world, "decision.2")
    assert world.steps.failed == {"t-2": "LenderUnavailable"}


def test_a_message_parked_after_the_answer_fails_nothing(world: World) -> None:
    world.to_approved()
    parked(world, "decision.1")
    wired.closings().request_contract(world.application_id, "t-2")
    parked(world, "decision.1")
    assert world.steps.failed == {}


def test_a_message_of_an_unknown_application_is_let_be(world: World) -> None:
    wired.closings().message_parked({"about": "nobody", "message_id": "nobody.decision.1", "type": "x"})
    assert world.steps.failed == {}


def test_a_failed_disbursement_goes_to_a_person_and_back(world: World) -> None:
    world.to_ordered("t-1")
    failure = {"contract_id": "c-1", "reason_code": "ACCOUNT_CLOSED", "reason": "closed"}
    assert world.say("loan.disbursement.failed", "w-4", **failure)
    assert world.steps.failed == {"t-1": "LenderUnavailable"}
    wired.closings().order_disbursement(world.application_id, "t-2")
    assert not world.say("loan.disbursement.failed", "w-4", **failure), "a repeat of the old word"
    assert "t-2" not in world.steps.failed, "the old word says nothing of the new order"
    world.say("loan.disbursed", "w-5", **DISBURSEMENT)
    assert "t-2" in world.steps.succeeded


def test_messages_keep_to_their_models() -> None:
    with pytest.raises(ValueError, match="union_tag_invalid"):
        LENDER_MESSAGE.validate_python({"type": "loan.gift", "data": {}})


def test_the_borrower_is_not_the_lender(world: World) -> None:
    world.to_contract()
    assert wired.intake().read(BORROWER, world.application_id).chosen_lender_id == "lender-a"
    with pytest.raises(NotFound):
        world.say("loan.decision", "w-9", lender="lender-b", **APPROVAL)

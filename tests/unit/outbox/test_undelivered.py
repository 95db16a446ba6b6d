"""Undelivered messages: found, explained, replayed by one person or by two (S20, DESIGN 8)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.closing.model import EXCHANGES, Question, moves_money
from creditmesh.intake.model import Outcome
from creditmesh.kernel.errors import NotFound, SamePerson
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.outbox import MANNERS, WEBHOOK
from creditmesh.platform.paging import Window
from creditmesh.platform.queue import ticket
from creditmesh.platform.replays import MOST_STEPS, NotReplayable, ReplayedTooOften
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import ConditionFailed, Update
from creditmesh.platform.undelivered import OutboxMessage
from tests.support import wired
from tests.support.functions import invoke
from tests.support.world import APPROVAL, LENDER_A, World


def stored(message_id: str) -> dict[str, Any]:
    found = wired.tables().get(settings().outbox_table, {"message_id": message_id})
    assert found is not None
    return found


def queued(world: World) -> list[dict[str, Any]]:
    """Take the tickets that wait in the delivery queue."""
    sqs, url = world.stack.clients["sqs"], world.stack.refs["DeliveryQueue"]
    found = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def parked(world: World, question: Question = Question.DECISION) -> str:
    """A message to the lender that it refused for good; its id."""
    world.http.answer("POST", LENDER_A, 400)
    if question is Question.DECISION:
        world.to_chosen()
        wired.closings().submit(world.application_id, "t-submit")
    else:
        world.to_signed()
        wired.closings().order_disbursement(world.application_id, "t-order")
    message_id = f"{world.application_id}.{question}.1"
    assert wired.deliveries().deliver(message_id, 0) == "parked"
    world.http.answer("POST", LENDER_A, 202)
    return message_id


def delivered(world: World) -> list[str]:
    return [
        invoke("DeliverMessagesFunction", {"Records": [{"body": message["Body"]}]})["result"]
        for message in queued(world)
    ]


def test_parked_and_pending_messages_are_listed_apart(world: World) -> None:
    refused = parked(world)
    (one,) = wired.undelivered().list()
    assert (one.message_id, one.state, one.institution_id, one.about) == (
        refused, "parked", "lender-a", world.application_id
    )  # fmt: skip
    assert (one.last_error, one.attempts, one.replay) == ("refused with status 400", 0, None)
    assert "body" not in OutboxMessage.model_fields
    assert wired.undelivered().list(parked=False).items == []
    assert wired.undelivered().list(type="loan.contract.signed").items == []
    assert wired.undelivered().list(institution_id="lender-b").items == []
    assert wired.undelivered().list(about=world.application_id, institution_id="lender-a").items == [one]
    assert wired.undelivered().list(Window(1)).mark is None


def test_what_waits_for_its_next_attempt_tells_why(world: World) -> None:
    world.to_chosen()
    wired.closings().submit(world.application_id, "t-submit")
    world.http.answer("POST", LENDER_A, 202)
    message_id = f"{world.application_id}.decision.1"
    (waiting,) = wired.undelivered().list(parked=False)
    assert (waiting.message_id, waiting.attempts, waiting.last_error) == (message_id, 0, None)
    assert wired.deliveries().deliver(message_id, 0) == "sent"
    assert wired.undelivered().list(parked=False).items == []
    assert wired.undelivered().get(message_id).state == "sent"


def test_one_person_replays_a_message_that_moves_no_money(world: World) -> None:
    message_id = parked(world)
    again = wired.undelivered().ask_replay(message_id, "operator-1", "the lender mended its side")
    assert (again.state, again.attempts) == ("pending", 1)
    assert [(step.act, step.by) for step in again.replays] == [("replayed", "operator-1")]
    assert delivered(world) == ["sent"]
    assert wired.undelivered().get(message_id).state == "sent"
    with pytest.raises(NotReplayable):
        wired.undelivered().ask_replay(message_id, "operator-1", "once more")


def test_two_persons_replay_an_order_to_pay(world: World) -> None:
    message_id = parked(world, Question.DISBURSEMENT)
    asked = wired.undelivered().ask_replay(message_id, "operator-1", "the bank is back")
    assert (asked.state, asked.replay and asked.replay.by) == ("parked", "operator-1")
    assert queued(world) == []
    with pytest.raises(NotReplayable):
        wired.undelivered().ask_replay(message_id, "operator-2", "me too")
    with pytest.raises(SamePerson):
        wired.undelivered().decide_replay(message_id, "operator-1", confirm=True, note="yes")
    assert (stored(message_id)["state"], queued(world)) == ("parked", [])
    done = wired.undelivered().decide_replay(message_id, "operator-2", confirm=True, note="checked with the bank")
    assert (done.state, done.replay) == ("pending", None)
    assert [(step.act, step.by) for step in done.replays] == [("asked", "operator-1"), ("confirmed", "operator-2")]
    assert delivered(world) == ["sent"]


def test_a_refused_replay_can_be_asked_for_again(world: World) -> None:
    message_id = parked(world, Question.DISBURSEMENT)
    wired.undelivered().ask_replay(message_id, "operator-1", "the bank is back")
    refused = wired.undelivered().decide_replay(message_id, "operator-1", confirm=False, note="not yet")
    assert (refused.state, refused.replay, queued(world)) == ("parked", None, [])
    with pytest.raises(NotReplayable):
        wired.undelivered().decide_replay(message_id, "operator-2", confirm=True, note="yes")
    assert wired.undelivered().ask_replay(message_id, "operator-2", "now").replay is not None


@pytest.mark.parametrize("ended", ["answered", "asked again", "closed"])
def test_what_nobody_awaits_is_not_replayed(world: World, ended: str) -> None:
    message_id = parked(world)
    if ended == "answered":
        world.say("loan.decision", "w-1", **APPROVAL)
    elif ended == "asked again":
        wired.closings().submit(world.application_id, "t-again")
    else:
        world.end(Outcome.CLOSED_BY_OPERATOR)
    with pytest.raises(NotReplayable):
        wired.undelivered().ask_replay(message_id, "operator-1", "again")
    assert stored(message_id)["state"] == "parked"


def test_what_ended_while_the_second_person_thought_is_not_replayed(world: World) -> None:
    message_id = parked(world, Question.DISBURSEMENT)
    wired.undelivered().ask_replay(message_id, "operator-1", "the bank is back")
    wired.closings().order_disbursement(world.application_id, "t-again")
    with pytest.raises(NotReplayable):
        wired.undelivered().decide_replay(message_id, "operator-2", confirm=True, note="yes")


def test_two_who_decide_at_once_send_one_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second has read the item before the first wrote."""
    message_id = parked(world)
    before = stored(message_id)
    wired.undelivered().ask_replay(message_id, "operator-1", "again")
    monkeypatch.setattr(wired.undelivered()._replays, "get", lambda _: before)
    with pytest.raises(ConditionFailed):
        wired.undelivered().ask_replay(message_id, "operator-2", "again")
    assert len(queued(world)) == 1


def test_a_confirmation_is_for_what_was_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused and asked for by another person meanwhile: the first request's confirmation counts for nothing."""
    message_id = parked(world, Question.DISBURSEMENT)
    wired.undelivered().ask_replay(message_id, "operator-1", "again")
    before = stored(message_id)
    wired.undelivered().decide_replay(message_id, "operator-2", confirm=False, note="no")
    world.clock.advance(1)
    wired.undelivered().ask_replay(message_id, "operator-2", "after all")
    monkeypatch.setattr(wired.undelivered()._replays, "get", lambda _: before)
    with pytest.raises(ConditionFailed):
        wired.undelivered().decide_replay(message_id, "operator-2", confirm=True, note="yes")
    assert queued(world) == []


def test_a_replayed_message_is_tried_as_often_as_a_new_one(world: World) -> None:
    message_id = parked(world)
    world.http.fail("POST", LENDER_A, InstitutionUnavailable("answered", status=503))
    again = wired.undelivered().ask_replay(message_id, "operator-1", "again")
    (message,) = queued(world)
    assert ticket(message["Body"]).attempt == again.attempts == 1
    results = [wired.deliveries().deliver(message_id, 1 + number) for number in range(MANNERS[WEBHOOK].attempts)]
    assert results[-1] == "parked"
    assert results[:-1] == ["later"] * (MANNERS[WEBHOOK].attempts - 1)
    assert [one.message_id for one in wired.undelivered().list()] == [message_id]


def test_what_was_erased_is_not_replayed(world: World) -> None:
    message_id = parked(world)
    wired.tables().write(Update(settings().outbox_table, {"message_id": message_id}, remove=("body",)))
    with pytest.raises(NotReplayable, match="erased"):
        wired.undelivered().ask_replay(message_id, "operator-1", "again")


def test_nobody_knows_the_message(world: World) -> None:
    for act in (wired.undelivered().get, lambda one: wired.undelivered().ask_replay(one, "operator-1", "again")):
        with pytest.raises(NotFound):
            act("none")


def test_what_moves_money() -> None:
    orders = {exchange.type for exchange in EXCHANGES.values()}
    assert {one for one in orders if moves_money(one)} == {"loan.contract.signed"}
    lenders = ("loan.decision", "loan.contract.ready", "loan.disbursed", "loan.disbursement.failed")
    assert [one for one in lenders if moves_money(one)] == ["loan.disbursed", "loan.disbursement.failed"]


def test_what_was_asked_for_again_and_again_is_not_replayed_any_more_and_can_still_be_decided(world: World) -> None:
    """The history is bounded (S20)."""
    message_id = parked(world, Question.DISBURSEMENT)
    for _ in range(MOST_STEPS // 2 - 1):
        wired.undelivered().ask_replay(message_id, "operator-1", "n" * 200)
        wired.undelivered().decide_replay(message_id, "operator-1", confirm=False, note="n" * 200)
    wired.undelivered().ask_replay(message_id, "operator-1", "again")
    last = wired.undelivered().decide_replay(message_id, "operator-2", confirm=False, note="no")
    assert len(last.replays) == MOST_STEPS
    with pytest.raises(ReplayedTooOften):
        wired.undelivered().ask_replay(message_id, "operator-1", "and again")
    assert (last.replay, wired.undelivered().get(message_id).state) == (None, "parked")

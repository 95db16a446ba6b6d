"""Failed events: recorded once, listed, replayed by one person or, where money moves, by two (S20)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.closing.model import EXCHANGES, Question
from creditmesh.failures.model import FailedEvent, Kind, State
from creditmesh.failures.service import LONGEST_REPLAY
from creditmesh.kernel.errors import NotFound, SamePerson
from creditmesh.platform.outbox import Message
from creditmesh.platform.paging import Window
from creditmesh.platform.replays import NotReplayable
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Update
from tests.support import wired
from tests.support.dead_letters import dead_letter, failed_batch, failed_invocation, stored_at
from tests.support.functions import invoke, stream_event
from tests.support.world import World

SWEEP = "arn:aws:lambda:eu-west-1:123456789012:function:resume"
NOTE = "the cause is gone"


def letter(world: World, body: Any, later: int = 0) -> Any:
    """Record a dead letter that was written `later` milliseconds from now; what the function answers."""
    return invoke("RecordFailedEventsFunction", dead_letter(body, sent_ms=now_ms(world) + later))


def now_ms(world: World) -> int:
    return int(world.clock.now().timestamp() * 1000)


def sweep(world: World, name: str = "lost", later: int = 0) -> FailedEvent:
    """A schedule whose function failed."""
    assert letter(world, failed_invocation(SWEEP, {"sweep": name}), later) == {"batchItemFailures": []}
    return next(one for one in wired.failed_events().list() if one.keys == {"sweep": name})


def ticket(world: World, type_: str, message_id: str = "m-1") -> FailedEvent:
    """The ticket of a message that no function could handle."""
    if type_:
        order = Message(message_id, "lender-a", type_, "/v1/x", "app_1", {"name": "名"})
        wired.tables().write(wired.outbox().put(order))
    letter(world, {"message_id": message_id, "lane": "lender-a#1", "attempt": 0})
    return wired.failed_events().list(kind=Kind.DELIVERY).items[0]


def change(failed: FailedEvent, **values: Any) -> None:
    """What the process of a replay does at its end."""
    key = {"failed_event_id": failed.failed_event_id}
    wired.tables().write(Update(settings().failed_events_table, key, values))


def test_a_dead_letter_that_comes_twice_is_one_failure(world: World) -> None:
    first = sweep(world)
    assert sweep(world) == first
    assert (first.state, first.failures, first.first_failed_at) == (State.OPEN, 1, first.failed_at)
    again = sweep(world, later=60_000)
    assert (again.failures, again.first_failed_at) == (2, first.failed_at)
    assert again.failed_at > first.failed_at
    assert sweep(world, later=30_000) == again  # an older one that comes late


def test_only_new_failures_raise_the_alarm(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def counted() -> list[float]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
        return [value for one in lines if "FailedEvents" in one for value in one["FailedEvents"]]

    sweep(world)
    assert counted() == [1.0]
    sweep(world)
    assert counted() == []


def test_what_failed_anew_is_open_again(world: World) -> None:
    failed = sweep(world)
    change(failed, state="done")
    assert sweep(world).state is State.DONE
    assert sweep(world, later=1).state is State.OPEN


def test_they_are_listed_by_state_and_kind_the_latest_first(world: World) -> None:
    names = [f"s{number}" for number in range(5)]
    for number, name in enumerate(names):
        sweep(world, name, later=number)
    ticket(world, "loan.application.submitted")
    change(wired.failed_events().list(kind=Kind.DELIVERY).items[0], state="done")
    events = wired.failed_events()
    listed = [one.keys.get("sweep") for one in events.list(kind=Kind.SCHEDULE)]
    assert listed == names[::-1]
    assert [one.kind for one in events.list(state=State.DONE)] == [Kind.DELIVERY]
    assert len(events.list(state=State.OPEN).items) == 5
    page = events.list(Window(4))
    rest = events.list(Window(4, page.mark))
    assert len({one.failed_event_id for one in [*page, *rest]}) == 6
    assert rest.mark is None


def test_nothing_of_the_content_is_shown(world: World) -> None:
    world.to_chosen()
    batch = failed_batch(
        "arn:aws:lambda:r:1:function:publish", "applications", stream_event(world, "Applications")["Records"]
    )
    wired.failed_records().put_json("aws/lambda/1", batch)
    letter(world, stored_at("aws/lambda/1"))
    (shown,) = wired.failed_events().list(kind=Kind.STREAM)
    assert shown.keys == {"application_id": world.application_id}
    assert (shown.source, shown.target) == ("applications", "publish")
    assert not {"event", "way", "run"} & set(FailedEvent.model_fields)
    (stored,) = world.items("FailedEvents")
    assert json.loads(stored["event"]) == {"failed_record": {"key": "aws/lambda/1", "position": 0}}


def test_what_cannot_be_read_stays_in_its_queue(world: World) -> None:
    good, bad = (dead_letter(body)["Records"][0] for body in (failed_invocation(SWEEP, {"sweep": "x"}), "?"))
    gone = dead_letter(stored_at("aws/lambda/none"))["Records"][0]
    messages = [{**one, "messageId": name} for one, name in ((bad, "bad"), (good, "good"), (gone, "gone"))]
    answer = invoke("RecordFailedEventsFunction", {"Records": messages})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}, {"itemIdentifier": "gone"}]}
    assert len(wired.failed_events().list().items) == 1


def test_one_person_replays_a_schedule(world: World) -> None:
    failed = sweep(world)
    after = wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)
    assert (after.state, after.replays[0].act, after.replays[0].by) == (State.REPLAYING, "replayed", "ann")
    name = f"{failed.failed_event_id}-1"
    assert world.steps.machines[name].endswith(":creditmesh-test-event-replay")
    assert world.steps.inputs[name] == {
        "failed_event_id": failed.failed_event_id, "run": 1, "way": "function", "target": SWEEP,
        "event": {"sweep": "lost"},
    }  # fmt: skip
    with pytest.raises(NotReplayable, match="replaying"):
        wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)
    change(failed, state="open", error="KeyError")
    again = wired.event_replays().ask(failed.failed_event_id, "bob", NOTE)
    assert (again.error, len(again.replays)) == ("KeyError", 2)
    assert f"{failed.failed_event_id}-2" in world.steps.inputs
    change(failed, state="done")
    with pytest.raises(NotReplayable, match="done"):
        wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)


@pytest.mark.parametrize("type_", [EXCHANGES[Question.DISBURSEMENT].type, "loan.disbursed", ""])
def test_two_persons_replay_what_moves_money(world: World, type_: str) -> None:
    """Also a message that nobody knows any more: it may have been an order to pay."""
    failed = ticket(world, type_)
    asked = wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)
    assert (asked.state, asked.replay and asked.replay.by) == (State.OPEN, "ann")
    assert not [name for name in world.steps.inputs if name.startswith(failed.failed_event_id)]
    with pytest.raises(SamePerson):
        wired.event_replays().decide(failed.failed_event_id, "ann", confirm=True, note=NOTE)
    done = wired.event_replays().decide(failed.failed_event_id, "bob", confirm=True, note=NOTE)
    assert (done.state, done.replay, [one.act for one in done.replays]) == (
        State.REPLAYING, None, ["asked", "confirmed"]
    )  # fmt: skip
    assert f"{failed.failed_event_id}-1" in world.steps.inputs


def test_a_refused_replay_starts_nothing(world: World) -> None:
    failed = ticket(world, "loan.contract.signed")
    wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)
    refused = wired.event_replays().decide(failed.failed_event_id, "bob", confirm=False, note=NOTE)
    assert (refused.state, refused.replay) == (State.OPEN, None)
    assert world.steps.inputs == {}


def test_one_person_replays_a_message_that_moves_no_money(world: World) -> None:
    failed = ticket(world, EXCHANGES[Question.DECISION].type)
    assert wired.event_replays().ask(failed.failed_event_id, "ann", NOTE).state is State.REPLAYING


def test_a_replay_that_was_lost_can_be_asked_for_again(world: World) -> None:
    """Its process could not be started, or ended without a word."""
    failed = sweep(world)
    world.steps.refuse = "ServiceUnavailable"
    with pytest.raises(Exception, match="ServiceUnavailable"):
        wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)
    world.steps.refuse = None
    with pytest.raises(NotReplayable):
        wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)
    world.clock.advance(LONGEST_REPLAY.total_seconds())
    wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)
    assert list(world.steps.inputs) == [f"{failed.failed_event_id}-2"]


def test_what_expired_is_not_replayed(world: World) -> None:
    failed = sweep(world)
    world.clock.advance(30 * 86400)
    with pytest.raises(NotReplayable, match="30 days"):
        wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)


def test_unknown_ids(world: World) -> None:
    with pytest.raises(NotFound):
        wired.failed_events().get("none")
    with pytest.raises(NotFound):
        wired.event_replays().ask("none", "ann", NOTE)


def test_a_replayed_ticket_reaches_the_queue_once(world: World) -> None:
    """The event that the process gives to the function is one that it handles."""
    failed = ticket(world, "loan.application.submitted")
    wired.event_replays().ask(failed.failed_event_id, "ann", NOTE)
    given = world.steps.inputs[f"{failed.failed_event_id}-1"]
    assert given["way"] == "delivery"
    for _ in range(2):
        assert invoke("EnqueueMessagesFunction", given["event"]) == {"batchItemFailures": []}
    sqs, url = world.stack.clients["sqs"], world.stack.refs["DeliveryQueue"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    assert [json.loads(one["Body"])["message_id"] for one in found] == ["m-1"]

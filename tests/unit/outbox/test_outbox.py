"""What leaves the platform: delivered until it is taken or parked (DESIGN 5, 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.platform.deliveries import GRACE_SECONDS, LANES, SENT_DAYS, Deliveries, Result, Ticket
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.outbox import MANNERS, WEBHOOK, Message
from creditmesh.platform.queue import ticket
from creditmesh.platform.settings import settings
from creditmesh.platform.signing import verify
from creditmesh.platform.tables import Item, Update
from creditmesh.platform.undelivered import OutboxMessage
from tests.support import wired
from tests.support.fakes import FakeQueue
from tests.support.functions import invoke
from tests.support.world import LENDER_A, LENDER_B, SECRET_A, World

DATA = {"application_id": "app_1", "firm": {"name": "名", "taxpayer_id": "91350100M000100Y43"}}
MAX_ATTEMPTS = MANNERS[WEBHOOK].attempts
URL = f"{LENDER_A}/v1/applications"


class Office:
    """Deliveries whose queue and parked messages one can look at."""

    def __init__(self, world: World) -> None:
        self.world, self.queue, self.told = world, FakeQueue(), list[Item]()
        self.deliveries = Deliveries(
            wired.tables(), settings().outbox_table, wired.cipher(), wired.directory(),
            world.http, world.clock, self.queue, lambda item, state: [], self.told.append,  # type: ignore[arg-type]  # a fake
        )  # fmt: skip

    def put(self, number: int = 1, institution: str = "lender-a", application: str = "app_1") -> Item:
        message = Message(f"m-{number}", institution, "loan.test", "/v1/applications", application, DATA)
        wired.tables().write(wired.outbox().put(message))
        return self.item(number)

    def item(self, number: int = 1) -> Item:
        found = wired.tables().get(settings().outbox_table, {"message_id": f"m-{number}"})
        assert found is not None
        return found

    def last_error(self, number: int = 1) -> str | None:
        return OutboxMessage.model_validate(self.item(number)).last_error

    def deliver(self, attempt: int = 0, number: int = 1) -> Result:
        return self.deliveries.deliver(f"m-{number}", attempt)


@pytest.fixture
def office(world: World) -> Office:
    world.http.answer("POST", LENDER_A, 202)
    return Office(world)


def test_a_message_is_sent_signed_and_settled(office: Office) -> None:
    office.put()
    assert office.deliver() == "sent"
    (call,) = office.world.http.calls
    assert (call.method, call.url) == ("POST", URL)
    now = int(office.world.clock.now().timestamp())
    assert verify([SECRET_A], call.headers, call.body, now) == "m-1"
    assert call.json() == {"type": "loan.test", "timestamp": "2026-11-21T08:00:00.000Z", "data": DATA}
    item = office.item()
    assert (item["state"], item["status"], "queue" in item) == ("sent", 202, False)
    assert item["expires_at"] == now + SENT_DAYS * 86_400


def test_what_it_says_is_sealed_at_rest(office: Office) -> None:
    assert "91350100M000100Y43" not in json.dumps(office.put())


def test_a_message_whose_seal_is_broken_holds_up_no_lane(office: Office) -> None:
    """It counts as a failed attempt, so a person learns of it in the end."""
    moved = {"body": office.put(2)["body"]}
    office.put()
    wired.tables().write(Update(settings().outbox_table, {"message_id": "m-1"}, moved))
    results = [office.deliver(attempt) for attempt in range(MAX_ATTEMPTS)]
    assert results == ["later"] * (MAX_ATTEMPTS - 1) + ["parked"]
    assert office.world.http.calls == []


def test_a_second_delivery_sends_nothing(office: Office) -> None:
    office.put()
    assert [office.deliver(), office.deliver()] == ["sent", "settled"]
    assert len(office.world.http.calls) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_taken(office: Office, status: int) -> None:
    office.world.http.answer("POST", LENDER_A, status)
    office.put()
    assert office.deliver() == "sent"


@pytest.mark.parametrize("status", [302, 400, 401, 404, 409, 422])
def test_refused_for_good(office: Office, status: int) -> None:
    office.world.http.answer("POST", LENDER_A, status)
    office.put()
    assert office.deliver() == "parked"
    assert (office.item()["state"], office.last_error()) == ("parked", f"refused with status {status}")
    assert [item["message_id"] for item in office.told] == ["m-1"]
    assert office.deliver() == "settled"


def test_tried_again_ever_later_and_parked_after_eight(office: Office) -> None:
    office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("answered", status=503))
    office.put()
    results = [office.deliver(attempt) for attempt in range(MAX_ATTEMPTS)]
    assert results == ["later"] * (MAX_ATTEMPTS - 1) + ["parked"]
    assert [delay for _, delay in office.queue.delays] == [2, 4, 8, 16, 32, 64, 128]
    assert [ticket.attempt for ticket, _ in office.queue.delays] == [1, 2, 3, 4, 5, 6, 7]
    assert len(office.told) == 1
    assert office.last_error() == "answered 503"


def test_an_outage_that_passes(office: Office) -> None:
    office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("no_answer", error="ReadTimeoutError"))
    office.put()
    assert office.deliver() == "later"
    office.world.http.answer("POST", LENDER_A, 202)
    assert office.deliver(1) == "sent"
    assert office.told == []


def test_an_attempt_counts_once_however_often_its_ticket_comes(office: Office) -> None:
    office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("no_answer", error="ReadTimeoutError"))
    office.put()
    assert [office.deliver(), office.deliver()] == ["later", "settled"]
    assert office.item()["attempts"] == 1
    assert (len(office.queue.delays), len(office.world.http.calls)) == (1, 1)


def test_two_deliveries_at_the_same_time_count_one_attempt(office: Office) -> None:
    """The second one meets the item as it was, for the first has not written yet."""
    office.put()
    results: list[Result] = []

    def meanwhile(call: Any) -> Any:
        office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("no_answer", error="ReadTimeoutError"))
        results.append(office.deliver())
        raise InstitutionUnavailable("no_answer", error="ReadTimeoutError")

    office.world.http.routes["POST", LENDER_A] = meanwhile
    results.append(office.deliver())
    assert results == ["later", "settled"]
    assert office.item()["attempts"] == 1


def test_an_institution_that_is_not_configured_is_like_an_outage(office: Office) -> None:
    for number, (institution, why) in enumerate(
        [("nobody", "is not in the directory"), ("company-registry", "has no webhook secret")]
    ):
        office.put(number, institution)
        assert office.deliver(number=number) == "later"
        assert office.last_error(number) == why


def test_a_message_is_written_once(office: Office) -> None:
    office.put()
    with pytest.raises(Exception, match="changed in the meantime"):
        office.put()


def test_nobody_knows_the_message(office: Office) -> None:
    assert office.deliver(number=9) == "settled"


def test_an_application_keeps_to_its_lane_and_institutions_share_none(office: Office) -> None:
    tickets = {
        (institution, application): Ticket.of(office.put(number * 100 + count, institution, f"app_{application}"))
        for number, institution in enumerate(("lender-a", "lender-b"))
        for count, application in enumerate(range(40))
    }
    lanes = {name: {one.lane for (owner, _), one in tickets.items() if owner == name} for name, _ in tickets}
    assert {name: len(own) for name, own in lanes.items()} == {"lender-a": LANES, "lender-b": LANES}
    assert not lanes["lender-a"] & lanes["lender-b"]
    assert Ticket.of(office.put(999, "lender-a", "app_7")).lane == tickets["lender-a", 7].lane


def overdue() -> list[str]:
    return [one.message_id for one in wired.overdue_messages()]


def test_the_sweep_finds_what_lost_its_ticket(office: Office) -> None:
    office.put(1)
    office.world.clock.advance(GRACE_SECONDS - 1)
    assert overdue() == []
    office.world.clock.advance(1)
    office.put(2)
    assert overdue() == ["m-1"]
    office.deliver()
    assert overdue() == []


def test_the_sweep_leaves_to_the_queue_what_waits_there(office: Office) -> None:
    office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("no_answer", error="ReadTimeoutError"))
    office.put()
    office.world.clock.advance(GRACE_SECONDS + 1)
    office.deliver()
    assert overdue() == []
    office.world.clock.advance(GRACE_SECONDS + 3)
    assert overdue() == ["m-1"]


class Fifo:
    """SQS's FIFO queue before Lambda: groups side by side, one message of a group at a time, repeats dropped."""

    def __init__(self, world: World) -> None:
        self._sqs, self._url = world.stack.clients["sqs"], world.stack.refs["DeliveryQueue"]
        self.groups: dict[str, list[dict[str, Any]]] = {}

    def take_in(self) -> None:
        while found := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages"):
            for message in found:
                self.groups.setdefault(message["Attributes"]["MessageGroupId"], []).append(message)
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])

    def round(self) -> None:
        """Each group's next message is delivered; that is what happens at the same time."""
        for waiting in list(self.groups.values()):
            if waiting:
                message = waiting.pop(0)
                invoke("DeliverMessagesFunction", {"Records": [{"body": message["Body"]}]})


def test_a_lender_that_hangs_holds_up_no_other(office: Office) -> None:
    """Fifty messages of ten seconds each for one, written before the other's: both lenders' go out from the start."""
    started: list[tuple[str, float]] = []
    clock, rounds = office.world.clock, Fifo(office.world)

    def hang(call: Any) -> Any:
        started.append(("lender-a", clock.now().timestamp()))
        raise InstitutionUnavailable("timed_out")

    office.world.http.routes["POST", LENDER_A] = hang
    office.world.http.answer("POST", LENDER_B, 202)
    records = []
    for number in range(55):
        item = office.put(number, "lender-a" if number < 50 else "lender-b", f"app_{number}")
        records.append({"eventSource": "aws:sqs", "messageId": str(number), "body": json.dumps(vars(Ticket.of(item)))})
    assert invoke("EnqueueMessagesFunction", {"Records": records}) == {"batchItemFailures": []}
    rounds.take_in()
    rounds.round()
    assert 1 <= len(started) <= LANES  # no more at a time than the lender has lanes
    for _ in range(4):
        rounds.round()
    states = [office.item(number)["state"] for number in range(50, 55)]
    assert states == ["sent"] * 5
    assert len(started) <= 5 * LANES


def test_the_real_queues_carry_tickets_only(world: World) -> None:
    world.http.answer("POST", LENDER_A, 400)
    wired.tables().write(wired.outbox().put(Message("m-7", "lender-a", "x", "/v1/applications", "app_1", DATA)))
    sqs = world.stack.clients["sqs"]
    one = Ticket("m-7", "lender-a#1", 0)
    assert wired.delivery_queue().enqueue({"a": one}) == []
    assert wired.delivery_queue().enqueue({"a": one}) == []  # a repeat, which the queue drops
    (queued,) = sqs.receive_message(QueueUrl=world.stack.refs["DeliveryQueue"], MaxNumberOfMessages=10)["Messages"]
    assert ticket(queued["Body"]) == one
    assert wired.deliveries().deliver("m-7", 0) == "parked"

"""What leaves the platform: delivered until it is taken or parked (DESIGN 5, 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.platform import wiring
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.outbox import GRACE_SECONDS, MAX_ATTEMPTS, Message, Outbox
from creditmesh.platform.signing import verify
from creditmesh.platform.tables import Item
from tests.support.aws import table_name
from tests.support.fakes import FakeQueue
from tests.support.world import LENDER_A, SECRET_A, World

DATA = {"application_id": "app_1", "firm": {"name": "名", "taxpayer_id": "91350100M000100Y43"}}
URL = f"{LENDER_A}/v1/applications"


class Office:
    """An outbox whose queue and parked messages one can look at."""

    def __init__(self, world: World) -> None:
        self.world, self.queue, self.told = world, FakeQueue(), list[Item]()
        self.outbox = Outbox(
            wiring.tables(), table_name("Outbox"), wiring.cipher(), wiring.directory(), world.http,  # type: ignore[arg-type]  # a fake
            world.clock, self.queue, self.told.append,
        )  # fmt: skip

    def put(self, number: int = 1, institution: str = "lender-a") -> Item:
        message = Message(f"m-{number}", institution, "loan.test", "/v1/applications", "app_1", DATA)
        wiring.tables().write(self.outbox.put(message))
        return self.item(number)

    def item(self, number: int = 1) -> Item:
        found = wiring.tables().get(table_name("Outbox"), {"message_id": f"m-{number}"})
        assert found is not None
        return found


@pytest.fixture
def office(world: World) -> Office:
    world.http.answer("POST", LENDER_A, 202)
    return Office(world)


def test_a_message_is_sent_signed_and_settled(office: Office) -> None:
    assert office.outbox.deliver(office.put()) == "sent"
    (call,) = office.world.http.calls
    assert (call.method, call.url) == ("POST", URL)
    now = int(office.world.clock.now().timestamp())
    assert verify([SECRET_A], call.headers, call.body, now) == "m-1"
    assert call.json() == {"type": "loan.test", "timestamp": "2026-11-21T08:00:00.000Z", "data": DATA}
    item = office.item()
    assert (item["state"], item["status"], "queue" in item) == ("sent", 202, False)


def test_what_it_says_is_sealed_at_rest(office: Office) -> None:
    item = office.put()
    assert "91350100M000100Y43" not in json.dumps(item)
    moved = {**item, "message_id": "m-2"}
    with pytest.raises(Exception, match="does not open"):
        office.outbox.deliver(moved)


def test_a_second_delivery_sends_nothing(office: Office) -> None:
    item = office.put()
    office.outbox.deliver(item)
    assert office.outbox.deliver_by_id("m-1") == "settled"
    assert len(office.world.http.calls) == 1
    # The stream gives the item as it was: it is sent once more, and the receiver knows it by its id.
    assert office.outbox.deliver(item) == "settled"
    assert len({call.headers["webhook-id"] for call in office.world.http.calls}) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_taken(office: Office, status: int) -> None:
    office.world.http.answer("POST", LENDER_A, status)
    assert office.outbox.deliver(office.put()) == "sent"


@pytest.mark.parametrize("status", [302, 400, 401, 404, 409, 422])
def test_refused_for_good(office: Office, status: int) -> None:
    office.world.http.answer("POST", LENDER_A, status)
    assert office.outbox.deliver(office.put()) == "parked"
    assert (office.item()["state"], office.item()["last_error"]) == ("parked", f"refused with status {status}")
    assert (office.queue.parked, [item["message_id"] for item in office.told]) == (["m-1"], ["m-1"])
    assert office.outbox.deliver_by_id("m-1") == "settled"


def test_tried_again_ever_later_and_parked_after_eight(office: Office) -> None:
    office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("answered 503"))
    office.put()
    results = [office.outbox.deliver_by_id("m-1") for _ in range(MAX_ATTEMPTS)]
    assert results == ["later"] * (MAX_ATTEMPTS - 1) + ["parked"]
    assert [delay for _, delay in office.queue.delays] == [2, 4, 8, 16, 32, 64, 128]
    assert (office.queue.parked, len(office.told)) == (["m-1"], 1)
    assert office.item()["last_error"] == "answered 503"


def test_an_outage_that_passes(office: Office) -> None:
    office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("no answer"))
    assert office.outbox.deliver(office.put()) == "later"
    office.world.http.answer("POST", LENDER_A, 202)
    assert office.outbox.deliver_by_id("m-1") == "sent"
    assert office.told == []


def test_two_deliveries_at_once_count_one_attempt(office: Office) -> None:
    office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("no answer"))
    item = office.put()
    assert [office.outbox.deliver(item), office.outbox.deliver(item)] == ["later", "settled"]
    assert office.item()["attempts"] == 1
    assert len(office.queue.delays) == 1


def test_an_institution_that_is_not_configured_is_like_an_outage(office: Office) -> None:
    for number, (institution, why) in enumerate(
        [("nobody", "is not in the directory"), ("company-registry", "has no webhook secret")]
    ):
        assert office.outbox.deliver(office.put(number, institution)) == "later"
        assert office.item(number)["last_error"] == why


def test_a_message_is_written_once(office: Office) -> None:
    office.put()
    with pytest.raises(Exception, match="changed in the meantime"):
        office.put()


def test_nobody_knows_the_message(office: Office) -> None:
    assert office.outbox.deliver_by_id("m-9") == "settled"


def overdue(office: Office) -> list[Any]:
    return [item["message_id"] for item in office.outbox.overdue()]


def test_the_sweep_finds_what_nobody_delivered(office: Office) -> None:
    office.put(1)
    office.world.clock.advance(GRACE_SECONDS - 1)
    assert overdue(office) == []
    office.world.clock.advance(1)
    office.put(2)
    assert overdue(office) == ["m-1"]
    office.outbox.deliver(office.item(1))
    assert overdue(office) == []


def test_the_sweep_leaves_to_the_queue_what_waits_there(office: Office) -> None:
    office.world.http.fail("POST", LENDER_A, InstitutionUnavailable("no answer"))
    office.put()
    office.world.clock.advance(GRACE_SECONDS + 1)
    office.outbox.deliver_by_id("m-1")
    assert overdue(office) == []
    office.world.clock.advance(GRACE_SECONDS + 3)
    assert overdue(office) == ["m-1"]


def test_the_real_queue_carries_ids_only(world: World) -> None:
    world.http.answer("POST", LENDER_A, 400)
    wiring.tables().write(wiring.outbox().put(Message("m-7", "lender-a", "x", "/v1/applications", "app_1", DATA)))
    assert wiring.outbox().deliver_by_id("m-7") == "parked"
    sqs, url = world.stack.clients["sqs"], world.stack.refs["ParkedMessages"]
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"message_id": "m-7"}

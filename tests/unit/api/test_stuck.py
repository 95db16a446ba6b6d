"""What is stuck, over the API: who may see it, who may free it (S20)."""

from __future__ import annotations

import pytest

from creditmesh.failures.dead_letters import failures
from creditmesh.platform.outbox import Message
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Update
from tests.support import wired
from tests.support.dead_letters import dead_letter
from tests.unit.api.client import Api, new_key

pytestmark = pytest.mark.usefixtures("cloud")
OPERATOR = Api("operator", "platform")
NOTE = {"note": "the bank is back"}


@pytest.fixture
def message_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """A parked order to pay whose answer is awaited."""
    message_id = f"m-{new_key()}"
    order = Message(message_id, "lender-a", "loan.contract.signed", "/v1/signatures", "app_1", {"name": "名"})
    wired.tables().write(wired.outbox().put(order))
    change = {"state": "parked", "queue": "parked", "last_error": "refused with status 400"}
    wired.tables().write(Update(settings().outbox_table, {"message_id": message_id}, change))
    monkeypatch.setattr(wired.undelivered(), "_awaited", lambda _: True)
    return message_id


def test_staff_see_a_parked_message_without_its_content(message_id: str) -> None:
    for role in ("operator", "manager", "auditor", "risk_officer"):
        staff = Api(role, "platform")
        listed = staff.get("/v1/outbox", query={"about": "app_1", "limit": 100}).json()["messages"]
        shown = staff.get(f"/v1/outbox/{message_id}").json()
        assert shown in listed
        assert (shown["last_error"], shown["attempts"]) == ("refused with status 400", 0)
        assert "名" not in str(shown)
        assert "body" not in shown
    pending = OPERATOR.get("/v1/outbox", query={"state": "pending", "limit": 100}).json()["messages"]
    assert message_id not in [one["message_id"] for one in pending]
    assert OPERATOR.get("/v1/outbox/none").status == 404


def test_two_persons_free_an_order_to_pay(message_id: str) -> None:
    path = f"/v1/outbox/{message_id}/replay"
    asked = OPERATOR.post(path, NOTE, key=new_key())
    assert (asked.status, asked.json()["state"], asked.json()["replay"]["by"]) == (200, "parked", "u-1")
    confirm = {"action": "confirm", "note": "checked"}
    alone = OPERATOR.post(f"{path}/decision", confirm, key=new_key())
    assert (alone.status, alone.json()["code"]) == (403, "four_eyes")
    other = Api("manager", "platform").post(f"{path}/decision", confirm, key=new_key(), subject="u-2")
    assert (other.status, other.json()["state"]) == (200, "pending")
    again = OPERATOR.post(path, NOTE, key=new_key())
    assert (again.status, again.json()["code"]) == (409, "not_replayable")


@pytest.mark.parametrize("note", ["\u200b\u200b", "\u3164\u3164", "\u2060\ufeff", "\u2800\u2800", "\u115f\u1160"])
def test_a_replay_needs_a_note_that_shows_something(message_id: str, note: str) -> None:
    for path, body in (("replay", {}), ("replay/decision", {"action": "confirm"})):
        refused = OPERATOR.post(f"/v1/outbox/{message_id}/{path}", {**body, "note": note}, key=new_key())
        assert (refused.status, refused.json()["errors"][0]["code"]) == (422, "nothing_visible")


@pytest.mark.parametrize("role", ["borrower", "bank", "lender"])
def test_outsiders_see_nothing(message_id: str, role: str) -> None:
    for path in ("/v1/outbox", f"/v1/outbox/{message_id}"):
        assert Api(role).get(path).status == 403


@pytest.mark.parametrize("role", ["borrower", "lender", "auditor", "risk_officer", "manager"])
def test_only_operators_ask_for_a_replay(message_id: str, role: str) -> None:
    assert Api(role, "platform").post(f"/v1/outbox/{message_id}/replay", NOTE).status == 403


@pytest.mark.parametrize("role", ["borrower", "lender", "auditor", "risk_officer"])
def test_only_operators_and_managers_decide(message_id: str, role: str) -> None:
    body = {"action": "confirm", "note": "yes"}
    assert Api(role, "platform").post(f"/v1/outbox/{message_id}/replay/decision", body).status == 403


@pytest.fixture
def failed_event_id(message_id: str) -> str:
    """The ticket of an order to pay, which no function could handle."""
    (letter,) = dead_letter({"message_id": message_id, "lane": "lender-a#1", "attempt": 0})["Records"]
    (failure,) = failures(letter, lambda key: pytest.fail(key))
    wired.failed_events().record(failure, 1_795_305_600_000)
    return failure.id


def test_staff_see_a_failed_event_without_its_content(failed_event_id: str, message_id: str) -> None:
    for role in ("operator", "manager", "auditor", "risk_officer"):
        staff = Api(role, "platform")
        query = {"state": "open", "kind": "delivery", "limit": 100}
        listed = staff.get("/v1/failed-events", query=query).json()["events"]
        shown = staff.get(f"/v1/failed-events/{failed_event_id}").json()
        assert shown in listed
        assert (shown["keys"], shown["source"], shown["failures"]) == ({"message_id": message_id}, "DeadLetters", 1)
        assert not {"event", "way"} & set(shown)
    assert OPERATOR.get("/v1/failed-events/none").status == 404
    assert OPERATOR.get("/v1/failed-events", query={"state": "lost"}).status == 422
    others = OPERATOR.get("/v1/failed-events", query={"kind": "stream", "limit": 100}).json()["events"]
    assert failed_event_id not in [one["failed_event_id"] for one in others]


def test_two_persons_replay_a_failed_order_to_pay(failed_event_id: str) -> None:
    path = f"/v1/failed-events/{failed_event_id}/replay"
    asked = OPERATOR.post(path, NOTE, key=new_key())
    assert (asked.status, asked.json()["state"], asked.json()["replay"]["by"]) == (200, "open", "u-1")
    confirm = {"action": "confirm", "note": "checked"}
    alone = OPERATOR.post(f"{path}/decision", confirm, key=new_key())
    assert (alone.status, alone.json()["code"]) == (403, "four_eyes")
    other = Api("manager", "platform").post(f"{path}/decision", confirm, key=new_key(), subject="u-2")
    assert (other.status, other.json()["state"]) == (200, "replaying")
    again = OPERATOR.post(path, NOTE, key=new_key())
    assert (again.status, again.json()["code"]) == (409, "not_replayable")


@pytest.mark.parametrize("role", ["borrower", "bank", "lender"])
def test_outsiders_see_no_failed_events(failed_event_id: str, role: str) -> None:
    for path in ("/v1/failed-events", f"/v1/failed-events/{failed_event_id}"):
        assert Api(role).get(path).status == 403


@pytest.mark.parametrize("role", ["borrower", "lender", "auditor", "risk_officer", "manager"])
def test_only_operators_replay_failed_events(failed_event_id: str, role: str) -> None:
    assert Api(role, "platform").post(f"/v1/failed-events/{failed_event_id}/replay", NOTE).status == 403


@pytest.mark.parametrize("role", ["borrower", "lender", "auditor", "risk_officer"])
def test_only_operators_and_managers_decide_on_failed_events(failed_event_id: str, role: str) -> None:
    body = {"action": "confirm", "note": "yes"}
    assert Api(role, "platform").post(f"/v1/failed-events/{failed_event_id}/replay/decision", body).status == 403

"""What is stuck, over the API: who may see it, who may free it (S20)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.closing.model import ContradictoryAnswer
from creditmesh.closing.received import Incoming
from creditmesh.failures.dead_letters import failures
from creditmesh.platform.outbox import Message
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Update
from institutions.lender_messages import parse_message
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


@pytest.mark.parametrize("role", ["borrower", "bank"])
def test_applicants_see_nothing(message_id: str, role: str) -> None:
    for path in ("/v1/outbox", f"/v1/outbox/{message_id}", "/v1/received-webhooks", "/v1/received-webhooks/none"):
        assert Api(role).get(path).status == 403


LENDER, RIVAL = Api("lender", "lender-a"), Api("lender", "lender-b")


def everything(caller: Api, path: str, name: str, **query: object) -> list[dict[str, Any]]:
    """All pages of a list."""
    page = caller.get(path, query={"limit": 100, **query}).json()
    found: list[dict[str, Any]] = page[name]
    while page["next"]:
        page = caller.get(path, query={"limit": 100, **query, "cursor": page["next"]}).json()
        found += page[name]
    return found


def test_a_lender_sees_what_was_parked_for_it_and_nothing_of_others(message_id: str) -> None:
    """S20: without who did what about it on the platform's side."""
    asked = OPERATOR.post(f"/v1/outbox/{message_id}/replay", NOTE, key=new_key())
    assert asked.json()["replays"]
    (mine,) = (one for one in everything(LENDER, "/v1/outbox", "messages") if one["message_id"] == message_id)
    assert mine == LENDER.get(f"/v1/outbox/{message_id}").json()
    assert (mine["state"], mine["last_error"], mine["about"]) == ("parked", "refused with status 400", "app_1")
    assert not {"replay", "replays"} & set(mine)
    assert everything(LENDER, "/v1/outbox", "messages", institution_id="lender-a", about="app_1")
    assert message_id not in str(everything(RIVAL, "/v1/outbox", "messages"))
    missing = RIVAL.get("/v1/outbox/none")
    other = RIVAL.get(f"/v1/outbox/{message_id}")
    assert (other.status, other.json()) == (404, {**missing.json(), "instance": other.json()["instance"]})
    for path in ("/v1/outbox", "/v1/received-webhooks"):
        named = RIVAL.get(path, query={"institution_id": "lender-a"})
        assert (named.status, named.json()["detail"]) == (404, "no such institution")


def test_a_lender_sees_what_came_of_its_own_messages() -> None:
    """S20: accepted, refused and why."""
    about = f"app_{new_key()[:28]}"
    body = json.dumps({"type": "loan.decision", "data": {"application_id": about}}).encode()
    for name, error in (("w-1", None), ("w-2", ContradictoryAnswer("it was approved before", field="decision"))):
        message = Incoming("lender-a", f"{name}.{about}", body, True, json.loads(body))
        if error:
            wired.receipts().not_taken(message, error)
        else:
            wired.receipts().taken(message, duplicate=False)
    found = everything(LENDER, "/v1/received-webhooks", "webhooks", about=about)
    assert {(one["state"], one["problem"], one["field"]) for one in found} == {
        ("accepted", None, None), ("rejected", "contradictory_answer", "decision"),
    }  # fmt: skip
    assert not any({"replay", "replays"} & set(one) for one in found)
    for one in found:
        path = f"/v1/received-webhooks/{one['id']}"
        assert LENDER.get(path).json() == one
        assert (RIVAL.get(path).status, RIVAL.get(path).json()["code"]) == (404, "not_found")
    assert everything(RIVAL, "/v1/received-webhooks", "webhooks", about=about) == []


def test_a_lender_sends_itself_a_test_message() -> None:
    key, place = new_key(), "/v1/lender-messages/test"
    sent = LENDER.post(place, key=key)
    assert (sent.status, sent.json()["type"], sent.json()["state"]) == (202, "platform.test", "pending")
    message_id = sent.json()["message_id"]
    assert LENDER.get(f"/v1/outbox/{message_id}").json() == sent.json()
    assert LENDER.post(place, key=key).json() == sent.json()
    assert LENDER.post(place, key=new_key()).json()["message_id"] != message_id
    assert RIVAL.post(place, key=key).json()["message_id"] != message_id
    assert LENDER.post(place).status == 422, "without a key a repeat would be another message"
    nobody = Api("lender", "nobody").post(place, key=key)
    assert (nobody.status, nobody.json()["code"]) == (403, "not_a_lender")
    item = wired.tables().get(settings().outbox_table, {"message_id": message_id})
    assert item
    assert (item["path"], item["institution_id"]) == ("/v1/tests", "lender-a")
    said = json.loads(wired.cipher().open(item["body"], settings().outbox_table, message_id, "body"))
    assert parse_message(item["path"], json.dumps(said).encode()) == ("platform.test", said["data"])
    assert said["data"] == {"sent_by": "lender", "at": item["created_at"]}


def test_a_test_message_that_is_not_taken_disturbs_nobody() -> None:
    message_id = LENDER.post("/v1/lender-messages/test", key=new_key()).json()["message_id"]
    item = wired.tables().get(settings().outbox_table, {"message_id": message_id})
    assert item
    wired.closings().message_parked(item)
    parked = {"state": "parked", "queue": "parked"}
    wired.tables().write(Update(settings().outbox_table, {"message_id": message_id}, parked))
    again = OPERATOR.post(f"/v1/outbox/{message_id}/replay", NOTE, key=new_key())
    assert (again.status, again.json()["code"]) == (409, "not_replayable"), "the lender sends another"


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

"""Received webhooks: what became of each, and replays of those that were not accepted (S20)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.closing.answers import LenderAnswers
from creditmesh.closing.received import KEPT_DAYS, UNKNOWN
from creditmesh.closing.webhooks import BODY_DAYS, ReceivedWebhook
from creditmesh.intake.model import Outcome, Status
from creditmesh.kernel.errors import NotFound, SamePerson
from creditmesh.platform.paging import Window
from creditmesh.platform.replays import NotReplayable
from creditmesh.platform.settings import settings
from creditmesh.platform.signing import signed_headers
from tests.support import wired
from tests.support.functions import invoke
from tests.support.world import APPROVAL, CONTRACT, DISBURSEMENT, SECRET_A, SECRET_BUREAU, World

FORGED = "whsec_" + "QUJD" * 8


def send(
    world: World, kind: str, data: Any, number: int = 1, *, secret: str = SECRET_A, lender: str = "lender-a",
    raw: bytes | None = None, message_id: str | None = None, media: str = "application/json",
) -> int:  # fmt: skip
    """Let a lender send a message; the status of the answer."""
    document = {"type": kind, "data": {"application_id": world.application_id, **data}}
    body = raw or json.dumps(document, ensure_ascii=False).encode()
    at = int(world.clock.now().timestamp())
    headers = {**signed_headers(secret, message_id or f"w-{number}", at, body), "content-type": media}
    event = {"pathParameters": {"institution_id": lender}, "headers": headers, "body": body.decode()}
    world.clock.advance(0.001)
    return int(invoke("ReceiveWebhookFunction", event)["statusCode"])


def listed(**query: Any) -> list[ReceivedWebhook]:
    return wired.received_webhooks().list(**query).items


def stored_bodies() -> list[str]:
    return list(wired.data().keys("webhooks/"))


def test_an_accepted_message_and_its_repeat(world: World) -> None:
    world.to_submitted()
    assert [send(world, "loan.decision", APPROVAL) for _ in range(2)] == [200, 200]
    repeat, first = listed()
    assert (first.state, first.webhook_id, first.type, first.about) == (
        "accepted", "w-1", "loan.decision", world.application_id
    )  # fmt: skip
    assert (repeat.state, repeat.problem) == ("duplicate", None)
    assert stored_bodies() == []
    for one in (first, repeat):
        with pytest.raises(NotReplayable):
            wired.received_webhooks().ask_replay(one.id, "operator-1", "again")


@pytest.mark.parametrize(
    ("data", "raw", "status", "problem"),
    [
        ({**APPROVAL, "term_months": 24}, None, 422, "invalid_input"),
        ({"decision": "perhaps"}, None, 422, "invalid_input"),
        ({}, b"{", 400, "malformed_json"),
        ({}, b'{"a": 1, "a": 2}', 400, "malformed_json"),
        ({**APPROVAL, "application_id": "app_other"}, None, 404, "not_found"),
    ],
)
def test_what_breaks_a_rule_is_kept_with_the_reason(
    world: World, data: Any, raw: bytes | None, status: int, problem: str
) -> None:
    world.to_submitted()
    assert send(world, "loan.decision", data, raw=raw) == status
    (one,) = listed(state="rejected")
    assert (one.problem, one.webhook_id, len(stored_bodies())) == (problem, "w-1", 1)
    shown = one.model_dump_json() + json.dumps(world.items("ReceivedWebhooks"), default=str)
    assert "perhaps" not in shown


def test_a_contradiction_is_shown_and_can_be_replayed_when_its_time_has_come(world: World) -> None:
    world.to_submitted()
    assert send(world, "loan.contract.ready", CONTRACT, 1) == 409
    (early,) = listed()
    assert (early.state, early.problem) == ("rejected", "contradictory_answer")
    with pytest.raises(Exception, match="not been approved"):
        wired.received_webhooks().ask_replay(early.id, "operator-1", "again")
    assert wired.received_webhooks().get(early.id).replays == []
    assert send(world, "loan.decision", APPROVAL, 2) == 200
    done = wired.received_webhooks().ask_replay(early.id, "operator-1", "the approval has come")
    assert (done.state, [step.act for step in done.replays]) == ("accepted", ["replayed"])
    assert world.application().status is Status.CONTRACT_READY
    with pytest.raises(NotReplayable):
        wired.received_webhooks().ask_replay(early.id, "operator-1", "again")


def test_two_persons_replay_what_tells_of_a_payment(world: World) -> None:
    world.to_contract()
    data = {"contract_id": DISBURSEMENT["contract_id"], "reason_code": "closed", "reason": "the account is closed"}
    assert send(world, "loan.disbursement.failed", data, 11) == 409
    (early,) = listed()
    world.to_ordered()
    asked = wired.received_webhooks().ask_replay(early.id, "operator-1", "the payment order is out now")
    assert (asked.state, asked.replay and asked.replay.by) == ("rejected", "operator-1")
    with pytest.raises(SamePerson):
        wired.received_webhooks().decide_replay(early.id, "operator-1", confirm=True, note="yes")
    assert world.application().status is Status.SIGNED
    done = wired.received_webhooks().decide_replay(early.id, "operator-2", confirm=True, note="seen at the bank")
    assert (done.state, done.replay) == ("accepted", None)
    assert wired.closing_store().find(world.application_id).orders[-1].state == "failed"


@pytest.mark.parametrize(
    ("media", "message_id"), [("text/plain", None), ("application/json; charset=gbk", None), ("", None),
    ("application/json", "w" * 201), ("text/json", "w" * 201)],
)  # fmt: skip
def test_two_persons_replay_what_was_refused_unread(world: World, media: str, message_id: str | None) -> None:
    world.to_ordered()
    assert send(world, "loan.disbursed", DISBURSEMENT, 11, media=media, message_id=message_id) in (415, 422)
    (refused,) = listed()
    assert refused.type is None
    asked = wired.received_webhooks().ask_replay(refused.id, "operator-1", "the payment is at the bank")
    assert asked.replay is not None
    assert world.application().outcome is None
    done = wired.received_webhooks().decide_replay(refused.id, "operator-2", confirm=True, note="seen at the bank")
    assert (done.state, world.application().outcome) == ("accepted", Outcome.DISBURSED)


def test_the_lenders_own_repeat_makes_a_replay_a_duplicate(world: World) -> None:
    world.to_submitted()
    send(world, "loan.contract.ready", CONTRACT, 1)
    (early,) = listed()
    send(world, "loan.decision", APPROVAL, 2)
    assert send(world, "loan.contract.ready", CONTRACT, 1) == 200
    assert wired.received_webhooks().ask_replay(early.id, "operator-1", "again").state == "duplicate"


def test_what_is_not_authentic_is_counted_by_minute_and_not_kept(world: World) -> None:
    world.clock.advance(60 - world.clock.now().second)
    for number in range(3):
        assert send(world, "loan.decision", APPROVAL, number, secret=FORGED) == 401
        world.clock.advance(15)
    assert send(world, "loan.decision", APPROVAL, lender="nobody") == 401
    assert send(world, "loan.decision", APPROVAL, lender="somebody") == 401
    found = {one.institution_id: one for one in listed(state="not_authentic")}
    assert {name: one.count for name, one in found.items()} == {"lender-a": 3, UNKNOWN: 2}
    assert found["lender-a"].webhook_id is None
    assert (stored_bodies(), len(world.items("ReceivedWebhooks"))) == ([], 2)
    world.clock.advance(60)
    send(world, "loan.decision", APPROVAL, secret=FORGED)
    assert len(listed(state="not_authentic", institution_id="lender-a")) == 2


def test_a_failure_of_ours_is_kept_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_submitted()

    def fails(*_: Any) -> bool:
        raise RuntimeError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(LenderAnswers, "receive", fails)
        assert send(world, "loan.decision", APPROVAL) == 500
    (one,) = listed()
    assert (one.state, one.problem) == ("failed", None)
    assert wired.received_webhooks().ask_replay(one.id, "operator-1", "mended").state == "accepted"


def test_a_sources_message_is_shown_and_never_kept(world: World) -> None:
    """It would outlive the consent under which it was read."""
    assert send(world, "nothing.known", {"name": "名"}, lender="credit-bureau", secret=SECRET_BUREAU) >= 400
    (one,) = listed(institution_id="credit-bureau")
    assert (one.state, stored_bodies()) == ("rejected", [])
    with pytest.raises(NotReplayable, match="not kept"):
        wired.received_webhooks().ask_replay(one.id, "operator-1", "again")


def test_a_strange_id_is_shown_by_its_hash(world: World) -> None:
    world.to_submitted()
    assert send(world, "loan.decision", APPROVAL, message_id="an id with spaces") == 200
    assert send(world, "loan.decision", APPROVAL, message_id="x" * 201) == 422
    long, strange = listed()
    assert "spaces" not in str(strange.webhook_id)
    assert (strange.state, long.state, long.field) == ("accepted", "rejected", "webhook-id")


def test_a_body_is_kept_for_some_days_only(world: World) -> None:
    world.to_submitted()
    send(world, "loan.contract.ready", CONTRACT)
    (one,) = listed()
    wired.data().delete(stored_bodies()[0])
    with pytest.raises(NotReplayable, match=str(BODY_DAYS)):
        wired.received_webhooks().ask_replay(one.id, "operator-1", "again")
    (item,) = world.items("ReceivedWebhooks")
    assert abs(item["expires_at"] - world.clock.now().timestamp() - KEPT_DAYS * 86_400) < 60


def test_pages_run_through_all_senders_latest_first(world: World) -> None:
    world.to_submitted()
    for number in range(3):
        send(world, "loan.decision", APPROVAL, number)
    send(world, "loan.decision", APPROVAL, lender="nobody")
    pages, mark = [], None
    while True:
        page = wired.received_webhooks().list(Window(2, mark))
        pages.append([one.id for one in page])
        if (mark := page.mark) is None:
            break
    assert sum(pages, []) == [one.id for one in listed()]
    assert len(sum(pages, [])) == 4
    assert len(listed(about=world.application_id)) == 3
    assert listed(type="loan.disbursed") == []


@pytest.mark.parametrize("name", ["none", ":", "lender-a:", "lender-a:2026", "a:b:c"])
def test_nobody_knows_the_webhook(world: World, name: str) -> None:
    with pytest.raises(NotFound):
        wired.received_webhooks().get(name)
    assert settings().received_webhooks_table.endswith("received-webhooks")

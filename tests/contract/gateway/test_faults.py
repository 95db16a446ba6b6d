"""Every fault of an institution ends in a named outcome, and nothing paid is asked for twice (G05, G10, G13)."""

from __future__ import annotations

import resource
import time
import tracemalloc
from typing import Any

import pytest

from creditmesh.gateway.channels.catalogue import ChannelVersion
from creditmesh.gateway.channels.document import Outcome

from .conftest import World, shipped
from .servers import rogue, says

QUICK = {"connect_seconds": 0.5, "total_seconds": 0.6}
"""For a source that is too slow; all tries of another must have the time they need, on a busy machine too."""
FREE, PAID = "company-registry", "fraud-shield"
UNSAFE = {"idempotent": False, "retry": {"attempts": 3}}


@pytest.mark.parametrize(
    ("kind", "more", "reason", "calls", "kept"),
    [
        ("delay", {"delay_ms": 1500}, "no answer: ReadTimeoutError", 1, False),
        ("status", {"status": 500}, "answered 500", 3, False),
        ("status", {"status": 503}, "answered 503", 3, False),
        ("status", {"status": 429}, "answered 429", 3, False),
        ("status", {"status": 400}, "answered 400", 1, True),
        ("cut", {}, "no answer: ", 3, False),
        ("wrong_charset", {}, "answer is not utf-8", 1, True),
        ("garbage", {}, "answer is not JSON", 1, True),
        ("xml_bomb", {}, "answer is not JSON", 1, True),
        ("redirect", {"location": "http://127.0.0.1:9/elsewhere"}, "answered 302", 1, True),
        ("drift", {}, "answer the answer: breaks required", 1, True),
        ("drift", {"how": "retype"}, "answer registration: breaks type", 1, True),
        ("drift", {"field": "status"}, "answer registration: breaks required", 1, True),
    ],
)
def test_of_a_free_source(world: World, kind: str, more: dict[str, Any], reason: str, calls: int, kept: bool) -> None:
    world.fault(FREE, kind, count=9, **more)
    limits = QUICK if kind == "delay" else {}
    channel, firm = shipped(FREE, limits=limits, retry={"pause_seconds": 0.01}), world.firm()
    result = world.collect(channel, firm)
    assert (result.outcome, result.reason or "") == ("unavailable", result.reason)
    assert (result.reason or "").startswith(reason), result.reason
    assert world.calls(FREE) == calls
    assert bool(result.raw_keys) is kept
    assert world.engine.health_of(channel).calls == calls


@pytest.mark.parametrize(
    ("kind", "more", "outcome", "calls", "charges"),
    [
        ("delay", {"delay_ms": 1500}, "unavailable", 1, 0),  # it hears that nobody waits any more
        ("status", {"status": 500}, "unavailable", 1, 0),
        ("cut", {}, "unavailable", 1, 1),
        ("wrong_charset", {}, "unavailable", 1, 1),
        ("drift", {}, "unavailable", 1, 1),
        ("drift", {"field": "band", "how": "retype"}, "complete", 1, 1),
        ("garbage", {}, "unavailable", 1, 0),
        ("redirect", {"location": "http://127.0.0.1:9/"}, "unavailable", 1, 0),
        ("status", {"status": 503, "count": 2}, "complete", 3, 1),
        ("status", {"status": 429, "count": 2}, "complete", 3, 1),
    ],
)
def test_of_a_paid_source_that_knows_no_request_again(
    world: World, kind: str, more: dict[str, Any], outcome: str, calls: int, charges: int
) -> None:
    """What the ledger says is the judge; a second collection within the window asks no more."""
    world.fault(PAID, kind, **{"count": 9, **more})
    limits = QUICK if kind == "delay" else {}
    channel, firm = shipped(PAID, limits=limits, retry={"pause_seconds": 0.01}, idempotent=False), world.firm()
    assert world.collect(channel, firm).outcome == outcome
    assert world.calls(PAID) == calls
    again = world.collect(channel, firm)
    assert again.outcome == outcome
    assert world.calls(PAID) == calls
    if kind == "delay":
        time.sleep(1.6)  # until the institution is done with it
    assert world.charges(PAID, firm) == charges


@pytest.mark.parametrize("kind", ["delay", "cut", "wrong_charset", "drift", "garbage", "status"])
def test_of_a_paid_source_that_knows_a_request_again(world: World, kind: str) -> None:
    """It is asked again under the same id until it answers, and paid once."""
    more = {"delay_ms": 1500} if kind == "delay" else {}
    world.fault(PAID, kind, count=3, **more)
    channel, firm = shipped(PAID, limits=QUICK, retry={"attempts": 2, "pause_seconds": 0.01}), world.firm()
    outcomes = []
    while len(outcomes) < 5 and outcomes[-1:] != ["complete"]:
        outcomes.append(world.collect(channel, firm).outcome.value)
    assert outcomes[-1] == "complete"
    assert outcomes[0] == "unavailable"
    time.sleep(1.6 if kind == "delay" else 0)
    assert world.charges(PAID, firm) == 1
    assert world.engine.health_of(channel).cost == "1.50"


def test_a_source_that_says_when_to_come_again_is_obeyed(world: World) -> None:
    world.fault(FREE, "status", status=429, retry_after=1)
    started = time.monotonic()
    assert world.collect(shipped(FREE), world.firm()).outcome is Outcome.COMPLETE
    assert time.monotonic() - started >= 1
    assert world.calls(FREE) == 2
    world.fault(FREE, "status", status=429, retry_after=60)
    started = time.monotonic()
    assert world.collect(shipped(FREE), world.firm()).reason == "answered 429"
    assert time.monotonic() - started < 30, "there is no time for that"
    assert world.calls(FREE) == 3


@pytest.mark.parametrize("name", ["company-registry", "court-register"])
def test_a_huge_answer_does_not_fill_the_memory(world: World, name: str) -> None:
    firm = world.firm()
    world.collect(shipped(name), world.firm())
    world.fault(name, "huge", megabytes=50, count=9)
    channel = shipped(name, limits={"answer_bytes": 1_000_000}, retry={"attempts": 1})
    tracemalloc.start()
    result = world.collect(channel, firm)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (result.outcome, result.reason) == ("unavailable", "the answer is too long")
    assert peak < 12_000_000


def test_drift_of_xml_and_an_xml_bomb(world: World) -> None:
    court, firm = "court-register", world.firm()
    world.fault(court, "drift")
    assert world.collect(shipped(court), firm).missing == ["taxpayer_id"]
    world.fault(court, "xml_bomb")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = world.collect(shipped(court, retry={"attempts": 1}), world.firm())
    assert (result.outcome, result.reason) == ("unavailable", "answer is not XML, or declares entities")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
    assert len(result.raw_keys) == 1


def test_a_soap_fault_is_an_answer_and_trouble_is_not(world: World) -> None:
    """SOAP 1.1 gives every fault 500."""
    result = world.engine.collect(shipped("court-register"), "91990000600037341L")
    assert (result.outcome, world.calls("court-register")) == ("no_data", 1)
    world.fault("court-register", "status", status=500, count=9)
    result = world.collect(shipped("court-register", retry={"pause_seconds": 0}), world.firm())
    assert (result.outcome, world.calls("court-register")) == ("unavailable", 4)


def test_drift_in_a_charset_of_its_own(world: World) -> None:
    name = "education-register"
    world.fault(name, "wrong_charset")
    result = world.collect(shipped(name), world.firm())
    assert result.outcome in ("unavailable", "incomplete")
    assert len(result.raw_keys) == 1
    world.fault(name, "drift", field="xlxx")
    assert world.collect(shipped(name), world.firm()).reason == "answer the answer: breaks required"


def test_a_page_that_fails_is_asked_again(world: World) -> None:
    shop = "market-square"
    world.fault(shop, "status", status=503, path="/v1/sales")
    world.fault(shop, "cut", path="/v1/sales")
    result = world.collect(shipped(shop, retry={"pause_seconds": 0}), world.firm())
    assert result.outcome is Outcome.COMPLETE


def test_a_token_that_cannot_be_had(world: World) -> None:
    shop = "market-square"
    world.fault(shop, "status", status=500, path="/oauth", count=9)
    result = world.collect(shipped(shop, retry={"pause_seconds": 0}), world.firm())
    assert (result.outcome, result.reason) == ("unavailable", "issues no token: answered 500")
    assert world.calls(shop) == 3


def test_a_lost_receipt_of_a_late_answer_costs_once(world: World) -> None:
    bureau = "credit-bureau"
    channel, firm = shipped(bureau, retry={"attempts": 2, "pause_seconds": 0}), world.firm()
    world.fault(bureau, "cut")
    assert world.collect(channel, firm).outcome is Outcome.PENDING
    assert (world.calls(bureau), world.charges(bureau, firm)) == (2, 1)
    _, body = world.hooks.about(firm.taxpayer_id)
    assert world.engine.late.receive([ChannelVersion(channel, 1)], "credit.report.ready", body) is True
    assert world.collect(channel, firm).outcome is Outcome.COMPLETE


def test_a_late_answer_that_drifted_is_asked_for_again_and_paid_once(world: World) -> None:
    bureau = "credit-bureau"
    channel, firm = shipped(bureau), world.firm()
    world.fault(bureau, "drift", path="credit.report", field="facilities")
    first = world.collect(channel, firm)
    _, body = world.hooks.about(firm.taxpayer_id)
    assert b"facilities_v2" in body
    assert world.engine.late.receive([ChannelVersion(channel, 1)], "credit.report.ready", body) is True
    record = world.engine.record(first)
    assert (record.outcome, record.cause and record.cause.text) == ("unavailable", "answer credit: breaks required")
    assert len(record.raw_keys) == 1
    assert world.collect(channel, firm).outcome is Outcome.PENDING
    _, body = world.hooks.about(firm.taxpayer_id, 2)
    assert world.engine.late.receive([ChannelVersion(channel, 1)], "credit.report.ready", body) is True
    assert world.collect(channel, firm).outcome is Outcome.COMPLETE
    assert world.charges(bureau, firm) == 1


def test_a_redirect_takes_nothing_elsewhere(world: World) -> None:
    with rogue(says(b"{}")) as elsewhere:
        for name in ("company-registry", "tax-bureau", "court-register", "market-square", "fraud-shield"):
            firm, path = world.firm(), {"tax-bureau": "/api", "market-square": "/oauth/token"}.get(name)
            world.fault(name, "redirect", location=f"{elsewhere.url}/take", count=9, path=path)
            result = world.collect(shipped(name), firm)
            assert result.outcome is Outcome.UNAVAILABLE
        assert elsewhere.requests == []


def test_a_source_that_is_not_there(world: World) -> None:
    world.engine.book.addresses[FREE] = "http://127.0.0.1:9"
    result = world.collect(shipped(FREE, limits=QUICK, retry={"pause_seconds": 0}), world.firm())
    assert (result.outcome, result.reason) == ("unavailable", "no answer: NewConnectionError")

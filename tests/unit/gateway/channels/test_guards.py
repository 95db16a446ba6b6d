"""Breaker and rate, shared by all functions (G13)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from creditmesh.gateway.channels.guards import LOOK_SECONDS, BreakerState, Guards
from creditmesh.platform.http import Answer, InstitutionUnavailable
from tests.unit.gateway.channels.engine import ORIGIN, Engine, body, channel

GET = ("GET", f"{ORIGIN}/firms/")
ONE = channel(breaker={"failures": 3, "open_seconds": 30}, cache_seconds=0)


def firms() -> Any:
    return (f"9199000060000{number:04d}A" for number in range(10_000))


def fail(engine: Engine, times: int) -> None:
    engine.http.fail(*GET, InstitutionUnavailable("no_answer", error="ReadTimeoutError", sent=False))
    for _ in range(times):
        engine.collect(ONE)


def test_it_opens_after_so_many_failures_in_a_row(engine: Engine) -> None:
    fail(engine, 2)
    engine.http.answer(*GET, 200, {"name": "made up"})
    assert engine.collect(ONE).outcome == "complete"
    fail(engine, 2)
    assert engine.guards.breaker(ONE).state is BreakerState.CLOSED
    fail(engine, 1)
    assert engine.guards.breaker(ONE).state is BreakerState.OPEN


def test_nobody_is_called_while_it_is_open(engine: Engine) -> None:
    fail(engine, 3)
    called = len(engine.http.calls)
    result = engine.collect(channel(breaker=ONE.breaker.model_dump(), fallback_channel="another"))
    assert (result.outcome, result.reason, result.fallback_channel) == ("unavailable", "circuit_open", "another")
    assert len(engine.http.calls) == called
    assert engine.health_of(ONE).breaker == "open"
    assert {item["state"] for item in engine.stored_calls()} == {"failed"}


def test_after_its_pause_one_of_many_goes_through(engine: Engine) -> None:
    fail(engine, 3)
    engine.clock.advance(29)
    assert not engine.guards.may_call(ONE)
    engine.clock.advance(1)
    assert engine.guards.breaker(ONE).state is BreakerState.HALF_OPEN
    passed: list[bool] = []
    started = threading.Barrier(8)

    def ask() -> None:
        started.wait()
        passed.append(engine.guards.may_call(ONE))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == [False] * 7 + [True]


def test_a_breaker_without_failures_is_not_looked_at_again_for_a_moment(engine: Engine) -> None:
    other = Guards(engine.tables, engine.stack.refs["ChannelStates"], engine.clock)
    assert other.may_call(ONE)
    fail(engine, 3)
    assert other.may_call(ONE)
    engine.clock.advance(LOOK_SECONDS)
    assert not other.may_call(ONE)


def test_a_failure_of_ones_own_is_seen_at_once(engine: Engine) -> None:
    other = Guards(engine.tables, engine.stack.refs["ChannelStates"], engine.clock)
    assert other.may_call(ONE)
    fail(engine, 2)
    other.failed(ONE)
    assert not other.may_call(ONE)


def test_success_closes_it(engine: Engine) -> None:
    fail(engine, 3)
    engine.clock.advance(30)
    engine.http.answer(*GET, 200, {"name": "made up"})
    assert engine.collect(ONE).outcome == "complete"
    assert engine.guards.breaker(ONE).state is BreakerState.CLOSED
    fail(engine, 2)
    assert engine.guards.breaker(ONE).state is BreakerState.CLOSED


def test_failure_of_the_trial_keeps_it_open_for_another_pause(engine: Engine) -> None:
    fail(engine, 3)
    engine.clock.advance(30)
    fail(engine, 1)
    engine.clock.advance(29)
    assert not engine.guards.may_call(ONE)
    engine.clock.advance(1)
    assert engine.guards.may_call(ONE)


def test_a_trial_that_died_gives_way_to_another(engine: Engine) -> None:
    fail(engine, 3)
    engine.clock.advance(30)
    assert engine.guards.may_call(ONE)
    assert not engine.guards.may_call(ONE)
    engine.clock.advance(2 * ONE.limits.total_seconds + 1)
    assert engine.guards.may_call(ONE)
    assert not engine.guards.may_call(ONE)


@pytest.mark.parametrize("answer", [Answer(200, b"<html>"), Answer(500, b""), Answer(404, b"")])
def test_answers_of_no_use_count_as_failures(engine: Engine, answer: Answer) -> None:
    engine.http.routes[GET] = lambda _: answer
    for firm, _ in zip(firms(), range(3), strict=False):
        engine.collect(ONE, firm)
    assert engine.guards.breaker(ONE).state is BreakerState.OPEN


@pytest.mark.parametrize("document", [{"title": "no name"}, {"name": "made up"}])
def test_incomplete_answers_are_the_firms_not_the_sources(engine: Engine, document: Any) -> None:
    engine.http.answer(*GET, 200, document)
    for firm, _ in zip(firms(), range(4), strict=False):
        engine.collect(ONE, firm)
    assert engine.guards.breaker(ONE).state is BreakerState.CLOSED


def test_each_channel_has_its_own(engine: Engine) -> None:
    fail(engine, 3)
    assert engine.guards.may_call(channel(channel_id="another-source"))


LIMITED = channel(limits={"calls_per_second": 3, "total_seconds": 5})


def test_at_most_so_many_calls_in_any_second(engine: Engine) -> None:
    at: list[float] = []

    def note(_: Any) -> Answer:
        at.append(engine.clock.now().timestamp())
        return Answer(200, body({"name": "made up"}))

    engine.http.routes[GET] = note
    outcomes = [engine.collect(LIMITED, firm).outcome for firm, _ in zip(firms(), range(10), strict=False)]
    assert outcomes == ["complete"] * 10
    assert max(sum(int(one) == second for one in at) for second in {int(one) for one in at}) == 3
    assert at[-1] - at[0] == 3


def test_who_would_wait_too_long_is_told_so(engine: Engine) -> None:
    impatient = channel(limits={"calls_per_second": 1, "total_seconds": 0.5}, fallback_channel="another")
    engine.http.answer(*GET, 200, {"name": "made up"})
    assert engine.collect(impatient, "91990000600000001A").outcome == "complete"
    result = engine.collect(impatient, "91990000600000002A")
    assert (result.outcome, result.reason, result.fallback_channel) == ("unavailable", "rate_limited", "another")
    assert len(engine.http.calls) == 1
    assert engine.guards.breaker(impatient).failures == 0, "it is not the source's fault"


def test_pages_and_repeats_take_places_too(engine: Engine) -> None:
    at: list[int] = []
    steps = iter([Answer(503, b""), *(Answer(200, body({"items": [], "next": str(page)})) for page in range(5))])

    def note(_: Any) -> Answer:
        at.append(int(engine.clock.now().timestamp()))
        return next(steps, Answer(200, body({"items": [], "name": "made up"})))

    engine.http.routes[GET] = note
    paging = {"items": "items", "next": "next"}
    transport = {"type": "rest", "method": "GET", "path": "/firms/x", "paging": paging}
    retry = {"attempts": 2, "pause_seconds": 0}
    engine.collect(channel(limits={"calls_per_second": 2}, transport=transport, retry=retry))
    assert len(at) == 7
    assert max(at.count(second) for second in at) == 2


def test_a_paged_call_that_finds_no_place_ends_in_time(engine: Engine) -> None:
    engine.http.routes[GET] = lambda call: Answer(200, body({"items": [], "next": call.url[-1] + "x"}))
    paging = {"items": "items", "next": "join('', [next, 'y'])"}
    transport = {"type": "rest", "method": "GET", "path": "/firms/x", "paging": paging}
    result = engine.collect(channel(limits={"calls_per_second": 1, "total_seconds": 0.5}, transport=transport))
    assert (result.outcome, result.reason) == ("unavailable", "the rate limit allows no further call in time")


def test_several_breakers_are_looked_at_by_one_call(engine: Engine) -> None:
    fail(engine, 3)
    other = channel(channel_id="another-source")
    elsewhere = Guards(engine.tables, engine.stack.refs["ChannelStates"], engine.clock)
    elsewhere.look([ONE, other])
    get = engine.tables.get
    looked: list[Any] = []
    engine.tables.get = lambda table, key: looked.append(key) or get(table, key)  # type: ignore[method-assign]
    assert (elsewhere.may_call(other), looked) == (True, [])
    assert not elsewhere.may_call(ONE)
    engine.clock.advance(LOOK_SECONDS)
    assert elsewhere.may_call(other)
    assert [key["channel_id"] for key in looked] == ["some-source", "another-source"]

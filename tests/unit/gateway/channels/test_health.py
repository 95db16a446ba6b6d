"""How channels do, counted (G13): calls, success, latency, cost, cache hits, and metrics that name nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.gateway.channels.document import Outcome
from creditmesh.gateway.channels.health import SLOT_SECONDS
from creditmesh.platform.http import Answer, InstitutionUnavailable
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, body, channel

GET = ("GET", f"{ORIGIN}/firms/")
ONE = channel(cost={"amount": "1.25"}, cache_seconds=600, idempotent=True, retry={"attempts": 2})


def answered(engine: Engine, millis: float, document: Any = None) -> None:
    def respond(_: Any) -> Answer:
        engine.clock.advance(millis / 1000)
        return Answer(200, body(document or {"name": "made up"}))

    engine.http.routes[GET] = respond


def test_nothing_asked_nothing_told(engine: Engine) -> None:
    health = engine.health_of(ONE)
    assert (health.calls, health.collections, health.success_bps, health.latency_p50_ms) == (0, 0, None, None)
    assert (health.cost, health.breaker, health.outcomes) == ("0.00", "closed", {})


def test_calls_outcomes_cost_hits_and_success(engine: Engine) -> None:
    answered(engine, 10)
    for number, firm in enumerate(("A", "B", "C", "A", "A")):
        engine.collect(ONE, firm, by=f"app-{number}")
    answered(engine, 10, {"title": "no name"})
    engine.collect(ONE, "D")
    for number in range(4):
        engine.collect(ONE, "D", by=f"other-{number}")
    engine.http.fail(*GET, InstitutionUnavailable("answered", status=500))
    engine.collect(ONE, "E")
    health = engine.health_of(ONE)
    assert (health.collections, health.cache_hits, health.calls) == (11, 6, 6)
    assert health.outcomes == {"complete": 5, "incomplete": 5, "unavailable": 1}
    assert health.success_bps == 6000, "three of five that were not from the cache"
    assert (health.cost, health.currency) == ("5.00", "CNY")


def test_a_collection_that_meets_its_own_answer_is_counted_once(engine: Engine) -> None:
    answered(engine, 10)
    for _ in range(3):
        assert engine.collect(ONE, by="app-1").outcome == "complete"
    health = engine.health_of(ONE)
    assert (health.collections, health.cache_hits, health.calls) == (1, 0, 1)


def test_quantiles_are_upper_bounds_of_buckets(engine: Engine) -> None:
    for number in range(20):
        answered(engine, 40 if number < 19 else 4000)
        engine.collect(ONE, f"firm-{number}")
    health = engine.health_of(ONE)
    assert (health.latency_p50_ms, health.latency_p95_ms) == (50, 50)
    answered(engine, 60_000)
    engine.collect(ONE, "slow")
    assert engine.health_of(ONE).latency_p95_ms == 5000


def test_only_the_time_asked_for_counts(engine: Engine) -> None:
    answered(engine, 10)
    engine.collect(ONE, "A")
    engine.clock.advance(SLOT_SECONDS * 3)
    engine.collect(ONE, "B")
    assert engine.health_of(ONE, minutes=5).collections == 1
    assert engine.health_of(ONE, minutes=30).collections == 2


def test_missing_fields_and_consents_cost_nothing(engine: Engine) -> None:
    engine.collect(channel(fields={"taxpayer_id": {}, "person_name": {}}))
    engine.collect(channel(consent_scope="some_scope"))
    health = engine.health_of(channel())
    assert (health.calls, health.cost, health.outcomes) == (0, "0.00", {"incomplete": 1})


@pytest.mark.parametrize(("outcome", "status"), [(Outcome.REFUSED, 403), (Outcome.NO_DATA, 404)])
def test_a_no_costs_nothing(engine: Engine, outcome: Outcome, status: int) -> None:
    one = channel(cost={"amount": "1.25"}, response={"refusals": [{"status": status, "outcome": outcome.value}]})
    engine.http.answer(*GET, status, {})
    assert engine.collect(one).outcome is outcome
    assert engine.health_of(one).cost == "0.00"


def test_each_page_of_a_source_that_knows_no_request_again_costs(engine: Engine) -> None:
    paging = {"items": "items", "next": "next"}
    transport = {"type": "rest", "method": "GET", "path": "/firms/x", "paging": paging}
    steps = iter([{"items": [], "next": 1}, {"items": [], "next": 2}, {"name": "x", "items": []}])
    engine.http.routes[GET] = lambda _: Answer(200, body(next(steps)))
    one = channel(transport=transport, cost={"amount": "1.25"}, structure={"rule": "{items: items}"})
    engine.collect(one)
    assert engine.health_of(one).cost == "3.75"


def test_metrics_name_channel_and_outcome_and_nobody(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    answered(engine, 120)
    engine.collect(ONE)
    engine.collect(ONE, by="app-2")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(line["channel"], line["outcome"]) for line in lines} == {("some-source", "complete")}
    assert sum(line["channel_calls"][0] for line in lines if "channel_calls" in line) == 1
    assert sum(line["channel_cache_hits"][0] for line in lines if "channel_cache_hits" in line) == 1
    assert [line["channel_latency"][0] for line in lines if "channel_latency" in line] == [120]
    metrics = {metric["Name"] for line in lines for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert metrics == {"channel_collections", "channel_calls", "channel_cache_hits", "channel_latency"}
    text = json.dumps(lines)
    assert not any(secret in text for secret in (FIRM, "app-1", "made-up-api-key-1", "req_"))

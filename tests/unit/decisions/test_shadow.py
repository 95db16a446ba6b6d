"""Shadow scoring: what it writes, what it leaves alone, and that it keeps within its time (M08)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import date
from typing import Any

import pytest

from creditmesh.decisions.serving.queue import ScoringRequest
from creditmesh.decisions.serving.shadow import SHARDS, Shadow, ShadowTable
from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.result import RiskResult
from tests.support.candidates import FIRM, SHIPPED, candidate, stricter

DAY = date(2026, 11, 22)


class Down(Exception):
    """The table does not answer."""


class Table:
    """Takes records, all but as many as it is told; or none at all."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.refuses, self.down = 0, False

    def batch_write_item(self, RequestItems: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        if self.down:
            raise Down
        ((name, requests),) = RequestItems.items()
        assert len(requests) <= 25
        taken = len(requests) - self.refuses
        self.items += [request["PutRequest"]["Item"] for request in requests[:taken]]
        return {"UnprocessedItems": {name: list(requests[taken:])} if self.refuses else {}}


class AtOnce(Executor):
    """Carries out on the spot, or later where told so."""

    def __init__(self) -> None:
        self.waiting: list[Any] | None = None

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def carry_out() -> None:
            future.set_result(fn(*args, **kwargs))

        if self.waiting is None:
            carry_out()
        else:
            self.waiting.append(carry_out)
        return future


class Scene:
    """A champion, a challenger, a table, and a clock that moves a millisecond with each look."""

    def __init__(self) -> None:
        self.champion = load(json.dumps(SHIPPED))
        self.challenger: Artefact | None = load(json.dumps(candidate("2.2.0", stricter)))
        self.table, self.pool, self.logged = Table(), AtOnce(), list[Mapping[str, Any]]()
        self.now = 0.0
        table: Any = self.table
        self.shadow = Shadow(
            ShadowTable(table, "shadows", lambda: 1_700_000_000_000), lambda _: self.challenger, self.pool,
            self.logged.append, (Down,), self._tick,
        )  # fmt: skip

    def _tick(self) -> float:
        self.now += 0.001
        return self.now

    def answered(self, count: int, **features: Any) -> list[tuple[ScoringRequest, RiskResult]]:
        given = {**FIRM, **features}
        result = evaluate(self.champion, FIRM, DAY)
        return [
            (
                ScoringRequest(
                    f"r-{number}", f"a-{number}", "origination", json.dumps(given), f"{DAY}T08:00:00Z", 1, 0, str(DAY)
                ),
                result,
            )
            for number in range(count)
        ]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_record_holds_both_results_and_no_features(scene: Scene) -> None:
    scene.shadow.offer(scene.answered(1))
    scene.shadow.work(1.0)
    (item,) = scene.table.items
    assert scene.challenger is not None
    theirs = evaluate(scene.challenger, FIRM, DAY)
    ours = evaluate(scene.champion, FIRM, DAY)
    prefix, _, shard = item["challenger"]["S"].partition("#")
    assert (prefix, int(shard) in range(SHARDS)) == (scene.challenger.content_hash, True)
    assert (item["request_id"]["S"], item["application_id"]["S"]) == ("r-0", "a-0")
    for name, result in (("champion_result", ours), ("challenger_result", theirs)):
        kept = json.loads(item[name]["S"])
        assert kept == {field: getattr(result, field) for field in kept}
        assert {"decision", "score", "pd_ppm", "limit_minor", "grade"} <= set(kept)
    assert item["champion"]["S"] == scene.champion.content_hash
    assert int(item["expires_at"]["N"]) == 1_700_000_000 + 90 * 86400
    assert "revenue" not in json.dumps(item)
    assert scene.logged == [{"event": "shadow_scored", "scored": 1, "failed": 0, "dropped": 0}]


def test_without_a_challenger_nothing_is_kept(scene: Scene) -> None:
    challenger, scene.challenger = scene.challenger, None
    scene.shadow.offer(scene.answered(3))
    scene.challenger = challenger
    assert scene.shadow.work(1.0) < 0.01
    assert scene.table.items == []


def test_what_the_challenger_decided_itself_is_not_compared(scene: Scene) -> None:
    scene.challenger = scene.champion
    scene.shadow.offer(scene.answered(3))
    scene.shadow.work(1.0)
    assert scene.table.items == []


def test_it_stops_when_its_time_is_over(scene: Scene) -> None:
    scene.shadow.offer(scene.answered(20))
    assert scene.shadow.work(0.005) <= 0.008
    assert 0 < len(scene.table.items) < 10
    for _ in range(10):
        scene.shadow.work(0.005)
    assert len({item["request_id"]["S"] for item in scene.table.items}) == 20


def test_it_waits_for_a_slow_table_without_blocking(scene: Scene) -> None:
    scene.pool.waiting = []
    scene.shadow.offer(scene.answered(60))
    for _ in range(5):
        scene.shadow.work(1.0)
    assert len(scene.pool.waiting) == 1
    scene.pool.waiting.pop()()
    scene.shadow.work(1.0)
    assert len(scene.pool.waiting) == 1
    assert len(scene.table.items) == 25


def test_what_it_cannot_keep_up_with_is_dropped_and_counted(scene: Scene) -> None:
    for _ in range(3):
        scene.shadow.offer(scene.answered(500))
    scene.shadow.work(1.0)
    assert scene.logged[0]["dropped"] == 500
    scene.table.refuses = 2
    scene.shadow.work(1.0)
    assert scene.logged[1] == {"event": "shadow_scored", "scored": 23, "failed": 0, "dropped": 2}


def test_features_the_challenger_cannot_take_are_counted(scene: Scene) -> None:
    scene.shadow.offer(scene.answered(2, revenue_12m_minor="much"))
    scene.shadow.work(1.0)
    assert scene.logged == [{"event": "shadow_scored", "scored": 0, "failed": 2, "dropped": 0}]
    assert scene.table.items == []


def test_a_table_that_does_not_answer_harms_nobody(scene: Scene) -> None:
    scene.table.down = True
    scene.shadow.offer(scene.answered(2))
    scene.shadow.work(1.0)
    assert scene.logged == [{"event": "shadow_not_written", "count": 2, "error": "Down"}]
    scene.table.down = False
    scene.shadow.offer(scene.answered(1))
    scene.shadow.work(1.0)
    assert len(scene.table.items) == 1
